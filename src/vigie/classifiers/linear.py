"""Linear models over hashed n-grams, one per dimension."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl

from vigie.classifiers import FloatArray, IntArray
from vigie.classifiers.heads import Head, Heads, encoded, learn, places
from vigie.classifiers.logistic import inner_products, n_steps, penalty_of, solve
from vigie.classifiers.saved import arrays, described, reading
from vigie.classifiers.words import shared
from vigie.errors import ModelError
from vigie.features.projection import project
from vigie.features.tfidf import HashedTfidf
from vigie.labels import Dimension, Label, WordWeight

_FORMAT = 1
_CHUNK = 2_000  # texts whose features are in memory at one time


class LinearClassifier:
    """Multinomial logistic regression over TF-IDF of words and characters, with calibrated probabilities.

    Labels count alike however often they were given. Temperatures come from cross-validation in which a text is never on both
    sides. A label that nobody has given yet keeps a small probability, by Laplace's rule.

    Parameters
    ----------
    dimensions
        What to learn.
    seed
        Decides which texts are held out to calibrate.
    strength
        Inverse of the penalty (scikit-learn's `C`). Of 3, 10, 30 and 100, 30 was best or next to it at 20 to 750 answers.
    bits
        Buckets per kind of n-gram, as a power of two.

    Raises
    ------
    ValueError
        `strength` is not above 0, or `bits` is out of range.
    """

    name = "linear.v1"

    def __init__(
        self, dimensions: Sequence[Dimension], *, seed: int = 0, strength: float = 30.0, bits: int = 20
    ) -> None:
        self.dimensions = tuple(dimensions)
        self._chosen = {"seed": seed, "strength": strength, "bits": bits}
        self._penalty = penalty_of(strength)
        self._features = HashedTfidf(bits=bits)
        self._use(Heads(self.dimensions, {}), np.zeros((0, 0), np.float32), np.zeros(0))
        self._learned = pl.Series(dtype=pl.String)

    @property
    def parameters(self) -> dict[str, object]:
        """What was chosen for this model: numbers, strings and booleans by name, for the registry."""
        temperatures = {f"temperature.{name}": round(value, 4) for name, value in self._heads.temperatures.items()}
        return {**self._chosen, "n_columns": self._features.n_columns, **temperatures}

    def fit(self, texts: pl.Series, labels: pl.DataFrame, weights: pl.Series | None = None) -> Self:
        """Learn from answered texts; earlier learning is forgotten.

        Parameters
        ----------
        texts
            Normalised texts (String, no nulls), length n.
        labels
            One String column per dimension, n rows; null where that dimension was not answered.
        weights
            How much each row counts (Float64, > 0), length n; all alike when left out.

        Raises
        ------
        ModelError
            No row has an answer, or a label is unknown.
        """
        return self._fit(texts, labels, weights, {})

    def continued(self, texts: pl.Series, labels: pl.DataFrame, weights: pl.Series | None = None) -> Self:
        """Return a new classifier that has learned from these texts, beginning where this one stands; as in `Continues`."""
        new = type(self)(self.dimensions, **self._chosen)  # type: ignore[arg-type]
        before = self._heads.at(places(texts, self._learned)) if len(self._learned) else {}
        return new._fit(texts, labels, weights, before)  # noqa: SLF001 — another of this class

    def _fit(
        self, texts: pl.Series, labels: pl.DataFrame, weights: pl.Series | None, before: Mapping[str, Head]
    ) -> Self:
        answers = {dimension.name: encoded(labels, dimension) for dimension in self.dimensions}
        if not any((codes >= 0).any() for codes in answers.values()):
            raise ModelError("no row has an answer; expected one in at least one dimension; answer a question first")
        counts = np.ones(len(texts)) if weights is None else weights.to_numpy().astype(np.float64)
        groups = texts.rank("dense").to_numpy().astype(np.int64)
        rows = self._features.fit_transform(texts)
        steps = n_steps(len(texts), is_continued=bool(before))
        fit = partial(solve, inner_products(rows), penalty=self._penalty, max_iterations=steps)
        seed = int(self._chosen["seed"])
        heads = Heads(self.dimensions, learn(answers, counts, groups, fit, seed=seed, before=before))
        self._learned = texts
        self._use(heads, rows.T.tocsr() @ heads.dual.astype(np.float32), heads.dual.sum(axis=0))
        return self

    def predict_proba(self, texts: pl.Series) -> dict[str, FloatArray]:
        """Return calibrated probabilities by dimension, each of shape (n, n_labels), columns in the dimension's order.

        Rows sum to 1. A dimension that was never answered gets equal probabilities.
        """
        parts = [self._proba(texts.slice(start, _CHUNK)) for start in range(0, max(len(texts), 1), _CHUNK)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def vectors(self, texts: pl.Series) -> FloatArray:
        """Return where texts lie, shape (n, 128), rows of length 1: a fixed random projection of the TF-IDF it learned.

        Of n-grams that no answered text had, nothing is seen.
        """
        buckets = self._features.arrays()["buckets"].astype(np.int64)
        return project(self._features.transform(texts), buckets)

    def held_out(self) -> dict[str, tuple[IntArray, FloatArray]]:
        """Return what cross-validation said of the texts it learned from, as `CrossValidated` says; nothing once loaded."""
        return self._heads.held_out()

    def explain(self, text: str, dimension: str, label: str) -> list[WordWeight]:
        """Return how much each word of one normalised text spoke for a label, in the order of the text.

        A word is what stands between blanks. The weight of an n-gram is shared among its characters; so the weights of all words
        and the intercept add up to the label's score, a calibrated log-odds against the average label.
        """
        return shared(text, self._features.occurrences(text), self._column(dimension, label))

    def save(self, folder: Path) -> None:
        """Write the fitted model into an existing empty folder, without pickle."""
        dimensions = {dimension.name: list(dimension.label_names) for dimension in self.dimensions}
        about = {
            "format": _FORMAT,
            "parameters": self._chosen,
            "dimensions": dimensions,
            "heads": self._heads.described(),
        }
        (folder / "linear.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
        arrays = {"weights": self._weights, "intercepts": self._intercepts, **self._features.arrays()}
        np.savez(folder / "linear.npz", allow_pickle=False, **arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a model that `save` wrote.

        Raises
        ------
        ModelError
            The folder holds no such model, or a newer version of it.
        """
        with reading("linear model", folder):
            return cls._restored(described(folder / "linear.json", _FORMAT), arrays(folder / "linear.npz"))

    @classmethod
    def _restored(cls, about: Mapping[str, Any], arrays: Mapping[str, np.ndarray[Any, Any]]) -> Self:
        labels = about["dimensions"].items()
        model = cls([Dimension(name, tuple(map(Label, names))) for name, names in labels], **about["parameters"])
        model._features = HashedTfidf.from_arrays(arrays, bits=about["parameters"]["bits"])
        heads = Heads.restored(model.dimensions, about["heads"])
        model._use(heads, arrays["weights"].astype(np.float32), arrays["intercepts"].astype(np.float64))
        if model._weights.shape != (model._features.n_columns, heads.n_columns):
            raise ValueError(f"weights {model._weights.shape} fit neither the n-grams nor the labels")
        return model

    def _use(self, heads: Heads, weights: np.ndarray[Any, Any], intercepts: FloatArray) -> None:
        self._heads, self._weights, self._intercepts = heads, weights, intercepts

    def _proba(self, texts: pl.Series) -> dict[str, FloatArray]:
        return self._heads.proba(
            (self._features.transform(texts) @ self._weights).astype(np.float64) + self._intercepts
        )

    def _column(self, dimension: str, label: str) -> FloatArray:
        """Return the weights of one label, shape (n_columns,); zeros when it was never told apart from another."""
        place = self._heads.column(dimension, label)
        if place is None:
            return np.zeros(self._features.n_columns)
        column: FloatArray = self._weights[:, place].astype(np.float64)
        return column
