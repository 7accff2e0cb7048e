"""A quick model that answers where it is sure, before a slow one that answers the rest."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl

from vigie import plugins
from vigie.classifiers import Encodes, FloatArray, SingleArray
from vigie.classifiers.hybrid import HybridClassifier
from vigie.classifiers.saved import arrays, described, reading
from vigie.classifiers.student import Student
from vigie.errors import ModelError
from vigie.features.encoder_cache import Embeddings
from vigie.labels import Dimension, WordWeight

ENCODED = 0.6
"""The share of texts that go to the full model. Of 0.3, 0.4, 0.5 and 0.6, the lowest at which macro-F1 was nowhere more than 0.01
below that of the full model alone (docs/decisions/0006-what-serves-the-stream.md)."""

_FORMAT = 1
_NEVER = 2.0  # more than any probability


class CascadeClassifier:
    """A full model that encodes, and a student of it that does not, in one model version.

    The student answers for a text alone where it is sure in every dimension: surer than for a set share of the texts it learned
    from, each as if it had not been there. That depends on nothing but the text: not on the batch, nor on whether the text was encoded before. Until `teach` was
    called there is no student.

    Parameters
    ----------
    dimensions
        What to learn.
    seed, encoder, encoder_threads
        As for `hybrid.v1`, which is the full model.
    encoded
        The share of texts that go to the full model, in [0, 1]; with 0 the student answers everything.
    full
        Another full model, which may be fitted already.

    Raises
    ------
    MissingExtraError
        The extra ``embeddings`` is not installed.
    ModelError
        `encoded` is no share.

    References
    ----------
    Viola, Jones (2001), Rapid object detection using a boosted cascade of simple features.
    """

    name = "cascade.v1"
    needs_answers: ClassVar[bool] = False

    def __init__(
        self,
        dimensions: Sequence[Dimension],
        *,
        seed: int = 0,
        encoded: float = ENCODED,
        encoder: str = "default",
        encoder_threads: int = 1,
        full: Encodes | None = None,
    ) -> None:
        self.dimensions = tuple(dimensions)
        if not 0 <= encoded <= 1:
            raise ModelError(
                f"encoded is {encoded}; expected a number in [0, 1]; change learning.parameters in vigie.toml"
            )
        self._encoded, self._sure = encoded, 0.0
        self.full: Encodes = full or HybridClassifier(
            dimensions, seed=seed, encoder=encoder, encoder_threads=encoder_threads
        )
        self._student: Student | None = None

    @property
    def parameters(self) -> dict[str, object]:
        """What was chosen for this model: numbers, strings and booleans by name, for the registry."""
        n_columns = self._student.features.n_columns if self._student else 0
        return {
            **self.full.parameters,
            "full": self.full.name,
            "encoded": self._encoded,
            "sure": round(self._sure, 4),
            "n_columns_student": n_columns,
        }

    @property
    def embeddings(self) -> Embeddings:
        """The full model's encoder, with what it remembers."""
        return self.full.embeddings

    def embed(self, texts: pl.Series) -> SingleArray:
        """Return the embeddings of normalised texts, shape (n, d), encoding those that are not known."""
        return self.full.embed(texts)

    def vectors(self, texts: pl.Series) -> FloatArray:
        """Return where the full model says that texts lie, shape (n, d), rows of length 1."""
        return self.full.vectors(texts)

    def fit(self, texts: pl.Series, labels: pl.DataFrame, weights: pl.Series | None = None) -> Self:
        """Let the full model learn; the student is forgotten.

        Raises
        ------
        ModelError
            A label is unknown.
        """
        self.full.fit(texts, labels, weights)
        self._student, self._sure = None, 0.0
        return self

    def teach(self, texts: pl.Series) -> None:
        """Make the student learn what the full model says about texts, which should be like those to come.

        Parameters
        ----------
        texts
            Normalised (no nulls), at least one; equal ones count once. Those that are not embedded yet are encoded now.
        """
        self._student, said = Student.taught(
            self.full.predict_proba, texts.unique(maintain_order=True), self.dimensions
        )
        self._sure = _threshold(_sureness(said), self._encoded)

    def predict_proba(self, texts: pl.Series) -> dict[str, FloatArray]:
        """Return calibrated probabilities by dimension, each of shape (n, n_labels), columns in the dimension's order."""
        if self._student is None:
            return self.full.predict_proba(texts)
        found = self._student.predict_proba(texts)
        rest = np.flatnonzero(_sureness(found) < self._sure)
        if len(rest):
            for name, proba in self.full.predict_proba(texts.gather(rest)).items():
                found[name][rest] = proba
        return found

    def explain(self, text: str, dimension: str, label: str) -> list[WordWeight]:
        """Return how much each word spoke for a label, according to the model that answers for this text."""
        if self._student is not None:
            proba = self._student.predict_proba(pl.Series([text], dtype=pl.String))
            if _sureness(proba)[0] >= self._sure:
                return self._student.explain(text, dimension, label)
        return self.full.explain(text, dimension, label)

    def save(self, folder: Path) -> None:
        """Write both models into an existing empty folder, without pickle."""
        about = {
            "format": _FORMAT,
            "full": self.full.name,
            "encoded": self._encoded,
            "sure": self._sure,
            "has_student": self._student is not None,
        }
        (folder / "cascade.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
        (folder / "full").mkdir()
        self.full.save(folder / "full")
        if self._student is not None:
            arrays: dict[str, Any] = self._student.arrays()
            np.savez(folder / "student.npz", allow_pickle=False, **arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read models that `save` wrote.

        Raises
        ------
        ModelError
            The folder holds no such models, or newer versions of them; or the full model's encoder is not here any more.
        MissingExtraError
            The extra ``embeddings`` is not installed.
        UnavailableError
            The encoder is not here, and its hub does not answer.
        """
        with reading("cascade", folder):
            about = described(folder / "cascade.json", _FORMAT)
            full = plugins.load("classifiers", str(about["full"])).load(folder / "full")
            model = cls(full.dimensions, encoded=float(about["encoded"]), full=full)
            model._student, model._sure = _student(folder, about, model.dimensions), float(about["sure"])
        return model


def _sureness(proba: Mapping[str, FloatArray]) -> FloatArray:
    """Return how sure a model is in the dimension in which it is least sure, by text, shape (n,)."""
    least: FloatArray = np.min([some.max(axis=1) for some in proba.values()], axis=0)
    return least


def _threshold(sureness: FloatArray, encoded: float) -> float:
    """Return from how sure on the student answers, so that a share of texts is not answered by it."""
    if encoded in (0, 1):
        return _NEVER * encoded
    return float(np.quantile(sureness, encoded))


def _student(folder: Path, about: Mapping[str, Any], dimensions: Sequence[Dimension]) -> Student | None:
    if not about["has_student"]:
        return None
    student = Student.from_arrays(arrays(folder / "student.npz"))
    if student.labels != {dimension.name: dimension.label_names for dimension in dimensions}:
        raise ValueError("the student knows other labels than the full model")
    return student
