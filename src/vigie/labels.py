"""What is asked of each message, and what people and models say about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from vigie.errors import LabelError


class Route(StrEnum):
    """Where a labelled message goes next."""

    AUTO = "auto"
    RULE = "rule"
    REVIEW = "review"


class Origin(StrEnum):
    """Who set a label."""

    MODEL = "model"
    RULE = "rule"
    HUMAN = "human"
    DEFAULT = "default"


class Purpose(StrEnum):
    """What an annotation may be used for: audit annotations only ever measure."""

    TRAIN = "train"
    AUDIT = "audit"


class QuestionKind(StrEnum):
    """Why a question was drawn."""

    STRATEGY = "strategy"
    AUDIT = "audit"


class Check(StrEnum):
    """Why a group that was answered already is asked about once more; annotators see of it only that there is a doubt."""

    SECOND = "second"
    GOLD = "gold"
    DOUBT = "doubt"


@dataclass(frozen=True, slots=True)
class Label:
    """One value of a dimension, with the sentence that tells people when to choose it."""

    name: str
    guideline: str = ""


@dataclass(frozen=True, slots=True)
class Dimension:
    """One thing asked of each message: a closed, ordered list of labels.

    Parameters
    ----------
    name
        Also the name of the field in the enriched message.
    labels
        In the order in which pages show them.
    default
        What a message gets when neither a model nor a rule knows; none leaves the field null.
    question
        What people are asked; the name where empty.
    """

    name: str
    labels: tuple[Label, ...]
    default: str | None = None
    question: str = ""

    @property
    def label_names(self) -> tuple[str, ...]:
        """The names of the labels, in order."""
        return tuple(label.name for label in self.labels)


@dataclass(frozen=True, slots=True)
class Annotation:
    """A person's answer about one group in one dimension; never changed once written.

    ``label`` is None when the annotator took an earlier answer back. ``message`` is the one they saw, where that is known.
    """

    group_id: int
    dimension: str
    label: str | None
    annotator: str
    purpose: Purpose
    created_at: datetime
    question_id: int | None = None
    model_version: str | None = None
    duration_seconds: float | None = None
    id: int | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the system says about one text.

    ``labels``, ``confidence`` (each in [0, 1]) and ``origin`` have one entry per dimension.
    """

    route: Route
    labels: Mapping[str, str | None]
    confidence: Mapping[str, float]
    origin: Mapping[str, Origin]
    template: str
    model: str | None = None


@dataclass(frozen=True, slots=True)
class WordWeight:
    """How much one word of a text spoke for (positive) or against a label; ``start`` and ``end`` index characters."""

    word: str
    start: int
    end: int
    weight: float


@dataclass(frozen=True, slots=True)
class Question:
    """One request to one annotator about one group.

    ``count`` is how many messages the answer covers, ``samples`` some real ones (newest first), ``message`` the one that is
    shown, chosen when the question is first leased. An exception is about that message alone; ``parent_id`` is the question
    whose answer singled it out.
    """

    id: int
    group_id: int
    kind: QuestionKind
    template: str
    count: int
    samples: tuple[str, ...]
    reason: Mapping[str, object] = field(default_factory=dict)
    leased_until: datetime | None = None
    message: str | None = None
    parent_id: int | None = None


def check_labels(dimensions: Sequence[Dimension], labels: Mapping[str, str]) -> None:
    """Raise :class:`LabelError` unless each name is a dimension and each value one of its labels.

    Raises
    ------
    LabelError
        Nothing is answered, or a dimension or label is unknown; the message lists what is known.
    """
    known = {dimension.name: dimension.label_names for dimension in dimensions}
    if not labels:
        raise LabelError(f"no label was given; expected at least one of the dimensions {', '.join(known)}")
    for name, label in labels.items():
        if name not in known:
            raise LabelError(f"dimension {name!r} is unknown; expected one of {', '.join(known)}")
        if label not in known[name]:
            raise LabelError(f"{name} {label!r} is unknown; expected one of {', '.join(known[name])}")
