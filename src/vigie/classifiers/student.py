"""A quick model that says what a slow one says: linear, over hashed n-grams, learned from the slow one's answers alone."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, Self

import numpy as np
import polars as pl
from scipy.linalg import lapack
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_matrix

from vigie.classifiers import FloatArray, SingleArray
from vigie.classifiers.calibration import softmax
from vigie.classifiers.words import shared
from vigie.features.tfidf import HashedTfidf
from vigie.labels import Dimension, WordWeight

BITS = 20
PENALTY = 0.3
"""Of 0.3, 1 and 3, the best macro-F1 on tweets at 50, 200 and 1,000 answers alike; rows have length √2."""

_CHUNK = 2_000  # texts whose features are in memory at one time
_LEAST = 1e-4  # what a probability counts as at least, so that its logarithm does not drown the others
_FREQUENT, _MOST_DENSE = (
    0.06,
    2_000,
)  # share of texts with an n-gram from which on its column is dense; 16 MB for 1,000 texts
_LIMIT = 3.0  # of the temperature's logarithm

Teacher = Callable[[pl.Series], Mapping[str, FloatArray]]


@dataclass(frozen=True, slots=True)
class Student:
    """Kernel ridge regression onto a teacher's log-probabilities, with temperatures that make it as sure as the teacher is.

    Temperatures come from what it would say of each text, had it learned from the others: for a ridge regression that takes no
    further fit (Allen 1974).

    Parameters
    ----------
    features
        The n-grams of the texts learned from.
    weights, intercepts
        Of all labels side by side, dimension after dimension, shapes (n_columns, k) and (k,); divided by the temperatures.
    labels
        By dimension, in order.

    References
    ----------
    Allen (1974), The relationship between variable selection and data augmentation and a method for prediction; Ba, Caruana (2014), Do deep nets really need to be deep?; Hinton, Vinyals, Dean (2015), Distilling the knowledge in a
    neural network.
    """

    features: HashedTfidf
    weights: SingleArray
    intercepts: FloatArray
    labels: Mapping[str, Sequence[str]]

    @classmethod
    def taught(
        cls, teacher: Teacher, texts: pl.Series, dimensions: Sequence[Dimension]
    ) -> tuple[Self, dict[str, FloatArray]]:
        """Learn what a teacher says about texts. 1,000 texts take 0.3 s, and time grows with their square.

        Parameters
        ----------
        teacher
            Maps normalised texts to probabilities by dimension.
        texts
            To learn from, different (no nulls), at least one.
        dimensions
            Those of the teacher.

        Returns
        -------
        The student; and what it would say of each text, had it learned from the others only.
        """
        labels = {dimension.name: dimension.label_names for dimension in dimensions}
        said = teacher(texts)
        features = HashedTfidf(bits=BITS)
        rows = features.fit_transform(texts)
        goals = np.concatenate([_scores(said[name]) for name in labels], axis=1)
        middle = goals.mean(axis=0)
        inverse = _inverse(_gram(rows))
        dual = inverse @ (goals - middle)
        left_out = goals - dual / inverse.diagonal()[:, None]
        plain = cls(features, np.zeros((0, 0), np.float32), middle, labels)
        parts = zip(labels, plain._spans(), strict=True)
        factors = [np.full(end - start, _sureness(left_out[:, start:end], said[name])) for name, (start, end) in parts]
        scale = np.concatenate(factors)
        weights = rows.T.tocsr() @ (dual * scale).astype(np.float32)
        student = cls(features, weights, middle * scale, labels)
        return student, student._softmax(left_out * scale)

    def predict_proba(self, texts: pl.Series) -> dict[str, FloatArray]:
        """Return probabilities by dimension, each of shape (n, n_labels); a batch equals one by one."""
        parts = [self._proba(texts.slice(start, _CHUNK)) for start in range(0, max(len(texts), 1), _CHUNK)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def explain(self, text: str, dimension: str, label: str) -> list[WordWeight]:
        """Return how much each word spoke for a label, as `LinearClassifier.explain` does."""
        start, _ = self._spans()[list(self.labels).index(dimension)]
        column = self.weights[:, start + list(self.labels[dimension]).index(label)].astype(np.float64)
        return shared(text, self.features.occurrences(text), column)

    def arrays(self) -> dict[str, np.ndarray[Any, Any]]:
        """Return all that was learned, to be stored."""
        names = np.frombuffer(json.dumps({name: list(own) for name, own in self.labels.items()}).encode(), np.uint8)
        return {"weights": self.weights, "intercepts": self.intercepts, "labels": names, **self.features.arrays()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray[Any, Any]]) -> Self:
        """Rebuild what `arrays` returned.

        Raises
        ------
        KeyError, ValueError
            The arrays do not fit together.
        """
        features = HashedTfidf.from_arrays(arrays, bits=BITS)
        labels = {name: tuple(own) for name, own in json.loads(arrays["labels"].tobytes()).items()}
        weights, intercepts = arrays["weights"].astype(np.float32), arrays["intercepts"].astype(np.float64)
        n = sum(map(len, labels.values()))
        if weights.shape != (features.n_columns, n) or intercepts.shape != (n,):
            raise ValueError(f"weights {weights.shape} fit neither the n-grams nor the labels")
        return cls(features, weights, intercepts, labels)

    def _spans(self) -> list[tuple[int, int]]:
        return list(pairwise(accumulate(map(len, self.labels.values()), initial=0)))

    def _proba(self, texts: pl.Series) -> dict[str, FloatArray]:
        return self._softmax((self.features.transform(texts) @ self.weights).astype(np.float64) + self.intercepts)

    def _softmax(self, scores: FloatArray) -> dict[str, FloatArray]:
        spans = zip(self.labels, self._spans(), strict=True)
        return {name: softmax(np.ascontiguousarray(scores[:, start:end])) for name, (start, end) in spans}


def _scores(proba: FloatArray) -> FloatArray:
    """Return log-probabilities less their mean, row by row."""
    logs = np.log(np.maximum(proba, _LEAST))
    scores: FloatArray = logs - logs.mean(axis=1, keepdims=True)
    return scores


def _gram(rows: csr_matrix) -> FloatArray:
    """Return the inner products of rows, the penalty on the diagonal.

    A column costs the square of its entries in a sparse product, and next to nothing in a dense one: with those that many texts have
    taken apart, 1,000 log lines take 0.04 s instead of 0.13.
    """
    columns = rows.T.tocsr().astype(np.float64)
    frequency = np.diff(columns.indptr)
    most = np.argsort(-frequency, kind="stable")[:_MOST_DENSE]
    is_frequent = np.zeros(len(frequency), dtype=np.bool_)
    is_frequent[most] = frequency[most] > _FREQUENT * rows.shape[0]
    dense, rest = columns[is_frequent].toarray(), columns[~is_frequent]
    products: FloatArray = (rest.T.tocsr() @ rest).toarray() + dense.T @ dense
    products[np.diag_indices_from(products)] += PENALTY
    return products


def _inverse(products: FloatArray) -> FloatArray:
    """Return the inverse of a positive definite matrix, which is overwritten; a third of the work of a general one."""
    factor, failed = lapack.dpotrf(products.T, overwrite_a=True)
    inverse, again = lapack.dpotri(factor, overwrite_c=True)
    if failed or again:  # it never does: the penalty stands on the diagonal
        raise np.linalg.LinAlgError("the inner products of the texts have no inverse")
    upper = np.triu(inverse)
    full: FloatArray = upper + np.triu(upper, 1).T
    return full


def _sureness(scores: FloatArray, goals: FloatArray) -> float:
    """Return the factor that brings the softmax of scores closest to the teacher's probabilities (least cross-entropy)."""

    def loss(log_factor: float) -> float:
        """Return the cross-entropy between the teacher's probabilities and the scaled scores."""
        proba = softmax(scores * np.exp(log_factor))
        return float(-(goals * np.log(np.maximum(proba, 1e-300))).sum())

    found = minimize_scalar(loss, bounds=(-_LIMIT, _LIMIT), method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))
