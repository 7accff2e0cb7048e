from typing import Any

import pytest

from api_fakes import LINE, FakeServices, a_client, a_prediction
from vigie.errors import ModelError, UnavailableError

JSON = {"Content-Type": "application/json"}


def test_predict_when_one_text_is_given_then_answers_with_one_prediction() -> None:
    response = a_client().post("/api/predict", json={"text": LINE})

    assert response.status_code == 200
    assert response.json() == {
        "labels": {"severity": "error"},
        "confidence": {"severity": 0.9},
        "origin": {"severity": "model"},
        "route": "auto",
        "template": "ERROR payment <n> not stored",
        "model": "3",
    }


def test_predict_when_several_texts_are_given_then_answers_in_their_order() -> None:
    response = a_client().post("/api/predict", json={"texts": ["a", "b"]})

    assert len(response.json()["predictions"]) == 2


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, "text is missing"),
        ({"text": ""}, "text is ''; string should have at least 1 character"),
        ({"text": " \n"}, "text is ' \\n'; expected some visible characters"),
        ({"text": 5}, "text is 5; expected a valid string"),
        ({"text": None}, "text is null; expected a valid string"),
        ({"text": "a", "model": "2"}, "model is unknown here; remove it"),
        ({"texts": []}, "texts is a list; list should have at least 1 item after validation, not 0"),
        ({"texts": ["a", {"b": 1}]}, "texts[1] is an object; expected a valid string"),
        ({"text": "a", "texts": ["b"]}, "text is unknown here; remove it"),
        (["a"], "the body is a list; expected an object"),
        ("a", "the body is 'a'; expected an object"),
    ],
)
def test_predict_when_the_body_is_not_as_expected_then_says_what_is_wrong(body: Any, reason: str) -> None:
    response = a_client().post("/api/predict", json=body)

    assert response.status_code == 422
    assert response.json() == {"detail": reason}


@pytest.mark.parametrize(
    "raw",
    [b"{", b'{"text": NaN}', b'{"text": "\xff"}', b'{"text": "\\ud800"}', b"[" * 5000, b"\xef\xbb\xbf{}", b"1" * 5000],
)
def test_predict_when_the_body_is_not_json_then_says_so(raw: bytes) -> None:
    response = a_client().post("/api/predict", content=raw, headers=JSON)

    assert response.status_code == 422
    assert response.json()["detail"].startswith("the body is ")


def test_predict_when_there_is_no_body_then_says_so() -> None:
    response = a_client().post("/api/predict", headers=JSON)

    assert (response.status_code, response.json()["detail"]) == (422, "the body is missing")


def test_predict_when_the_content_type_is_another_then_names_the_one_expected() -> None:
    response = a_client().post("/api/predict", content=b'{"text": "a"}', headers={"Content-Type": "text/plain"})

    assert response.status_code == 415
    assert "Content-Type: application/json" in response.json()["detail"]


def test_predict_when_a_text_is_long_then_the_refusal_shows_its_beginning_only() -> None:
    response = a_client().post("/api/predict", json={"text": "x" * 1_000_001})

    assert response.status_code == 422
    assert len(response.json()["detail"]) < 200


def test_predict_when_a_server_is_away_then_says_when_to_try_again() -> None:
    services = FakeServices(failure=UnavailableError("the database is busy", retry_after_seconds=2.5))

    response = a_client(services).post("/api/predict", json={"text": "a"})

    assert (response.status_code, response.headers["retry-after"]) == (503, "3")
    assert response.json() == {"detail": "the database is busy"}


def test_predict_when_vigie_itself_fails_then_the_reason_is_json_too(caplog: pytest.LogCaptureFixture) -> None:
    response = a_client(FakeServices(failure=ModelError("version 3 cannot be read"))).post(
        "/api/predict", json={"text": "secret"}
    )

    assert (response.status_code, response.json()) == (500, {"detail": "version 3 cannot be read"})
    assert "POST /api/predict failed: version 3 cannot be read" in caplog.text
    assert "secret" not in caplog.text


def test_feedback_when_the_prediction_was_right_then_its_labels_are_stored() -> None:
    services = FakeServices(prediction=a_prediction(severity="error", event_type=None))

    response = a_client(services).post("/api/feedback", json={"text": LINE, "right": True, "annotator": "marie"})

    assert response.json() == {"stored": True, "labels": {"severity": "error"}}
    assert services.labelling.calls == [("annotate", LINE, {"severity": "error"}, "marie")]


def test_feedback_when_labels_are_given_then_those_are_stored() -> None:
    services = FakeServices()

    response = a_client(services).post(
        "/api/feedback", json={"text": LINE, "right": False, "labels": {"severity": "info"}}
    )

    assert response.json() == {"stored": True, "labels": {"severity": "info"}}
    assert services.labelling.calls == [("annotate", LINE, {"severity": "info"}, "api")]


def test_feedback_when_it_was_wrong_and_nothing_better_is_known_then_stores_nothing_and_says_so() -> None:
    services = FakeServices()

    response = a_client(services).post("/api/feedback", json={"text": LINE, "right": False})

    assert response.json() == {"stored": False, "labels": {}}
    assert services.labelling.calls == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"text": "a"}, "right is missing"),
        ({"text": "a", "right": "yes"}, "right is 'yes'; expected a valid boolean"),
        ({"text": "a", "right": False, "labels": {}}, "no label was given; expected at least one of"),
        ({"text": "a", "right": False, "labels": {"severity": "eror"}}, "severity 'eror' is unknown; expected one of"),
        ({"text": "a", "right": False, "labels": {"mood": "bad"}}, "dimension 'mood' is unknown; expected one of"),
        ({"text": "a", "right": True, "annotator": "\n"}, "annotator is "),
    ],
)
def test_feedback_when_something_is_wrong_then_says_what_and_stores_nothing(body: Any, reason: str) -> None:
    services = FakeServices()

    response = a_client(services).post("/api/feedback", json=body)

    assert response.status_code == 422
    assert response.json()["detail"].startswith(reason)
    assert services.labelling.calls == []


def test_feedback_when_right_but_nobody_knows_a_label_then_asks_for_labels() -> None:
    services = FakeServices(prediction=a_prediction(severity=None))

    response = a_client(services).post("/api/feedback", json={"text": LINE, "right": True})

    assert response.status_code == 422
    assert "expected labels" in response.json()["detail"]
