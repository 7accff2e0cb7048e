"""Questions for programs and plain forms: `/get_message` and `/send`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field, ValidationError

from vigie.api.bodies import DEFAULT_ANNOTATOR, FORM, JSON, MULTIPART, Annotator, Body, Fields, StrictRoute, Text, reply
from vigie.api.predictions import PredictionAnswer, as_json
from vigie.api.problems import RefusedError, explain, responses
from vigie.labels import Dimension, check_labels
from vigie.store import MAX_GROUPS

if TYPE_CHECKING:
    from vigie.app import Services
    from vigie.labelling import Asked, SimilarGroup

MAX_ID = 2**63 - 1
MAX_EXCEPTIONS = 100
Id = Annotated[int, Field(ge=1, le=MAX_ID)]
_LISTS = frozenset({"labels", "exceptions", "also"})  # a form has neither objects nor lists
_SAID = {"true": True, "false": False}


class LabelAnswer(BaseModel):
    """A label, and when to choose it."""

    name: str
    guideline: str


class DimensionAnswer(BaseModel):
    """One thing asked of each message."""

    name: str
    question: str
    labels: list[LabelAnswer]


class QuestionAnswer(BaseModel):
    """The next question for an annotator."""

    question_id: int = Field(description="Send it back with the labels.")
    group_id: int = Field(description="The group it is about, as `/api/gold` takes it.")
    message: str = Field(description="The message to label.")
    template: str = Field(description="What all messages of its group have in common.")
    count: int = Field(description="How many messages the answer covers.")
    kind: str = Field(description="strategy: it teaches most; audit: drawn at random, only to measure.")
    reason: dict[str, Any] = Field(description="Why this question was asked.")
    samples: list[str] = Field(description="Some messages of the group, the newest first.")
    prediction: PredictionAnswer
    dimensions: list[DimensionAnswer] = Field(description="What can be answered.")


class Sent(Body):
    """An answer: to a question, or about a message; labels by dimension, under `labels` or as fields of their own."""

    question_id: Annotated[int, Field(ge=1, le=MAX_ID, description="From `/get_message`.")] | None = None
    message: Text | None = Field(default=None, description="What the labels are about, where there is no question_id.")
    labels: dict[str, str] = Field(default_factory=dict, examples=[{"severity": "error"}])
    annotator: Annotator = DEFAULT_ANNOTATOR
    skip: bool = Field(default=False, description="Leave the question to others; this annotator is not asked it again.")
    exceptions: list[Text] = Field(
        default_factory=list,
        max_length=MAX_EXCEPTIONS,
        description="Messages of the group, from `samples`, that the answer does not hold for: the next questions are about them.",
    )
    also: list[Id] = Field(
        default_factory=list,
        max_length=MAX_GROUPS,
        description="Groups from `/api/similar` that take the answer to the question along; only in JSON.",
    )


class SentAnswer(BaseModel):
    """What was stored."""

    status: str = Field(examples=["stored"], description="stored, or skipped.")
    question_id: int | None
    labels: dict[str, str]
    also: list[int] = Field(
        description="The groups that took the answer along; left out are those that were answered, leased to somebody "
        "else or drawn for audit meanwhile."
    )


class SimilarGroupAnswer(BaseModel):
    """A group without an answer that is like the question's."""

    group_id: int = Field(description="Send it back under `also`.")
    message: str = Field(description="Its newest message.")
    count: int = Field(description="How many messages it has.")
    similarity: float = Field(description="Cosine between the two templates' vectors, in [-1, 1].")
    prediction: PredictionAnswer


class SimilarAnswer(BaseModel):
    """Groups that may take the answer to a question along with it, the most similar first."""

    question_id: int
    groups: list[SimilarGroupAnswer]
    looked_at: int = Field(description="How many groups were compared.")
    of: int = Field(description="How many will be, once all are read.")


def answers(services: "Services") -> APIRouter:
    """Return the routes about questions and answers."""
    router = APIRouter(route_class=StrictRoute, tags=["questions"])
    _add_get_message(router, services)
    _add_send(router, services)
    _add_similar(router, services)
    return router


