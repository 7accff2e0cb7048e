import gzip
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from vigie.errors import SettingsError, UnavailableError
from vigie.messages import Position
from vigie.sources import files
from vigie.sources.files import FilesSource
from vigie.sources.standard_input import StandardInput

Open = Callable[..., FilesSource]


@pytest.fixture
def open_source() -> Iterator[Open]:
    opened: list[FilesSource] = []

    def make(path: object, positions: list[Position] | None = None, **options: Any) -> FilesSource:
        opened.append(FilesSource("app", path=str(path), **options))
        opened[-1].open(positions or [])
        return opened[-1]

    yield make
    for source in opened:
        source.close()


def read(source: FilesSource, n: int = 100) -> list[bytes]:
    payloads: list[bytes] = []
    while not source.exhausted:
        frame = source.poll(n, 0)
        assert frame.height <= n
        payloads += frame["payload"].to_list()
    return payloads


def poll(source: FilesSource) -> list[bytes]:
    return source.poll(1000, 0)["payload"].to_list()


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def test_poll_when_formats_are_mixed_then_extensions_say_how_to_read(tmp_path: Path, open_source: Open) -> None:
    table = pl.DataFrame({"text": ["x", "y"]})
    table.write_csv(tmp_path / "a.csv")
    table.write_parquet(tmp_path / "b.parquet")
    (tmp_path / "c.csv.gz").write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes()))
    (tmp_path / "d.jsonl").write_bytes(b'{"text":"x"}\n{"text":"y"}\n')
    (tmp_path / "e.tsv").write_bytes(b"text\tn\nx\t1\n")
    (tmp_path / "f.parquet.gz").write_bytes(gzip.compress((tmp_path / "b.parquet").read_bytes()))
    rows = [json.loads(payload) for payload in read(open_source(tmp_path))]
    assert rows == [{"text": "x"}, {"text": "y"}] * 4 + [{"text": "x", "n": "1"}] + [{"text": "x"}, {"text": "y"}]


def test_poll_when_format_is_given_then_extensions_do_not_count(tmp_path: Path, open_source: Open) -> None:
    (tmp_path / "a.txt").write_bytes(b"text\nx\n")
    (tmp_path / "b.csv").write_bytes(b"text\nx\n")
    assert read(open_source(tmp_path / "a.txt", file_format="csv")) == [b'{"text":"x"}']
    assert read(open_source(tmp_path / "b.csv", file_format="lines")) == [b"text", b"x"]


def test_poll_when_path_is_a_folder_then_files_right_in_it_come_by_name(tmp_path: Path, open_source: Open) -> None:
    for name in ("b.log", "a.log", ".hidden", "deep/c.log"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{name}\n")
    assert read(open_source(tmp_path)) == [b"a.log", b"b.log"]
    assert read(open_source(tmp_path / "**/*.log")) == [b"a.log", b"b.log", b"deep/c.log"]
    assert read(open_source(tmp_path, exclude=[str(tmp_path / "a.log")])) == [b"b.log"]


def test_poll_when_a_name_looks_like_a_pattern_but_exists_then_it_is_that_file(
    tmp_path: Path, open_source: Open
) -> None:
    (tmp_path / "a[1].log").write_text("x\n")
    assert read(open_source(tmp_path / "a[1].log")) == [b"x"]


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("missing.log", "there is no such file; put it there, change the path, or say follow = true"),
        ("*.log", "there is no file with such a name"),
        ("", "there is no file in that folder"),
        ("gone/app.log", "there is no folder {}/gone"),
    ],
)
def test_open_when_there_is_nothing_then_the_error_says_what_is_missing(
    tmp_path: Path, open_source: Open, name: str, missing: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        open_source(tmp_path / name)

    expected = f"sources.app.path is {tmp_path / name}; {missing.format(tmp_path)}"
    assert str(caught.value).startswith(expected)
    assert str(caught.value).endswith("to wait for it")


def test_poll_when_files_are_many_and_small_then_batches_are_filled(tmp_path: Path, open_source: Open) -> None:
    for number in range(50):
        (tmp_path / f"{number:02}").write_text(f"{number}\n" * 3)
    source = open_source(tmp_path)
    assert [source.poll(60, 0).height for _ in range(3)] == [60, 60, 30]
    assert source.exhausted


def test_poll_when_messages_are_huge_then_a_batch_is_bounded(
    tmp_path: Path, open_source: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_BATCH_BYTES", 5000)
    (tmp_path / "a").write_bytes(b"".join(b"%04d" % number * 1000 + b"\n" for number in range(600)))
    source = open_source(tmp_path / "a")
    frame = source.poll(10_000, 0)
    assert 0 < frame.height < 600
    assert frame.height + len(read(source)) == 600


def test_poll_when_a_line_is_beyond_all_bounds_then_it_is_cut_but_still_too_long(
    tmp_path: Path, open_source: Open
) -> None:
    (tmp_path / "a").write_bytes(b"x" * 1000 + b"\nb\n")
    payloads = read(open_source(tmp_path / "a", max_message_bytes=10))
    assert payloads == [b"x" * 160, b"b"]


def test_timestamp_when_polled_then_it_is_when_the_file_was_changed(tmp_path: Path, open_source: Open) -> None:
    (tmp_path / "a").write_text("x\n")
    os.utime(tmp_path / "a", ns=(0, 1_700_000_000_123_456_789))
    [timestamp] = open_source(tmp_path / "a").poll(1, 0)["timestamp"].dt.timestamp("ns")
    assert timestamp == 1_700_000_000_123_456_789


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("b.gz", gzip.compress(b"".join(b"%d\n" % number for number in range(9999)))[:-9], "gzip data ends too early"),
        ("b.csv", b'text\nx\n"y\nz\n', "quote in its row 2 is never closed"),
        ("b.parquet", b"PAR1 nothing", "no complete Parquet file"),
    ],
)
def test_poll_when_a_file_is_broken_then_the_others_are_read_and_it_is_reported(
    tmp_path: Path, open_source: Open, name: str, content: bytes, problem: str
) -> None:
    for other in ("a.log", "c.log"):
        (tmp_path / other).write_text(f"{other}\n")
    (tmp_path / name).write_bytes(content)
    source = open_source(tmp_path)
    payloads = read(source)
    assert (payloads[0], payloads[-1]) == (b"a.log", b"c.log")
    [reported] = source.problems
    assert problem in reported
    assert str(tmp_path / name) in reported
    assert len(payloads) > 2 or name == "b.parquet"


