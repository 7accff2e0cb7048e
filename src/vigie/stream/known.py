"""What the current model says about templates it has already seen: a bounded memory."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl

FloatArray = np.ndarray[Any, np.dtype[np.float32]]
IntArray = np.ndarray[Any, np.dtype[np.int64]]


class Known:
    """Rows of numbers by template, at most `capacity` of them.

    Two generations share the capacity: what is asked for moves to the young one; when that is full it becomes the old
    one, and what was old and not asked for since is forgotten. So templates that keep coming stay.

    Parameters
    ----------
    width
        Numbers per template.
    capacity
        Templates kept at most.
    compute
        Maps templates (String, length n) to their rows, shape (n, width); must be pure.
    """

    def __init__(self, width: int, capacity: int, compute: Callable[[pl.Series], FloatArray]) -> None:
        self._half = max(capacity // 2, 1)
        self._width = width
        self._compute = compute
        self._young = _Generation(width)
        self._old = _Generation(width)

    def __len__(self) -> int:
        return len(self._young.rows) + len(self._old.rows)

    def look_up(self, templates: pl.Series) -> FloatArray:
        """Return the rows of `templates` (String, unique, no nulls), shape (n, width); only unknown ones are computed."""
        names = templates.to_list()
        found = np.empty((len(names), self._width), dtype=np.float32)
        _, missing = self._young.take(names, np.arange(len(names)), found)
        old, unseen = self._old.take(names, missing, found)
        if len(unseen):
            found[unseen] = self._compute(templates.gather(unseen))
        self._remember(names, np.concatenate([old, unseen]), found)
        return found

    def _remember(self, names: list[str], rows: IntArray, found: FloatArray) -> None:
        for start in range(0, len(rows), self._half):
            part = rows[start : start + self._half]
            if len(self._young.rows) + len(part) > self._half:
                self._old, self._young = self._young, _Generation(self._width)
            self._young.add([names[row] for row in part], found[part])


class _Generation:
    """Templates with their rows, in blocks that grow by doubling."""

    def __init__(self, width: int) -> None:
        self.rows: dict[str, int] = {}
        self._values = np.empty((256, width), dtype=np.float32)

    def take(self, names: Sequence[str], wanted: IntArray, found: FloatArray) -> tuple[IntArray, IntArray]:
        """Fill `found` at the `wanted` rows that are here; return which were, and which were not."""
        at = np.fromiter((self.rows.get(names[row], -1) for row in wanted), dtype=np.int64, count=len(wanted))
        here = at >= 0
        found[wanted[here]] = self._values[at[here]]
        return wanted[here], wanted[~here]

    def add(self, names: list[str], values: FloatArray) -> None:
        """Append rows; the names must be new here."""
        start = len(self.rows)
        need = start + len(names)
        if need > len(self._values):
            grown = np.empty((max(need, 2 * len(self._values)), values.shape[1]), dtype=np.float32)
            grown[:start] = self._values[:start]
            self._values = grown
        self._values[start:need] = values
        self.rows.update(zip(names, range(start, need), strict=True))
