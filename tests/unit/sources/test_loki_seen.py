from pathlib import Path

import pytest

from vigie.errors import SettingsError
from vigie.loki import NANOSECONDS
from vigie.sources.loki_seen import SLACK_RECORDS, Journal, Record, Seen


def a_record(offset: int, nanosecond: int | None = None, low: int = 0) -> Record:
    return Record(offset, offset if nanosecond is None else nanosecond, low, offset.to_bytes(16, "big"))


@pytest.fixture
def journal(tmp_path: Path):
    made = Journal(tmp_path / "deep" / "loki.journal")
    yield made
    made.close()
    made.close()


def test_add_when_an_entry_comes_again_then_it_is_not_new() -> None:
    seen = Seen()
    assert [seen.add(1, b"a"), seen.add(1, b"b"), seen.add(1, b"a")] == [True, True, False]
    assert len(seen) == 2


def test_forget_when_seconds_are_over_then_only_those_are_forgotten() -> None:
    seen = Seen()
    for second in range(3):
        seen.add(second * NANOSECONDS + 5, b"a")
    seen.forget(2 * NANOSECONDS + 7)
    assert len(seen) == 1
    assert not seen.add(2 * NANOSECONDS + 5, b"a")
    assert seen.add(NANOSECONDS + 5, b"a")


def test_open_when_there_is_no_file_then_there_are_no_records(journal: Journal) -> None:
    assert journal.open(7) == []


@pytest.mark.parametrize("n", range(6))
def test_open_when_given_an_offset_then_what_was_polled_from_there_on_is_gone_for_good(
    journal: Journal, n: int
) -> None:
    journal.open(0)
    records = [a_record(10 * (number + 1)) for number in range(5)]
    journal.append(records[:2])
    journal.append(records[2:])
    resume = 10 * n + 1
    assert journal.open(resume) == records[:n]
    assert journal.open(1000) == records[:n]


def test_append_when_the_file_was_cut_then_new_records_follow_the_rest(journal: Journal) -> None:
    journal.open(0)
    journal.append([a_record(1), a_record(2), a_record(3)])
    journal.cut(2)
    journal.append([a_record(9)])
    assert journal.open(100) == [a_record(1), a_record(9)]


def test_open_when_the_last_record_is_torn_then_the_whole_ones_count(journal: Journal, tmp_path: Path) -> None:
    journal.open(0)
    journal.append([a_record(1), a_record(2)])
    journal.close()
    path = tmp_path / "deep" / "loki.journal"
    path.write_bytes(path.read_bytes()[:-3])
    assert journal.open(100) == [a_record(1)]


def test_trim_when_most_records_are_old_then_they_go_and_the_last_committed_stays(journal: Journal) -> None:
    journal.open(0)
    n = SLACK_RECORDS + 100
    journal.append([a_record(offset) for offset in range(1, n + 1)])
    journal.append([a_record(n + 1, nanosecond=5)])
    journal.trim(10, before=n - 10, offset=n + 2)
    journal.append([a_record(n + 2)])
    assert [record.offset for record in journal.open(n + 100)] == list(range(n - 10, n + 3))


def test_trim_when_there_is_little_to_gain_then_nothing_happens(journal: Journal) -> None:
    journal.open(0)
    journal.append([a_record(1), a_record(2)])
    journal.trim(0, before=100, offset=3)
    assert len(journal.open(100)) == 2


def test_open_when_the_folder_cannot_be_made_then_says_which(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"cannot write to .*/file/x: "):
        Journal(tmp_path / "file" / "x").open(0)


def test_journal_when_there_is_no_path_then_keeps_nothing() -> None:
    journal = Journal(None)
    journal.open(0)
    journal.append([a_record(1)])
    journal.trim(0, 0, 0)
    assert journal.open(100) == []