def test_open_when_the_file_was_replaced_then_the_new_one_is_read_from_its_start(
    tmp_path: Path, open_source: Open
) -> None:
    (tmp_path / "a").write_text("monday 1\nmonday 2\n")
    first = open_source(tmp_path / "a")
    assert len(read(first)) == 2
    (tmp_path / "a").write_text("tuesday 1\ntuesday 2\ntuesday 3\n")
    second = open_source(tmp_path / "a", first.positions())
    assert len(read(second)) == 3
    assert len(second.positions()) == 1


def test_open_when_the_file_has_grown_then_only_what_is_new_comes(tmp_path: Path, open_source: Open) -> None:
    (tmp_path / "a").write_text("1\n")
    first = open_source(tmp_path / "a")
    read(first)
    with (tmp_path / "a").open("a") as file:
        file.write("2\n")
    assert read(open_source(tmp_path / "a", first.positions())) == [b"2"]


def test_open_when_files_are_gone_then_their_positions_are_forgotten(tmp_path: Path, open_source: Open) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(f"{name}\n")
    first = open_source(tmp_path)
    read(first)
    (tmp_path / "a").unlink()
    second = open_source(tmp_path, first.positions())
    assert [position.stream for position in second.positions()] == [str(tmp_path / "b")]


def test_poll_when_twins_have_the_same_content_then_both_are_read(tmp_path: Path, open_source: Open) -> None:
    for name in ("part-1.log", "part-2.log"):
        (tmp_path / name).write_text("begin\nsame\n")
    source = open_source(tmp_path)
    assert read(source) == [b"begin", b"same"] * 2
    assert read(open_source(tmp_path, source.positions())) == []


def test_follow_when_workers_begin_alike_then_no_line_of_either_is_lost(tmp_path: Path, open_source: Open) -> None:
    source = open_source(tmp_path, follow=True, clock=Clock())
    for number in (1, 2):
        (tmp_path / f"worker-{number}.log").write_text("starting\n")
        poll(source)
    for number in (1, 2):
        with (tmp_path / f"worker-{number}.log").open("a") as file:
            file.write(f"I am {number}\n")
    assert b"I am 1" in (payloads := [*poll(source), *poll(source)])
    assert b"I am 2" in payloads


def test_follow_when_lines_are_appended_then_whole_ones_come(tmp_path: Path, open_source: Open) -> None:
    path = tmp_path / "a.log"
    source = open_source(path, follow=True, clock=Clock())
    assert poll(source) == []
    assert not source.exhausted
    with path.open("ab", buffering=0) as file:
        for content, expected in ((b"ha", []), (b"lf\nwho", [b"half"]), (b"le\n\n", [b"whole", b""]), (b"x", [])):
            file.write(content)
            assert poll(source) == expected
    assert list(source.lag().values()) == [1]


def test_follow_when_a_new_file_appears_in_the_folder_then_it_is_read(tmp_path: Path, open_source: Open) -> None:
    source = open_source(tmp_path, follow=True, clock=Clock())
    (tmp_path / "a.log").write_text("a\n")
    assert poll(source) == [b"a"]
    pl.DataFrame({"text": ["x"]}).write_parquet(tmp_path / "b.parquet")
    assert poll(source) == [b'{"text":"x"}']


def test_follow_when_a_csv_grows_then_its_new_rows_come(tmp_path: Path, open_source: Open) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n")
    source = open_source(path, follow=True, clock=Clock())
    assert poll(source) == [b'{"a":"1","b":"2"}']
    with path.open("a") as file:
        file.write('3,"4\n')
        file.flush()
        assert poll(source) == []
        file.write('5"\n')
    assert poll(source) == [b'{"a":"3","b":"4\\n5"}']


