"""Asking about the groups whose labels the model is least sure of."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from vigie.strategies import Candidates, Choice, FloatArray
from vigie.strategies.joint import best, joint


def least_confidence(proba: FloatArray) -> FloatArray:
    """Score groups by how improbable their most probable label is.

    Parameters
    ----------
    proba
        Label probabilities, shape (n_groups, n_labels); rows sum to 1.

    Returns
    -------
    Uncertainty, shape (n_groups,), in [0, 1]; 1 when all labels tie, whatever their number.

    References
    ----------
    Lewis, Gale (1994), A sequential algorithm for training text classifiers.

    Examples
    --------
    >>> least_confidence(np.array([[0.5, 0.5], [0.9, 0.1]]))
    array([1. , 0.2])
    """
    n_labels = proba.shape[1]
    return (1 - proba.max(axis=1)) * n_labels / max(n_labels - 1, 1)


def margin(proba: FloatArray) -> FloatArray:
    """Score groups by the gap between their two most probable labels.

    Parameters
    ----------
    proba
        Label probabilities, shape (n_groups, n_labels); rows sum to 1.

    Returns
    -------
    Uncertainty, shape (n_groups,), in [0, 1]; 1 when the two best labels tie, 0 when there is only one.

    References
    ----------
    Scheffer, Decomain, Wrobel (2001), Active hidden Markov models for information extraction.

    Examples
    --------
    >>> margin(np.array([[0.5, 0.5], [0.9, 0.1]]))
    array([1. , 0.2])
    """
    if proba.shape[1] < 2:  # noqa: PLR2004 — a gap needs two
        return np.zeros(len(proba))
    two = np.partition(proba, -2, axis=1)[:, -2:]
    return 1 - (two[:, 1] - two[:, 0])


def entropy(proba: FloatArray) -> FloatArray:
    """Score groups by the entropy of their labels, as a share of the highest possible.

    Parameters
    ----------
    proba
        Label probabilities, shape (n_groups, n_labels); rows sum to 1.

    Returns
    -------
    Uncertainty, shape (n_groups,), in [0, 1]; 1 when all labels tie, 0 when there is only one.

    References
    ----------
    Shannon (1948), A mathematical theory of communication; Settles (2009), Active learning literature survey.

    Examples
    --------
    >>> entropy(np.array([[0.5, 0.5], [1.0, 0.0]]))
    array([1., 0.])
    """
    logs = np.log(proba, out=np.zeros_like(proba), where=proba > 0)
    return np.abs(np.einsum("ij,ij->i", proba, logs)) / max(np.log(proba.shape[1]), 1e-12)


class Uncertainty:
    """What all strategies of this family share; they differ in what they call uncertain.

    A group's score is the mean uncertainty of its dimensions times the logarithm of its size. Before there is a model, the
    largest groups come first.

    Parameters
    ----------
    weights
        How much each dimension counts, at least 0 and not 0 for all; 1 where left out.
    """

    name: ClassVar[str]
    shown: ClassVar[str]

    def __init__(self, *, weights: Mapping[str, float] | None = None) -> None:
        self._weights = dict(weights or {})

    def uncertainty(self, proba: FloatArray) -> FloatArray:
        """Return the uncertainty in one dimension, shape (n,), in [0, 1]."""
        raise NotImplementedError

    def figure(self, uncertainty: float, n_labels: int) -> float:
        """Return what people are shown of an uncertainty, under the name `shown`."""
        del n_labels
        return uncertainty

    def query(self, candidates: Candidates, n: int, rng: np.random.Generator) -> list[Choice]:
        """Return at most `n` different candidates, best first; the same generator state gives the same answer."""
        each = {name: self.uncertainty(proba) for name, proba in candidates.proba.items()}
        scores = (joint(each, self._weights) if each else 1.0) * candidates.weights
        return [
            Choice(row, float(scores[row]), self._reason(candidates, each, row))
            for row in best(scores, n, rng).tolist()
        ]

    def _reason(self, candidates: Candidates, each: Mapping[str, FloatArray], row: int) -> dict[str, object]:
        size = int(candidates.sizes[row])
        if not each:
            return {"why": "frequent", "size": size}
        dimension = max(each, key=lambda name: float(each[name][row]) * self._weights.get(name, 1.0))
        figure = self.figure(float(each[dimension][row]), candidates.proba[dimension].shape[1])
        return {"why": "uncertain", "dimension": dimension, self.shown: round(figure, 4), "size": size}


class LeastConfidence(Uncertainty):
    """Ask where the most probable label is least probable; its confidence is shown.

    References
    ----------
    Lewis, Gale (1994), A sequential algorithm for training text classifiers.
    """

    name = "least_confidence.v1"
    shown = "confidence"

    def uncertainty(self, proba: FloatArray) -> FloatArray:
        """Return :func:`least_confidence`."""
        return least_confidence(proba)

    def figure(self, uncertainty: float, n_labels: int) -> float:
        """Return the probability of the best label."""
        return 1 - uncertainty * (n_labels - 1) / n_labels


class Margin(Uncertainty):
    """Ask where the two most probable labels are closest; the gap between them is shown.

    References
    ----------
    Scheffer, Decomain, Wrobel (2001), Active hidden Markov models for information extraction.
    """

    name = "margin.v1"
    shown = "margin"

    def uncertainty(self, proba: FloatArray) -> FloatArray:
        """Return :func:`margin`."""
        return margin(proba)

    def figure(self, uncertainty: float, n_labels: int) -> float:
        """Return the gap."""
        del n_labels
        return 1 - uncertainty


class Entropy(Uncertainty):
    """Ask where the labels' distribution says least; its share of the highest possible entropy is shown.

    References
    ----------
    Settles (2009), Active learning literature survey, section 3.1.
    """

    name = "entropy.v1"
    shown = "entropy"

    def uncertainty(self, proba: FloatArray) -> FloatArray:
        """Return :func:`entropy`."""
        return entropy(proba)


class Random:
    """Ask in random order: the yardstick of every other strategy."""

    name = "random.v1"

    def query(self, candidates: Candidates, n: int, rng: np.random.Generator) -> list[Choice]:
        """Return at most `n` different candidates, each as likely as any other."""
        scores = rng.random(len(candidates.sizes))
        return [
            Choice(row, float(scores[row]), {"why": "random", "size": int(candidates.sizes[row])})
            for row in best(scores, n, rng).tolist()
        ]
