"""How good the answers are, and what a reviewer decides: `/api/quality`, `/api/review`, `/api/settle`, `/api/gold`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from fastapi import Body as BodyParameter
from pydantic import BaseModel, Field

from vigie.api.answers import MAX_ID
from vigie.api.bodies import Annotator, Body, StrictRoute, reply
from vigie.api.problems import responses

if TYPE_CHECKING:
    from vigie.app import Services
    from vigie.quality.review import Case, Cases

MAX_LISTED = 500
REVIEWER = "reviewer"

ListName = Literal["disagreements", "doubted", "too_fast", "gold"]
GroupId = Annotated[int, Field(ge=1, le=MAX_ID, description="From `/api/review`.")]


class ShareAnswer(BaseModel):
    """A share with its 95 % interval."""

    value: float
    low: float
    high: float
    n: int = Field(description="Gold questions answered.")


class AgreementAnswer(BaseModel):
    """One measure of agreement, with its 95 % interval."""

    value: float = Field(description="1: perfect; 0: as by chance.")
    low: float
    high: float
    n_groups: int = Field(description="Groups that at least two people answered.")
    n_annotators: int


class AgreementsAnswer(BaseModel):
    """Agreement in one dimension; null while too few groups were answered twice."""

    kappa: AgreementAnswer | None = Field(description="Cohen's kappa, mean over pairs of annotators.")
    alpha: AgreementAnswer | None = Field(description="Krippendorff's alpha, nominal.")


class GoldNumbers(BaseModel):
    """Gold questions."""

    groups: int = Field(description="Groups marked as gold.")
    accuracy: ShareAnswer | None


class AnnotatorAnswer(BaseModel):
    """What is known of one annotator."""

    name: str
    n_answers: int
    agreement: float | None = Field(description="Share of labels that others gave alike, in [0, 1].")
    n_compared: int
    gold: ShareAnswer | None
    median_seconds: float | None
    n_too_fast: int


class QualityAnswer(BaseModel):
    """How good the answers are."""

    agreement: dict[str, AgreementsAnswer] = Field(description="By dimension.")
    gold: GoldNumbers
    disagreements: int = Field(description="Groups about which people say different things.")
    too_fast: int = Field(description="Answers far faster than their annotator's others.")
    doubts: int = Field(description="Doubted answers whose annotators are being asked.")
    second_looks: int = Field(
        description="All questions about answered groups that wait: second opinions, gold, doubts."
    )
    annotators: list[AnnotatorAnswer]


class GivenAnswer(BaseModel):
    """What one person said of a group."""

    annotator: str
    labels: dict[str, str]
    created_at: str
    seconds: float | None
    settled: bool = Field(description="Whether it was said as a reviewer and wins over the others.")


class CaseAnswer(BaseModel):
    """A group for a reviewer."""

    group_id: int
    template: str
    count: int
    samples: list[str]
    answers: list[GivenAnswer]
    is_gold: bool
    doubt: dict[str, Any]
    too_fast: list[str] = Field(description="Whose answers came too fast.")


class CasesAnswer(BaseModel):
    """Some groups of a list."""

    total: int
    cases: list[CaseAnswer]


class Settled(Body):
    """What a reviewer says of a group."""

    group_id: GroupId
    labels: dict[str, str] = Field(min_length=1, examples=[{"severity": "error"}])
    annotator: Annotator = REVIEWER


class Gold(Body):
    """Whether a group is gold."""

    group_id: GroupId
    gold: bool = Field(default=True, description="False to let it be gold no longer.")
    labels: dict[str, str] | None = Field(
        default=None, description="What is right; what people agree on when left out.", examples=[{"severity": "error"}]
    )
    annotator: Annotator = REVIEWER


class DecidedAnswer(BaseModel):
    """What was stored."""

    status: str = Field(examples=["stored"])
    group_id: int


_Decision = Annotated[Settled, BodyParameter(examples=[{"group_id": 5, "labels": {"severity": "error"}}])]
_Mark = Annotated[Gold, BodyParameter(examples=[{"group_id": 5}])]


def quality(services: "Services") -> APIRouter:
    """Return the routes about the quality of answers."""
    router = APIRouter(route_class=StrictRoute, tags=["quality"])
    _add_numbers(router, services)
    _add_decisions(router, services)
    return router


def _add_numbers(router: APIRouter, services: "Services") -> None:
    @router.get(
        "/api/quality",
        response_model=QualityAnswer,
        response_description="The numbers",
        responses=responses(503),
    )
    def numbers() -> Response:
        """Say how far annotators agree, how they fare on gold questions, and how much waits for a reviewer."""
        return reply(services.review.numbers())

    @router.get(
        "/api/review",
        response_model=CasesAnswer,
        response_description="The groups",
        responses=responses(422, 503),
    )
    def review(
        which: Annotated[ListName, Query(alias="list", description="Which groups.")] = "disagreements",
        limit: Annotated[int, Query(ge=1, le=MAX_LISTED, description="How many at most.")] = 50,
    ) -> Response:
        """List groups that a reviewer should look at: those people disagree about, those with doubted or too fast answers, gold."""
        listed: dict[str, Callable[[int], Cases]] = {
            "disagreements": services.review.disagreements,
            "doubted": services.review.doubted,
            "too_fast": services.review.too_fast,
            "gold": services.review.gold,
        }
        found = listed[which](limit)
        return reply({"total": found.total, "cases": [_case(case) for case in found.cases]})


def _add_decisions(router: APIRouter, services: "Services") -> None:
    @router.post(
        "/api/settle",
        response_model=DecidedAnswer,
        response_description="What was stored",
        responses=responses(400, 403, 404, 409, 413, 415, 422, 503),
    )
    def settle(decided: _Decision) -> Response:
        """Settle what is right about a group: these labels win over what anybody else said, and train."""
        services.review.settle(decided.group_id, decided.labels, decided.annotator)
        return reply({"status": "stored", "group_id": decided.group_id})

    @router.post(
        "/api/gold",
        response_model=DecidedAnswer,
        response_description="What was stored",
        responses=responses(400, 403, 404, 409, 413, 415, 422, 503),
    )
    def gold(mark: _Mark) -> Response:
        """Make a group gold, or let it be gold no longer.

        Gold questions are mixed in among those of annotators who said nothing about the group, and tell how accurate each is.
        """
        if mark.gold:
            services.review.mark_gold(mark.group_id, mark.annotator, mark.labels)
        else:
            services.review.unmark_gold(mark.group_id)
        return reply({"status": "stored", "group_id": mark.group_id})


def _case(case: "Case") -> dict[str, Any]:
    return {
        "group_id": case.group_id,
        "template": case.template,
        "count": case.count,
        "samples": list(case.samples),
        "answers": [
            {
                "annotator": one.annotator,
                "labels": dict(one.labels),
                "created_at": one.created_at.isoformat(),
                "seconds": one.seconds,
                "settled": one.settled,
            }
            for one in case.answers
        ],
        "is_gold": case.is_gold,
        "doubt": dict(case.doubt),
        "too_fast": list(case.too_fast),
    }