def test_follow_when_a_parquet_file_is_still_written_then_it_is_read_when_whole(
    tmp_path: Path, open_source: Open
) -> None:
    source = open_source(tmp_path, follow=True, clock=Clock())
    pl.DataFrame({"text": ["x"]}).write_parquet(tmp_path / "a.parquet")
    whole = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(whole[:-10])
    assert poll(source) == []
    (tmp_path / "a.parquet").write_bytes(whole)
    assert poll(source) == [b'{"text":"x"}']
    assert source.problems == []


def test_follow_when_a_file_stays_broken_then_it_is_reported_once(tmp_path: Path, open_source: Open) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    source = open_source(tmp_path, follow=True, clock=Clock())
    for _ in range(4):
        poll(source)
    [problem] = source.problems
    assert "no complete Parquet file" in problem


def test_follow_when_truncated_without_a_copy_then_the_loss_is_reported(tmp_path: Path, open_source: Open) -> None:
    path = tmp_path / "a.log"
    path.write_text("1\n2\n3\n")
    source = open_source(path, follow=True, clock=Clock())
    assert source.poll(1, 0)["payload"].to_list() == [b"1"]
    path.write_text("new\n")
    assert sorted([*poll(source), *poll(source)]) == [b"2", b"3", b"new"]
    assert source.problems == []
    with path.open("ab") as file:
        file.write(b"many more lines\n" * 200_000)
    assert source.poll(1, 0).height == 1
    path.write_text("newer\n")
    payloads = source.poll(300_000, 0)["payload"].to_list()
    assert payloads[-1] == b"newer"
    assert len(payloads) < 200_000
    assert "truncated before all of it was read" in source.problems[0]


def test_follow_when_nothing_is_there_yet_then_it_says_that_it_waits(
    tmp_path: Path, open_source: Open, caplog: pytest.LogCaptureFixture
) -> None:
    open_source(tmp_path / "later.log", follow=True)
    assert "waiting for it" in caplog.text


def test_follow_when_the_folder_cannot_be_listed_then_the_worker_waits(
    tmp_path: Path, open_source: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_source(tmp_path, follow=True, clock=Clock())

    def fail(_: Path) -> Iterator[Path]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", fail)
    with pytest.raises(UnavailableError, match="cannot be listed: Permission denied"):
        source.poll(1, 0)


def test_committed_when_rotated_files_were_read_then_they_are_closed_and_forgotten(
    tmp_path: Path, open_source: Open
) -> None:
    clock = Clock()
    path = tmp_path / "a.log"
    source = open_source(path, follow=True, rotated_wait_seconds=0, clock=clock)
    for day in range(5):
        path.write_text(f"day {day}\n")
        assert poll(source) == [b"day %d" % day]
        path.rename(tmp_path / f"a.log.{day}")
        poll(source)
        source.committed(source.positions())
    poll(source)
    assert len(source.lag()) <= 1
    assert len(source.positions()) <= 1


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    reading, writing = os.pipe()
    monkeypatch.setattr(files, "StandardInput", lambda: StandardInput(reading))
    yield writing
    os.close(reading)


def test_standard_input_when_it_ends_then_everything_came(pipe: int, open_source: Open) -> None:
    source = open_source("-", follow=True)
    assert poll(source) == []
    os.write(pipe, b"a\nb")
    assert poll(source) == [b"a"]
    assert not source.exhausted
    os.close(pipe)
    assert read(source) == [b"b"]
    assert source.exhausted
    assert source.positions() == [Position("-", 0, 3)]


def test_standard_input_when_a_commit_fails_at_the_end_then_all_comes_again(pipe: int, open_source: Open) -> None:
    os.write(pipe, b"a\nb\nc\n")
    os.close(pipe)
    source = open_source("-")
    assert source.poll(1, 0)["payload"].to_list() == [b"a"]
    committed = source.positions()
    source.committed(committed)
    assert read(source) == [b"b", b"c"]
    source.rewind(committed)
    assert read(source) == [b"b", b"c"]
    source.committed(source.positions())
    assert source.lag() == {}


def test_standard_input_when_piped_into_again_then_it_is_another_partition(pipe: int, open_source: Open) -> None:
    os.write(pipe, b"a\n")
    os.close(pipe)
    source = open_source("-", [Position("-", 0, 500), Position("-", 3, 2)])
    assert source.poll(1, 0).select("payload", "stream", "partition", "offset").rows() == [(b"a", "-", 4, 0)]


def test_standard_input_when_it_is_a_table_then_rows_come(pipe: int, open_source: Open) -> None:
    os.write(pipe, b"a\n1\n")
    os.close(pipe)
    assert read(open_source("-", file_format="csv")) == [b'{"a":"1"}']


def test_standard_input_when_parquet_is_asked_for_then_it_is_refused() -> None:
    with pytest.raises(SettingsError, match="Parquet cannot be read from standard input"):
        FilesSource("app", path="-", file_format="parquet")
