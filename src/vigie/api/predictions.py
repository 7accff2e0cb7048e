"""Labels for texts, and what people say about them: `/api/predict` and `/api/feedback`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Response
from fastapi import Body as BodyParameter
from pydantic import BaseModel, Discriminator, Field, Tag

from vigie.api.bodies import DEFAULT_ANNOTATOR, Annotator, Body, StrictRoute, Text, reply
from vigie.api.problems import RefusedError, responses
from vigie.labels import Origin, Prediction, check_labels

if TYPE_CHECKING:
    from vigie.app import Services

MAX_TEXTS = 10_000
FEEDBACK_LABELS = "The right labels by dimension; some of them are enough."

_LINE = "2026-11-21 03:18:54 ERROR payment 4711 could not be stored: timeout"


class OneText(Body):
    """One text to label."""

    text: Text


class ManyTexts(Body):
    """Texts to label together."""

    texts: Annotated[list[Text], Field(min_length=1, max_length=MAX_TEXTS)]


class PredictionAnswer(BaseModel):
    """What the system says about one text; `labels`, `confidence` and `origin` by dimension."""

    labels: dict[str, str | None] = Field(description="Null while nobody knows.", examples=[{"severity": "error"}])
    confidence: dict[str, float | None] = Field(
        description="Calibrated probability of each label, in [0, 1].", examples=[{"severity": 0.93}]
    )
    origin: dict[str, Origin] = Field(description="Who set each label.", examples=[{"severity": "model"}])
    route: str = Field(description="auto: sure enough; rule: a rule spoke; review: a person should look.")
    template: str = Field(description="The text as models see it, its varying parts masked.")
    model: str | None = Field(description="The model version that predicted; null when there is none.")


class PredictionAnswers(BaseModel):
    """One prediction per text, in the order asked."""

    predictions: list[PredictionAnswer]


class Feedback(Body):
    """Whether the prediction for a text was right, and if not, what would have been."""

    text: Text
    right: bool = Field(description="Whether every label shown was right.")
    labels: dict[str, str] | None = Field(default=None, description=FEEDBACK_LABELS, examples=[{"severity": "error"}])
    annotator: Annotator = DEFAULT_ANNOTATOR


class FeedbackAnswer(BaseModel):
    """What became of a feedback."""

    stored: bool = Field(description="Whether something could be learned from it.")
    labels: dict[str, str] = Field(description="The labels that were stored.")


def _kind(value: Any) -> str:
    return "many" if isinstance(value, ManyTexts) or (isinstance(value, Mapping) and "texts" in value) else "one"


_Asked = Annotated[
    Annotated[OneText, Tag("one")] | Annotated[ManyTexts, Tag("many")],
    Discriminator(_kind),
    BodyParameter(
        openapi_examples={
            "one": {"summary": "One text", "value": {"text": _LINE}},
            "many": {"summary": "Several texts", "value": {"texts": [_LINE, "heartbeat ok"]}},
        }
    ),
]

_Given = Annotated[
    Feedback,
    BodyParameter(
        openapi_examples={
            "right": {"summary": "It was right", "value": {"text": _LINE, "right": True}},
            "wrong": {
                "summary": "It was wrong",
                "value": {"text": _LINE, "right": False, "labels": {"severity": "error"}},
            },
        }
    ),
]


def predictions(services: "Services") -> APIRouter:
    """Return the routes about predictions."""
    router = APIRouter(route_class=StrictRoute, tags=["predictions"])

    @router.post(
        "/api/predict",
        response_model=PredictionAnswer | PredictionAnswers,
        response_description="The prediction, or one per text",
        responses=responses(400, 403, 413, 415, 422, 503),
    )
    def predict(asked: _Asked) -> Response:
        """Label one text, or up to 10,000 together.

        `{"text": …}` is answered with one prediction, `{"texts": […]}` with `{"predictions": […]}`.
        """
        if isinstance(asked, OneText):
            return reply(as_json(services.predict([asked.text])[0]))
        return reply({"predictions": [as_json(prediction) for prediction in services.predict(asked.texts)]})

    @router.post(
        "/api/feedback",
        response_model=FeedbackAnswer,
        response_description="What was stored",
        responses=responses(400, 403, 413, 415, 422, 503),
    )
    def feedback(given: _Given) -> Response:
        """Say whether a prediction was right.

        With `right: true` the labels the system gives the text are stored as that annotator's answer, with `labels`
        those. `right: false` without `labels` teaches nothing and stores nothing.
        """
        labels = _labels_of(given, services)
        if labels:
            services.labelling.annotate(given.text, labels, given.annotator)
        return reply({"stored": bool(labels), "labels": labels})

    return router


def as_json(prediction: Prediction) -> dict[str, Any]:
    """Return a prediction as JSON shows it."""
    return {
        "labels": dict(prediction.labels),
        "confidence": dict(prediction.confidence),
        "origin": dict(prediction.origin),
        "route": prediction.route,
        "template": prediction.template,
        "model": prediction.model,
    }


def _labels_of(given: Feedback, services: "Services") -> dict[str, str]:
    if given.labels is not None:
        check_labels(services.dimensions, given.labels)
        return given.labels
    if not given.right:
        return {}
    predicted = services.predict([given.text])[0]
    known = {name: label for name, label in predicted.labels.items() if label is not None}
    if not known:
        raise RefusedError(422, "right is true, but nobody knows a label for this text yet; expected labels")
    return known
