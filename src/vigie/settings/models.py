"""What can be set, section by section of `vigie.toml`."""

import difflib
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from vigie import plugins
from vigie.labels import Dimension, Label

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
PartName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
MAX_SEED = 2**32 - 1  # of scikit-learn
MONTH_SECONDS = 30 * 24 * 3600.0
TEXT_FIELDS = ("message", "log", "text", "payload.message")


class PlacedError(ValueError):
    """Something between settings is wrong; `location` is the one of them to change.

    Parameters
    ----------
    message
        What is wrong.
    location
        Keys from the outermost table on.
    """

    def __init__(self, message: str, location: tuple[str, ...]) -> None:
        super().__init__(message)
        self.location = location


def _installed(family: str, name: str) -> str:
    """Return the name of an installed part; what it is called is looked up, and nothing of it imported."""
    known = plugins.names(family)
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        nearest = f"did you mean {close[0]!r}?" if close else f"expected one of {', '.join(known)}"
        raise ValueError(f"none of the {family} installed is called {name!r}; {nearest}")
    return name


SourceType = Annotated[str, AfterValidator(partial(_installed, "sources"))]
SinkType = Annotated[str, AfterValidator(partial(_installed, "sinks"))]
ClassifierName = Annotated[str, AfterValidator(partial(_installed, "classifiers"))]
StrategyName = Annotated[str, AfterValidator(partial(_installed, "strategies"))]


class Section(BaseModel):
    """One table of `vigie.toml`: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ProjectSettings(Section):
    """``[project]``: what this is about.

    ``language`` is what the pages speak to someone who has not chosen; ``text`` how messages are normalised.
    """

    name: Name = "vigie"
    goal: str = ""
    language: Literal["en", "fr"] = "en"
    text: Literal["logs", "social"] = "logs"


class LabelSettings(Section):
    """One label; a bare string stands for a label without guideline."""

    name: Name
    guideline: str = ""

    @model_validator(mode="before")
    @classmethod
    def _from_string(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value


class DimensionSettings(Section):
    """``[[dimensions]]``: one thing asked of each message.

    With ``target_precision`` the threshold of this dimension is the lowest confidence from which on the audit sample proves
    that so large a share of the labels is right; until it does, every message is to be looked at. Without, it is
    ``routing.confidence``.
    ``weight`` is how much its doubts count against those of other dimensions when questions are chosen.
    """

    name: Name
    question: str = ""
    default: str | None = None
    weight: float = Field(default=1.0, gt=0, le=1_000)
    target_precision: float | None = Field(default=None, gt=0, lt=1)
    labels: tuple[LabelSettings, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [label.name for label in self.labels]
        _refuse_doubles("label", names)
        if self.default is not None and self.default not in names:
            raise ValueError(f"default is {self.default!r}; expected one of the labels {', '.join(names)}")
        if self.name == "vigie":
            raise ValueError("a dimension cannot be called 'vigie': enriched messages carry a field of that name")
        return self


class SourceSettings(Section):
    """``[sources.NAME]``: where messages come from.

    The keys of the source's type stand beside these; `app` hands them on, and the type refuses those it does not know.
    With ``corrections``, messages of a Kafka source go out again, corrected, when a person answered about them.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    type: SourceType
    sink: PartName | None = None
    format: Literal["auto", "json", "text"] = "auto"
    text_fields: tuple[str, ...] = Field(default=TEXT_FIELDS, min_length=1)
    corrections: bool = False

    @model_validator(mode="after")
    def _can_be_read_again(self) -> Self:
        if self.corrections and self.type != "kafka":
            raise ValueError(
                f"corrections need a source of type 'kafka', which can be read again; this is {self.type!r}"
            )
        return self

    @property
    def parameters(self) -> dict[str, Any]:
        """The keys that belong to the source's type."""
        return dict(self.__pydantic_extra__ or {})


class SinkSettings(Section):
    """``[sinks.NAME]``: where enriched messages go; further keys belong to the sink's type."""

    model_config = ConfigDict(frozen=True, extra="allow")

    type: SinkType

    @property
    def parameters(self) -> dict[str, Any]:
        """The keys that belong to the sink's type."""
        return dict(self.__pydantic_extra__ or {})


class StreamSettings(Section):
    """``[stream]``: how the stream worker cuts batches, and what it keeps in memory."""

    max_batch: int = Field(default=20_000, ge=1, le=1_000_000)
    max_delay_seconds: float = Field(default=0.2, gt=0, le=60)
    max_message_bytes: int = Field(default=1_048_576, ge=1, le=1 << 30)
    cache_templates: int = Field(default=100_000, ge=1)


class PoolSettings(Section):
    """``[pool]``: how much of the stream is kept for questions; what is beyond is evicted, least useful first.

    ``max_embeddings`` is for classifiers that encode: 1.6 kB each in the database, those of the smallest groups evicted first.
    """

    max_groups: int = Field(default=1_000_000, ge=100)
    samples_per_group: int = Field(default=5, ge=1, le=100)
    max_inbox: int = Field(default=100_000, ge=1)
    max_embeddings: int = Field(default=100_000, ge=100)


class RulesSettings(Section):
    """``[rules]``: where the rules are, and when they speak.

    Where `path` is written, the file must be there; where it is not, a project may do without one.
    """

    path: str = "rules.toml"
    precedence: Literal["fallback", "override"] = "fallback"


