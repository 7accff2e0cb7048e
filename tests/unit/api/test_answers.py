from typing import Any

import pytest

from api_fakes import LINE, FakeLabelling, FakeServices, a_client, a_question
from vigie.errors import QuestionError, UnknownQuestionError

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_get_message_when_there_is_a_question_then_answers_with_it_its_prediction_and_what_can_be_said() -> None:
    services = FakeServices(labelling=FakeLabelling([a_question()]))

    response = a_client(services).get("/get_message?annotator=marie")

    answer = response.json()
    assert services.labelling.calls == [("ask", "marie", 1, "again")]
    assert response.headers["cache-control"] == "no-store"
    assert {
        key: answer[key]
        for key in ("question_id", "group_id", "message", "template", "count", "kind", "reason", "samples")
    } == {
        "question_id": 12,
        "group_id": 5,
        "message": LINE,
        "template": "ERROR payment <n> not stored",
        "count": 42,
        "kind": "strategy",
        "reason": {"why": "largest"},
        "samples": [LINE],
    }
    assert answer["prediction"]["labels"] == {"severity": "error"}
    assert answer["dimensions"][1] == {
        "name": "event_type",
        "question": "event_type",
        "labels": [
            {"name": "Heartbeat", "guideline": "When it is Heartbeat."},
            {"name": "Security", "guideline": "When it is Security."},
        ],
    }


def test_get_message_when_there_is_nothing_to_ask_then_answers_204_without_body() -> None:
    response = a_client().get("/get_message")

    assert (response.status_code, response.content) == (204, b"")


@pytest.mark.parametrize("annotator", ["", "%20", "%00", "a" * 101, "a%0Ab"])
def test_get_message_when_the_annotator_is_no_name_then_refused(annotator: str) -> None:
    services = FakeServices()

    assert a_client(services).get(f"/get_message?annotator={annotator}").status_code == 422
    assert services.labelling.calls == []


@pytest.mark.parametrize(
    "options",
    [
        {"json": {"question_id": 12, "severity": "error", "event_type": "Security", "annotator": "marie"}},
        {"json": {"question_id": 12, "labels": {"severity": "error", "event_type": "Security"}, "annotator": "marie"}},
        {"json": {"question_id": 12, "labels": {"severity": "error"}, "event_type": "Security", "annotator": "marie"}},
        {"data": {"question_id": "12", "severity": "error", "event_type": "Security", "annotator": "marie"}},
        {"content": b"question_id=12&message=&severity=error&event_type=Security&annotator=marie", "headers": FORM},
    ],
)
def test_send_when_a_question_is_answered_in_any_form_then_the_same_is_submitted(options: dict[str, Any]) -> None:
    services = FakeServices()

    response = a_client(services).post("/send", **options)

    labels = {"severity": "error", "event_type": "Security"}
    assert response.json() == {"status": "stored", "question_id": 12, "labels": labels, "also": []}
    assert services.labelling.calls == [("submit", 12, "marie", labels)]


@pytest.mark.parametrize(
    "options",
    [
        {"json": {"question_id": 12, "skip": True, "annotator": "marie"}},
        {"data": {"question_id": "12", "skip": "true", "severity": "", "annotator": "marie"}},
    ],
)
def test_send_when_a_question_is_skipped_then_it_is_left_to_others(options: dict[str, Any]) -> None:
    services = FakeServices()

    response = a_client(services).post("/send", **options)

    assert response.json() == {"status": "skipped", "question_id": 12, "labels": {}, "also": []}
    assert services.labelling.calls == [("skip", 12, "marie")]


def test_send_when_the_question_to_skip_is_not_theirs_then_refused() -> None:
    services = FakeServices(labelling=FakeLabelling(failure=QuestionError("question 12 is not leased to 'api'")))

    assert a_client(services).post("/send", json={"question_id": 12, "skip": True}).status_code == 409


