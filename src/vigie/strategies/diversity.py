"""Asking about groups unlike each other, so that no two questions of a batch teach the same."""

from collections.abc import Mapping

import numpy as np

from vigie.strategies import Candidates, Choice, FloatArray
from vigie.strategies.clusters import best_of_each, k_means
from vigie.strategies.joint import Doubt, best, choices, others
from vigie.strategies.uncertainty import entropy, margin

BATCH = 10
"""Questions that are answered before anything is learned from them, and so are to differ from each other."""

POOL = 20 * BATCH
"""The most uncertain groups, from which a batch is spread."""

_KNOWN = 2_000  # answered groups that distances are measured to; more of them, as many drawn at random
_CHUNK = 4_096  # rows whose distances to all of those are in memory at one time


class Diverse:
    """What strategies of this family share: weights of dimensions, and what they do without vectors.

    Parameters
    ----------
    weights
        How much each dimension counts, at least 0 and not 0 for all; 1 where left out.
    """

    name: str

    def __init__(self, *, weights: Mapping[str, float] | None = None) -> None:
        self._weights = dict(weights or {})

    def query(self, candidates: Candidates, n: int, rng: np.random.Generator) -> list[Choice]:
        """Return at most `n` different candidates, best first; the same generator state gives the same answer.

        Without vectors, those that the model is least sure of, and the reason says so.
        """
        doubt = Doubt.of(candidates, margin, self._weights)
        if candidates.vectors is not None and n > 0 and len(candidates.sizes):
            return self._spread(doubt, candidates.vectors, n, rng)
        rows = best(doubt.scores, n, rng)
        return choices(rows.tolist(), doubt.scores[rows], lambda row: {**doubt.reason(row), "without": "vectors"})

    def _spread(self, doubt: Doubt, vectors: FloatArray, n: int, rng: np.random.Generator) -> list[Choice]:
        raise NotImplementedError


class ClusterMargin(Diverse):
    """Ask about the most uncertain group of each cluster: every batch of ten is spread over the 200 most uncertain groups.

    The groups are cut by k-means, weighted by uncertainty and traffic. One question in ten has learned nothing from the other
    nine, so that a batch without it asks nine times about the same.

    References
    ----------
    Zhdanov (2019), Diverse mini-batch active learning; Citovsky, DeSalvo, Gentile, Karydas, Rajagopalan, Rostamizadeh, Kumar
    (2021), Batch active learning at scale.
    """

    name = "cluster_margin.v1"

    def _spread(self, doubt: Doubt, vectors: FloatArray, n: int, rng: np.random.Generator) -> list[Choice]:
        left = best(doubt.scores, n + POOL, rng)
        chosen: list[int] = []
        alike: dict[int, int] = {}
        while len(chosen) < n and len(left):
            pool = left[:POOL]
            owner = k_means(vectors[pool], min(BATCH, n - len(chosen)), rng, weights=doubt.scores[pool]).owner
            places = best_of_each(owner, doubt.scores[pool])
            sizes = np.bincount(owner)[owner[places]]
            alike |= dict(zip(pool[places].tolist(), sizes.tolist(), strict=True))
            chosen += pool[places].tolist()
            left = np.delete(left, places)
        return choices(chosen, doubt.scores[chosen], lambda row: {**doubt.reason(row), "alike": alike[row]})


