import json
from pathlib import Path
from typing import Any

import pytest

from builders import NOON, a_dimension
from vigie.errors import SettingsError
from vigie.exchange import Answer, Reading, Status
from vigie.exchange.doccano import read, write

ONE = [a_dimension()]
TWO = [*ONE, a_dimension("kind", ("disk", "net"))]


def answers(folder: Path, *rows: Any, reading: Reading | None = None) -> list[Answer]:
    file = folder / "all.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    return list(read(file, reading or Reading(ONE)))


def test_read_when_rows_are_labelled_then_answers_of_nobody_at_no_time(tmp_path: Path) -> None:
    rows = [{"id": 5, "text": "a", "label": ["error"], "Comments": []}, {"id": 6, "data": "b", "label": []}]

    assert answers(tmp_path, *rows) == [
        Answer("a", {"severity": "error"}, id="5"),
        Answer("b", id="6", status=Status.OPEN),
    ]


def test_read_when_there_are_several_dimensions_then_labels_are_parted(tmp_path: Path) -> None:
    (answer,) = answers(tmp_path, {"text": "a", "labels": ["disk", "severity:error"]}, reading=Reading(TWO))

    assert answer.labels == {"severity": "error", "kind": "disk"}


def test_read_when_the_dimension_is_told_then_names_are_not_parted(tmp_path: Path) -> None:
    reading = Reading(TWO, questions={"label": "kind"})

    (answer,) = answers(tmp_path, {"text": "a", "label": ["severity:error"]}, reading=reading)

    assert answer.labels == {"kind": "severity:error"}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"label": []}, "it has no 'text'"),
        ({"text": "a", "label": "error"}, "'label' is a text; expected a list"),
        ({"text": "a", "label": [[0, 4, "ORG"]]}, "its labels mark parts of the text"),
        ({"text": "a", "label": ["error", "info"]}, "two labels for 'severity'"),
        ({"text": "a", "label": [{}]}, "'label' is an object; expected a text"),
    ],
)
def test_read_when_something_is_wrong_then_says_what_and_where(row: Any, reason: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"all.jsonl, line 1: {reason}"):
        answers(tmp_path, row)


def test_read_when_the_tool_numbered_and_changed_rows_then_only_unchanged_ones_keep_their_notes(tmp_path: Path) -> None:
    file = tmp_path / "all.jsonl"
    given = [Answer(text, {"severity": "error"}, annotator="ann", created_at=NOON, id=text) for text in "ab"]
    write(given, file, ONE)
    same, changed = ({**json.loads(line), "id": n} for n, line in enumerate(file.read_text().splitlines()))

    kept, new = answers(tmp_path, same, {**changed, "label": ["info"]})

    assert kept == given[0]
    assert new == Answer("b", {"severity": "info"}, id="1")
