"""How far an estimate from a sample may be from the truth."""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Any

import numpy as np

FloatArray = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with the bounds between which the truth lies with the probability asked for."""

    value: float
    low: float
    high: float


def wilson(successes: float, n: float, *, level: float = 0.95) -> Interval:
    """Return a share with its Wilson interval, which holds for few trials and for shares near 0 and 1.

    Parameters
    ----------
    successes
        Of `n`; effective numbers need not be whole.
    n
        Trials, at least 0; without any the interval is [0, 1].
    level
        Probability that the interval contains the true share, in (0, 1).

    References
    ----------
    Wilson (1927), Probable inference, the law of succession, and statistical inference.

    Examples
    --------
    >>> interval = wilson(9, 10)
    >>> round(interval.low, 3), round(interval.high, 3)
    (0.596, 0.982)
    """
    if n <= 0:
        return Interval(float("nan"), 0.0, 1.0)
    share, z = successes / n, NormalDist().inv_cdf((1 + level) / 2)
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(share, max(0.0, centre - half), min(1.0, centre + half))


def wilson_bounds(shares: FloatArray, n: FloatArray, *, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
    """Return the bounds of `wilson` for many shares at once, each array of the same shape; [0, 1] where `n` is 0.

    Parameters
    ----------
    shares
        In [0, 1]; ignored where `n` is 0.
    n
        Trials, at least 0.
    level
        Probability that an interval contains the true share, in (0, 1).
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    trials, share = np.maximum(n, 1e-9), np.where(n > 0, shares, 0.5)
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * np.sqrt(np.maximum(share * (1 - share) / trials, 0) + (z / (2 * trials)) ** 2)
    known = n > 0
    return np.where(known, np.clip(centre - half, 0, 1), 0.0), np.where(known, np.clip(centre + half, 0, 1), 1.0)
