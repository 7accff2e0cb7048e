"""No request makes the REST interface fail: what it cannot use it refuses with a reason, as its description says."""

from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from vigie.api import application
from vigie.api.bodies import JSON
from vigie.app import Project, Services, Watcher
from vigie.cli.init import Template, template_texts, write

WITHOUT_PARAMETERS = ("/healthz", "/readyz", "/metrics", "/api/quality")
OPERATIONS = [
    ("/api/predict", "POST"),
    ("/api/feedback", "POST"),
    ("/api/messages", "POST"),
    ("/get_message", "GET"),
    ("/api/review", "GET"),
    ("/api/settle", "POST"),
    ("/api/gold", "POST"),
    ("/send", "POST"),
    ("/api/similar", "GET"),
    *((path, "GET") for path in WITHOUT_PARAMETERS),
]
# Where there are no parameters, there is nothing to get wrong.
CASES = [
    (path, method, mode)
    for path, method in OPERATIONS
    for mode in schemathesis.GenerationMode
    if mode.is_positive or path not in WITHOUT_PARAMETERS
]
TEXTS = [
    f"{word} module {letter} state {number}" for word in ("started", "failed") for number, letter in enumerate("abc")
]


@schemathesis.serializer("application/x-ndjson")
def as_lines(_context: schemathesis.SerializationContext, value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The interface of a real project, with a few messages to ask about."""
    folder = tmp_path_factory.mktemp("project")
    write(folder, template_texts(Template.LOGS))
    project = Project.open(folder, flags={"web.allowed_hosts": ["testserver"]})
    frame = pl.DataFrame({"text": TEXTS, "template": project.text.normalise(pl.Series(TEXTS))})
    project.store.pool.add(frame)
    yield schemathesis.openapi.from_asgi("/openapi.json", application(Services(project, Watcher(project))))
    project.close()


@pytest.mark.parametrize(("path", "method", "mode"), CASES)
def test_requests_when_they_are_of_any_shape_then_answers_are_as_described(
    path: str, method: str, mode: schemathesis.GenerationMode, schema: Any
) -> None:
    @given(case=schema[path][method].as_strategy(generation_mode=mode))
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    def check(case: schemathesis.Case) -> None:
        # What is valid for JSON Schema may still say nothing, and lines and forms have no types to violate.
        excluded = [positive_data_acceptance, *([] if case.media_type in {None, JSON} else [negative_data_rejection])]
        case.call_and_validate(excluded_checks=excluded)

    check()


def test_operations_when_one_is_added_then_it_is_tested_here(schema: Any) -> None:
    described = {(path, method.upper()) for path in schema for method in schema[path]}

    assert described == set(OPERATIONS)