def test_send_when_the_form_has_parts_then_it_is_read_like_the_other() -> None:
    services = FakeServices()
    parts = {"message": (None, "Zahlung über 5 € fehlgeschlagen"), "severity": (None, "error")}

    response = a_client(services).post("/send", files=parts)

    assert response.status_code == 200
    assert services.labelling.calls == [("annotate", "Zahlung über 5 € fehlgeschlagen", {"severity": "error"}, "api")]


def test_send_when_messages_are_excepted_then_they_are_submitted_with_the_answer() -> None:
    services = FakeServices()
    body = {"question_id": 12, "severity": "error", "exceptions": [LINE, "other"]}

    assert a_client(services).post("/send", json=body).status_code == 200

    assert services.labelling.calls == [("submit", 12, "api", {"severity": "error"}, [LINE, "other"])]


def test_send_when_messages_are_excepted_and_groups_take_it_along_then_both_are_submitted() -> None:
    services = FakeServices()
    body = {"question_id": 12, "severity": "error", "exceptions": [LINE], "also": [5, 6]}

    response = a_client(services).post("/send", json=body)

    assert response.json() == {"status": "stored", "question_id": 12, "labels": {"severity": "error"}, "also": [5, 6]}
    assert services.labelling.calls == [("submit", 12, "api", {"severity": "error"}, [LINE], [5, 6])]


def test_send_when_no_question_is_named_then_the_message_is_annotated() -> None:
    services = FakeServices()

    response = a_client(services).post("/send", json={"message": LINE, "severity": "error"})

    assert response.json() == {"status": "stored", "question_id": None, "labels": {"severity": "error"}, "also": []}
    assert services.labelling.calls == [("annotate", LINE, {"severity": "error"}, "api")]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"severity": "error"}, "question_id and message are both missing"),
        ({"message": LINE}, "no label was given; expected at least one of"),
        ({"message": LINE, "severity": "eror"}, "severity 'eror' is unknown; expected one of info, warning, error"),
        ({"message": LINE, "severity": 3}, "labels.severity is 3; expected a valid string"),
        ({"message": LINE, "severity": None}, "labels.severity is null; expected a valid string"),
        ({"message": LINE, "labels": "error"}, "labels is 'error'; expected an object"),
        ({"message": LINE, "mood": "bad"}, "'mood' is no field and no dimension; expected some of question_id"),
        ({"message": LINE, "severity": "info", "labels": {"severity": "error"}}, "severity is given twice"),
        ({"message": 5, "severity": "info"}, "message is 5; expected a valid string"),
        ({"question_id": 0, "severity": "info"}, "question_id is 0; expected greater than or equal to 1"),
        ({"question_id": 2**63, "severity": "info"}, "question_id is 9223372036854775808; expected less than"),
        ({"question_id": 1.5, "severity": "info"}, "question_id is 1.5; expected a valid integer"),
        ({"question_id": "x", "severity": "info"}, "question_id is 'x'; expected a valid integer"),
        ({"question_id": True, "severity": "info"}, "question_id is True; expected a valid integer"),
        (["a"], "the body is an array; expected an object"),
        ({"message": LINE, "severity": "info", "exceptions": [LINE]}, "exceptions are given without a question_id"),
        ({"question_id": 12, "severity": "info", "exceptions": LINE}, f"exceptions is '{LINE}'; expected a valid list"),
        ({"question_id": 12, "severity": "info", "exceptions": [7]}, "exceptions[0] is 7; expected a valid string"),
        ({"question_id": 12, "severity": "info", "exceptions": [" "]}, "exceptions[0] is ' '; expected"),
        (
            {"question_id": 12, "severity": "info", "exceptions": ["a"] * 101},
            "exceptions is a list; list should have at most 100",
        ),
        ({"question_id": 12, "severity": "info", "exceptions": None}, "exceptions is null; expected a valid list"),
        ({"message": LINE, "severity": "info", "also": [5]}, "also is given without question_id; expected both"),
        ({"question_id": 12, "severity": "info", "also": [0]}, "also[0] is 0; expected greater than or equal to 1"),
        ({"question_id": 12, "severity": "info", "also": [5, "6"]}, "also[1] is '6'; expected a valid integer"),
        ({"question_id": 12, "severity": "info", "also": [5, 2**63]}, "also[1] is 9223372036854775808; expected less"),
        ({"question_id": 12, "severity": "info", "also": [True]}, "also[0] is True; expected a valid integer"),
        ({"question_id": 12, "severity": "info", "also": 5}, "also is 5; expected a valid list"),
        ({"question_id": 12, "severity": "info", "also": None}, "also is null; expected a valid list"),
        ({"question_id": 12, "severity": "info", "also": list(range(1, 102))}, "also is a list; list should have at"),
        ({"question_id": 12, "also": [5]}, "no label was given; expected at least one of"),
        ({"question_id": 12, "severity": "eror", "also": [5]}, "severity 'eror' is unknown"),
        ({"skip": True}, "skip is given without question_id; expected both"),
        ({"message": LINE, "skip": True}, "skip is given without question_id; expected both"),
        ({"question_id": 12, "skip": True, "severity": "error"}, "skip is given with an answer; expected one of them"),
        ({"question_id": 12, "skip": True, "exceptions": [LINE]}, "skip is given with an answer; expected one of"),
        ({"question_id": 12, "skip": True, "also": [5]}, "skip is given with an answer; expected one of them"),
        ({"question_id": 12, "skip": "yes"}, "skip is 'yes'; expected a valid boolean"),
        ({"question_id": 12, "skip": 1}, "skip is 1; expected a valid boolean"),
        ({"question_id": 12, "skip": []}, "skip is a list; expected a valid boolean"),
        ({"question_id": 12, "skip": False}, "no label was given; expected at least one of"),
    ],
)
def test_send_when_something_is_wrong_then_says_what_and_stores_nothing(body: Any, reason: str) -> None:
    services = FakeServices()

    response = a_client(services).post("/send", json=body)

    assert response.status_code == 422
    assert response.json()["detail"].startswith(reason)
    assert services.labelling.calls == []


