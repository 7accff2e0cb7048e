"""Asking where several models disagree that learned from the same answers.

A committee of refitted models would cost a training per member and round. Here its members are small: ridge regressions of the
answers on the groups' vectors, each over a bootstrap sample of the answers (query by bagging), solved in closed form in
milliseconds. So any model can be asked about by a committee, if vectors of groups and the answers are at hand. The model itself
votes as one member more; among divergences it would stand out for its calibration alone.
"""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from vigie.strategies import Candidates, Choice, FloatArray, IntArray
from vigie.strategies.joint import Doubt, best, choices
from vigie.strategies.uncertainty import entropy

_STUDENTS = 6
_PENALTY = 0.3  # of the regressions; vectors have length 1
_SLOPE = 5.0  # a regression's outputs lie about [0, 1]; a softmax of them as they are would hardly tell labels apart


def vote_entropy(members: FloatArray) -> FloatArray:
    """Score groups by the entropy of the labels that members find likeliest.

    Parameters
    ----------
    members
        Label probabilities of each member, shape (n_members, n_groups, n_labels).

    Returns
    -------
    Disagreement, shape (n_groups,), in [0, 1]; 1 when votes are spread as evenly as they can be.

    References
    ----------
    Dagan, Engelson (1995), Committee-based sampling for training probabilistic classifiers.

    Examples
    --------
    >>> vote_entropy(np.array([[[0.9, 0.1], [0.9, 0.1]], [[0.4, 0.6], [0.6, 0.4]]]))
    array([1., 0.])
    """
    n_members, _, n_labels = members.shape
    votes = (members.argmax(axis=2)[:, :, None] == np.arange(n_labels)).mean(axis=0)
    most = np.log(max(min(n_members, n_labels), 2)) / np.log(max(n_labels, 2))
    return np.minimum(entropy(votes) / most, 1.0)


def consensus_divergence(members: FloatArray) -> FloatArray:
    """Score groups by how far members are from their mean: the mean Kullback-Leibler divergence to it.

    Parameters
    ----------
    members
        Label probabilities of each member, shape (n_members, n_groups, n_labels).

    Returns
    -------
    Disagreement, shape (n_groups,), in [0, 1]: as a share of the highest possible.

    References
    ----------
    McCallum, Nigam (1998), Employing EM and pool-based active learning for text classification.

    Examples
    --------
    >>> consensus_divergence(np.array([[[1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0], [0.5, 0.5]]]))
    array([1., 0.])
    """
    n_members, _, n_labels = members.shape
    mean = members.mean(axis=0)
    ratios = np.divide(members, mean, out=np.ones_like(members), where=members > 0)
    divergence = np.einsum("mij,mij->i", members, np.log(ratios)) / n_members
    return np.clip(divergence / np.log(max(min(n_members, n_labels), 2)), 0.0, 1.0)


def students(
    vectors: FloatArray, answered: FloatArray, codes: IntArray, n_labels: int, rng: np.random.Generator
) -> FloatArray:
    """Return what small models think that learned from bootstrap samples of the answers, shape (6, n, n_labels).

    Parameters
    ----------
    vectors
        Of the groups asked about, shape (n, d).
    answered
        Of the groups answered, shape (m, d), m at least 1.
    codes
        Their labels, shape (m,), in ``range(n_labels)``.
    n_labels
        At least 1.
    rng
        Draws the samples.

    References
    ----------
    Abe, Mamitsuka (1998), Query learning strategies using boosting and bagging.
    """
    known = np.column_stack([answered, np.ones(len(answered))])
    asked = np.column_stack([vectors, np.ones(len(vectors))])
    targets = (codes[:, None] == np.arange(n_labels)).astype(np.float64)
    penalty = _PENALTY * np.eye(known.shape[1])
    found = np.empty((_STUDENTS, len(vectors), n_labels))
    for student in found:
        drawn = known * rng.multinomial(len(known), np.full(len(known), 1 / len(known)))[:, None]
        odds = np.exp(_SLOPE * (asked @ np.linalg.solve(drawn.T @ known + penalty, drawn.T @ targets)))
        student[:] = odds / odds.sum(axis=1, keepdims=True)
    return found


