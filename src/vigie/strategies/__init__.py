"""Query strategies: what to ask next; parts are found by name through the entry points `vigie.strategies`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import polars as pl

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
IntArray = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class Candidates:
    """The unlabelled groups a strategy may choose from, row by row.

    Parameters
    ----------
    templates
        String, length n.
    sizes
        Messages in each group, shape (n,), at least 0, and not 0 in all of them.
    proba
        Label probabilities by dimension, each of shape (n, n_labels); rows sum to 1. Empty before there is a model.
    vectors
        Where each template lies, shape (n, d), rows of length 1; templates alike lie close. None when nobody knows.
    answered
        The same of groups already answered, shape (m, d).
    answers
        By dimension the label of each of those, shape (m,), as a column of `proba`; -1 where there is none.
    urgency
        How much sooner than usual each group is to be asked about, shape (n,), a factor greater than 0; 1 where left out.
    """

    templates: pl.Series
    sizes: IntArray
    proba: Mapping[str, FloatArray]
    vectors: FloatArray | None = None
    answered: FloatArray | None = None
    answers: Mapping[str, IntArray] | None = None
    urgency: FloatArray | None = None

    @property
    def weights(self) -> FloatArray:
        """How much one answer is worth, shape (n,): ``log(1 + messages in the group)`` times the urgency.

        One answer covers all messages of its group, with diminishing returns.
        """
        logs = np.log1p(self.sizes)
        return logs if self.urgency is None else logs * self.urgency


@dataclass(frozen=True, slots=True)
class Choice:
    """One candidate that was chosen: its row, its score (higher is asked sooner), and why, for people to read."""

    row: int
    score: float
    reason: Mapping[str, object]


class Strategy(Protocol):
    """What ranks candidates."""

    name: str

    def query(self, candidates: Candidates, n: int, rng: np.random.Generator) -> list[Choice]:
        """Return at most `n` different candidates, best first; the same generator state gives the same answer."""