def test_send_when_similar_groups_take_the_answer_then_says_which_did() -> None:
    services = FakeServices()

    response = a_client(services).post("/send", json={"question_id": 12, "severity": "error", "also": [5, 6, 7]})

    assert response.json()["also"] == [5, 6]
    assert services.labelling.calls == [("submit", 12, "api", {"severity": "error"}, [5, 6, 7])]


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (UnknownQuestionError("group 99 was never in the pool"), 404),
        (QuestionError("question 12 was drawn for audit"), 409),
    ],
)
def test_send_when_groups_cannot_take_the_answer_then_says_why(failure: Exception, status: int) -> None:
    services = FakeServices(labelling=FakeLabelling(failure=failure))

    response = a_client(services).post("/send", json={"question_id": 12, "severity": "info", "also": [99]})

    assert (response.status_code, response.json()["detail"]) == (status, str(failure))


def test_similar_when_there_are_groups_then_answers_with_them_and_their_predictions() -> None:
    services = FakeServices()

    response = a_client(services).get("/api/similar?question_id=12&annotator=marie")

    answer = response.json()
    assert services.labelling.calls == [("similar", 12, "marie")]
    assert answer["groups"][0].pop("prediction")["labels"] == {"severity": "error"}
    group = {"group_id": 9, "message": LINE, "count": 17, "similarity": 0.8123}
    assert answer == {"question_id": 12, "groups": [group], "looked_at": 40, "of": 50}


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "question_id is missing"),
        ("question_id=", "question_id is ''; expected a valid integer"),
        ("question_id=x", "question_id is 'x'; expected a valid integer"),
        ("question_id=0", "question_id is '0'; expected greater than or equal to 1"),
        ("question_id=9223372036854775808", "question_id is '9223372036854775808'; expected less than or equal to"),
        ("question_id=1.5", "question_id is '1.5'; expected a valid integer"),
        ("question_id=12&annotator=", "annotator is ''"),
        ("question_id=12&annotator=%00", "annotator is"),
    ],
)
def test_similar_when_something_is_wrong_then_says_what(query: str, reason: str) -> None:
    services = FakeServices()

    response = a_client(services).get(f"/api/similar?{query}")

    assert response.status_code == 422
    assert response.json()["detail"].startswith(reason)
    assert services.labelling.calls == []


