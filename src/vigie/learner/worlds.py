"""Some groups that stand for a whole pool, and how much of its traffic is right when some of them are answered."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl

from vigie.learner.answers import Answers
from vigie.learner.audit import BoolArray, FloatArray, IntArray

MAX_GROUPS = 2_000
"""Groups of the pool that are looked at, besides those with an answer."""


@dataclass(frozen=True, slots=True)
class World:
    """Groups drawn from a pool in proportion to traffic, the large ones for certain, and all that have an answer.

    Parameters
    ----------
    templates
        Of all rows, length n.
    sizes
        Messages of each, shape (n,).
    stands_for
        Messages of the pool that each speaks for, shape (n,); 0 for answered groups that were not drawn.
    is_large
        Which rows were certain to be drawn and speak for themselves alone, shape (n,).
    is_trained, is_answered
        Which rows taught the model, and which have any answer, shape (n,).
    total
        Messages in the pool.
    n_groups
        Groups in the pool that messages came of.
    """

    templates: pl.Series
    sizes: FloatArray
    stands_for: FloatArray
    is_large: BoolArray
    is_trained: BoolArray
    is_answered: BoolArray
    total: float
    n_groups: int

    @classmethod
    def of(cls, groups: pl.DataFrame, answers: Answers, rng: np.random.Generator, n: int = MAX_GROUPS) -> Self:
        """Draw groups.

        Parameters
        ----------
        groups
            The pool: ``group_id``, ``template``, ``count``.
        answers
            All that hold.
        rng
            Draws.
        n
            At most so many; with no more in the pool, all of them.

        References
        ----------
        Madow (1949), On the theory of systematic sampling, II.
        """
        pool = groups.sort("group_id")
        sizes = pool["count"].to_numpy().astype(np.float64)
        step = _step(sizes, n)
        drawn = _systematic(np.minimum(sizes / step, 1), rng) if step else np.ones(len(sizes), dtype=np.bool_)
        ids = pool["group_id"]
        trained, audited = (_among(ids, some["group_id"]) for some in (answers.train, answers.audit))
        kept = np.flatnonzero(drawn | trained | audited)
        return cls(
            templates=pool["template"].gather(kept),
            sizes=sizes[kept],
            stands_for=(np.maximum(sizes, step) * drawn)[kept],
            is_large=(sizes >= step)[kept],
            is_trained=trained[kept],
            is_answered=(trained | audited)[kept],
            total=float(sizes.sum()),
            n_groups=int((sizes > 0).sum()),
        )

    @property
    def is_empty(self) -> bool:
        """Whether there is no message, or nothing was learned from."""
        return self.total <= 0 or not self.is_trained.any()

    @property
    def most(self) -> int:
        """How many groups can be drawn at random before so few are left that they say little."""
        n_drawn = int((self.stands_for > 0).sum())
        return n_drawn if n_drawn == self.n_groups else int(0.8 * n_drawn)

    def order(self, rng: np.random.Generator) -> IntArray:
        """Return the drawn rows as random asking would take them: in proportion to traffic, without replacement."""
        rows = np.flatnonzero(self.stands_for > 0)
        arrivals = rng.exponential(size=len(rows)) / self.stands_for[rows]
        return rows[np.argsort(arrivals)]

    def accuracy(self, right: BoolArray, done: BoolArray) -> float:
        """Return the share of the pool's messages that are right: those of groups that are answered, and what a model says of the others.

        Parameters
        ----------
        right
            What a model is right about, shape (n,).
        done
            What is answered, shape (n,).
        """
        small = ~self.is_large
        large_right = float(self.sizes[self.is_large & (done | right)].sum())
        small_total = self.total - float(self.sizes[self.is_large].sum())
        small_done = min(float(self.sizes[small & done].sum()), small_total)
        left = right[small & ~done & (self.stands_for > 0)]
        rate = float(left.mean()) if len(left) else 1.0
        return (large_right + small_done + (small_total - small_done) * rate) / self.total


def _step(sizes: FloatArray, n: int) -> float:
    """Return the size from which on a group is certain to be among `n`, 0 when all are: each other one is with ``size / step``."""
    if len(sizes) <= n:
        return 0.0
    falling = np.sort(sizes)[::-1]
    rest = falling.sum() - np.concatenate([[0.0], np.cumsum(falling[: n - 1])])
    steps = rest / np.arange(n, 0, -1)  # with the k largest certain, for k = 0, 1, …
    return float(steps[int(np.argmax(falling[:n] < steps))]) if (falling[:n] < steps).any() else float(falling[n - 1])


def _systematic(chances: FloatArray, rng: np.random.Generator) -> BoolArray:
    """Draw each row with its own chance, as many in all as the chances add up to."""
    drawn = np.zeros(len(chances), dtype=np.bool_)
    order = rng.permutation(len(chances))
    reached = np.floor(np.cumsum(chances[order]) + rng.random() + 1e-9)
    drawn[order] = np.diff(reached, prepend=0.0) > 0
    return drawn | (chances >= 1)


def _among(ids: pl.Series, some: pl.Series) -> BoolArray:
    return ids.is_in(some.implode()).to_numpy()