def _add_get_message(router: APIRouter, services: "Services") -> None:
    @router.get(
        "/get_message",
        response_model=QuestionAnswer,
        response_description="The next question",
        responses={204: {"description": "There is nothing to ask now"}, **responses(422, 503)},
    )
    def get_message(annotator: Annotated[Annotator, Query()] = DEFAULT_ANNOTATOR) -> Response:
        """Ask for the next question, with its prediction.

        The question is this annotator's for a while (`learning.lease_seconds`); nobody else gets it meanwhile, and whoever asks
        again gets the same one until they have answered or skipped it. Programs that ask side by side need names of their own.
        """
        asked = services.labelling.ask(annotator, 1, again=True)
        return reply(_question(asked[0], services.dimensions)) if asked else Response(status_code=204)


def _add_send(router: APIRouter, services: "Services") -> None:
    @router.post(
        "/send",
        response_model=SentAnswer,
        response_description="What was stored",
        responses=responses(400, 403, 404, 409, 413, 415, 422, 503),
    )
    def send(fields: Fields) -> Response:
        """Store an answer, as JSON or as a form.

        With `question_id` it answers that question; otherwise it is about `message`. Dimensions may be left out. A question that
        cannot be answered is left to others with `skip`, in place of labels.
        `exceptions` are messages of the group that a question's answer does not hold for; `/get_message` asks about them next.
        Groups under `also` take the same answer. All is stored in one transaction or nothing, and one undo takes it back.
        """
        sent = _sent(fields, services.dimensions)
        if sent.skip:
            return reply(_skip(services, sent))
        check_labels(services.dimensions, sent.labels)
        also = _store(services, sent)
        stored = {"status": "stored", "question_id": sent.question_id, "labels": sent.labels, "also": list(also)}
        return reply(stored)


def _add_similar(router: APIRouter, services: "Services") -> None:
    @router.get(
        "/api/similar",
        response_model=SimilarAnswer,
        response_description="The groups, the most similar first",
        responses=responses(404, 409, 422, 503),
    )
    def similar(
        question_id: Annotated[int, Query(ge=1, le=MAX_ID, description="From `/get_message`; still this annotator's.")],
        annotator: Annotated[Annotator, Query()] = DEFAULT_ANNOTATOR,
    ) -> Response:
        """Ask which groups are so much like a question's that they may take its answer along.

        There are at most twenty; none that was answered or drawn for audit, or that somebody else is being asked about. A question
        that was drawn for audit, or is about one message that was excepted, is answered alone (409).
        """
        found = services.labelling.similar(question_id, annotator)
        groups = [_similar_group(group) for group in found.groups]
        return reply({"question_id": question_id, "groups": groups, "looked_at": found.looked_at, "of": found.of})


def _skip(services: "Services", sent: Sent) -> dict[str, Any]:
    """Leave a question to others; return what came of it."""
    if sent.question_id is None:
        raise RefusedError(422, "skip is given without question_id; expected both, or neither")
    if sent.labels or sent.exceptions or sent.also:
        raise RefusedError(422, "skip is given with an answer; expected one of them")
    services.labelling.skip(sent.question_id, sent.annotator)
    return {"status": "skipped", "question_id": sent.question_id, "labels": {}, "also": []}


def _store(services: "Services", sent: Sent) -> tuple[int, ...]:
    """Store an answer; return the groups that took it along."""
    if sent.question_id is not None:
        submitted = services.labelling.submit(
            sent.question_id, sent.annotator, sent.labels, exceptions=sent.exceptions, also=sent.also
        )
        return submitted.also
    if sent.exceptions:
        raise RefusedError(422, "exceptions are given without a question_id; they are of the group that it asks about")
    if sent.also:
        raise RefusedError(422, "also is given without question_id; expected both, or neither")
    if sent.message is None:
        raise RefusedError(422, "question_id and message are both missing; expected one of them")
    services.labelling.annotate(sent.message, sent.labels, sent.annotator)
    return ()


