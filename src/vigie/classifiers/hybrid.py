"""Linear models over n-grams and sentence embeddings side by side, which know the names of the labels from the start."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
from scipy.sparse import csr_matrix

from vigie.classifiers import FloatArray
from vigie.classifiers.calibration import IntArray
from vigie.classifiers.centring import Centring
from vigie.classifiers.heads import BoolArray, Head, Heads, encoded, learn, places
from vigie.classifiers.logistic import SingleArray, inner_products, n_steps, penalty_of, solve
from vigie.classifiers.names import NameRows
from vigie.classifiers.saved import arrays, described, dimensions_of, reading
from vigie.classifiers.words import shared, without
from vigie.errors import ModelError
from vigie.features.encoder_cache import Embeddings, embeddings
from vigie.features.encoder_files import find
from vigie.features.tfidf import HashedTfidf
from vigie.labels import Dimension, WordWeight

_FORMAT = 1
_CHUNK = 2_000  # texts whose features are in memory at one time


class HybridClassifier:
    """Multinomial logistic regression over TF-IDF of words and characters and sentence embeddings, calibrated.

    The names and guidelines of the labels are its first rows, so that it can be fitted without any answer. What they weigh fades
    as answers come; they neither calibrate nor count as answers.

    Parameters
    ----------
    dimensions
        What to learn.
    seed
        Decides which texts are held out to calibrate.
    strength
        Inverse of the penalty (scikit-learn's `C`).
    bits
        Buckets per kind of n-gram, as a power of two.
    meaning
        Length of an embedding, where the words and the characters of a text have length 1 each.
    encoder
        ``default``, ``minilm``, a folder, or a hub id; as in `vigie.features.encoder_files.find`.
    encoder_threads
        Batches encoded at one time; kept when a model is loaded.

    Raises
    ------
    MissingExtraError
        The extra ``embeddings`` is not installed.
    ModelError
        There is no such encoder.
    UnavailableError
        The encoder is not here and cannot be fetched.
    ValueError
        `strength` is not above 0, `meaning` is below 0, or `bits` is out of range.
    """

    name = "hybrid.v1"
    needs_answers: ClassVar[bool] = False

    def __init__(
        self,
        dimensions: Sequence[Dimension],
        *,
        seed: int = 0,
        strength: float = 30.0,
        bits: int = 20,
        meaning: float = 2.5,
        encoder: str = "default",
        encoder_threads: int = 1,
    ) -> None:
        self.dimensions = tuple(dimensions)
        if not 0 <= meaning < math.inf:
            raise ValueError(f"meaning is {meaning}; expected a number of at least 0, such as 2.5")
        self._penalty = penalty_of(strength)
        self._chosen = {"seed": seed, "strength": strength, "bits": bits, "meaning": meaning}
        self._encoder, self._n_threads = find(encoder), encoder_threads
        self._names = NameRows.of(self.dimensions)
        self._features = HashedTfidf(bits=bits)
        self._use(Heads(self.dimensions, {}), np.zeros((0, 0), np.float32), np.zeros((0, 0), np.float32), np.zeros(0))
        self._learned = pl.Series(dtype=pl.String)

    @property
    def parameters(self) -> dict[str, object]:
        """What was chosen for this model: numbers, strings and booleans by name, for the registry."""
        temperatures = {f"temperature.{name}": round(value, 4) for name, value in self._heads.temperatures.items()}
        known = {"encoder": self._encoder.source, "encoder_digest": self._encoder.digest, "names": self._names.digest}
        return {**self._chosen, **known, "n_columns": self._features.n_columns, **temperatures}

    def fit(self, texts: pl.Series, labels: pl.DataFrame, weights: pl.Series | None = None) -> Self:
        """Learn from label names and answered texts, of which there may be none; earlier learning is forgotten.

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
            A label is unknown.
        """
        return self._fit(texts, labels, weights, {})

    def continued(self, texts: pl.Series, labels: pl.DataFrame, weights: pl.Series | None = None) -> Self:
        """Return a new classifier that has learned from these texts, beginning where this one stands; as in `Continues`."""
        new = type(self)(
            self.dimensions,
            encoder=self._encoder.source,
            encoder_threads=self._n_threads,
            **self._chosen,  # type: ignore[arg-type]
        )
        rows = pl.concat([self._names.texts, texts.cast(pl.String).alias("")])
        before = self._heads.at(places(rows, self._learned)) if len(self._learned) else {}
        return new._fit(texts, labels, weights, before)  # noqa: SLF001 — another of this class

    def _fit(
        self, texts: pl.Series, labels: pl.DataFrame, weights: pl.Series | None, before: Mapping[str, Head]
    ) -> Self:
        counts = np.ones(len(texts)) if weights is None else weights.to_numpy().astype(np.float64)
        answers = {dimension.name: encoded(labels, dimension) for dimension in self.dimensions}
        rows = pl.concat([self._names.texts, texts.cast(pl.String).alias("")])
        codes = {name: np.concatenate([self._names.codes[name], some]) for name, some in answers.items()}
        each = np.concatenate([self._name_weights(answers, counts), counts])
        given = np.arange(len(rows)) < len(self._names.texts)
        self._learn(rows, codes, each, given, before)
        self._learned = rows
        return self

    def predict_proba(self, texts: pl.Series) -> dict[str, FloatArray]:
        """Return calibrated probabilities by dimension, each of shape (n, n_labels), columns in the dimension's order.

        Rows sum to 1.
        """
        parts = [self._proba(texts.slice(start, _CHUNK)) for start in range(0, max(len(texts), 1), _CHUNK)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    @property
    def embeddings(self) -> Embeddings:
        """The encoder, with what it remembers."""
        return embeddings(self._encoder)

    def embed(self, texts: pl.Series) -> SingleArray:
        """Return the sentence embeddings of normalised texts, shape (n, d), rows of length 1."""
        return self.embeddings.of(texts, n_threads=self._n_threads)

    def vectors(self, texts: pl.Series) -> FloatArray:
        """Return the same with twice the precision, as strategies want it."""
        return self.embed(texts).astype(np.float64)

    def held_out(self) -> dict[str, tuple[IntArray, FloatArray]]:
        """Return what cross-validation said of the texts it learned from, as `CrossValidated` says; nothing once loaded."""
        n_names = len(self._names.texts)
        return {name: (rows - n_names, proba) for name, (rows, proba) in self._heads.held_out().items()}

    def explain(self, text: str, dimension: str, label: str) -> list[WordWeight]:
        """Return how much each word of one normalised text spoke for a label, in the order of the text.

        N-grams share what they weigh among their characters. What the meaning weighs goes to the words without which it would
        weigh less or more, and the rest to all alike; so all words and the intercept add up to the label's score.
        """
        place = self._heads.column(dimension, label)
        if place is None:
            return shared(text, self._features.occurrences(text), np.zeros(self._features.n_columns))
        spelt = shared(text, self._features.occurrences(text), self._weights[:, place].astype(np.float64))
        meant = self._meant(text, place)
        return [replace(word, weight=word.weight + weight) for word, weight in zip(spelt, meant, strict=True)]

    def save(self, folder: Path) -> None:
        """Write the fitted model into an existing empty folder, without pickle; the encoder is named, not stored."""
        about = {
            "format": _FORMAT,
            "parameters": self._chosen,
            "encoder": {
                "source": self._encoder.source,
                "digest": self._encoder.digest,
                "threads": self._n_threads,
            },
            "dimensions": [asdict(dimension) for dimension in self.dimensions],
            "heads": self._heads.described(),
        }
        (folder / "hybrid.json").write_text(json.dumps(about, indent=1, ensure_ascii=False), encoding="utf-8")
        own = {"weights": self._weights, "meanings": self._meanings, "intercepts": self._intercepts}
        arrays: dict[str, Any] = {**own, **self._features.arrays()}
        np.savez(folder / "hybrid.npz", allow_pickle=False, **arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a model that `save` wrote, for the same encoder.

        Raises
        ------
        ModelError
            The folder holds no such model, or a newer version of it; or its encoder is not here any more.
        MissingExtraError
            The extra ``embeddings`` is not installed.
        UnavailableError
            The encoder is not here, and its hub does not answer.
        """
        with reading("hybrid model", folder):
            return cls._restored(described(folder / "hybrid.json", _FORMAT), arrays(folder / "hybrid.npz"))

    @classmethod
    def _restored(cls, about: Mapping[str, Any], arrays: Mapping[str, np.ndarray[Any, Any]]) -> Self:
        dimensions = dimensions_of(about["dimensions"])
        source, digest, threads = (about["encoder"][name] for name in ("source", "digest", "threads"))
        model = cls(dimensions, encoder=source, encoder_threads=threads, **about["parameters"])
        if model._encoder.digest != digest:
            raise ModelError(
                f"the encoder {source!r} is {model._encoder.digest}; the model was fitted with {digest}; train again"
            )
        model._features = HashedTfidf.from_arrays(arrays, bits=about["parameters"]["bits"])
        heads = Heads.restored(dimensions, about["heads"])
        weights, meanings = (arrays[name].astype(np.float32) for name in ("weights", "meanings"))
        model._use(heads, weights, meanings, arrays["intercepts"].astype(np.float64))
        n_columns = model.embeddings.encoder.n_columns
        if (weights.shape, meanings.shape) != (
            (model._features.n_columns, heads.n_columns),
            (n_columns, heads.n_columns),
        ):
            raise ValueError(f"weights {weights.shape} and {meanings.shape} do not fit what they weigh")
        return model

    def _use(self, heads: Heads, weights: SingleArray, meanings: SingleArray, intercepts: FloatArray) -> None:
        self._heads, self._weights, self._meanings, self._intercepts = heads, weights, meanings, intercepts

    def _name_weights(self, answers: Mapping[str, IntArray], counts: FloatArray) -> FloatArray:
        sizes = {dimension.name: len(dimension.labels) for dimension in self.dimensions}
        given = {
            name: np.bincount(codes[codes >= 0], weights=counts[codes >= 0], minlength=sizes[name]).astype(np.float64)
            for name, codes in answers.items()
        }
        return self._names.weights(given)

    def _learn(
        self,
        rows: pl.Series,
        codes: Mapping[str, IntArray],
        weights: FloatArray,
        given: BoolArray,
        before: Mapping[str, Head],
    ) -> None:
        sparse, dense = self._features.fit_transform(rows), self._embedded(rows)
        groups = rows.rank("dense").to_numpy().astype(np.int64)
        steps = n_steps(len(rows), is_continued=bool(before))
        columns = sparse.T.tocsr()
        inner, centring = inner_products(sparse, dense, columns=columns), Centring(given)
        fit = partial(solve, centring.product(inner), penalty=self._penalty, max_iterations=steps)
        seed = int(self._chosen["seed"])
        heads = Heads(self.dimensions, learn(codes, weights, groups, fit, seed=seed, given=given, before=before))
        dual = centring.dual(heads.dual).astype(np.float32)
        intercepts = centring.intercepts(inner, heads.dual)
        self._use(heads, columns @ dual, dense.T @ dual, intercepts)

    def _embedded(self, texts: pl.Series) -> SingleArray:
        return self.embed(texts) * np.float32(self._chosen["meaning"])

    def _proba(self, texts: pl.Series) -> dict[str, FloatArray]:
        spelt = self._features.transform(texts) @ self._weights
        return self._heads.proba((spelt + _by_rows(self._embedded(texts)) @ self._meanings) + self._intercepts)

    def _meant(self, text: str, place: int) -> FloatArray:
        """Return what the meaning weighs by word, shape (n_words,); it adds up to what the embedding scores."""
        cuts, owners = without(text)
        encoder = self.embeddings.encoder
        rows = encoder.encode(pl.Series([text, *cuts], dtype=pl.String)).astype(np.float64)
        scores = rows @ self._meanings[:, place].astype(np.float64) * self._chosen["meaning"]
        lost = (scores[0] - scores[1:]) / np.maximum(np.bincount(owners, minlength=len(cuts)), 1)
        weights: FloatArray = lost[owners]
        return weights + (scores[0] - weights.sum()) / max(len(owners), 1)


def _by_rows(dense: SingleArray) -> csr_matrix:
    """Return the same numbers so that a product goes row by row: that of a matrix rounds otherwise for other batches."""
    n_rows, n_columns = dense.shape
    columns = np.tile(np.arange(n_columns, dtype=np.int32), n_rows)
    return csr_matrix((dense.ravel(), columns, np.arange(n_rows + 1) * n_columns), shape=dense.shape)
