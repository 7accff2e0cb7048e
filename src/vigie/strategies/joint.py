"""One question serves all dimensions: joining their uncertainties, weighing them by traffic, taking the best."""

from collections.abc import Mapping

import numpy as np

from vigie.strategies import FloatArray, IntArray


def joint(uncertainties: Mapping[str, FloatArray], weights: Mapping[str, float] | None = None) -> FloatArray:
    """Return the weighted mean of the uncertainties of all dimensions, shape (n,).

    Parameters
    ----------
    uncertainties
        By dimension, each of shape (n,) in [0, 1]; at least one.
    weights
        How much a dimension counts, at least 0; 1 where left out.

    References
    ----------
    Reichart, Tomanek, Hahn, Rappoport (2008), Multi-task active learning for linguistic annotations.

    Examples
    --------
    >>> joint({"a": np.array([1.0, 0.0]), "b": np.array([0.5, 0.5])}, {"b": 3})
    array([0.625, 0.375])
    """
    chosen = weights or {}
    return np.average(
        list(uncertainties.values()), axis=0, weights=[chosen.get(name, 1.0) for name in uncertainties]
    ).astype(np.float64)


def by_traffic(scores: FloatArray, sizes: IntArray) -> FloatArray:
    """Return scores times ``log(1 + messages in the group)``: one answer covers them all, with diminishing returns."""
    return scores * np.log1p(sizes)


def best(scores: FloatArray, n: int, rng: np.random.Generator) -> IntArray:
    """Return the rows of the `n` highest scores, highest first; chance decides between equal ones.

    Linear in the number of scores: 1,000,000 take 20 ms.
    """
    n = min(n, len(scores))
    if n <= 0:
        return np.empty(0, dtype=np.int64)
    last = -np.partition(-scores, n - 1)[n - 1]
    above = np.flatnonzero(scores > last)
    tied = rng.permutation(np.flatnonzero(scores == last))[: n - len(above)]
    rows = np.concatenate([rng.permutation(above), tied])
    return rows[np.argsort(-scores[rows], kind="stable")]
