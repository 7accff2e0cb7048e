"""Every failure as a sentence, whatever is sent."""

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api_fakes import FakeLabelling, FakeServices, a_client
from vigie.api.problems import explain, problem
from vigie.errors import (
    FencedError,
    LabelError,
    ModelError,
    QuestionError,
    SettingsError,
    UnavailableError,
    UnknownQuestionError,
    VigieError,
)

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    n: int = Field(ge=1)


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    text: str = "a"
    inner: Inner | None = None
    many: list[Inner] = Field(default=[], max_length=2)
    share: Annotated[float, Field(le=1)] = 0.5


def explained(**given: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(given)
    return explain(caught.value.errors())


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"text": None}, "text is null; expected a valid string"),
        ({"text": 5}, "text is 5; expected a valid string"),
        ({"text": ["a"]}, "text is a list; expected a valid string"),
        ({"text": {"a": 1}}, "text is an object; expected a valid string"),
        ({"txt": "a"}, "txt is unknown here; remove it"),
        ({"inner": {}}, "inner.n is missing"),
        ({"inner": {"n": 0}}, "inner.n is 0; expected greater than or equal to 1"),
        ({"inner": {"n": "1"}}, "inner.n is '1'; expected a valid integer"),
        ({"inner": 7}, "inner is 7; expected an object"),
        ({"share": 2}, "share is 2; expected less than or equal to 1"),
        ({"share": "x" * 500}, f"share is '{'x' * 79}…; expected a valid number"),
    ],
)
def test_explain_when_a_value_is_refused_then_place_value_and_expectation_are_told(
    given: dict[str, Any], sentence: str
) -> None:
    assert explained(**given) == sentence


@pytest.mark.parametrize(
    ("seconds", "header"), [(None, None), (0.0, "1"), (0.2, "1"), (1.0, "1"), (1.01, "2"), (300.0, "300")]
)
def test_problem_when_it_is_to_be_tried_again_then_after_whole_seconds(
    seconds: float | None, header: str | None
) -> None:
    response = problem(503, "away", retry_after_seconds=seconds)

    assert response.status_code == 503
    assert response.headers.get("retry-after") == header


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (LabelError("no such label"), 422),
        (UnknownQuestionError("no such question"), 404),
        (QuestionError("answered"), 409),
        (SettingsError("broken"), 409),
        (UnavailableError("away", retry_after_seconds=2.5), 503),
        (ModelError("unreadable"), 500),
        (FencedError("fenced"), 500),
        (VigieError("stuck"), 500),
    ],
)
@pytest.mark.parametrize("path", ["/get_message", "/api/similar?question_id=12"])
def test_get_when_a_part_fails_then_the_status_says_what_to_do(path: str, failure: VigieError, status: int) -> None:
    services = FakeServices(labelling=FakeLabelling(failure=failure))

    response = a_client(services).get(path)

    assert response.status_code == status
    assert response.json() == {"detail": str(failure)}
    assert response.headers.get("retry-after") == ("3" if status == 503 else None)


RUBBISH = [
    b"",
    b"null",
    b"true",
    b"5",
    b"[]",
    b"[[]]",
    b'"text"',
    b"{",
    b"{}",
    b'{"a": 1}',
    b'{"a": NaN}',
    b'{"labels": []}',
    b'{"labels": {"severity": 5}}',
    b'{"labels": {"severity": null}, "message": "a"}',
    b'{"message": ""}',
    b'{"message": " \\n "}',
    b'{"message": {"a": 1}, "severity": "error"}',
    b'{"message": "\\ud800", "severity": "error"}',
    b'{"question_id": 0, "severity": "error"}',
    b'{"question_id": -1, "severity": "error"}',
    b'{"question_id": 1.5, "severity": "error"}',
    b'{"question_id": true, "severity": "error"}',
    b'{"question_id": 99999999999999999999, "severity": "error"}',
    b'{"question_id": "twelve", "severity": "error"}',
    b'{"question_id": 12, "severity": "error", "annotator": ""}',
    b'{"question_id": 12, "severity": "error", "annotator": "a\\u0000b"}',
    b'{"question_id": 12, "severity": "error", "also": ["a"]}',
    b'{"question_id": 12, "severity": "error", "also": 5}',
    b'{"question_id": 12, "severity": "error", "exceptions": [""]}',
    b'{"question_id": 12, "severity": "error", "exceptions": "a"}',
    b'{"message": "a", "severity": "error", "exceptions": ["b"]}',
    b'{"message": "a", "severity": "error", "also": [3]}',
    b'{"message": "a", "severity": "error", "labels": {"severity": "info"}}',
    b'{"message": "a", "severity": "eror"}',
    b'{"message": "a", "seveirty": "error"}',
    b'{"severity": "error"}',
    b'\xff\xfe{"message": "a"}',
    b"[" * 3000 + b"]" * 3000,
    b'{"message": ' + b"[" * 3000 + b"]" * 3000 + b"}",
]


@pytest.mark.parametrize("path", ["/send", "/api/feedback", "/api/predict", "/api/settle", "/api/gold"])
@pytest.mark.parametrize("body", RUBBISH, ids=range(len(RUBBISH)))
def test_post_when_the_body_is_rubbish_then_a_reason_and_nothing_is_stored(path: str, body: bytes) -> None:
    services = FakeServices()

    response = a_client(services).post(path, content=body, headers=JSON)

    assert 400 <= response.status_code < 500, response.text
    assert response.json().keys() == {"detail"}
    assert response.json()["detail"]
    assert services.labelling.calls == services.review.calls == []


FORMS = [
    b"",
    b"=",
    b"&&&",
    b"severity",
    b"severity=",
    b"severity=error",
    b"question_id=12",
    b"question_id=&severity=error",
    b"question_id=twelve&severity=error",
    b"question_id=12&question_id=13&severity=error",
    b"question_id=12&severity=error&severity=info",
    b"question_id=12&severity=error&also=3",
    b"question_id=12&severity=error&labels=severity",
    b"message=+&severity=error",
    b"message=a&severity=%ff",
    b"message=%00%ff&severity=error",
    b"message=a&seveirty=error",
    b"message=a&severity=error&annotator=%00",
    b"message=a;severity=error",
    b"a=1&" * 2000,
]


@pytest.mark.parametrize("body", FORMS, ids=range(len(FORMS)))
def test_send_when_the_form_is_rubbish_then_a_reason_and_nothing_is_stored(body: bytes) -> None:
    services = FakeServices()

    response = a_client(services).post("/send", content=body, headers=FORM)

    assert 400 <= response.status_code < 500, response.text
    assert response.json()["detail"]
    assert services.labelling.calls == []


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=x",
        "multipart/form-data; boundary=x; charset=nope",
        "application/xml",
        "text/plain",
        "",
        ";",
        "application/json, text/plain",
    ],
)
@pytest.mark.parametrize("body", [b"", b"--x", b"--x\r\n\r\na\r\n--x--\r\n", b'{"message": "a", "severity": "error"}'])
def test_send_when_the_content_type_is_not_what_comes_then_a_reason_and_nothing_is_stored(
    kind: str, body: bytes
) -> None:
    services = FakeServices()

    response = a_client(services).post("/send", content=body, headers={"Content-Type": kind})

    assert 400 <= response.status_code < 500, response.text
    assert services.labelling.calls == []