class Badge(Diverse):
    """Ask about groups whose gradients are long and point in different directions, by k-means++ over them.

    The gradient of a group is what it would change in the model's last layer, if the likeliest label were right: in each
    dimension probabilities minus that label, times the group's vector; those of all dimensions stand side by side. They are
    never written out: an inner product of two is the product of two short ones. The chance to be chosen is in proportion to
    the squared distance, times the weight of the group.

    References
    ----------
    Ash, Zhang, Krishnamurthy, Langford, Agarwal (2020), Deep batch active learning by diverse, uncertain gradient lower bounds.
    """

    name = "badge.v1"

    def _spread(self, doubt: Doubt, vectors: FloatArray, n: int, rng: np.random.Generator) -> list[Choice]:
        errors = self._errors(doubt.candidates.proba, len(vectors))
        lengths = np.einsum("ij,ij->i", errors, errors) * np.einsum("ij,ij->i", vectors, vectors)
        weights, distance = doubt.candidates.weights, lengths
        rows: list[int] = []
        scores: list[float] = []
        while len(rows) < min(n, len(vectors)) and (total := (chance := weights * distance).sum()) > 0:
            row = int(rng.choice(len(chance), p=chance / total))
            rows.append(row)
            scores.append(float(chance[row]))
            there = lengths + lengths[row] - 2 * (errors @ errors[row]) * (vectors @ vectors[row])
            there[there < 1e-9 * lengths[row]] = 0.0
            distance = np.minimum(distance, there)
            distance[row] = 0.0
        rest = others(rows, doubt.scores, n, rng).tolist()
        return choices([*rows, *rest], np.array([*scores, *([0.0] * len(rest))]), doubt.reason)

    def _errors(self, proba: Mapping[str, FloatArray], n: int) -> FloatArray:
        """Return probabilities minus the likeliest label, those of all dimensions side by side."""
        parts = [np.zeros((n, 1))]
        for name, some in proba.items():
            error = some.copy()
            error[np.arange(n), some.argmax(axis=1)] -= 1
            parts.append(error * np.sqrt(self._weights.get(name, 1.0)))
        return np.concatenate(parts, axis=1)


class KCentreGreedy(Diverse):
    """Ask about the group farthest from all that was answered or chosen before, whatever the model says.

    The distance counts times the weight of the group, lest the questions go to outliers.

    References
    ----------
    Sener, Savarese (2018), Active learning for convolutional neural networks: a core-set approach.
    """

    name = "k_centre_greedy.v1"

    def _spread(self, doubt: Doubt, vectors: FloatArray, n: int, rng: np.random.Generator) -> list[Choice]:
        candidates, order = doubt.candidates, rng.permutation(len(vectors))
        rows, weights = vectors[order], candidates.weights[order]
        apart = _apart(rows, candidates.answered, rng)
        left = np.ones(len(rows), dtype=np.bool_)
        likeness: dict[int, float] = {}
        scores: list[float] = []
        for _ in range(min(n, len(rows))):
            place = int(np.argmax(np.where(left, weights * apart, -np.inf)))
            left[place] = False
            likeness[int(order[place])] = round(1 - float(apart[place]), 4)
            scores.append(float(weights[place] * apart[place]))
            apart = np.minimum(apart, 1 - rows @ rows[place])
        return choices(
            list(likeness),
            np.array(scores),
            lambda row: {"why": "different", "similarity": likeness[row], "size": int(candidates.sizes[row])},
        )


class InformationDensity(Diverse):
    """Ask about groups that are uncertain and like many others: entropy times the mean similarity to the pool.

    The pool counts by the weights of its groups. Without vectors, entropy alone.

    References
    ----------
    Settles, Craven (2008), An analysis of active learning strategies for sequence labeling tasks.
    """

    name = "information_density.v1"

    def _spread(self, doubt: Doubt, vectors: FloatArray, n: int, rng: np.random.Generator) -> list[Choice]:
        candidates = doubt.candidates
        density = np.maximum(vectors @ np.average(vectors, axis=0, weights=candidates.weights), 0.0)
        scores = Doubt.of(candidates, entropy, self._weights).scores * density
        rows = best(scores, n, rng)
        return choices(
            rows.tolist(),
            scores[rows],
            lambda row: {**doubt.reason(row), "similarity": round(float(density[row]), 4)},
        )


def _apart(rows: FloatArray, answered: FloatArray | None, rng: np.random.Generator) -> FloatArray:
    """Return one minus the highest cosine to an answered group, shape (n,); 1 where nothing was answered."""
    if answered is None or not len(answered):
        return np.ones(len(rows))
    some = answered if len(answered) <= _KNOWN else answered[rng.choice(len(answered), _KNOWN, replace=False)]
    parts = [rows[start : start + _CHUNK] @ some.T for start in range(0, len(rows), _CHUNK)]
    return np.concatenate([1 - part.max(axis=1) for part in parts])
