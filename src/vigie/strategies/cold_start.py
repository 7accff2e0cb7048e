"""Asking before there is a model, or while it knows little: about groups that many others are like."""

from typing import ClassVar

import numpy as np

from vigie.strategies import Candidates, Choice, FloatArray, IntArray
from vigie.strategies.clusters import Clusters, k_means
from vigie.strategies.diversity import BATCH
from vigie.strategies.joint import best, choices

_MOST = 20_000  # groups that are clustered; of more, those with the most traffic
_MAX_CLUSTERS = 200  # beyond that there are answers enough for a model to choose by
_NEIGHBOURS = 20
_MEMBERS = 500  # of a cluster, among which its rows' neighbours are looked for


class Covering:
    """What strategies of this family share: they ask about one group of each cluster that has no answer yet.

    Each batch of ten cuts the groups anew, weighted by the logarithm of their traffic, into ten clusters more than were answered
    or chosen before. Clusters with the fewest answers come first, among them those with the most traffic.
    """

    name: str
    starts_cold: ClassVar[bool] = True

    def query(self, candidates: Candidates, n: int, rng: np.random.Generator) -> list[Choice]:
        """Return at most `n` different candidates, best first; the same generator state gives the same answer.

        Without vectors, the largest groups, and the reason says so.
        """
        rows = best(candidates.weights, n if candidates.vectors is None else max(n, _MOST), rng)
        if candidates.vectors is None or n <= 0 or not len(rows):
            scores = candidates.weights[rows]
            return choices(rows.tolist(), scores, lambda row: _frequent(candidates, row))[: max(n, 0)]
        cover = _Cover(candidates.vectors[rows], candidates.weights[rows], candidates.answered)
        while len(cover.chosen) < min(n, len(rows)):
            clusters = cover.cut(min(BATCH, n - len(cover.chosen)), rng)
            typicality = self.typicality(cover.rows, cover.weights, clusters)
            cover.take(clusters, typicality, min(BATCH, n - len(cover.chosen)), rng)
        alike = dict(zip(rows[cover.chosen].tolist(), cover.alike, strict=True))
        return choices(
            rows[cover.chosen].tolist(),
            np.array(cover.scores),
            lambda row: {"why": "typical", "alike": alike[row], "size": int(candidates.sizes[row])},
        )

    def typicality(self, rows: FloatArray, weights: FloatArray, clusters: Clusters) -> FloatArray:
        """Return how typical each row is of its cluster, shape (n,); the highest is asked about."""
        raise NotImplementedError


class WeightedKMeans(Covering):
    """Ask about the group of each cluster that is near its centre and large: nearness times the weight of the group.

    References
    ----------
    Kang, Ryu, Kwon (2004), Using cluster-based sampling to select initial training set for active learning in text
    classification.
    """

    name = "weighted_k_means.v1"

    def typicality(self, rows: FloatArray, weights: FloatArray, clusters: Clusters) -> FloatArray:
        """Return the nearness to the centre, 1 at it and 0 at right angles or farther, times the weight."""
        del rows
        return weights * np.maximum(1 - clusters.distance / 2, 0.0)


class TypiClust(Covering):
    """Ask about the group of each cluster whose twenty nearest neighbours in it are nearest.

    References
    ----------
    Hacohen, Dekel, Weinshall (2022), Active learning on a budget: opposite strategies suit high and low budgets.
    """

    name = "typiclust.v1"

    def typicality(self, rows: FloatArray, weights: FloatArray, clusters: Clusters) -> FloatArray:
        """Return one over the mean distance to those neighbours; of large clusters, 500 rows are looked at."""
        found = np.zeros(len(weights))
        for cluster in np.unique(clusters.owner):
            members = np.flatnonzero(clusters.owner == cluster)
            found[members] = _density(rows[members])
        return found


class _Cover:
    """The groups with those that are answered or chosen, while a batch is added to them.

    Parameters
    ----------
    vectors, weights
        Of the candidates, shapes (n, d) and (n,).
    answered
        Vectors of groups answered before, shape (m, d).
    """

    def __init__(self, vectors: FloatArray, weights: FloatArray, answered: FloatArray | None) -> None:
        known = np.empty((0, vectors.shape[1])) if answered is None else answered
        self.rows = np.concatenate([vectors, known])
        self.chosen: list[int] = []
        self.scores: list[float] = []
        self.alike: list[int] = []
        self.weights = np.concatenate([weights, np.full(len(known), weights.mean())])
        self._covered = np.arange(len(self.rows)) >= len(vectors)

    def cut(self, n: int, rng: np.random.Generator) -> Clusters:
        """Return `n` clusters more than there are groups covered."""
        k = min(int(self._covered.sum()) + n, _MAX_CLUSTERS)
        return k_means(self.rows, k, rng, weights=self.weights)

    def take(self, clusters: Clusters, typicality: FloatArray, n: int, rng: np.random.Generator) -> None:
        """Choose `n` groups of those clusters: first the least covered cluster, then the one with the most traffic."""
        owner, left = clusters.owner, rng.permutation(np.flatnonzero(~self._covered))
        mass = np.bincount(owner, weights=self.weights)
        turn = np.bincount(owner, weights=self._covered)[owner[left]] + _places(owner[left], typicality[left])
        order = np.lexsort((-mass[owner[left]], turn))[:n]
        rows = left[order]
        self.chosen += rows.tolist()
        self.scores += (mass[owner[rows]] / mass.sum() / (1 + turn[order])).tolist()
        self.alike += np.bincount(owner)[owner[rows]].tolist()
        self._covered[rows] = True


def _places(owner: IntArray, scores: FloatArray) -> IntArray:
    """Return the place of each row in its cluster by score, counted from 0."""
    order = np.lexsort((-scores, owner))
    ends = np.flatnonzero(np.diff(owner[order], prepend=-1))
    places = np.empty(len(owner), dtype=np.int64)
    places[order] = np.arange(len(owner)) - np.repeat(ends, np.diff(ends, append=len(owner)))
    return places


def _density(rows: FloatArray) -> FloatArray:
    """Return one over the mean distance to the nearest neighbours, shape (n,); 1 for a row that is alone."""
    if len(rows) < 2:  # noqa: PLR2004 — a neighbour takes two
        return np.ones(len(rows))
    some = rows[np.linspace(0, len(rows) - 1, min(len(rows), _MEMBERS)).astype(np.int64)]
    squares = np.einsum("ij,ij->i", rows, rows)[:, None] + np.einsum("ij,ij->i", some, some) - 2 * (rows @ some.T)
    near = min(_NEIGHBOURS + 1, len(some)) - 1
    nearest = np.sqrt(np.maximum(np.partition(squares, near, axis=1)[:, : near + 1], 0.0))
    return 1 / (nearest.sum(axis=1) / near + 1e-6)


def _frequent(candidates: Candidates, row: int) -> dict[str, object]:
    return {"why": "frequent", "size": int(candidates.sizes[row]), "without": "vectors"}