def labels_schema(dimensions: tuple[Dimension, ...]) -> dict[str, Any]:
    """Describe an object of labels by dimension for OpenAPI."""
    labels = {dimension.name: {"type": "string", "enum": list(dimension.label_names)} for dimension in dimensions}
    return {"type": "object", "properties": labels, "additionalProperties": False}


def _never_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Describe a field that may be left out, but not be null: a form has no null."""
    kinds = schema.get("anyOf", [schema])
    kept = {name: value for name, value in schema.items() if name not in {"anyOf", "default"}}
    return {**kept, **kinds[0]}


def _similar_group(group: "SimilarGroup") -> dict[str, Any]:
    return {
        "group_id": group.group_id,
        "message": group.text,
        "count": group.count,
        "similarity": round(group.similarity, 4),
        "prediction": as_json(group.prediction),
    }


def _question(asked: "Asked", dimensions: tuple[Dimension, ...]) -> dict[str, Any]:
    question = asked.question
    return {
        "question_id": question.id,
        "group_id": question.group_id,
        "message": asked.text,
        "template": question.template,
        "count": question.count,
        "kind": question.kind,
        "reason": dict(question.reason),
        "samples": list(question.samples),
        "prediction": as_json(asked.prediction),
        "dimensions": [
            {
                "name": dimension.name,
                "question": dimension.question or dimension.name,
                "labels": [{"name": label.name, "guideline": label.guideline} for label in dimension.labels],
            }
            for dimension in dimensions
        ],
    }


def _sent(fields: Mapping[str, Any], dimensions: tuple[Dimension, ...]) -> Sent:
    """Take labels from the fields named like dimensions, and check the rest."""
    known = {name: value for name, value in fields.items() if name in Sent.model_fields}
    plain = {name: value for name, value in fields.items() if name not in Sent.model_fields}
    labels = known.get("labels", {})
    if isinstance(labels, dict):
        for name in plain.keys() & labels.keys():
            raise RefusedError(422, f"{name} is given twice, under labels and beside it; expected it once")
        _only_dimensions(plain, dimensions)
        known["labels"] = {**labels, **plain}
    if isinstance(known.get("question_id"), str) and known["question_id"].isdecimal():
        known["question_id"] = int(known["question_id"][:20])
    if isinstance(known.get("skip"), str):  # in a form
        known["skip"] = _SAID.get(known["skip"], known["skip"])
    try:
        return Sent.model_validate(known)
    except ValidationError as error:
        raise RefusedError(422, explain(error.errors())) from error


def _only_dimensions(plain: Mapping[str, Any], dimensions: tuple[Dimension, ...]) -> None:
    names = [dimension.name for dimension in dimensions]
    for name in plain:
        if name not in names:
            known = ", ".join([*Sent.model_fields, *names])
            raise RefusedError(422, f"{name!r:.60} is no field and no dimension; expected some of {known}")


def send_body(dimensions: tuple[Dimension, ...]) -> dict[str, Any]:
    """Describe the body of `/send` for OpenAPI, with the dimensions and labels there are."""
    schema = Sent.model_json_schema()
    chosen = {dimension.name: dimension.label_names[0] for dimension in dimensions}
    labels = labels_schema(dimensions)
    fields = {**labels["properties"], **schema["properties"], "labels": labels}
    schema["anyOf"] = [{"required": ["question_id"]}, {"required": ["message"]}]
    schema["properties"] = fields
    schema["examples"] = [{"question_id": 12, **chosen}, {"message": "disk sda failed", "labels": chosen}]
    plain = {name: _never_null(value) for name, value in fields.items() if name not in _LISTS}
    examples = [{"question_id": 12, **chosen}, {"message": "disk sda failed", **chosen}]
    form = {**schema, "properties": plain, "examples": examples}
    return {
        "required": True,
        "content": {JSON: {"schema": schema}, FORM: {"schema": form}, MULTIPART: {"schema": form}},
    }
