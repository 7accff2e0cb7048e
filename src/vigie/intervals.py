"""How far an estimate from a sample may be from the truth."""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist


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
