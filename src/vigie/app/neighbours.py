"""Which groups are like another one: vectors of those that nobody has answered, kept in memory and up to date in the background."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from vigie.errors import VigieError
from vigie.features import projection
from vigie.features.nearest import Nearest
from vigie.labelling import Near
from vigie.learner.ranking import knowing
from vigie.store import Store

log = logging.getLogger(__name__)
FloatArray = np.ndarray[Any, np.dtype[np.float64]]
Vectors = Callable[[pl.Series], FloatArray]

MAX_GROUPS = 100_000
"""Of the largest groups without an answer, so many have a vector of their n-grams; 51 MB. The smaller ones are not offered."""

MAX_EMBEDDED = 10_000
"""So many have one of what they mean, where the model knows; 15 MB, and a small encoder takes a minute or two."""

MAX_NEAR = 2_000
"""How many neighbours are looked through for such as are free."""

FIRST_SECONDS = 2.0
"""How long the first who asks waits for vectors; then it is answered from those that there are."""

PAUSE_SECONDS = 5.0
SETTLE_SECONDS = 1.0
"""Who asks goes first: what came meanwhile is read after so long."""

_GROWN = 1.5  # the n-grams are counted anew once there are so many times as many groups
_FEW = 1_000  # groups that count as so many: a young pool grows by leaps
_COUNTED = 20_000  # groups whose n-grams are counted
_PROJECTED_AT_ONCE = 1_000
_EMBEDDED_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class _Space:
    """Vectors of one kind; `size` is how many groups there were when it was laid out."""

    kind: str
    vectors: Vectors
    size: int
    index: Nearest


class Neighbours:
    """The groups that may take an answer, by where their templates lie; from any thread.

    Sentence embeddings where the model in use has them, n-grams projected as in `vigie.features.projection` elsewhere and
    until the embeddings are there. A thread of its own reads groups that came and drops those that were answered; it works at
    most half of the time, and ends when there is nothing more to do.

    Parameters
    ----------
    store
        Where groups are.
    model
        Returns the model version in use, or None.
    """

    def __init__(self, store: Store, model: Callable[[], object | None]) -> None:
        self._store = store
        self._model = model
        self._space: _Space | None = None
        self._wanted = 0
        self._first = threading.Event()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._not_before = 0.0
        self._seen: object = None

    def near(self, template: str, least: float) -> Near:
        """Return the groups nearest to a template, itself perhaps among them; those with a lower cosine than `least` not."""
        self.prepare()
        self._first.wait(FIRST_SECONDS)
        space = self._space
        if space is None:
            return Near(of=self._wanted)
        vector = space.vectors(pl.Series([template], dtype=pl.String))[0]
        ids, cosines = space.index.nearest(vector, MAX_NEAR, least)
        return Near(ids.tolist(), cosines.tolist(), len(space.index), max(self._wanted, len(space.index)))

    def prepare(self) -> None:
        """Catch up in the background, if that is not under way and was not done just now."""
        with self._lock:
            running = self._thread is not None and self._thread.is_alive()
            if running or self._stop.is_set() or time.monotonic() < self._not_before:
                return
            self._not_before = time.monotonic() + PAUSE_SECONDS
            self._thread = threading.Thread(target=self._work, name="vigie-neighbours", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop; waits for what is under way."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _work(self) -> None:
        try:
            self._catch_up()
        except VigieError as error:
            log.warning("similar groups are not up to date: %s", error, extra={"action": "neighbours_failed"})
        except Exception:  # the outermost frame of this thread: nobody else would notice that it ended
            log.exception("similar groups are not up to date", extra={"action": "neighbours_failed"})
        finally:
            self._not_before = time.monotonic() + PAUSE_SECONDS

    def _catch_up(self) -> None:
        """Drop what was answered, read what came, and change to the kind of vectors that the model in use has."""
        model = self._model()
        embedder = knowing(getattr(model, "classifier", None))
        kind = "n-grams" if embedder is None else f"meanings of {_identity(embedder, model)}"
        situation = (self._store.pool.size(), self._store.annotations.last_id(), kind)
        if situation == self._seen or (self._space is not None and self._stop.wait(SETTLE_SECONDS)):
            return
        group_ids = self._store.alike.groups(MAX_GROUPS)
        if embedder is None or self._space is None:
            self._read(self._by_ngrams(group_ids), group_ids, _PROJECTED_AT_ONCE)
        if embedder is not None:
            known = self._space if self._space is not None and self._space.kind == kind else None
            space = replace(known or _Space(kind, embedder.vectors, 0, Nearest()), vectors=embedder.vectors)
            self._read(space, group_ids[:MAX_EMBEDDED], _EMBEDDED_AT_ONCE)
        if not self._stop.is_set():
            self._seen = situation

    def _by_ngrams(self, group_ids: Sequence[int]) -> _Space:
        """Return the space of n-grams, a new one when there is none or the pool has grown much since."""
        space, size = self._space, max(len(group_ids), _FEW)
        if space is not None and space.kind == "n-grams" and size <= _GROWN * space.size:
            return space
        counted = self._store.alike.templates(group_ids[:_COUNTED])["template"]
        return _Space("n-grams", projection.fitted(counted), size, Nearest())

    def _read(self, space: _Space, group_ids: Sequence[int], at_once: int) -> None:
        """Make a space hold just these groups; one that is new is used when it is complete, or if there is no other."""
        self._wanted = len(group_ids)
        if self._space is None:
            self._space = space
        space.index.keep(group_ids)
        known = set(space.index.ids.tolist())
        missing = [group_id for group_id in group_ids if group_id not in known]
        for start in range(0, len(missing), at_once):
            began = time.monotonic()
            found = self._store.alike.templates(missing[start : start + at_once])
            space.index.add(found["group_id"].to_numpy(), space.vectors(found["template"]))
            self._first.set()
            if self._stop.wait(time.monotonic() - began):  # half of one processor at most
                return
        self._space = space
        self._first.set()


def _identity(embedder: Any, model: Any) -> str:
    """Return what tells encoders apart; where a classifier does not say, each of its versions has its own."""
    digest = getattr(embedder, "parameters", {}).get("encoder_digest")
    return str(digest or f"{embedder.name} {model.version}")
