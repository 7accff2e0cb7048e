import pytest

from api_fakes import FakeLabelling, FakeServices, a_client, a_question


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/get_message", "GET"),
        ("GET", "/send", "POST"),
        ("DELETE", "/send", "POST"),
        ("PUT", "/api/predict", "POST"),
        ("GET", "/api/messages", "POST"),
        ("POST", "/healthz", "GET"),
    ],
)
def test_request_when_the_path_has_other_methods_then_405_says_which(method: str, path: str, allowed: str) -> None:
    response = a_client().request(method, path)

    assert (response.status_code, response.headers["allow"]) == (405, allowed)
    assert response.json()["detail"] == f"there is no {method} {path}; expected {allowed}; /docs lists what there is"


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("/get_message?annotatr=x", 422, "the query says 'annotatr'; expected annotator"),
        ("/get_message?annotator=%ff%fe", 400, "the query is not URL-encoded UTF-8"),
        ("/api/similar?question_id=1&of=2", 422, "the query says 'of'; expected question_id or annotator"),
    ],
)
def test_query_when_it_is_not_what_a_route_asks_for_then_refused_and_no_question_given_out(
    path: str, status: int, detail: str
) -> None:
    services = FakeServices(labelling=FakeLabelling([a_question()]))

    response = a_client(services).get(path)

    assert (response.status_code, response.json()["detail"]) == (status, detail)
    assert services.labelling.calls == []


def test_query_when_a_route_asks_for_none_then_refused() -> None:
    response = a_client().post("/send?severity=error", json={"question_id": 1})

    assert (response.status_code, response.json()["detail"]) == (422, "the query says 'severity'; expected no query")


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"null", "null"), (b"[1]", "an array"), (b'"x"', "a string"), (b"1.5", "a number"), (b"true", "a boolean")],
)
def test_send_when_the_body_is_no_object_then_422_in_words_of_json(body: bytes, kind: str) -> None:
    response = a_client().post("/send", content=body, headers={"content-type": "application/json"})

    assert (response.status_code, response.json()["detail"]) == (422, f"the body is {kind}; expected an object")
