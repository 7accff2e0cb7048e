from api_fakes import FakeServices, a_client
from vigie.errors import UnavailableError


def test_healthz_when_the_process_answers_then_ok() -> None:
    response = a_client().get("/healthz")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_readyz_when_every_part_is_fine_then_ready() -> None:
    response = a_client().get("/readyz")

    assert (response.status_code, response.json()) == (200, {"ready": True, "parts": {"database": None}})


def test_readyz_when_a_part_is_missing_then_503_says_which_and_why() -> None:
    parts = {"database": None, "registry": "MLflow does not answer"}

    response = a_client(FakeServices(parts=parts)).get("/readyz")

    assert (response.status_code, response.json()) == (503, {"ready": False, "parts": parts})


def test_metrics_when_scraped_then_they_are_prometheus_text() -> None:
    response = a_client().get("/metrics")

    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert response.text == "vigie_groups 3.0\n"


def test_metrics_when_the_database_is_away_then_503() -> None:
    assert a_client(FakeServices(failure=UnavailableError("away"))).get("/metrics").status_code == 503
