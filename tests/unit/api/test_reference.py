import re

from api_fakes import FakeServices, a_client
from builders import a_dimension


def test_openapi_when_read_then_every_operation_says_what_it_does_and_how_it_fails() -> None:
    schema = a_client().get("/openapi.json").json()

    operations = {
        f"{method} {path}": operation
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    }
    assert set(operations) == {
        "post /api/predict",
        "post /api/messages",
        "post /api/feedback",
        "get /get_message",
        "post /send",
        "get /api/quality",
        "get /api/review",
        "post /api/settle",
        "post /api/gold",
        "get /api/similar",
        "get /healthz",
        "get /readyz",
        "get /metrics",
    }
    assert all(operation["description"] for operation in operations.values())
    assert "HTTPValidationError" not in schema["components"]["schemas"]


def test_openapi_when_the_dimensions_change_then_it_names_the_new_labels() -> None:
    services = FakeServices()
    client = a_client(services)
    client.get("/openapi.json")
    services.dimensions = (a_dimension("mood", ("bad", "good")),)

    schema = client.get("/openapi.json").json()

    send = schema["paths"]["/send"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert send["properties"]["mood"] == {"type": "string", "enum": ["bad", "good"]}
    assert "severity" not in send["properties"]


def test_docs_when_opened_then_they_show_examples_and_load_nothing_from_elsewhere() -> None:
    page = a_client().get("/docs").text

    assert "curl http://localhost:8080/api/predict" in page
    assert "question_id=12&amp;severity=info" in page
    assert not re.search(r"(src|href)=.?https?:|@import|url\(", page)
