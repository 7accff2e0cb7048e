import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from builders import a_dimension
from table_fixtures import a_table
from vigie.cli.importing import Table, Tally, _say, bring_in, check, label_columns
from vigie.cli.importing_known import EXAMPLES
from vigie.cli.tables import batches
from vigie.errors import LabelError, SettingsError
from vigie.learner.purity import Guard
from vigie.store import Store
from vigie.text import normaliser
from vigie.text.refining import Refinement

ROWS = {
    "text": ["disk 1 failed", "disk 2 failed", "disk 3 failed", "link up", None, " "],
    "sev": ["error", "warning", "error", "info", "info", "info"],
    "kind": ["disk", None, None, "net", "net", "net"],
}
DIMENSIONS = (a_dimension(), a_dimension("kind", ("disk", "net")))


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Any]:
    with Store.open(f"sqlite:///{tmp_path / 'vigie.db'}") as store:
        yield SimpleNamespace(store=store, text=normaliser("logs"), dimensions=DIMENSIONS)


def a_file(folder: Path, name: str = "rows.csv", rows: dict[str, list[Any]] | None = None) -> Path:
    return a_table(folder / name, rows or ROWS)


def test_label_columns_when_pairs_are_given_then_columns_by_dimension() -> None:
    assert label_columns(["severity=sev", "kind=a=b"], DIMENSIONS) == {"severity": "sev", "kind": "a=b"}


@pytest.mark.parametrize("given", [["severity"], ["severity="], ["mood=x"], ["=x"], ["severity=a", "severity=b"]])
def test_label_columns_when_one_is_wrong_then_refused(given: list[str]) -> None:
    with pytest.raises(SettingsError, match="--label"):
        label_columns(given, DIMENSIONS)


def test_import_when_labels_are_known_then_messages_and_the_most_frequent_answers_are_there(
    project: Any, tmp_path: Path
) -> None:
    file = a_file(tmp_path)

    table = Table(file, "text", {"severity": "sev", "kind": "kind"})
    tally = check(table, project, skip_unknown=False)
    written = bring_in(table, tally, project, annotator="old tool")

    effective = project.store.annotations.effective()
    answers = {(row["template"], row["dimension"]): row["label"] for row in effective.to_dicts()}
    (disk,) = project.text.normalise(pl.Series(["disk 1 failed"]))
    (link,) = project.text.normalise(pl.Series(["link up"]))
    assert answers == {
        (disk, "severity"): "error",
        (disk, "kind"): "disk",
        (link, "severity"): "info",
        (link, "kind"): "net",
    }
    assert written == 4
    assert set(effective["annotator"]) == {"old tool"}
    assert set(effective["purpose"]) == {"train"}
    assert project.store.pool.find(disk).count == 0  # it was not in this stream
    assert [sample.text for sample in project.store.pool.samples(project.store.pool.find(disk).id)]
    assert (tally.n_rows, tally.n_blank, tally.n_divided) == (6, 2, 1)


def test_import_when_a_group_was_drawn_for_audit_then_what_is_known_of_it_measures(
    project: Any, tmp_path: Path
) -> None:
    texts = pl.DataFrame({"text": ["link up"], "template": project.text.normalise(pl.Series(["link up"]))})
    (drawn,) = project.store.pool.add(texts)["group_id"]
    project.store.audit.draw([drawn])
    file = a_file(tmp_path)
    table = Table(file, "text", {"severity": "sev"})

    bring_in(table, check(table, project, skip_unknown=False), project, annotator="old tool")

    purposes = dict(project.store.annotations.effective().select("template", "purpose").iter_rows())
    assert purposes == {"link up": "audit", "disk <num> failed": "train"}


def test_import_when_there_are_no_labels_then_the_messages_alone_are_there(project: Any, tmp_path: Path) -> None:
    file = a_file(tmp_path)

    table = Table(file, "text", {})

    assert bring_in(table, check(table, project, skip_unknown=False), project, annotator="a") == 0
    assert project.store.pool.size() == 2
    assert project.store.pool.messages() == 4


def test_check_when_labels_are_unknown_then_all_are_listed_with_counts(project: Any, tmp_path: Path) -> None:
    file = a_file(tmp_path, rows={"text": ["a", "b", "c", "d"], "sev": ["fatal", "fatal", "Info", "info"]})

    with pytest.raises(LabelError) as refused:
        check(Table(file, "text", {"severity": "sev"}), project, skip_unknown=False)

    assert "severity: 'fatal' (2 times), 'Info' (1 times); known are error, info, warning" in str(refused.value)
    assert "nothing was written" in str(refused.value)
    assert "--skip-unknown" in str(refused.value)
    assert project.store.pool.size() == 0


