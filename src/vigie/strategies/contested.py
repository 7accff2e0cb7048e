"""Asking sooner where a rule and the model say different things: one of the two is wrong."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from vigie.messages import label_column
from vigie.strategies import Candidates, Choice, IntArray, Strategy

URGENCY = 1.5
"""How much sooner; a guess, not measured."""


class Contested:
    """Another strategy that is told of such groups: they are more urgent, and the reason names the dimension as ``contested``.

    Parameters
    ----------
    strategy
        What chooses.
    said
        Returns what rules say about templates, in columns ``label:<dimension>`` (String), null where none speaks. A rule that needs
        what a template masks is silent here.
    labels
        By dimension the names of its labels, in the order of the probabilities.
    """

    def __init__(
        self, strategy: Strategy, said: Callable[[pl.Series], pl.DataFrame], labels: Mapping[str, Sequence[str]]
    ) -> None:
        self.name = strategy.name
        self.starts_cold: bool = getattr(strategy, "starts_cold", False)
        self._strategy = strategy
        self._said = said
        self._labels = labels

    def query(self, candidates: Candidates, n: int, rng: np.random.Generator) -> list[Choice]:
        """Return what the other strategy chooses; the same generator state gives the same answer."""
        contested = self._contested(candidates)
        usual = np.ones(len(candidates.sizes)) if candidates.urgency is None else candidates.urgency
        urgency = usual * np.where(contested >= 0, URGENCY, 1.0)
        names = list(candidates.proba)
        return [
            choice
            if contested[choice.row] < 0
            else replace(choice, reason={**choice.reason, "contested": names[contested[choice.row]]})
            for choice in self._strategy.query(replace(candidates, urgency=urgency), n, rng)
        ]

    def _contested(self, candidates: Candidates) -> IntArray:
        """Return the place of the first dimension in which a rule contradicts the model, shape (n,); -1 where none does."""
        found = np.full(len(candidates.sizes), -1, dtype=np.int64)
        if not candidates.proba:
            return found
        said = self._said(candidates.templates)
        for place, (name, proba) in reversed(list(enumerate(candidates.proba.items()))):
            labels = pl.Series(self._labels.get(name, ()), dtype=pl.String)
            if len(labels) == proba.shape[1]:  # else the model learned before the labels were changed
                likeliest = labels.gather(proba.argmax(axis=1))
                found[(said[label_column(name)] != likeliest).fill_null(value=False).to_numpy()] = place
        return found
