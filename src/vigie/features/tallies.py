"""How often each n-gram occurs in texts that models are fitted on again and again, so that it is counted once."""

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

MAX_NGRAMS = 10_000_000
"""Kept of all texts together, 6 bytes each; 5,000 log lines have 1.3 million. Of more, all are forgotten but those just counted."""


class Tally(NamedTuple):
    """The n-grams of one text: different buckets, rising, and how often each occurs; shape (n,)."""

    buckets: np.ndarray[Any, np.dtype[np.uint32]]
    counts: np.ndarray[Any, np.dtype[np.uint16]]


class Tallies:
    """Counts by text, from any thread.

    Parameters
    ----------
    max_ngrams
        So many are kept.
    """

    def __init__(self, *, max_ngrams: int = MAX_NGRAMS) -> None:
        self._max_ngrams = max_ngrams
        self._known: dict[str, Tally] = {}
        self._size = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._known)

    def known(self, texts: Iterable[str]) -> list[Tally] | None:
        """Return the counts of texts if all were counted before, else None."""
        found = []
        for text in texts if self._known else ():
            tally = self._known.get(text)
            if tally is None:
                return None
            found.append(tally)
        return found or None

    def of(self, texts: Sequence[str], count: Callable[[Sequence[str]], Iterable[Tally]]) -> list[Tally]:
        """Return the counts of texts.

        Parameters
        ----------
        texts
            Equal ones count alike.
        count
            Counts those that are not known, one after the other.
        """
        known = self._known
        new = list(dict.fromkeys(text for text in texts if text not in known))
        counted = dict(zip(new, count(new), strict=True)) if new else {}
        found = [known.get(text) or counted[text] for text in texts]
        if counted:
            self._remember(texts, found, counted)
        return found

    def _remember(self, texts: Sequence[str], found: Sequence[Tally], counted: dict[str, Tally]) -> None:
        with self._lock:
            more = sum(len(tally.buckets) for tally in counted.values())
            if self._size + more > self._max_ngrams:
                # A fresh dictionary: another thread may still read the old one.
                counted = dict(zip(texts, found, strict=True))
                more = sum(len(tally.buckets) for tally in counted.values())
                self._known, self._size = {}, 0
            if more <= self._max_ngrams:
                self._known = self._known | counted
                self._size += more
