from typing import Any

import pytest

from api_fakes import LINE, FakeReview, FakeServices, a_case, a_client
from vigie.errors import LabelError, QuestionError, UnavailableError, UnknownQuestionError


@pytest.fixture
def services() -> FakeServices:
    return FakeServices()


def test_quality_when_asked_then_the_numbers(services: FakeServices) -> None:
    response = a_client(services).get("/api/quality")

    assert response.status_code == 200
    assert response.json()["gold"] == {"groups": 0, "accuracy": None}


@pytest.mark.parametrize("which", ["disagreements", "doubted", "too_fast", "gold"])
def test_review_when_a_list_is_asked_for_then_its_groups_with_who_said_what(services: FakeServices, which) -> None:
    services.review = FakeReview(a_case(doubt={"label": "error"}, too_fast=("ann",), is_gold=True))

    found = a_client(services).get(f"/api/review?list={which}&limit=7").json()

    assert services.review.calls == [(which, 7)]
    assert found["total"] == 1
    assert found["cases"][0] == {
        "group_id": 5,
        "template": "ERROR payment <n> not stored",
        "count": 42,
        "samples": [LINE],
        "answers": [
            {
                "annotator": "ann",
                "labels": {"severity": "info"},
                "created_at": "2026-11-21T12:00:00+00:00",
                "seconds": 2.5,
                "settled": False,
            }
        ],
        "is_gold": True,
        "doubt": {"label": "error"},
        "too_fast": ["ann"],
    }


@pytest.mark.parametrize("query", ["list=all", "limit=0", "limit=501", "limit=many"])
def test_review_when_the_query_makes_no_sense_then_it_is_refused(services: FakeServices, query: str) -> None:
    assert a_client(services).get(f"/api/review?{query}").status_code == 422
    assert services.review.calls == []


def test_settle_when_a_reviewer_decides_then_it_is_stored(services: FakeServices) -> None:
    body = {"group_id": 5, "labels": {"severity": "error"}, "annotator": "eve"}

    response = a_client(services).post("/api/settle", json=body)

    assert response.json() == {"status": "stored", "group_id": 5}
    assert services.review.calls == [("settle", 5, {"severity": "error"}, "eve")]


def test_gold_when_marked_and_unmarked_then_both_are_stored(services: FakeServices) -> None:
    client = a_client(services)

    client.post("/api/gold", json={"group_id": 5})
    client.post("/api/gold", json={"group_id": 6, "labels": {"severity": "error"}, "annotator": "eve"})
    client.post("/api/gold", json={"group_id": 7, "gold": False})

    assert services.review.calls == [
        ("mark_gold", 5, "reviewer", None),
        ("mark_gold", 6, "eve", {"severity": "error"}),
        ("unmark_gold", 7),
    ]


RUBBISH: list[Any] = [
    {},
    [],
    "gold",
    {"group_id": "5", "labels": {"severity": "error"}},
    {"group_id": 0, "labels": {"severity": "error"}},
    {"group_id": 2**63, "labels": {"severity": "error"}},
    {"group_id": 5.5, "labels": {"severity": "error"}},
    {"group_id": 5, "labels": {"severity": 3}},
    {"group_id": 5, "labels": "error"},
    {"group_id": 5, "labels": {"severity": "error"}, "annotator": " "},
    {"group_id": 5, "labels": {"severity": "error"}, "annotator": "a\x00"},
    {"group_id": 5, "labels": {"severity": "error"}, "why": "because"},
]


@pytest.mark.parametrize("path", ["/api/settle", "/api/gold"])
@pytest.mark.parametrize("body", RUBBISH, ids=str)
def test_decisions_when_the_body_is_rubbish_then_refused_with_a_reason(services: FakeServices, path, body) -> None:
    response = a_client(services).post(path, json=body)

    assert response.status_code == 422
    assert response.json()["detail"]
    assert services.review.calls == []


def test_settle_when_no_label_is_given_then_refused(services: FakeServices) -> None:
    assert a_client(services).post("/api/settle", json={"group_id": 5, "labels": {}}).status_code == 422


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (LabelError("severity 'huge' is unknown"), 422),
        (UnknownQuestionError("group 5 is not in the pool"), 404),
        (QuestionError("nothing was settled"), 409),
        (UnavailableError("the database does not answer"), 503),
    ],
)
def test_gold_when_it_cannot_be_stored_then_says_why(services: FakeServices, failure, status: int) -> None:
    services.review.failure = failure

    response = a_client(services).post("/api/gold", json={"group_id": 5})

    assert (response.status_code, response.json()["detail"]) == (status, str(failure))
