"""Reading everything a Loki query gives, once, whatever comes late."""

import logging
import threading
from collections.abc import Callable
from typing import NamedTuple, Protocol

from vigie.errors import VigieError
from vigie.loki import NANOSECONDS
from vigie.sources.loki_pages import Entry, Page
from vigie.sources.loki_seen import Seen

logger = logging.getLogger(__name__)

AHEAD = 600 * NANOSECONDS
"""How far in the future an entry may be: what Loki allows (creation_grace_period)."""
STEP = 7 * 24 * 3600 * NANOSECONDS
"""The longest range in one query: Loki refuses more than a month, and takes no line older than a week."""
MAX_SEEN = 2_000_000


class Asked(Protocol):
    """What gives the pages."""

    def read(self, start: int, end: int) -> Page:
        """Return the first entries of a range."""


class Fresh(NamedTuple):
    """An entry that was not read before; reading on from `low` finds everything that came after it."""

    entry: Entry
    low: int


class Reader:
    """Goes through time in passes, each from some nanosecond up to the present.

    ``cursor`` is the newest nanosecond read. ``low`` is the nanosecond before which nothing more is expected: it is
    `lateness` behind ``cursor``, and everything before it was read when it was at least `lateness` old. So a line is
    found when it comes within `lateness` of its own time, or is no more than that behind the newest. A pass begins

    - at ``cursor``, as a rule, or `lateness` ago when that is later;
    - at ``low`` when the last such pass is half of `lateness` ago: it finds what came late in between;
    - where the tail saw something, when that is between both.

    Everything read from ``low`` on is remembered, so the passes overlap and nothing is given twice. A backlog is one
    pass: nothing of it is read twice but the last nanosecond of each page, and its last `lateness`.

    Parameters
    ----------
    pages
        What is asked.
    seen
        What was read from `low` on.
    low
        Where to begin, in nanoseconds.
    lateness
        How late an entry may arrive, in nanoseconds.
    clock
        Nanoseconds since 1970.
    max_seen
        How many entries are remembered at most; then ``low`` jumps to ``cursor``, and late lines before it are lost.
    """

    def __init__(
        self,
        pages: Asked,
        seen: Seen,
        *,
        low: int,
        lateness: int,
        clock: Callable[[], int],
        max_seen: int = MAX_SEEN,
    ) -> None:
        self._pages = pages
        self._seen = seen
        self._lateness = lateness
        self._clock = clock
        self._max_seen = max_seen
        self.low = low
        self.cursor = low
        self._settled = low  # everything before it was read when it was at least `lateness` old
        self.finished = False
        """Whether a pass has reached the present."""
        self._next: int | None = None
        self._end = 0
        self._from_low = False
        self._begun = 0
        self._swept: int | None = None
        self._lock = threading.Lock()
        self._look: int | None = None

    @property
    def behind(self) -> bool:
        """Whether a pass has not reached the present yet."""
        return self._next is not None

    @property
    def told(self) -> bool:
        """Whether somebody said where to look since the last pass began."""
        return self._look is not None

    def look(self, nanosecond: int) -> None:
        """Say that something is new at a nanosecond; from any thread."""
        with self._lock:
            self._look = nanosecond if self._look is None else min(self._look, nanosecond)

    def read(self, n: int) -> list[Fresh]:
        """Return new entries: at least `n`, unless the pass comes to its end or a server fails meanwhile.

        Raises
        ------
        VigieError
            The first page failed already; nothing is lost, and the next call goes on there.
        """
        fresh: list[Fresh] = []
        if self._next is None:
            self._begin()
        while self._next is not None and len(fresh) < n:
            try:
                fresh += self._turn(self._next)
            except VigieError:
                if not fresh:
                    raise
                break  # what was read must not be lost; the next call meets the failure again
        return fresh

    def _begin(self) -> None:
        self._begun = self._clock()
        self._end = self._begun + AHEAD
        with self._lock:
            look, self._look = self._look, None
        due = self._swept is None or self._begun - self._swept >= self._lateness // 2
        # A stream that is quiet for days is not searched from its last line each time, but with every pass from `low`.
        start = max(self.cursor, self._begun - self._lateness) if look is None else min(look, self.cursor)
        self._next = self.low if due else max(self.low, start)
        self._from_low = self._next <= self.low

    def _turn(self, start: int) -> list[Fresh]:
        """Read one page, and note how far everything is read."""
        now, low = self._clock(), self.low
        end = min(start + STEP, self._end)
        page = self._pages.read(start, end)
        fresh = [Fresh(entry, low) for entry in page.entries if self._seen.add(entry.nanosecond, entry.digest)]
        last = self.cursor if page.last is None else page.last
        reached = last if page.full else end
        at_end = not page.full and end >= self._end
        self.cursor = max(self.cursor, min(last if at_end else reached, now))
        if start <= self._settled:
            self._settled = max(self._settled, min(reached, self.cursor, now - self._lateness))
        self.low = max(low, min(self._settled, self.cursor - self._lateness))
        self._bound()
        self._next = None if at_end else reached
        if at_end:
            self.finished = True
            self._swept = self._begun if self._from_low else self._swept
        return fresh

    def _bound(self) -> None:
        if len(self._seen) > self._max_seen:
            logger.warning(
                "Loki gives more than %d entries within the lateness; those that come late are not found any more; "
                "lower lateness_seconds or narrow the query",
                self._max_seen,
            )
            self.low = self.cursor
            self._settled = max(self._settled, self.low)
        self._seen.forget(self.low)
