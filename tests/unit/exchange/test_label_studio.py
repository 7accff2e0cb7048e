import json
from pathlib import Path
from typing import Any

import pytest

from builders import NOON, a_dimension
from vigie.errors import SettingsError
from vigie.exchange import Answer, Reading, Status
from vigie.exchange.label_studio import read, write

DIMENSIONS = [a_dimension(), a_dimension("kind", ("disk", "net"))]


def a_region(question: str = "severity", *labels: str, kind: str = "choices") -> dict[str, Any]:
    return {"id": "x", "from_name": question, "to_name": "text", "type": kind, "value": {"choices": list(labels)}}


def an_annotation(**changes: Any) -> dict[str, Any]:
    return {"id": 1001, "result": [a_region("severity", "error")], "was_cancelled": False, **changes}


def a_task(*annotations: Any, data: Any = None, **changes: Any) -> dict[str, Any]:
    return {"id": 1, "data": data or {"text": "disk full"}, "annotations": list(annotations), **changes}


def answers(folder: Path, *tasks: Any, reading: Reading | None = None) -> list[Answer]:
    file = folder / "tasks.json"
    file.write_text("[" + ",\n".join(map(json.dumps, tasks)) + "]")
    return list(read(file, reading or Reading(DIMENSIONS)))


def test_read_when_a_task_has_annotations_then_each_is_an_answer(tmp_path: Path) -> None:
    first = an_annotation(
        result=[a_region("severity", "error"), a_region("kind", "disk"), a_region("spans", "x", kind="labels")],
        completed_by={"id": 3, "email": "ann@example.org", "first_name": ""},
        created_at="2026-11-21T11:00:00.000000Z",
        updated_at="2026-11-21T12:00:00.000000Z",
        lead_time=4.288,
    )
    second = an_annotation(id="1002", completed_by=7, created_at="2026-11-21T12:00:00Z")

    assert answers(tmp_path, a_task(first, second, predictions=[{"result": []}])) == [
        Answer(
            "disk full",
            {"severity": "error", "kind": "disk"},
            annotator="ann@example.org",
            created_at=NOON,
            id="1001",
            duration_seconds=4.288,
        ),
        Answer("disk full", {"severity": "error"}, annotator="7", created_at=NOON, id="1002"),
    ]


@pytest.mark.parametrize(
    "annotation",
    [an_annotation(was_cancelled=True, result=[]), an_annotation(result=[]), an_annotation(result=[a_region()])],
)
def test_read_when_an_annotation_chooses_nothing_then_it_is_a_skip(annotation: Any, tmp_path: Path) -> None:
    (answer,) = answers(tmp_path, a_task(annotation))

    assert (answer.status, answer.labels) == (Status.SKIPPED, {})


def test_read_when_a_task_has_no_annotation_then_it_is_open(tmp_path: Path) -> None:
    task = {"data": {"text": "a"}, "predictions": []}

    assert answers(tmp_path, a_task(), task) == [
        Answer("disk full", status=Status.OPEN),
        Answer("a", status=Status.OPEN),
    ]


def test_read_when_names_differ_then_they_can_be_told(tmp_path: Path) -> None:
    task = a_task(an_annotation(result=[a_region("sev", "error")]), data={"body": "a", "text": "no"})
    reading = Reading(DIMENSIONS, "body", {"sev": "severity"})

    (answer,) = answers(tmp_path, task, reading=reading)

    assert (answer.text, answer.labels) == ("a", {"severity": "error"})


def test_read_when_the_file_is_an_old_export_then_completions_count(tmp_path: Path) -> None:
    (answer,) = answers(tmp_path, {"data": {"text": "a"}, "completions": [an_annotation()]})

    assert answer.labels == {"severity": "error"}


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        ({"annotations": []}, "'data' is null; expected an object"),
        (a_task(data={"image": "x"}), "it has no 'text'; it has: 'image'"),
        (a_task("x"), "an entry of 'annotations' is a text; expected an object"),
        (a_task(annotations={}), "'annotations' is an object; expected a list"),
        (a_task(an_annotation(result=[a_region("severity", "error", "info")])), "two choices for 'severity'"),
        (a_task(an_annotation(result=[a_region("severity", "error")] * 2)), "two choices for 'severity'"),
        (a_task(an_annotation(result=[{"type": "choices"}])), "it has no 'from_name'"),
        (a_task(an_annotation(result=[{"type": "choices", "from_name": "a"}])), "'value' is null; expected an object"),
        (a_task(an_annotation(created_at="soon")), "'created_at' is 'soon'; expected a time"),
        (a_task(an_annotation(lead_time=[])), "'lead_time' is a list; expected a text"),
    ],
)
def test_read_when_something_is_wrong_then_says_what_and_where(task: Any, reason: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"tasks.json, line 2: {reason}"):
        answers(tmp_path, a_task(), task)


def test_write_when_a_message_has_several_answers_then_they_are_one_task(tmp_path: Path) -> None:
    file = tmp_path / "tasks.json"
    given = [
        Answer("a", {"severity": "info", "kind": "net"}, annotator="ann@example.org", created_at=NOON, id="1"),
        Answer("a", annotator="7", created_at=NOON, status=Status.SKIPPED),
        Answer("b", {"severity": "error"}, annotator="bob"),
    ]

    write(given, file, DIMENSIONS)

    first, second = json.loads(file.read_text())
    assert first["data"] == {"text": "a"}
    chosen, skipped = first["annotations"]
    assert [(one["from_name"], one["type"], one["value"]) for one in chosen["result"]] == [
        ("severity", "choices", {"choices": ["info"]}),
        ("kind", "choices", {"choices": ["net"]}),
    ]
    assert (chosen["completed_by"], chosen["created_at"]) == ({"email": "ann@example.org"}, "2026-11-21T12:00:00+00:00")
    assert (skipped["completed_by"], skipped["was_cancelled"], skipped["result"]) == (7, True, [])
    assert "completed_by" not in second["annotations"][0]  # it would refuse a name that is no address
    assert list(read(file, Reading(DIMENSIONS))) == given


def test_read_when_an_answer_was_changed_in_the_tool_then_its_notes_do_not_count(tmp_path: Path) -> None:
    file = tmp_path / "tasks.json"
    write([Answer("a", {"severity": "info"}, annotator="ann", created_at=NOON, id="1")], file, DIMENSIONS)
    file.write_text(file.read_text().replace('"choices": ["info"]', '"choices": ["error"]'))

    (answer,) = read(file, Reading(DIMENSIONS))

    assert (answer.labels, answer.annotator) == ({"severity": "error"}, None)
