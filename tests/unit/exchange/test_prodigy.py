import json
from pathlib import Path
from typing import Any

import pytest

from builders import NOON, a_dimension
from vigie.errors import SettingsError
from vigie.exchange import Answer, Reading, Status
from vigie.exchange.prodigy import read, write

ONE = [a_dimension()]
TWO = [*ONE, a_dimension("kind", ("disk", "net", "info"))]
SECONDS = int(NOON.timestamp())


def a_row(**changes: Any) -> dict[str, Any]:
    return {"text": "disk full", "accept": ["error"], "answer": "accept", "_view_id": "choice", **changes}


def answers(folder: Path, *rows: Any, reading: Reading | None = None) -> list[Answer]:
    file = folder / "rows.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    return list(read(file, reading or Reading(ONE)))


def test_read_when_a_choice_was_accepted_then_it_is_an_answer(tmp_path: Path) -> None:
    row = a_row(_annotator_id="db-ann", _session_id="db-x", _timestamp=SECONDS, _input_hash=-1, meta={"a": 1})

    assert answers(tmp_path, row) == [Answer("disk full", {"severity": "error"}, annotator="db-ann", created_at=NOON)]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"answer": "ignore"}, Status.SKIPPED),
        ({"answer": "reject"}, Status.SKIPPED),
        ({"accept": []}, Status.SKIPPED),
        ({"answer": "ignore", "flagged": True}, Status.FLAGGED),
        ({"answer": None}, Status.OPEN),
    ],
)
def test_read_when_nothing_was_chosen_then_says_what_was_done(changes: Any, status: Status, tmp_path: Path) -> None:
    (answer,) = answers(tmp_path, a_row(**changes))

    assert (answer.status, answer.labels) == (status, {})


def test_read_when_the_label_stands_alone_then_it_counts(tmp_path: Path) -> None:
    row = {"text": "a", "label": "error", "answer": "accept", "_session_id": "ann"}

    assert answers(tmp_path, row) == [Answer("a", {"severity": "error"}, annotator="ann")]


@pytest.mark.parametrize(
    ("accept", "labels"),
    [
        (["severity:error", "kind:disk"], {"severity": "error", "kind": "disk"}),
        (["error", "disk"], {"severity": "error", "kind": "disk"}),
        (["kind:info"], {"kind": "info"}),
        (["info"], {"": "info"}),
        (["kind:fan"], {"kind": "fan"}),
        (["fan"], {"": "fan"}),
    ],
)
def test_read_when_there_are_several_dimensions_then_names_are_parted(
    accept: list[str], labels: dict[str, str], tmp_path: Path
) -> None:
    (answer,) = answers(tmp_path, a_row(accept=accept), reading=Reading(TWO))

    assert answer.labels == labels


def test_read_when_the_file_is_about_one_of_several_dimensions_then_it_can_be_told(tmp_path: Path) -> None:
    (answer,) = answers(tmp_path, a_row(accept=["info"]), reading=Reading(TWO, questions={"accept": "kind"}))

    assert answer.labels == {"kind": "info"}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"answer": "accept", "accept": []}, "it has no 'text'"),
        (a_row(accept="error"), "'accept' is a text; expected a list"),
        (a_row(accept=["error", "info"]), "two labels for 'severity'"),
        (a_row(answer="yes"), "'answer' is 'yes'; expected accept, reject or ignore"),
        (a_row(_timestamp="noon"), "'_timestamp' is 'noon'; expected a time"),
        (a_row(vigie=[]), "vigie is a list; expected an object"),
    ],
)
def test_read_when_something_is_wrong_then_says_what_and_where(row: Any, reason: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"rows.jsonl, line 2: {reason}"):
        answers(tmp_path, a_row(), row)


def test_write_when_there_are_several_dimensions_then_labels_stand_in_one_list(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"

    write([Answer("a", {"severity": "error", "kind": "info"}, annotator="ann", created_at=NOON, id="1")], file, TWO)

    row = json.loads(file.read_text())
    assert row["accept"] == ["severity:error", "kind:info"]
    assert {"id": "kind:info", "text": "kind: info"} in row["options"]
    assert (row["answer"], row["config"], row["_timestamp"]) == ("accept", {"choice_style": "multiple"}, SECONDS)
    assert row["_annotator_id"] == row["_session_id"] == "ann"


def test_read_when_a_row_was_answered_again_then_the_notes_do_not_count(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    write([Answer("a", {"severity": "error"}, annotator="ann", created_at=NOON, id="1")], file, ONE)
    row = json.loads(file.read_text()) | {"_annotator_id": "bob", "_timestamp": SECONDS + 60}

    (answer,) = answers(tmp_path, row)

    assert (answer.annotator, answer.id) == ("bob", None)