def test_check_when_unknown_labels_are_skipped_then_the_others_count(project: Any, tmp_path: Path) -> None:
    file = a_file(tmp_path, rows={"text": ["a b", "c d"], "sev": ["fatal", "info"]})

    tally = check(Table(file, "text", {"severity": "sev"}), project, skip_unknown=True)

    assert bring_in(Table(file, "text", {"severity": "sev"}), tally, project, annotator="a") == 1
    assert project.store.pool.size() == 2


def test_import_when_the_file_is_long_then_it_is_read_in_batches(
    project: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import vigie.cli.importing as module
    from vigie.cli import tables

    monkeypatch.setattr(tables, "BATCH", 100)
    monkeypatch.setattr(module, "ANNOTATIONS", 7)
    words = [f"service {'abcdefghij'[i % 10]} says {'klmnopqrst'[i // 10 % 10]}" for i in range(1000)]
    file = a_file(tmp_path, rows={"text": words, "sev": ["info"] * 1000})

    tally = check(Table(file, "text", {"severity": "sev"}), project, skip_unknown=False)

    assert len(list(batches(file, ["text"]))) > 1
    assert bring_in(Table(file, "text", {"severity": "sev"}), tally, project, annotator="a") == 100
    assert project.store.pool.size() == 100


def test_answers_when_votes_are_equal_then_the_first_label_seen_counts() -> None:
    from collections import Counter

    tally = Tally(votes={("t", "severity"): Counter({"warning": 2, "error": 2, "info": 1})})

    assert tally.answers() == {"t": {"severity": "warning"}}


def test_say_when_for_people_then_names_what_was_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    from collections import Counter

    tally = Tally(n_rows=1500, n_blank=2, unknown={"severity": Counter(fatal=3)})

    _say(tally, 20, as_json=False)
    _say(tally, 20, as_json=True)

    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "1,498 messages brought in, with 20 answers.",
        "2 rows without a text.",
        "3 labels unknown and left out.",
    ]
    assert json.loads(lines[3]) == {"messages": 1498, "answers": 20, "known": 0, "blank": 2, "divided": 0, "unknown": 3}


HAPROXY = pl.DataFrame(
    {
        "text": [f"fe be/web{n % 4} {n * 7919} {code} {n * 31}" for n in range(30) for code in (200, 500)],
        "sev": ["info", "error"] * 30,
    }
)


def test_import_when_labels_go_by_what_masks_hide_then_the_guard_splits_the_template(
    project: Any, tmp_path: Path
) -> None:
    file = tmp_path / "rows.csv"
    HAPROXY.write_csv(file)
    table = Table(file, "text", {"severity": "sev"})

    tally = check(table, project, skip_unknown=False)
    assert bring_in(table, tally, project, annotator="a") == 1

    told = project.store.annotations.told()
    (slots,) = Guard(project.store, project.text).splits(told, DIMENSIONS).values()
    refined = Refinement(project.text, {told["template"][0]: slots}).templates(HAPROXY["text"])
    assert HAPROXY.with_columns(refined=refined).group_by("refined").agg(pl.col("sev").n_unique())["sev"].to_list() == [
        1,
        1,
    ]
    again = check(table, project, skip_unknown=False)
    assert (bring_in(table, again, project, annotator="a"), again.n_known) == (0, 1)


def test_import_when_labels_go_by_nothing_then_the_most_frequent_one_holds(project: Any, tmp_path: Path) -> None:
    texts = [f"job {n * 7919} took {n * 31} ms" for n in range(60)]
    table = Table(
        a_file(tmp_path, rows={"text": texts, "sev": ["error", "info", "info"] * 20}), "text", {"severity": "sev"}
    )

    assert bring_in(table, check(table, project, skip_unknown=False), project, annotator="a") == 1

    told = project.store.annotations.told()
    assert told.height == 2 * EXAMPLES
    assert Guard(project.store, project.text).splits(told, DIMENSIONS) == {}
    assert project.store.annotations.effective()["label"].to_list() == ["info"]


def test_check_when_labels_have_blanks_around_them_then_they_are_left_out(project: Any, tmp_path: Path) -> None:
    rows = {"text": ["a b", "c d", "e f", "g h"], "sev": [" info", "info ", "  ", ""]}
    table = Table(a_file(tmp_path, "a.jsonl", rows=rows), "text", {"severity": "sev"})

    assert sorted(check(table, project, skip_unknown=False).answers().values(), key=str) == [{"severity": "info"}] * 2


def test_check_when_a_label_is_renamed_then_blanks_around_it_do_not_matter(project: Any, tmp_path: Path) -> None:
    file = a_file(tmp_path, rows={"text": ["a b"], "sev": [" fatal "]})

    tally = check(Table(file, "text", {"severity": "sev"}, {("", "fatal"): "error"}), project, skip_unknown=False)

    assert list(tally.answers().values()) == [{"severity": "error"}]
