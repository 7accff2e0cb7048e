"""All groups at a glance: what a model would say about each of a million, nearly, in the time it takes to ask it about thousands.

The model itself is too slow for that. So a student learns from what it says about some thousands of texts, from words and pairs of
words alone, and names the groups that the model is to be asked about.

References
----------
Hinton, Vinyals, Dean (2015), Distilling the knowledge in a neural network.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import polars as pl
from scipy.sparse import csr_matrix, vstack

from vigie.features.sketch import N_COLUMNS, sketches
from vigie.learner.audit import FloatArray, IntArray
from vigie.strategies.joint import evened, joint
from vigie.strategies.uncertainty import margin

SingleArray = np.ndarray[Any, np.dtype[np.float32]]

MAX_GROUPS = 1_000_000
"""So many groups are kept, 200 MB of log lines and 430 MB at most; of more, the smallest are not looked at."""

_READ = 50_000  # templates read at one time
_SCORED = 100_000  # groups whose probabilities are in memory at one time
_GONE = 1.25  # so many times the open groups are kept before the others are thrown out
_LEAST = 1e-4  # what a probability counts as at least
_PENALTY = 0.2
_STEPS = 20


class Survey:
    """What there is to know of each open group to tell how unsure a model is about it; each template is read once.

    Nothing in it is worth keeping: it is made again from the pool.

    Parameters
    ----------
    describe
        Returns ``group_id``, ``template`` and ``first_seen`` of groups, those that are gone left out.
    max_groups
        So many are kept.
    """

    def __init__(self, describe: Callable[[Sequence[int]], pl.DataFrame], *, max_groups: int = MAX_GROUPS) -> None:
        self._describe = describe
        self._max_groups = max_groups
        self._ids = np.empty(0, dtype=np.int64)
        self._first_seen = np.empty(0, dtype=np.int64)
        self._rows = csr_matrix((0, N_COLUMNS), dtype=np.float32)

    def __len__(self) -> int:
        return len(self._ids)

    def update(self, group_ids: IntArray) -> IntArray:
        """Read what is not known of groups; return which of them are known now, as places among `group_ids`.

        Parameters
        ----------
        group_ids
            All open groups, the most important first.
        """
        first = group_ids[: self._max_groups]
        wanted = np.sort(first)
        missing = wanted[~_among(wanted, self._ids)]
        if len(self) + len(missing) > _GONE * len(wanted):
            kept = _among(self._ids, wanted)
            self._ids, self._first_seen, self._rows = self._ids[kept], self._first_seen[kept], self._rows[kept]
        parts = [self._read(missing[start : start + _READ]) for start in range(0, len(missing), _READ)]
        if parts:
            self._add(parts)
        return np.flatnonzero(_among(first, self._ids))

    def doubts(
        self, group_ids: IntArray, sizes: IntArray, student: "Student", *, since: int | None, urgency: float
    ) -> FloatArray:
        """Return how much asking about each group is worth, shape (n,): its doubt in all dimensions times its weight.

        Parameters
        ----------
        group_ids
            Known ones.
        sizes
            Messages in each, shape (n,).
        student
            Stands for the model.
        since
            Groups first seen after this (microseconds) are more urgent; None when none is.
        urgency
            So many times.
        """
        rows = np.searchsorted(self._ids, group_ids)
        each = [student.doubts(self._rows[rows[start : start + _SCORED]]) for start in range(0, len(rows), _SCORED)]
        doubts = {name: np.concatenate([part[name] for part in each]) for name in each[0]} if each else {}
        weights = np.log1p(sizes)
        if since is not None:
            weights = weights * np.where(self._first_seen[rows] > since, urgency, 1.0)
        return joint(evened(doubts)) * weights if doubts else weights

    def _read(self, group_ids: IntArray) -> tuple[IntArray, IntArray, csr_matrix]:
        found = self._describe(group_ids.tolist())
        first_seen = found["first_seen"].dt.epoch("us").to_numpy()
        return found["group_id"].to_numpy(), first_seen, sketches(found["template"])

    def _add(self, parts: Sequence[tuple[IntArray, IntArray, csr_matrix]]) -> None:
        new_ids, new_seen, new_rows = zip(*parts, strict=True)
        ids, first_seen = np.concatenate([self._ids, *new_ids]), np.concatenate([self._first_seen, *new_seen])
        rows = vstack([self._rows, *new_rows], format="csr")
        if np.any(ids[1:] < ids[:-1]):  # a withdrawn answer opened an older group
            order = np.argsort(ids)
            ids, first_seen, rows = ids[order], first_seen[order], rows[order]
        self._ids, self._first_seen, self._rows = ids, first_seen, rows


@dataclass(frozen=True, slots=True)
class Student:
    """A linear model of sketches that says nearly what another model says.

    Parameters
    ----------
    spans
        By dimension from which to which column its labels are.
    weights
        Shape (2**18, n_columns).
    intercepts
        Shape (n_columns,).
    """

    spans: Mapping[str, tuple[int, int]]
    weights: SingleArray
    intercepts: SingleArray

    @classmethod
    def of(cls, texts: pl.Series, proba: Mapping[str, FloatArray]) -> Self:
        """Learn from what a model says about texts: ridge regression on the logarithms of its probabilities.

        Parameters
        ----------
        texts
            At least one, length n.
        proba
            By dimension, each of shape (n, n_labels).
        """
        ends = np.cumsum([0, *(some.shape[1] for some in proba.values())]).tolist()
        logs = np.log(np.maximum(np.concatenate(list(proba.values()), axis=1), _LEAST))
        middle = logs.mean(axis=0)
        rows = sketches(texts)
        dual = _ridge(rows, (logs - middle).astype(np.float32))
        spans = {name: (ends[place], ends[place + 1]) for place, name in enumerate(proba)}
        return cls(spans, np.ascontiguousarray(rows.T.tocsr() @ dual), middle.astype(np.float32))

    def doubts(self, rows: csr_matrix) -> dict[str, FloatArray]:
        """Return by dimension how close the two likeliest labels are, each of shape (n,), in [0, 1]; 1 when they tie."""
        scores = rows @ self.weights + self.intercepts
        return {
            name: margin(_softmax(scores[:, start:end])).astype(np.float64) for name, (start, end) in self.spans.items()
        }


def _among(some: IntArray, ids: IntArray) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return which of some numbers are among sorted ones, many times faster than NumPy's own for millions."""
    if not len(ids):
        return np.zeros(len(some), dtype=np.bool_)
    return ids[np.minimum(np.searchsorted(ids, some), len(ids) - 1)] == some


def _ridge(rows: csr_matrix, targets: SingleArray) -> SingleArray:
    """Solve ``(X Xᵀ + penalty) A = targets`` for all columns side by side, by conjugate gradients.

    References
    ----------
    Hestenes, Stiefel (1952), Methods of conjugate gradients for solving linear systems.
    """
    columns = rows.T.tocsr()
    found = np.zeros_like(targets)
    residual = targets.copy()
    direction = residual
    squares = np.einsum("ij,ij->j", residual, residual)
    for _ in range(_STEPS):
        image = rows @ (columns @ direction) + np.float32(_PENALTY) * direction
        length = squares / np.maximum(np.einsum("ij,ij->j", direction, image), np.float32(1e-30))
        found = found + length * direction
        residual = residual - length * image
        before, squares = squares, np.einsum("ij,ij->j", residual, residual)
        direction = residual + squares / np.maximum(before, np.float32(1e-30)) * direction
    return found


def _softmax(scores: SingleArray) -> Any:
    """Return probabilities in single precision, which is enough to choose by and half as long."""
    proba = np.exp(scores - scores.max(axis=1, keepdims=True))
    proba /= proba.sum(axis=1, keepdims=True)
    return proba
