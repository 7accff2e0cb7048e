"""When to stop asking: the next answers would gain next to nothing, and new versions say what the old ones said.

References
----------
Bloodgood, Vijay-Shanker (2009), A method for stopping active learning based on stabilizing predictions and the need for
user-adjustable stopping.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from scipy.special import stdtrit

from vigie.intervals import Interval
from vigie.labels import Dimension
from vigie.learner.audit import FloatArray, IntArray, Model
from vigie.learner.measures import metric_name

NEXT_ANSWERS = 50
"""How many more answers the gain is predicted for."""

STABLE = 0.99
"""From this agreement on, version after version, predictions have settled (Bloodgood, Vijay-Shanker)."""

WINDOW = 3
"""So many versions in a row must agree, on average."""

MIN_VERSIONS = 5
MIN_AUDITED = 10
MIN_GROWTH = 1.5
"""The measured versions must span this ratio of answers, or a curve says nothing about what comes after."""

State = Literal["unknown", "go_on", "stop"]


@dataclass(frozen=True, slots=True)
class Advice:
    """Whether to go on with one dimension, and why.

    Parameters
    ----------
    state
        ``unknown`` while there is too little to go by.
    reason
        ``too_few_audited``, ``too_few_versions``, ``gain``, ``unstable`` or ``settled``.
    gain
        By how much accuracy over the whole stream would grow with the next `NEXT_ANSWERS` answers; None while unknown.
    stability
        How far the last versions agree (Cohen's kappa, mean of `WINDOW`); None while unknown.
    """

    state: State
    reason: str
    gain: Interval | None = None
    stability: float | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """One version as the learning curve sees it.

    Parameters
    ----------
    n_answers
        That it knew.
    metrics
        As `measures` names them, and ``stability.<dimension>``.
    """

    n_answers: int
    metrics: Mapping[str, float]


def advise(points: Sequence[Point], dimension: str, *, worthwhile: float) -> Advice:
    """Say whether more answers are worth the while in a dimension.

    Parameters
    ----------
    points
        The versions learned in the same way, oldest first: of those with as many answers the last one is the newest.
    dimension
        Its name.
    worthwhile
        A smaller predicted gain in accuracy, in [0, 1], is not.
    """
    measured = [point for point in points if point.metrics.get(metric_name("n_audited", dimension), 0) >= MIN_AUDITED]
    if not measured:
        return Advice("unknown", "too_few_audited")
    gain = predicted_gain(measured, dimension)
    settled = stability(points, dimension)
    if gain is None or settled is None:
        return Advice("unknown", "too_few_versions", gain, settled)
    if gain.value >= worthwhile:
        return Advice("go_on", "gain", gain, settled)
    if settled < STABLE:
        return Advice("go_on", "unstable", gain, settled)
    return Advice("stop", "settled", gain, settled)


def predicted_gain(points: Sequence[Point], dimension: str) -> Interval | None:
    """Return how much accuracy the next answers would add; None where the versions do not tell.

    The error falls as a power of the number of answers. Its level comes from the newest version with its interval, the
    exponent from all: they were measured on much the same groups, so that they err together.

    References
    ----------
    Figueroa, Zeng-Treitler, Kandula, Ngo (2012), Predicting sample size required for classification performance.
    """
    ordered = sorted(points, key=lambda point: point.n_answers)
    n = np.array([point.n_answers for point in ordered], dtype=np.float64)
    if len(np.unique(n)) < MIN_VERSIONS or n[0] <= 0 or n[-1] / n[0] < MIN_GROWTH:
        return None
    newest = ordered[-1].metrics
    error = np.array([1 - point.metrics[metric_name("accuracy", dimension)] for point in ordered])
    audited = np.array([point.metrics[metric_name("n_audited", dimension)] for point in ordered])
    least = 0.5 / audited  # no error seen is not no error
    slope, half = _slope(np.log(n), np.log(np.maximum(error, least)), audited)
    level = (
        max(error[-1], least[-1]),
        1 - newest[metric_name("accuracy_high", dimension)],
        1 - newest[metric_name("accuracy_low", dimension)],
    )
    exponents = np.maximum([-slope, -slope - half, -slope + half], 0)
    value, low, high = np.array(level) * (1 - (n[-1] / (n[-1] + NEXT_ANSWERS)) ** exponents)
    return Interval(float(value), float(min(low, value)), float(max(high, value)))


def stability(points: Sequence[Point], dimension: str) -> float | None:
    """Return how far the last `WINDOW` versions agree with the champion before them, mean of Cohen's kappa; None while unknown."""
    name = metric_name("stability", dimension)
    ordered = sorted((point for point in points if name in point.metrics), key=lambda point: point.n_answers)
    last = [point.metrics[name] for point in ordered[-WINDOW:]]
    return float(np.mean(last)) if len(last) == WINDOW else None


def agreement(before: Model, now: Model, groups: pl.DataFrame, dimensions: Sequence[Dimension]) -> dict[str, float]:
    """Return how far two versions say the same about some groups, by dimension that both know with the same labels.

    Parameters
    ----------
    before, now
        Model versions.
    groups
        As `unanswered` returns them.
    dimensions
        Those asked about.

    Returns
    -------
    Cohen's kappa, at most 1; empty without groups.
    """
    labels = [{dimension.name: dimension.label_names for dimension in model.dimensions} for model in (before, now)]
    alike = [one.name for one in dimensions if labels[0].get(one.name) == labels[1].get(one.name, ())]
    weights = groups["weight"].to_numpy()
    if not alike or not weights.sum():
        return {}
    first, second = (model.predict_proba(groups["template"]) for model in (before, now))
    return {name: kappa(first[name].argmax(axis=1), second[name].argmax(axis=1), weights) for name in alike}


def kappa(one: IntArray, other: IntArray, weights: FloatArray) -> float:
    """Return the agreement of two labellings beyond what chance would give, at most 1.

    Parameters
    ----------
    one, other
        Label codes, shape (n,).
    weights
        How much each row counts, at least 0, with a positive sum, shape (n,).

    References
    ----------
    Cohen (1960), A coefficient of agreement for nominal scales.

    Examples
    --------
    >>> kappa(np.array([0, 1, 1]), np.array([0, 1, 1]), np.ones(3))
    1.0
    """
    n = int(max(one.max(), other.max())) + 1
    first, second = (np.bincount(codes, weights=weights, minlength=n) / weights.sum() for codes in (one, other))
    same, by_chance = float(np.average(one == other, weights=weights)), float(first @ second)
    return 1.0 if by_chance >= 1 else (same - by_chance) / (1 - by_chance)


def _slope(x: FloatArray, y: FloatArray, weights: FloatArray) -> tuple[float, float]:
    """Return the slope of a weighted straight line, and half the width of its 95 % interval."""
    share = weights / weights.sum()
    from_mean = x - share @ x
    spread = float(share @ from_mean**2)
    slope = float(share @ (from_mean * y)) / spread
    residuals = y - share @ y - slope * from_mean
    deviation = np.sqrt(float(share @ residuals**2) * len(x) / (len(x) - 2) / (spread * len(x)))
    return slope, float(stdtrit(len(x) - 2, 0.975) * deviation)