class Committee:
    """What strategies of this family share; they differ in what they call disagreement.

    Where vectors or answers are missing, a dimension's entropy stands for the disagreement, and if they are missing in all
    dimensions the reason says so.

    Parameters
    ----------
    weights
        How much each dimension counts, at least 0 and not 0 for all; 1 where left out.
    """

    name: str
    shown: ClassVar[str]

    def __init__(self, *, weights: Mapping[str, float] | None = None) -> None:
        self._weights = dict(weights or {})

    def disagreement(self, proba: FloatArray, members: FloatArray) -> FloatArray:
        """Return the disagreement in one dimension, shape (n,), in [0, 1].

        Parameters
        ----------
        proba
            What the model says, shape (n, n_labels).
        members
            What the others say, shape (n_members, n, n_labels).
        """
        raise NotImplementedError

    def query(self, candidates: Candidates, n: int, rng: np.random.Generator) -> list[Choice]:
        """Return at most `n` different candidates, best first; the same generator state gives the same answer."""
        each = {name: self._disagreement(candidates, name, rng) for name in candidates.proba}
        has_committee = any(_lessons(candidates, name) is not None for name in each)
        doubt = Doubt.joined(candidates, each, self._weights)
        rows = best(doubt.scores, n, rng)

        def reason(row: int) -> dict[str, object]:
            """Return why a row was chosen: the disagreement in the dimension that drove it, or its doubt without a committee."""
            if not has_committee:
                return {**doubt.reason(row), "without": "committee"}
            dimension = doubt.driver(row)
            shown = {self.shown: round(float(each[dimension][row]), 4), "size": int(candidates.sizes[row])}
            return {"why": "disagreement", "dimension": dimension, **shown}

        return choices(rows.tolist(), doubt.scores[rows], reason)

    def _disagreement(self, candidates: Candidates, name: str, rng: np.random.Generator) -> FloatArray:
        proba, lessons = candidates.proba[name], _lessons(candidates, name)
        if lessons is None or candidates.vectors is None:
            return entropy(proba)
        return self.disagreement(proba, students(candidates.vectors, *lessons, proba.shape[1], rng))


class VoteEntropy(Committee):
    """Query by committee: ask where the members' likeliest labels differ most.

    References
    ----------
    Seung, Opper, Sompolinsky (1992), Query by committee; Dagan, Engelson (1995), Committee-based sampling for training
    probabilistic classifiers.
    """

    name = "vote_entropy.v1"
    shown = "votes"

    def disagreement(self, proba: FloatArray, members: FloatArray) -> FloatArray:
        """Return :func:`vote_entropy` of all, the model included."""
        return vote_entropy(np.concatenate([proba[None], members]))


class ConsensusDivergence(Committee):
    """Query by committee: ask where the members' probabilities are farthest from their mean.

    References
    ----------
    McCallum, Nigam (1998), Employing EM and pool-based active learning for text classification.
    """

    name = "consensus_divergence.v1"
    shown = "divergence"

    def disagreement(self, proba: FloatArray, members: FloatArray) -> FloatArray:
        """Return :func:`consensus_divergence` of the others."""
        del proba
        return consensus_divergence(members)


def _lessons(candidates: Candidates, name: str) -> tuple[FloatArray, IntArray] | None:
    """Return vectors and labels of the groups answered in a dimension; None when there is nothing to learn from."""
    if candidates.vectors is None or candidates.answered is None or name not in (candidates.answers or {}):
        return None
    codes = (candidates.answers or {})[name]
    rows = np.flatnonzero(codes >= 0)
    return (candidates.answered[rows], codes[rows]) if len(rows) else None
