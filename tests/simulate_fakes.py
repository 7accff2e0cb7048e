"""Labelled messages that a simulation learns from in no time."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl

from vigie.evaluation.curves import About
from vigie.evaluation.simulate import Attempt
from vigie.evaluation.simulate_data import Messages, Split
from vigie.labels import Dimension
from vigie.messages import label_column
from vigie.text import normaliser

_WORDS = {
    "good": ("great", "lovely", "thanks", "smooth"),
    "bad": ("late", "lost", "rude", "broken"),
    "flat": ("when", "where", "which", "what"),
}
_THINGS = ("flight", "bag", "crew", "seat", "gate", "meal", "call", "desk", "queue", "ticket")


def rows(n: int = 120, *, copies: int = 1, seed: int = 0) -> pl.DataFrame:
    """Return texts with a mood that their words tell and a topic; `copies` of each."""
    rng = np.random.default_rng(seed)
    moods = [list(_WORDS)[place] for place in rng.integers(len(_WORDS), size=n)]
    things = rng.choice(_THINGS, size=(n, 2))
    texts = [
        f"{rng.choice(_WORDS[mood])} {one} {other} number{'x' * (place % 7)}{chr(97 + place % 26)}{chr(97 + place // 26)}"
        for place, (mood, (one, other)) in enumerate(zip(moods, things, strict=True))
    ]
    topics = ["bag" if "bag" in pair else "other" for pair in things]
    frame = pl.DataFrame({"text": texts, "mood": moods, "topic": topics})
    return pl.concat([frame] * copies)


def messages(n: int = 120, *, copies: int = 1, dimensions: Sequence[str] = ("mood", "topic")) -> Messages:
    """Return the same as messages."""
    columns = {name: name for name in dimensions}
    return Messages.of(rows(n, copies=copies), "text", columns, normalise=normaliser("social"))


class Oracle:
    """A system that knows more of the test with each answer, one label in a hundred, and all in the end."""

    def __init__(self, *, at_once: bool = False, name: str = "oracle", is_linear: bool = True) -> None:
        self.about = About("fake", name, "none", is_linear)
        self.predicts_at_once = at_once
        self.started: list[tuple[Split, int]] = []

    def start(self, given: Split, dimensions: Sequence[Dimension], seed: int) -> Attempt:
        """Begin anew."""
        self.started.append((given, seed))
        return _OracleAttempt(given, dimensions)


class _OracleAttempt:
    def __init__(self, given: Split, dimensions: Sequence[Dimension]) -> None:
        self._test, self._dimensions, self._known = given.test, dimensions, 0

    def answer(self, n: int) -> None:
        self._known += n

    def predict(self) -> dict[str, pl.Series]:
        return {dimension.name: self._labels(dimension, self._known) for dimension in self._dimensions}

    def full(self) -> dict[str, pl.Series]:
        return {dimension.name: self._labels(dimension, self._test.height) for dimension in self._dimensions}

    def _labels(self, dimension: Dimension, n: int) -> pl.Series:
        truth = self._test[label_column(dimension.name)]
        first = dimension.label_names[0]
        return pl.concat([truth.head(n), pl.Series([first] * max(len(truth) - n, 0), dtype=pl.String)])


class Parrot:
    """A classifier that says the label of the last row it was given, and of no row its first; it notes what it learned."""

    name: ClassVar[str] = "parrot.v1"
    needs_answers: ClassVar[bool] = False
    learned: ClassVar[list[tuple[list[str], dict[str, list[str | None]]]]] = []

    def __init__(self, dimensions: Sequence[Dimension], *, seed: int = 0) -> None:
        self.dimensions = tuple(dimensions)
        self.parameters: dict[str, object] = {"seed": seed}
        self._said: dict[str, int] = {}

    def fit(self, texts: pl.Series, labels: pl.DataFrame, weights: pl.Series | None = None) -> Self:
        """Note the rows."""
        self.learned.append((texts.to_list(), labels.to_dict(as_series=False)))
        for dimension in self.dimensions:
            given = labels[dimension.name].drop_nulls()
            self._said[dimension.name] = dimension.label_names.index(given[-1]) if len(given) else 0
        return self

    def predict_proba(self, texts: pl.Series) -> dict[str, Any]:
        """Say it, for sure."""
        return {
            dimension.name: np.tile(np.eye(len(dimension.labels))[self._said[dimension.name]], (len(texts), 1))
            for dimension in self.dimensions
        }
