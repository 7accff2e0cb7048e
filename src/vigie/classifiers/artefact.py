"""One model version as a folder: the fitted classifier, and everything needed to use it as it was meant.

::

    model.json       format, classifier, text normaliser, dimensions with labels and guidelines, evidence for thresholds, splits
    answers.parquet  one row per answered template, its labels in columns `label:<dimension>`
    classifier/      whatever the classifier's `save` writes

Nothing in it is a pickle, so that a model version from elsewhere can be read without running its code.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

import polars as pl

from vigie import plugins
from vigie.classifiers import Classifier, FloatArray
from vigie.classifiers.saved import described, dimensions_of
from vigie.errors import ModelError
from vigie.labels import Dimension, WordWeight
from vigie.messages import label_column
from vigie.text.refining import Splits, placeholders

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Artefact:
    """A fitted classifier with its context.

    Parameters
    ----------
    classifier
        Fitted.
    dimensions
        Those that it was fitted for, in the order of its probabilities.
    text
        Name of the normaliser that made the texts it was fitted on: `logs` or `social`.
    answers
        Labels that people gave, by template and dimension; they go before predictions.
    version
        Its number in the registry; None before it is registered.
    evidence
        By dimension, pairs of a confidence and a lower bound of the precision of all labels at or above it, as the audit
        sample showed when it was made.
    splits
        By template, the slots whose values its messages show, since people told them apart; the templates it was fitted on
        and those of `answers` are refined accordingly.
    """

    classifier: Classifier
    dimensions: Sequence[Dimension]
    text: str
    answers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    version: str | None = None
    evidence: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    splits: Splits = field(default_factory=dict)

    def predict_proba(self, templates: pl.Series) -> dict[str, FloatArray]:
        """Return calibrated probabilities by dimension, each of shape (n, n_labels), columns in the dimension's order."""
        return self.classifier.predict_proba(templates)

    def explain(self, template: str, dimension: str, label: str) -> list[WordWeight]:
        """Return how much each word of one template spoke for a label, in the order of the text."""
        return self.classifier.explain(template, dimension, label)

    def save(self, folder: Path) -> None:
        """Write everything but the version into `folder`, which is created."""
        inner = folder / "classifier"
        inner.mkdir(parents=True)
        self.classifier.save(inner)
        about = {
            "format": _FORMAT,
            "classifier": self.classifier.name,
            "text": self.text,
            "dimensions": [asdict(dimension) for dimension in self.dimensions],
            "evidence": self.evidence,
            "splits": {template: list(slots) for template, slots in self.splits.items()},
        }
        (folder / "model.json").write_text(json.dumps(about, indent=1, ensure_ascii=False), encoding="utf-8")
        self._answer_columns().write_parquet(folder / "answers.parquet")

    @classmethod
    def load(cls, folder: Path, *, version: str | None = None) -> Self:
        """Read what `save` wrote; the classifier is found by its plug-in name.

        Raises
        ------
        ModelError
            The folder holds no model version, or one of a newer Vigie.
        UnknownPartError
            Its classifier is not installed.
        """
        try:
            about = described(folder / "model.json", _FORMAT)
            name, text, dimensions = str(about["classifier"]), str(about["text"]), dimensions_of(about["dimensions"])
            answers = _answers(pl.read_parquet(folder / "answers.parquet"), dimensions)
            # Versions made before there were any have none.
            evidence, splits = _evidence(about.get("evidence", {})), _splits(about.get("splits", {}))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, pl.exceptions.PolarsError) as error:
            raise ModelError(f"{folder} holds no model version that can be read: {error}; train again") from error
        classifier = plugins.load("classifiers", name).load(folder / "classifier")
        return cls(classifier, dimensions, text, answers, version, evidence, splits)

    def _answer_columns(self) -> pl.DataFrame:
        columns = {
            label_column(dimension.name): [labels.get(dimension.name) for labels in self.answers.values()]
            for dimension in self.dimensions
        }
        types = dict.fromkeys(["template", *columns], pl.String())
        return pl.DataFrame({"template": list(self.answers), **columns}, schema=types)


def _evidence(described: Mapping[str, Sequence[Sequence[float]]]) -> dict[str, tuple[tuple[float, float], ...]]:
    return {name: tuple((float(at), float(low)) for at, low in pairs) for name, pairs in described.items()}


def _splits(described: Mapping[str, Sequence[int]]) -> dict[str, tuple[int, ...]]:
    splits = {template: tuple(sorted({int(slot) for slot in slots})) for template, slots in described.items()}
    for template, slots in splits.items():
        if not set(slots) <= set(range(len(placeholders(template)))):
            raise ValueError(f"a split shows slots {slots} of a template with {len(placeholders(template))}")
    return splits


def _answers(frame: pl.DataFrame, dimensions: Sequence[Dimension]) -> dict[str, dict[str, str]]:
    columns = [frame[label_column(dimension.name)].to_list() for dimension in dimensions]
    names = [dimension.name for dimension in dimensions]
    rows = zip(frame["template"].to_list(), *columns, strict=True)
    return {
        template: {name: label for name, label in zip(names, labels, strict=True) if label is not None}
        for template, *labels in rows
    }