def test_similar_when_the_question_is_not_theirs_then_409_with_the_reason() -> None:
    services = FakeServices(labelling=FakeLabelling(failure=QuestionError("question 12 was drawn for audit")))

    response = a_client(services).get("/api/similar?question_id=12")

    assert (response.status_code, response.json()["detail"]) == (409, "question 12 was drawn for audit")


@pytest.mark.parametrize(
    ("content", "status", "reason"),
    [
        (b"question_id=12&severity=info&also=5", 422, "also is '5'; expected a valid list"),
        (b"severity=info&severity=error&message=a", 422, "'severity' is given twice; expected it once"),
        (b"message=%FF&severity=info", 400, "the form is not URL-encoded UTF-8"),
        (b"message=\xff&severity=info", 400, "the form is not URL-encoded UTF-8"),
        (b"&".join(b"a%d=1" % n for n in range(101)), 400, "the form cannot be read: Max number of fields exceeded"),
        (b"question_id=" + b"9" * 5000 + b"&severity=info", 422, "question_id is 9999"),
        ("question_id=²&severity=info".encode(), 422, "question_id is '²'; expected a valid integer"),
        (b"", 422, "no label was given"),
    ],
)
def test_send_when_the_form_is_broken_then_says_why(content: bytes, status: int, reason: str) -> None:
    services = FakeServices()

    response = a_client(services).post("/send", content=content, headers=FORM)

    assert (response.status_code, response.json()["detail"][: len(reason)]) == (status, reason)
    assert services.labelling.calls == []


@pytest.mark.parametrize(
    "kind", ["multipart/form-data", "multipart/form-data; boundary=x", "multipart/form-data; boundary=x; charset=no"]
)
def test_send_when_the_parts_are_broken_then_refused(kind: str) -> None:
    for content in (b"nonsense", b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n", b"--x\r\n\xff\r\n\r\n"):
        assert a_client().post("/send", content=content, headers={"Content-Type": kind}).status_code in {400, 422}


def test_send_when_a_file_is_uploaded_then_refused() -> None:
    assert a_client().post("/send", files={"message": ("a.txt", b"hello")}).status_code in {400, 422}


@pytest.mark.parametrize("kind", ["text/plain", "", "application/octet-stream"])
def test_send_when_the_content_type_is_another_then_names_those_expected(kind: str) -> None:
    response = a_client().post("/send", content=b"x", headers={"Content-Type": kind})

    assert response.status_code == 415
    assert "expected application/json" in response.json()["detail"]


def test_send_when_the_question_is_gone_then_409_with_the_reason() -> None:
    services = FakeServices(labelling=FakeLabelling(failure=QuestionError("question 12 was answered by marie")))

    response = a_client(services).post("/send", json={"question_id": 12, "severity": "info"})

    assert (response.status_code, response.json()["detail"]) == (409, "question 12 was answered by marie")


def test_send_when_there_is_no_such_question_then_404_with_the_reason() -> None:
    services = FakeServices(labelling=FakeLabelling(failure=UnknownQuestionError("question 12 does not exist")))

    response = a_client(services).post("/send", json={"question_id": 12, "severity": "info"})

    assert (response.status_code, response.json()["detail"]) == (404, "question 12 does not exist")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/api/message"), ("POST", "/api/nope"), ("DELETE", "/api/predictions")]
)
def test_api_when_there_is_no_such_operation_then_404_as_json(method: str, path: str) -> None:
    response = a_client().request(method, path)

    assert response.status_code == 404
    assert response.json()["detail"] == f"there is no {method} {path}; /docs lists what there is"
