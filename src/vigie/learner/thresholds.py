"""From a promised precision to a threshold: how precise the labels above each confidence are, for sure.

The audited groups at or above some confidence are a random sample of all new groups there, drawn in proportion to traffic
like the whole. So their precision has a lower bound. The bounds travel with the model version; what was promised is
looked up there, so that a changed promise is in force at once and needs no training.

References
----------
Angelopoulos, Bates, Candès, Jordan, Lei (2021), Learn then test: calibrating predictive algorithms to achieve risk control.
"""

import math
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.special import betaincinv

from vigie.intervals import wilson_bounds
from vigie.learner.audit import BoolArray, FloatArray, shares

ALPHA = 0.025
"""How probable it may be that a bound lies above the truth: that of the lower end of a 95 % interval.

Looking at many confidences makes it likelier: for a model that is just not good enough anywhere, up to 4 %.
"""

MOST_NEEDED = 2.0**20
"""More audit answers than anybody gives."""

MAX_STEPS = 200
"""Confidences looked at; more would cost memory in proportion to the audit sample."""


@dataclass(frozen=True, slots=True)
class Steps:
    """What the audit sample says of the new groups at or above some confidences; arrays of shape (n_steps,).

    Parameters
    ----------
    confidence
        Falling.
    n
        Audited groups there.
    share
        Part of the messages of new groups there.
    precision, low
        How often the labels there are right, and the lower bound of that.
    """

    confidence: FloatArray
    n: FloatArray
    share: FloatArray
    precision: FloatArray
    low: FloatArray

    def evidence(self) -> tuple[tuple[float, float], ...]:
        """Return pairs of confidence and lower bound, falling and rising: where a lower confidence is as sure, it stands alone."""
        pairs: list[tuple[float, float]] = []
        for confidence, low in zip(self.confidence[::-1].tolist(), self.low[::-1].tolist(), strict=True):
            if not pairs or low > pairs[-1][1]:
                pairs.append((confidence, low))
        return tuple(reversed(pairs))


@dataclass(frozen=True, slots=True)
class More:
    """What would let more of the stream pass: so many audit answers, as right as those so far, for a lower threshold.

    Parameters
    ----------
    n_answers
        At least so many more.
    share
        Part of the messages of new groups that would be automatic then; None when nothing is known of it yet.
    """

    n_answers: int
    share: float | None


def steps(audited: pl.DataFrame, *, n_new: int) -> Steps:
    """Return how precise a model's labels are by confidence.

    Parameters
    ----------
    audited
        As `judged` returns it, in the order drawn.
    n_new
        Messages in all groups that were not seen in training.
    """
    if audited.is_empty():
        return Steps(*[np.empty(0)] * 5)
    confidence, right, sizes = (audited[name].to_numpy() for name in ("confidence", "right", "count"))
    sizes = sizes.astype(np.float64)
    at = _looked_at(confidence)
    above = confidence[:, None] >= at
    n = above.sum(axis=0).astype(np.float64)
    total = max(float(n_new), float(sizes.sum()))
    share = shares(sizes, above, total)
    held = sizes @ above
    # How many messages are there is an estimate too: the most it can be keeps the bound low.
    most = np.maximum(wilson_bounds(share, np.full(len(at), float(len(sizes))))[1] * total, held)
    precision = _precision(sizes, above, right, most)
    low = np.maximum(_lower(precision, n), sizes @ (above & right[:, None]) / np.maximum(most, 1e-12))
    return Steps(
        at, n, share, precision, np.minimum(low, 1 - sizes @ (above & ~right[:, None]) / np.maximum(most, 1e-12))
    )


def more(found: Steps, target: float, *, threshold: float | None) -> More | None:
    """Return how many more audit answers would make more of the stream automatic; None when no number would.

    Parameters
    ----------
    found
        What the sample says so far.
    target
        The promised precision, in (0, 1).
    threshold
        What is in force; None while there is none.
    """
    lower = found.confidence < (math.inf if threshold is None else threshold)
    rows = np.flatnonzero(lower & (found.precision > target) & (found.share > 0))
    if not len(rows):
        return None
    missing = needed(found.precision[rows], target) - found.n[rows]
    answers = np.maximum(np.ceil(missing / found.share[rows]), 1)
    best = int(np.lexsort((-found.share[rows], answers))[0])
    return More(int(answers[best]), float(found.share[rows[best]]))


def first(target: float) -> More:
    """Return how many audit answers, all right, a promise needs at least before anything passes."""
    return More(int(needed(np.ones(1), target)[0]), None)


def needed(precision: FloatArray, target: float) -> FloatArray:
    """Return from how many audited groups on the lower bound lies above the target.

    Parameters
    ----------
    precision
        Of the audited groups, above `target`, shape (n,).
    target
        In (0, 1).

    Returns
    -------
    Whole numbers, shape (n,); `MOST_NEEDED` where not even that many would do.

    Examples
    --------
    >>> needed(np.array([1.0, 0.99]), 0.98)
    array([183., 753.])
    """
    few, many = np.zeros(len(precision)), np.full(len(precision), MOST_NEEDED)
    for _ in range(math.ceil(math.log2(MOST_NEEDED))):
        middle = np.floor((few + many) / 2)
        enough = _lower(precision, middle) > target
        few, many = np.where(enough, few, middle), np.where(enough, middle, many)
    return many


def _looked_at(confidence: FloatArray) -> FloatArray:
    """Return the confidences to look at, falling; chosen without a look at what is right, so that no bound is favoured."""
    found: FloatArray = np.unique(confidence)[::-1]
    rows = np.linspace(0, len(found) - 1, min(MAX_STEPS, len(found))).round().astype(np.int64)
    return found[rows]


def _precision(sizes: FloatArray, above: BoolArray, right: BoolArray, total: FloatArray) -> FloatArray:
    """Return Des Raj's estimate (see `successive`) over the groups above each confidence, shape (n_steps,)."""
    inside = sizes[:, None] * above
    drawn = np.cumsum(inside, axis=0) - inside
    known = np.cumsum(inside * right[:, None], axis=0) - inside * right[:, None]
    rest = np.maximum(total - drawn, 1e-12)
    weights = above * (total / rest) ** 2
    estimates = (known + rest * right[:, None]) / np.maximum(total, 1e-12)
    return np.asarray((weights * estimates).sum(axis=0) / weights.sum(axis=0), dtype=np.float64)


def _lower(precision: FloatArray, n: FloatArray) -> FloatArray:
    """Return the exact lower bounds of shares.

    References
    ----------
    Clopper, Pearson (1934), The use of confidence or fiducial limits illustrated in the case of the binomial.
    """
    right = np.clip(precision, 0, 1) * n
    bound = betaincinv(np.maximum(right, 1e-12), n - right + 1, ALPHA)
    return np.asarray(np.where(right > 0, bound, 0.0), dtype=np.float64)
