"""Groups that lie close together: weighted k-means, and distances to what is known already."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from vigie.strategies import FloatArray, IntArray

_ROUNDS = 20  # of Lloyd's algorithm; it rarely needs as many
_CHUNK = 16_384  # rows whose distances to all centres are in memory at one time


@dataclass(frozen=True, slots=True)
class Clusters:
    """Which cluster each row belongs to, shape (n,), and its squared distance to that cluster's centre, shape (n,)."""

    owner: IntArray
    distance: FloatArray


def k_means(rows: FloatArray, k: int, rng: np.random.Generator, *, weights: FloatArray | None = None) -> Clusters:
    """Cut rows into at most `k` clusters of little spread; fewer when there are fewer different rows.

    Parameters
    ----------
    rows
        Shape (n, d), n at least 1.
    k
        At least 1.
    rng
        Chooses where centres start.
    weights
        How much each row counts, shape (n,), greater than 0.

    References
    ----------
    Lloyd (1982), Least squares quantization in PCM; Arthur, Vassilvitskii (2007), k-means++: the advantages of careful seeding.
    """
    counts = np.ones(len(rows)) if weights is None else np.maximum(weights, 1e-12)
    centres = rows[starts(rows, k, rng, weights=counts)]
    owner, distance = nearest(rows, centres)
    for _ in range(_ROUNDS):
        centres = _means(rows, counts, owner, centres)
        before, (owner, distance) = owner, nearest(rows, centres)
        if np.array_equal(before, owner):
            break
    return Clusters(owner, distance)


def starts(rows: FloatArray, k: int, rng: np.random.Generator, *, weights: FloatArray) -> IntArray:
    """Return at most `k` rows, each drawn with a chance in proportion to weight times squared distance to those before.

    Of a few drawn at a time, the one is kept that brings all rows nearest.
    """
    chosen: list[int] = []
    squares, distance = np.einsum("ij,ij->i", rows, rows), np.ones(len(rows))
    n_tried = 2 + int(np.log(max(k, 1)))
    for _ in range(min(k, len(rows))):
        chance = weights * distance
        if (total := chance.sum()) <= 0:
            break
        drawn = rng.choice(len(rows), n_tried, p=chance / total)
        apart = squares + squares[drawn, None] - 2 * (rows[drawn] @ rows.T)
        apart[apart < 1e-9 * np.maximum(squares, squares[drawn, None])] = (
            0.0  # rounding would set copies of a row apart
        )
        apart = np.minimum(apart, distance) if chosen else apart
        best = int(np.argmin(apart @ weights))
        distance = apart[best]
        chosen.append(int(drawn[best]))
    return np.array(chosen, dtype=np.int64)


def nearest(rows: FloatArray, centres: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return the nearest of some centres to each row, shape (n,), and the squared distance to it, shape (n,)."""
    parts = [_nearest(rows[start : start + _CHUNK], centres) for start in range(0, len(rows), _CHUNK)]
    return np.concatenate([owner for owner, _ in parts]), np.concatenate([distance for _, distance in parts])


def best_of_each(owner: IntArray, scores: FloatArray) -> IntArray:
    """Return the row with the highest score of each cluster, highest first; the first of equal ones."""
    order = np.argsort(-scores, kind="stable")
    _, first = np.unique(owner[order], return_index=True)
    return order[np.sort(first)]


def _nearest(rows: FloatArray, centres: FloatArray) -> tuple[IntArray, FloatArray]:
    apart = np.einsum("ij,ij->i", centres, centres) - 2 * (rows @ centres.T)
    owner = apart.argmin(axis=1)
    distance = np.einsum("ij,ij->i", rows, rows) + np.take_along_axis(apart, owner[:, None], axis=1)[:, 0]
    return owner, np.maximum(distance, 0.0)


def _means(rows: FloatArray, weights: FloatArray, owner: IntArray, centres: FloatArray) -> FloatArray:
    """Return the weighted mean of each cluster; one without rows keeps its centre."""
    places = (owner, np.arange(len(rows)))
    members = csr_matrix((weights, places), shape=(len(centres), len(rows)))
    totals = np.asarray(members.sum(axis=1))
    means = np.divide(members @ rows, totals, out=centres.copy(), where=totals > 0)
    return np.asarray(means)
