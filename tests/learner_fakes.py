"""What tests of the learner need: annotations as a frame, models that know what they are told, a registry in memory."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from builders import NOON, a_dimension
from vigie.classifiers import FloatArray
from vigie.errors import ModelError, UnavailableError
from vigie.labels import Dimension
from vigie.registry import TrainingRecord, VersionInfo

SEVERITY = a_dimension()
TOPIC = a_dimension("topic", ("disk", "network"))

EFFECTIVE = pl.Schema(
    {
        "group_id": pl.Int64(),
        "template": pl.String(),
        "count": pl.Int64(),
        "dimension": pl.String(),
        "annotator": pl.String(),
        "label": pl.String(),
        "purpose": pl.String(),
        "created_at": pl.Datetime("us", "UTC"),
        "duration_seconds": pl.Float64(),
        "settled": pl.Boolean(),
    }
)


@dataclass(frozen=True)
class Said:
    """One annotation that holds."""

    group_id: int
    label: str
    dimension: str = "severity"
    annotator: str = "ann"
    purpose: str = "train"
    count: int = 1
    minute: int = 0
    seconds: float | None = None
    settled: bool = False


def effective(*said: Said) -> pl.DataFrame:
    """Return annotations as the store does; the template of group 7 is ``t7``."""
    rows = [
        (
            one.group_id,
            f"t{one.group_id}",
            one.count,
            one.dimension,
            one.annotator,
            one.label,
            one.purpose,
            NOON + timedelta(minutes=one.minute),
            one.seconds,
            one.settled,
        )
        for one in said
    ]
    return pl.DataFrame(rows, schema=EFFECTIVE, orient="row")


def told(*said: Said) -> pl.DataFrame:
    """Return annotations as the store's `told` does, about whole groups."""
    return effective(*said).with_columns(message=pl.lit(None, pl.String), is_exception=pl.lit(value=False))


class KnowingModel:
    """A model that says what it was told, by dimension and template, and else the first label."""

    def __init__(
        self, says: Mapping[str, Mapping[str, str]], dimensions: Sequence[Dimension] = (SEVERITY,), sure: float = 0.9
    ) -> None:
        self.dimensions = tuple(dimensions)
        self._says = says
        self._sure = sure

    def predict_proba(self, templates: pl.Series) -> dict[str, FloatArray]:
        return {dimension.name: self._one(dimension, templates.to_list()) for dimension in self.dimensions}

    def _one(self, dimension: Dimension, templates: Sequence[str]) -> FloatArray:
        names = dimension.label_names
        said = [self._says.get(dimension.name, {}).get(template, names[0]) for template in templates]
        proba = np.full((len(said), len(names)), (1 - self._sure) / (len(names) - 1))
        for row, label in enumerate(said):
            proba[row, names.index(label)] = self._sure
        return proba


@dataclass
class MemoryRegistry:
    """A registry that keeps its versions in a folder; `away` makes every call fail."""

    folder: Path
    records: list[TrainingRecord] = field(default_factory=list)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    away: bool = False

    def prepare(self) -> None:
        self._reach()

    def log(self, training: TrainingRecord) -> str:
        self._reach()
        self.records.append(training)
        version = str(len(self.records))
        shutil.copytree(training.folder, self.folder / version)
        self.tags[version] = dict(training.tags)
        return version

    def champion(self) -> str | None:
        self._reach()
        return self.aliases.get("champion")

    def set_champion(self, version: str) -> None:
        self._reach()
        self.aliases["champion"] = version

    def set_challenger(self, version: str) -> None:
        self._reach()
        self.aliases["challenger"] = version

    def mark(self, version: str, tags: Mapping[str, str]) -> None:
        self._reach()
        self.tags[version] |= tags

    def versions(self, limit: int = 20, *, before: int | None = None) -> list[VersionInfo]:
        self._reach()
        known = self.records if before is None else self.records[: before - 1]
        newest = reversed([(str(number + 1), record) for number, record in enumerate(known)])
        return [VersionInfo(version, NOON, record.metrics, (), self.tags[version]) for version, record in newest][
            :limit
        ]

    def fetch(self, version: str) -> Path:
        self._reach()
        if not (self.folder / version).exists():
            raise ModelError(f"version {version} does not exist")
        return self.folder / version

    def _reach(self) -> Any:
        if self.away:
            raise UnavailableError("the registry does not answer", retry_after_seconds=5)
