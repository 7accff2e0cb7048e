import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from builders import NOON, a_dimension
from vigie.errors import SettingsError
from vigie.exchange import Answer, Reading, Status
from vigie.exchange.argilla import read, write

DIMENSIONS = [a_dimension(), a_dimension("kind", ("disk", "net"))]
ANN, BOB = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


def a_response(value: Any, user: str = ANN, **changes: Any) -> dict[str, Any]:
    return {"value": value, "user_id": user, **changes}


def a_record(**responses: Any) -> dict[str, Any]:
    return {"id": "r", "fields": {"text": "disk full"}, "metadata": {}, "suggestions": {}, "responses": responses}


def noted(labels: Any) -> dict[str, Any]:
    """Return a record beside whose response labels are noted."""
    written = json.dumps([{"annotator": ANN, "labels": labels}])
    return a_record(severity=[a_response("error")]) | {"metadata": {"vigie": written}}


def answers(folder: Path, *records: Any, reading: Reading | None = None) -> list[Answer]:
    file = folder / "records.json"
    file.write_text(json.dumps(records))
    return list(read(file, reading or Reading(DIMENSIONS)))


def test_read_when_people_responded_then_one_answer_each(tmp_path: Path) -> None:
    record = a_record(severity=[a_response("error"), a_response("info", BOB)], kind=[a_response(["disk"])])

    assert answers(tmp_path, record) == [
        Answer("disk full", {"severity": "error", "kind": "disk"}, annotator=ANN),
        Answer("disk full", {"severity": "info"}, annotator=BOB),
    ]


def test_read_when_responses_are_no_answers_then_they_are_skips_or_nothing(tmp_path: Path) -> None:
    states = ["discarded", "draft", "pending"]

    found = [answers(tmp_path, a_record(severity=[a_response("error", status=state)])) for state in states]

    assert found == [
        [Answer("disk full", annotator=ANN, status=Status.SKIPPED)],
        [Answer("disk full", status=Status.OPEN)],
        [Answer("disk full", status=Status.OPEN)],
    ]


def test_read_when_the_records_are_flat_then_the_same(tmp_path: Path) -> None:
    record = {
        "id": "r",
        "text": "disk full",
        "severity.responses": ["error", "info"],
        "severity.responses.users": [ANN, BOB],
        "severity.responses.status": ["submitted", "discarded"],
        "kind.responses": None,
        "kind.suggestion": "net",
    }

    assert answers(tmp_path, record) == [
        Answer("disk full", {"severity": "error"}, annotator=ANN),
        Answer("disk full", annotator=BOB, status=Status.SKIPPED),
    ]


def test_read_when_names_differ_then_they_can_be_told(tmp_path: Path) -> None:
    record = a_record(sev=[a_response("error")]) | {"fields": {"body": "a"}}

    (answer,) = answers(tmp_path, record, reading=Reading(DIMENSIONS, "body", {"sev": "severity"}))

    assert (answer.text, answer.labels) == ("a", {"severity": "error"})


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (a_record() | {"fields": {"body": "a"}}, "it has no 'text'; it has: 'body'"),
        (a_record(severity=a_response("error")), "'severity' is an object; expected a list"),
        (a_record(severity=[a_response(["error", "info"])]), "a response chooses two labels"),
        (a_record() | {"responses": [1]}, "'responses' is a list; expected an object"),
        (a_record(severity=[a_response("error")]) | {"metadata": {"vigie": "{"}}, "the metadata 'vigie' is no JSON"),
        (
            a_record(severity=[a_response("error")]) | {"metadata": {"vigie": "[" * 100_000}},
            "the metadata 'vigie' is no",
        ),
        (noted([1]), "'labels' is a list; expected an object"),
        (noted("error"), "'labels' is a text; expected an object"),
        ({"x.responses": []}, "it has no 'text'"),
    ],
)
def test_read_when_something_is_wrong_then_says_what_and_where(record: Any, reason: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"records.json, line 1: {reason}"):
        answers(tmp_path, record)


def test_write_when_people_have_names_then_they_get_ids_and_the_names_travel_along(tmp_path: Path) -> None:
    file = tmp_path / "records.json"
    given = [
        Answer("a", {"severity": "error"}, annotator="ann", created_at=NOON, id="1"),
        Answer("a", {"kind": "net"}, annotator="ann", created_at=NOON, id="2"),
        Answer("a", {"severity": "info"}, annotator=BOB, created_at=NOON, id="3"),
    ]

    write(given, file, DIMENSIONS)

    (record,) = json.loads(file.read_text())
    assert uuid.UUID(record["id"])
    assert record["fields"] == {"text": "a"}
    users = [response["user_id"] for response in record["responses"]["severity"]]
    assert uuid.UUID(users[0])
    assert users[1] == BOB
    assert isinstance(record["metadata"]["vigie"], str)
    assert list(read(file, Reading(DIMENSIONS))) == given


def test_read_when_somebody_changed_one_answer_then_the_others_keep_their_notes(tmp_path: Path) -> None:
    file = tmp_path / "records.json"
    first = Answer("a", {"severity": "error"}, annotator="ann", created_at=NOON, id="1")
    write([first, Answer("a", {"kind": "net"}, annotator="ann", created_at=NOON, id="2")], file, DIMENSIONS)
    (record,) = json.loads(file.read_text())
    record["responses"]["kind"][0]["value"] = "disk"

    assert answers(tmp_path, record) == [first, Answer("a", {"kind": "disk"}, annotator="ann")]
