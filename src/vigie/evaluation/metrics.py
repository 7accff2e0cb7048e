"""Measures of how good predictions and their confidences are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
IntArray = np.ndarray[Any, np.dtype[np.int64]]

_SMALLEST = 1e-15  # a confidence of exactly 0 in the truth must not cost everything


@dataclass(frozen=True, slots=True)
class Bin:
    """One step of a reliability plot: how confident predictions were on average, how often right, and how many they are."""

    confidence: float
    accuracy: float
    weight: float


def accuracy(truth: Sequence[str], predicted: Sequence[str], weights: FloatArray | None = None) -> float:
    """Return the share of right predictions; NaN without any.

    Parameters
    ----------
    truth, predicted
        Labels, length n.
    weights
        How much each counts, such as the messages it stands for, shape (n,).
    """
    return float(accuracy_score(truth, predicted, sample_weight=weights)) if len(truth) else float("nan")


def macro_f1(truth: Sequence[str], predicted: Sequence[str], weights: FloatArray | None = None) -> float:
    """Return the mean F1 of the labels that occur in truth or predictions, rare ones counting as much; NaN without any.

    Parameters
    ----------
    truth, predicted
        Labels, length n.
    weights
        How much each counts, shape (n,).
    """
    if not len(truth):
        return float("nan")
    return float(f1_score(truth, predicted, average="macro", sample_weight=weights, zero_division=0))


def confusion(
    truth: Sequence[str], predicted: Sequence[str], labels: Sequence[str], weights: FloatArray | None = None
) -> FloatArray:
    """Return how often each label (row) was predicted as each (column), in the order of `labels`."""
    if not len(truth):
        return np.zeros((len(labels), len(labels)))
    counts = confusion_matrix(truth, predicted, labels=list(labels), sample_weight=weights)
    return np.asarray(counts, dtype=np.float64)


def log_loss(proba: FloatArray, targets: IntArray, weights: FloatArray | None = None) -> float:
    """Return the mean negative logarithm of the probability given to the truth, at least 0; lower is better.

    Parameters
    ----------
    proba
        Label probabilities, shape (n, n_labels); rows sum to 1.
    targets
        True labels as columns of `proba`, shape (n,).
    weights
        How much each row counts, shape (n,).
    """
    chosen = np.take_along_axis(proba, targets[:, None], axis=1)[:, 0]
    return _mean(-np.log(np.maximum(chosen, _SMALLEST)), weights)


def brier(proba: FloatArray, targets: IntArray, weights: FloatArray | None = None) -> float:
    """Return the mean squared distance between probabilities and truth, in [0, 2]; lower is better.

    Parameters are those of :func:`log_loss`.

    References
    ----------
    Brier (1950), Verification of forecasts expressed in terms of probability.
    """
    truth = np.zeros_like(proba)
    np.put_along_axis(truth, targets[:, None], 1.0, axis=1)
    return _mean(((proba - truth) ** 2).sum(axis=1), weights)


def reliability(
    confidence: FloatArray,
    right: np.ndarray[Any, np.dtype[np.bool_]],
    *,
    n_bins: int = 10,
    weights: FloatArray | None = None,
) -> list[Bin]:
    """Return how often predictions were right, by confidence; equally wide steps of [0, 1], empty ones left out.

    Parameters
    ----------
    confidence
        Probability of the predicted label, shape (n,).
    right
        Whether that was the truth, shape (n,).
    weights
        How much each row counts, shape (n,).
    """
    counts = np.ones(len(confidence)) if weights is None else weights
    place = np.minimum((confidence * n_bins).astype(np.int64), n_bins - 1)
    total, sure, hits = (
        np.bincount(place, weights=counts * some, minlength=n_bins)
        for some in (np.ones(len(counts)), confidence, right)
    )
    return [
        Bin(float(sure[at] / total[at]), float(hits[at] / total[at]), float(total[at])) for at in np.flatnonzero(total)
    ]


def expected_calibration_error(
    confidence: FloatArray,
    right: np.ndarray[Any, np.dtype[np.bool_]],
    *,
    n_bins: int = 10,
    weights: FloatArray | None = None,
) -> float:
    """Return by how much confidence and accuracy differ on average, in [0, 1]; NaN without predictions.

    Parameters are those of :func:`reliability`.

    References
    ----------
    Naeini, Cooper, Hauskrecht (2015), Obtaining well calibrated probabilities using Bayesian binning.
    """
    bins = reliability(confidence, right, n_bins=n_bins, weights=weights)
    gaps = np.array([abs(step.confidence - step.accuracy) for step in bins])
    return _mean(gaps, np.array([step.weight for step in bins]))


def _mean(values: FloatArray, weights: FloatArray | None) -> float:
    return float(np.average(values, weights=weights)) if len(values) else float("nan")
