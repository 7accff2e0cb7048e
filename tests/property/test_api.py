"""No request makes the REST interface fail: what it cannot use it refuses with a reason, as its description says."""

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from api_fakes import FakeLabelling, FakeServices, a_question
from vigie.api import application
from vigie.api.bodies import JSON


class ManyQuestions(FakeLabelling):
    """Always has another question."""

    def ask(self, annotator: str, n: int = 1) -> list[object]:
        self.questions = [a_question()]
        return super().ask(annotator, n)


SERVICES = FakeServices(labelling=ManyQuestions(), max_message_bytes=1_000_000, allowed_hosts=("testserver",))


@schemathesis.serializer("application/x-ndjson")
def as_lines(_context: schemathesis.SerializationContext, value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


schema = schemathesis.openapi.from_asgi("/openapi.json", application(SERVICES))


@schema.parametrize()
@settings(
    max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate]
)
def test_requests_when_they_are_of_any_shape_then_answers_are_as_described(case: schemathesis.Case) -> None:
    # What is valid for JSON Schema may still say nothing, and lines and forms have no types to violate.
    excluded = [positive_data_acceptance, *([] if case.media_type in {None, JSON} else [negative_data_rejection])]
    case.call_and_validate(excluded_checks=excluded)
