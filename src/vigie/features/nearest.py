"""Which of many rows of numbers lie nearest to one: all are looked at, so that none is missed."""

import threading
from collections.abc import Collection
from typing import Any

import numpy as np

SingleArray = np.ndarray[Any, np.dtype[np.float32]]
FloatArray = np.ndarray[Any, np.dtype[np.float64]]
IntArray = np.ndarray[Any, np.dtype[np.int64]]

_BLOCK = 4_096  # rows that are copied together when some come or go


class Nearest:
    """Rows of length 1 by id; from any thread.

    100,000 rows of 128 numbers take 51 MB, and looking at all of them 10 ms. What is added while somebody looks is seen or not;
    a row is never seen in part.
    """

    def __init__(self) -> None:
        self._blocks: tuple[tuple[IntArray, SingleArray], ...] = ()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return sum(len(ids) for ids, _ in self._blocks)

    @property
    def ids(self) -> IntArray:
        """The ids of all rows, in the order in which they came."""
        return np.concatenate([np.zeros(0, dtype=np.int64), *(ids for ids, _ in self._blocks)])

    def add(self, ids: IntArray, rows: FloatArray | SingleArray) -> None:
        """Add rows, shape (n, d), whose ids are not known yet."""
        with self._lock:
            *full, last = self._blocks or ((np.zeros(0, dtype=np.int64), np.zeros((0, rows.shape[1]), np.float32)),)
            new = (ids.astype(np.int64), rows.astype(np.float32))
            if len(last[0]) + len(ids) <= _BLOCK:
                new = (np.concatenate([last[0], new[0]]), np.concatenate([last[1], new[1]]))
                self._blocks = (*full, new)
            else:
                self._blocks = (*self._blocks, new)

    def keep(self, ids: Collection[int]) -> None:
        """Drop all rows but these; ids that are not known do not matter."""
        wanted = np.fromiter(ids, dtype=np.int64, count=len(ids))
        with self._lock:
            ends = np.cumsum([len(some) for some, _ in self._blocks])[:-1]
            there = np.split(np.isin(self.ids, wanted), ends) if self._blocks else []
            kept = zip(self._blocks, there, strict=True)
            self._blocks = tuple(
                (some, rows) if there.all() else (some[there], rows[there])
                for (some, rows), there in kept
                if there.any()
            )

    def nearest(self, row: FloatArray | SingleArray, n: int, least: float = -1.0) -> tuple[IntArray, FloatArray]:
        """Return at most `n` ids with their cosines to a row of length 1, the highest first; of equals, the newest id.

        Parameters
        ----------
        row
            Shape (d,).
        n
            At most so many.
        least
            Lower cosines are left out.

        Examples
        --------
        >>> index = Nearest()
        >>> index.add(np.array([7, 8]), np.array([[1.0, 0.0], [0.6, 0.8]]))
        >>> ids, cosines = index.nearest(np.array([0.0, 1.0]), 1)
        >>> ids.tolist(), cosines.round(2).tolist()
        ([8], [0.8])
        """
        blocks, single = self._blocks, row.astype(np.float32)
        ids = np.concatenate([np.zeros(0, dtype=np.int64), *(some for some, _ in blocks)])
        # Not `rows @ single`: BLAS waits for all its threads after each block, ten times longer where processors are busy.
        products = [np.einsum("ij,j->i", rows, single) for _, rows in blocks]
        cosines = np.concatenate([np.zeros(0, dtype=np.float32), *products])
        near = np.flatnonzero(cosines >= least)
        if len(near) > n > 0:
            edge = np.partition(cosines[near], len(near) - n)[len(near) - n]
            near = near[cosines[near] >= edge]
        order = near[np.lexsort((-ids[near], -cosines[near]))][:n]
        return ids[order], cosines[order].astype(np.float64)
