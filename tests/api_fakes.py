"""Stand-ins for `vigie.app.Services`: they answer what a test tells them to and write down what they were asked."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import httpx
from starlette.types import ASGIApp

from builders import NOON, a_dimension
from vigie.api import application
from vigie.labels import Dimension, Origin, Prediction, Question, QuestionKind, Route
from vigie.quality.review import Case, Cases, Given

LINE = "2026-11-21 ERROR payment 4711 not stored"


def a_prediction(template: str = "ERROR payment <n> not stored", **labels: str | None) -> Prediction:
    """Return a prediction."""
    chosen = labels or {"severity": "error"}
    return Prediction(
        route=Route.AUTO,
        labels=chosen,
        confidence=dict.fromkeys(chosen, 0.9),
        origin=dict.fromkeys(chosen, Origin.MODEL),
        template=template,
        model="3",
    )


def a_question(id: int = 12, **changes: Any) -> Question:  # noqa: A002 — the field's name
    """Return a question."""
    values: dict[str, Any] = {
        "id": id,
        "group_id": 5,
        "kind": QuestionKind.STRATEGY,
        "template": "ERROR payment <n> not stored",
        "count": 42,
        "samples": (LINE,),
        "reason": {"why": "largest"},
        **changes,
    }
    return Question(**values)


@dataclass
class FakeLabelling:
    """Answers with `questions`, raises `failure`, records calls."""

    questions: list[Question] = field(default_factory=list)
    failure: Exception | None = None
    calls: list[tuple[Any, ...]] = field(default_factory=list)

    def ask(self, annotator: str, n: int = 1, *, again: bool = False) -> list[Any]:
        self._note("ask", annotator, n, *(["again"] if again else []))
        asked, self.questions = self.questions[:n], self.questions[n:]
        return [SimpleNamespace(question=q, prediction=a_prediction(), text=q.samples[0]) for q in asked]

    def submit(
        self,
        question_id: int,
        annotator: str,
        labels: Mapping[str, str],
        *,
        exceptions: Sequence[str] = (),
        also: Sequence[int] = (),
        **_rest: object,
    ) -> Any:
        self._note(
            "submit", question_id, annotator, dict(labels), *(list(given) for given in (exceptions, also) if given)
        )
        return SimpleNamespace(exceptions=(), also=tuple(also)[:2])

    def skip(self, question_id: int, annotator: str) -> None:
        self._note("skip", question_id, annotator)

    def similar(self, question_id: int, annotator: str) -> Any:
        self._note("similar", question_id, annotator)
        group = SimpleNamespace(group_id=9, text=LINE, count=17, similarity=0.81234, prediction=a_prediction())
        return SimpleNamespace(groups=(group,), looked_at=40, of=50)

    def annotate(self, text: str, labels: Mapping[str, str], annotator: str) -> int:
        self._note("annotate", text, dict(labels), annotator)
        return 7

    def _note(self, *call: Any) -> None:
        self.calls.append(call)
        if self.failure:
            raise self.failure


def a_case(group_id: int = 5, **changes: Any) -> Case:
    """Return a group for a reviewer."""
    given = Given("ann", {"severity": "info"}, NOON, 2.5, settled=False)
    return Case(group_id, "ERROR payment <n> not stored", 42, (LINE,), (given,), **changes)


@dataclass
class FakeReview:
    """Returns `case` in every list, raises `failure`, records calls."""

    case: Case = field(default_factory=a_case)
    failure: Exception | None = None
    calls: list[tuple[Any, ...]] = field(default_factory=list)

    def numbers(self) -> dict[str, Any]:
        self._note("numbers")
        return {"agreement": {}, "gold": {"groups": 0, "accuracy": None}, "disagreements": 1}

    def disagreements(self, limit: int) -> Cases:
        return self._list("disagreements", limit)

    def doubted(self, limit: int) -> Cases:
        return self._list("doubted", limit)

    def too_fast(self, limit: int) -> Cases:
        return self._list("too_fast", limit)

    def gold(self, limit: int) -> Cases:
        return self._list("gold", limit)

    def settle(self, group_id: int, labels: Mapping[str, str], reviewer: str) -> None:
        self._note("settle", group_id, dict(labels), reviewer)

    def mark_gold(self, group_id: int, reviewer: str, labels: Mapping[str, str] | None) -> None:
        self._note("mark_gold", group_id, reviewer, labels)

    def unmark_gold(self, group_id: int) -> bool:
        self._note("unmark_gold", group_id)
        return True

    def _list(self, *call: Any) -> Cases:
        self._note(*call)
        return Cases(1, (self.case,))

    def _note(self, *call: Any) -> None:
        self.calls.append(call)
        if self.failure:
            raise self.failure


@dataclass
class FakeServices:
    """What the doors need, with a list of what they asked for."""

    dimensions: tuple[Dimension, ...] = (a_dimension(), a_dimension("event_type", ("Heartbeat", "Security")))
    labelling: FakeLabelling = field(default_factory=FakeLabelling)
    review: FakeReview = field(default_factory=FakeReview)
    prediction: Prediction = field(default_factory=a_prediction)
    failure: Exception | None = None
    parts: dict[str, str | None] = field(default_factory=lambda: {"database": None})
    pushed: list[bytes] = field(default_factory=list)
    allowed_hosts: tuple[str, ...] = ()
    max_message_bytes: int = 1000
    max_inbox: int = 50

    @property
    def settings(self) -> Any:
        return SimpleNamespace(
            web=SimpleNamespace(allowed_hosts=self.allowed_hosts),
            stream=SimpleNamespace(max_message_bytes=self.max_message_bytes),
            pool=SimpleNamespace(max_inbox=self.max_inbox),
        )

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        self._fail()
        return [self.prediction for _ in texts]

    def push(self, messages: list[bytes]) -> int:
        self._fail()
        self.pushed.extend(messages)
        return len(messages)

    def ready(self) -> dict[str, str | None]:
        return self.parts

    def metrics(self) -> bytes:
        self._fail()
        return b"vigie_groups 3.0\n"

    def _fail(self) -> None:
        if self.failure:
            raise self.failure


class Client:
    """Calls an ASGI application in this process; a fault in it is raised, never turned into a 500.

    Starlette's own test client wants another HTTP package than the one Vigie uses.
    """

    def __init__(self, app: ASGIApp, **headers: str) -> None:
        self._app = app
        self._headers = headers

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.request("POST", path, **options)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return asyncio.run(self._request(method, path, **options))

    async def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self._app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://localhost:8080", headers=self._headers
        ) as client:
            return await client.request(method, path, **options)


def a_client(services: FakeServices | None = None) -> Client:
    """Return a client of the REST interface."""
    return Client(application(services or FakeServices()))  # type: ignore[arg-type]
