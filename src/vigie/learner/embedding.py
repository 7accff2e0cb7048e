"""Encoding the pool in the background, a little at a time, so that no training and no page waits for it."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

import polars as pl

from vigie.classifiers import Encodes, encodes
from vigie.labels import Dimension
from vigie.store import Store

SLICE = 32
"""Templates encoded at one time: a fifth of a second, which an answer may have to wait for its training."""

AHEAD = 2_000
"""Templates looked up at one time."""

PAUSE_SECONDS = 5.0
REST = 20
"""A look-up that took this long is not repeated for so many times as long."""


MAX_UNKNOWN = 300
"""Groups that a ranking may encode, which takes two seconds; the others wait until they are encoded in the background."""


def ready(groups: pl.DataFrame, classifier: object, n: int = MAX_UNKNOWN) -> pl.DataFrame:
    """Return the groups whose embeddings are known and the first `n` of the others, in their order; all if nothing is encoded.

    Parameters
    ----------
    groups
        With ``template``.
    classifier
        Which is to look at them.
    n
        At most so many are encoded.
    """
    if not encodes(classifier):
        return groups
    _, missing = classifier.embeddings.known(groups["template"])
    late = pl.Series(missing[n:], dtype=pl.Int64)
    return groups.filter(~pl.int_range(groups.height, dtype=pl.Int64).is_in(late.implode()))


class Embedding:
    """Encodes the templates of the pool, the largest groups first, and puts the embeddings into the store.

    Parameters
    ----------
    store
        Where groups are and embeddings go.
    make
        Builds a classifier for dimensions; one that does not encode leaves nothing to do.
    clock
        Tells the time.
    """

    def __init__(
        self, store: Store, *, make: Callable[[Sequence[Dimension]], object], clock: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._make = make
        self._clock = clock
        self._encodes: Encodes | None = None
        self._is_known = False
        self._ahead: list[str] = []
        self._not_before: datetime | None = None
        self._done, self._total = 0, 0

    @property
    def is_busy(self) -> bool:
        """Whether there is more to do at once."""
        return bool(self._ahead)

    def step(self, dimensions: Sequence[Dimension]) -> None:
        """Encode a slice of what is missing, and store it with what trainings have encoded meanwhile.

        Raises
        ------
        UnavailableError
            The store does not answer; nothing is lost.
        """
        encodes = self._classifier(dimensions)
        if encodes is None:
            return
        if not self._ahead and (self._not_before is None or self._clock() >= self._not_before):
            self._look(encodes)
        texts, fresh = self._ahead[:SLICE], encodes.embeddings.fresh()
        if texts or fresh:
            self._store_all(encodes, list(dict.fromkeys([*texts, *fresh])))
            del self._ahead[: len(texts)]
            self._done += len(texts)

    def comes_first(self, dimensions: Sequence[Dimension]) -> bool:
        """Tell whether so many answered groups are not encoded that a training would wait for long; they are then encoded next.

        So it is after an import: encoded a slice at a time, they are stored even if the learner is stopped before it trains.
        """
        encodes = self._classifier(dimensions)
        if encodes is None:
            return False
        texts = self._store.embeddings.missing(encodes.embeddings.encoder.digest, AHEAD, answered=True)
        _, unknown = encodes.embeddings.known(pl.Series(texts, dtype=pl.String))
        if len(unknown) <= SLICE:
            return False
        self._ahead = [texts[row] for row in unknown]
        self._done, self._total = 0, len(unknown)
        return True

    def answered(self, dimensions: Sequence[Dimension]) -> Iterator[tuple[int, int]]:
        """Encode and store the answered groups that are not encoded, as a training would; yield how many are done, of how many.

        Raises
        ------
        UnavailableError
            The store does not answer; what was done is kept.
        """
        encodes = self._classifier(dimensions)
        if encodes is None:
            return
        limit = self._store.embeddings.max_rows
        texts = self._store.embeddings.missing(encodes.embeddings.encoder.digest, limit, answered=True)
        _, unknown = encodes.embeddings.known(pl.Series(texts, dtype=pl.String))
        for start in range(0, len(unknown), SLICE):
            rows = unknown[start : start + SLICE]
            self._store_all(encodes, [texts[row] for row in rows])
            yield start + len(rows), len(unknown)

    def details(self) -> dict[str, object]:
        """Return how many templates of how many are embedded; nothing where nothing is encoded. From any thread."""
        return {"embedded": self._done, "to_embed": self._total} if self._total else {}

    def _classifier(self, dimensions: Sequence[Dimension]) -> Encodes | None:
        """Return the classifier if it encodes; a change of settings starts the learner anew."""
        if not self._is_known:
            made = self._make(tuple(dimensions))
            self._encodes, self._is_known = made if encodes(made) else None, True
        return self._encodes

    def _look(self, encodes: Encodes) -> None:
        began, digest = time.monotonic(), encodes.embeddings.encoder.digest
        self._done, self._total = self._store.embeddings.progress(digest)
        if self._done < self._total:
            self._ahead = self._store.embeddings.missing(digest, AHEAD)
        pause = max(PAUSE_SECONDS, REST * (time.monotonic() - began))
        self._not_before = self._clock() + timedelta(seconds=pause)

    def _store_all(self, encodes: Encodes, texts: list[str]) -> None:
        column = pl.Series(texts, dtype=pl.String)
        self._store.embeddings.keep(encodes.embeddings.encoder.digest, column, encodes.embed(column))
        encodes.embeddings.settle(texts)