class LearningSettings(Section):
    """``[learning]``: what learns, what is asked, and when.

    ``encoder`` is what makes sentence embeddings for classifiers that use them: ``default``, ``minilm``, a folder, or a hub id.
    ``serving`` is what labels where the classifier encodes: ``full`` encodes every template; ``cascade`` the three in five that a
    student of the full model is least sure about; ``student`` none; ``auto`` takes ``cascade`` where many messages have a template of their own, else
    ``full``.
    ``worthwhile_gain`` is the gain in accuracy below which the next 50 answers are not worth the while.
    """

    classifier: ClassifierName = "linear.v1"
    parameters: dict[str, Any] = Field(default_factory=dict)
    encoder: str = Field(default="default", min_length=1)
    encoder_threads: int = Field(default=1, ge=1, le=64)
    serving: Literal["auto", "full", "cascade", "student"] = "auto"
    strategy: StrategyName = "cluster_margin.v1"
    retrain_after_answers: int = Field(default=10, ge=1)
    retrain_after_seconds: float = Field(default=300.0, gt=0)
    audit_every: int = Field(default=10, ge=2)
    open_questions: int = Field(default=50, ge=1, le=10_000)
    lease_seconds: float = Field(default=600.0, ge=1, le=MONTH_SECONDS)
    worthwhile_gain: float = Field(default=0.005, ge=0, le=1)
    seed: int = Field(default=0, ge=0, le=MAX_SEED)


class QualitySettings(Section):
    """``[quality]``: how answers are checked.

    A share of the answered groups, ``second_annotator_share``, is asked about once more, of somebody else, and an annotator's
    questions are gold at a share of ``gold_share`` once a reviewer marked any. With ``doubts``, answers that a cross-validated
    model doubts come back to whoever gave them. An answer given in less than ``too_fast_seconds``, and in less than a quarter of
    the annotator's usual time, is flagged; 0 flags none.
    """

    second_annotator_share: float = Field(default=0.05, ge=0, le=1)
    gold_share: float = Field(default=0.02, ge=0, le=0.5)
    doubts: bool = True
    too_fast_seconds: float = Field(default=0.4, ge=0, le=60)


class RoutingSettings(Section):
    """``[routing]``: from which confidence a label needs no second look."""

    confidence: float = Field(default=0.75, ge=0, le=1)


class RegistrySettings(Section):
    """``[registry]``: the MLflow tracking server and model registry.

    ``model`` defaults to ``vigie-<project name>``; no / and : are in its name.
    """

    tracking_uri: str = "sqlite:///mlflow.db"
    artifacts: str = "models"
    model: str | None = None

    @field_validator("model")
    @classmethod
    def _is_name(cls, value: str | None) -> str | None:
        if value is not None and (not value or {"/", ":"} & set(value)):
            raise ValueError(f"{value!r} is no name for a model of MLflow; expected one without / and :")
        return value


class StoreSettings(Section):
    """``[store]``: the database."""

    url: str = "sqlite:///vigie.db"


class WebSettings(Section):
    """``[web]``: where pages and API listen; ``allowed_hosts`` are further names a proxy may use for this server."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    allowed_hosts: tuple[str, ...] = ()


class Settings(Section):
    """Everything `vigie.toml` says, with the folder it lies in."""

    folder: Path = Path()
    project: ProjectSettings = ProjectSettings()
    dimensions: tuple[DimensionSettings, ...] = Field(min_length=1)
    sources: dict[PartName, SourceSettings] = Field(default_factory=dict)
    sinks: dict[PartName, SinkSettings] = Field(default_factory=dict)
    stream: StreamSettings = StreamSettings()
    pool: PoolSettings = PoolSettings()
    rules: RulesSettings = RulesSettings()
    learning: LearningSettings = LearningSettings()
    quality: QualitySettings = QualitySettings()
    routing: RoutingSettings = RoutingSettings()
    registry: RegistrySettings = RegistrySettings()
    store: StoreSettings = StoreSettings()
    web: WebSettings = WebSettings()

    @field_validator("dimensions")
    @classmethod
    def _unique(cls, dimensions: tuple[DimensionSettings, ...]) -> tuple[DimensionSettings, ...]:
        _refuse_doubles("dimension", [dimension.name for dimension in dimensions])
        return dimensions

    @model_validator(mode="after")
    def _sinks_exist(self) -> Self:
        for name, source in self.sources.items():
            if source.sink is not None and source.sink not in self.sinks:
                known = ", ".join(self.sinks) or "none"
                raise PlacedError(
                    f"sources.{name}.sink is {source.sink!r}; the sinks of this project are: {known}",
                    ("sources", name, "sink"),
                )
            if source.sink is None and len(self.sinks) > 1:
                choices = " or ".join(f'sink = "{sink}"' for sink in self.sinks)
                raise PlacedError(
                    f"sources.{name} names no sink, and there are several; add {choices}", ("sources", name)
                )
        return self

    def sink_of(self, source: str) -> str | None:
        """Return the name of the sink a source writes to; None when the project has no sink."""
        return self.sources[source].sink or next(iter(self.sinks), None)

    def as_dimensions(self) -> tuple[Dimension, ...]:
        """Return the dimensions as the rest of Vigie knows them."""
        return tuple(
            Dimension(
                name=dimension.name,
                labels=tuple(Label(label.name, label.guideline) for label in dimension.labels),
                default=dimension.default,
                question=dimension.question,
            )
            for dimension in self.dimensions
        )


def _refuse_doubles(what: str, names: list[str]) -> None:
    doubles = [name for name, n in Counter(names).items() if n > 1]
    if doubles:
        raise ValueError(f"{what} {doubles[0]!r} stands twice; names must differ")
