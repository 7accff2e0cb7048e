"""What learns labels from texts; parts are found by name through the entry points `vigie.classifiers`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, Self, TypeGuard, runtime_checkable

import numpy as np
import polars as pl

from vigie.features.encoder_cache import Embeddings
from vigie.labels import Dimension, WordWeight

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
IntArray = np.ndarray[Any, np.dtype[np.int64]]
SingleArray = np.ndarray[Any, np.dtype[np.float32]]


class Classifier(Protocol):
    """One model for all dimensions of a project, over normalised texts.

    The class is called with the dimensions, a seed and its own parameters by keyword. Learning does not mutate its input;
    prediction is pure; a batch equals one by one; the same seed gives the same model.
    """

    name: str

    def __init__(self, dimensions: Sequence[Dimension], *, seed: int = 0) -> None: ...

    @property
    def parameters(self) -> dict[str, object]:
        """What was chosen for this model: numbers, strings and booleans by name, for the registry."""

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

    def predict_proba(self, texts: pl.Series) -> dict[str, FloatArray]:
        """Return calibrated probabilities by dimension, each of shape (n, n_labels), columns in the dimension's order.

        Rows sum to 1. A dimension that was never answered gets equal probabilities.
        """

    def explain(self, text: str, dimension: str, label: str) -> list[WordWeight]:
        """Return how much each word of one normalised text spoke for a label, in the order of the text."""

    def save(self, folder: Path) -> None:
        """Write the fitted model into an existing empty folder, without pickle."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a model that `save` wrote.

        Raises
        ------
        ModelError
            The folder holds no such model, or a newer version of it.
        """


@runtime_checkable
class Embeds(Protocol):
    """What a classifier may offer besides: where texts lie, for strategies that ask about texts unlike each other."""

    def vectors(self, texts: pl.Series) -> FloatArray:
        """Return one row per normalised text, shape (n, d), of length 1 (0 for a text without any feature).

        Texts alike lie close. It is pure, and a batch equals one by one.
        """


@runtime_checkable
class Continues(Protocol):
    """What a classifier may offer besides: to learn from nearly the same answers again in less time."""

    def continued(self, texts: pl.Series, labels: pl.DataFrame, weights: pl.Series | None = None) -> Self:
        """Return a new classifier that has learned from these texts, beginning where this one stands.

        Parameters and errors are those of `fit`. What it learns is what `fit` would learn, as exactly; this one stays as it is.
        One that was loaded has nothing to begin with, and the new one is fitted as ever.
        """


class Encodes(Classifier, Embeds, Protocol):
    """A classifier that looks at sentence embeddings, which can be made ahead and kept."""

    dimensions: tuple[Dimension, ...]

    @property
    def embeddings(self) -> Embeddings:
        """The encoder, with what it remembers."""

    def embed(self, texts: pl.Series) -> SingleArray:
        """Return the embeddings of normalised texts, shape (n, d), encoding those that are not known."""


def encodes(classifier: object) -> TypeGuard[Encodes]:
    """Return whether a classifier looks at sentence embeddings; its encoder is not read to find out."""
    return hasattr(type(classifier), "embeddings")


@runtime_checkable
class CrossValidated(Protocol):
    """What a classifier may offer besides, right after `fit`: what it would have said of texts had it not learned from them."""

    def held_out(self) -> dict[str, tuple[IntArray, FloatArray]]:
        """Return, by dimension, rows of what it was fitted on and their probabilities, shapes (n,) and (n, n_labels).

        Texts that are alike were held out together. Rows may be missing, and dimensions.
        """


def needs_answers(classifier: object) -> bool:
    """Return whether a classifier, or its class, can learn from answers only; others begin with the names of labels.

    A class says so with ``needs_answers = False``; then `fit` takes no rows at all.
    """
    return bool(getattr(classifier, "needs_answers", True))
