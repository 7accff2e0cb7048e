"""Whether a confidence of 0.9 is right nine times in ten: a reliability curve of the audited groups, and how far it is off."""

from dataclasses import dataclass
from math import pi

import numpy as np
import polars as pl

from vigie.intervals import wilson_bounds
from vigie.learner.audit import FloatArray

N_BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Audited groups with much the same confidence.

    Parameters
    ----------
    confidence
        Their mean.
    accuracy, low, high
        The share labelled right, with its 95 % interval.
    n
        How many they are, at least 1.
    """

    confidence: float
    accuracy: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """How confidence and accuracy go together, in groups that the model did not learn from.

    Parameters
    ----------
    error
        Expected calibration error: by how much they differ on average, in [0, 1].
    by_chance
        What this would be on average for a perfectly calibrated model, with so few groups.
    bins
        From low to high confidence, equally wide; empty ones left out.
    """

    error: float
    by_chance: float
    bins: tuple[Bin, ...]


def calibration(audited: pl.DataFrame) -> Calibration | None:
    """Compare confidence and accuracy over the audit sample; None where it is empty.

    Each group counts once: it stands for messages in proportion to how likely it was drawn.

    Parameters
    ----------
    audited
        As `judged` returns it.

    References
    ----------
    Naeini, Cooper, Hauskrecht (2015), Obtaining well calibrated probabilities using Bayesian binning; Bröcker, Smith
    (2007), Increasing the reliability of reliability diagrams.
    """
    if audited.is_empty():
        return None
    confidence = audited["confidence"].to_numpy()
    place = np.minimum((confidence * N_BINS).astype(np.int64), N_BINS - 1)
    n, sure, right, doubt = (
        np.bincount(place, weights=some, minlength=N_BINS).astype(np.float64)
        for some in (np.ones(len(place)), confidence, audited["right"].to_numpy(), confidence * (1 - confidence))
    )
    there = np.flatnonzero(n)
    n, sure, right, doubt = n[there], sure[there] / n[there], right[there] / n[there], doubt[there]
    low, high = wilson_bounds(right, n)
    # Mean absolute value of a normal variable; `doubt` is the variance of the number of right answers in a bin.
    by_chance = float(np.sqrt(2 / pi * doubt).sum() / n.sum())
    return Calibration(_weighted(np.abs(sure - right), n), by_chance, _bins(sure, right, low, high, n))


def _weighted(values: FloatArray, weights: FloatArray) -> float:
    return float(np.average(values, weights=weights))


def _bins(*columns: FloatArray) -> tuple[Bin, ...]:
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return tuple(Bin(sure, right, low, high, int(n)) for sure, right, low, high, n in rows)
