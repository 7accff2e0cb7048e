"""Messages from Grafana Loki: `query_range` for what there is, `tail` for when to look."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from vigie.errors import SettingsError
from vigie.loki import NANOSECONDS, Access
from vigie.messages import Position, batch, empty_batch
from vigie.parameters import Bundle
from vigie.sources.loki_pages import Pages
from vigie.sources.loki_reader import Fresh, Reader
from vigie.sources.loki_seen import Journal, Record, Seen
from vigie.sources.loki_tail import Tail

logger = logging.getLogger(__name__)

PARTITION = 0
MOST_AT_ONCE = 20_000
MOST_SECONDS = 10**9  # thirty years
QUIET_FACTOR = 5
"""How much longer to wait between two queries while the tail listens and says nothing."""


class _Row(NamedTuple):
    """An entry with the offset under which it leaves."""

    offset: int
    fresh: Fresh


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch(Bundle):
    """Which lines are read, and how often.

    Parameters
    ----------
    query
        LogQL that selects lines: ``{app="shop"} |= "error"``.
    since_seconds
        How far back a source without position begins.
    lateness_seconds
        How late a line may arrive in Loki, or how far behind the newest, and still be found: as long as an agent may be cut
        off. Lines of that time are remembered (100 bytes each) and asked for again twice in it.
    page_entries
        Lines in one query; a server that allows fewer says so and is heard.
    poll_seconds
        How often to ask when nothing is new; five times as long while the tail listens.
    tail
        Whether to listen on the WebSocket, which brings new lines within some 100 ms.
    """

    query: str
    since_seconds: float = 3600.0
    lateness_seconds: float = 60.0
    page_entries: int = 5000
    poll_seconds: float = 1.0
    tail: bool = True

    def check(self, owner: str) -> None:
        """Refuse values that cannot be used.

        Raises
        ------
        SettingsError
            One is out of its range; the message names it as one of the table `owner`.
        """
        if not self.query.strip().startswith("{"):
            raise SettingsError(
                f'{owner}.query is {self.query!r:.100}; expected LogQL that selects lines, such as {{app="shop"}}'
            )
        for name, value in (("since_seconds", self.since_seconds), ("lateness_seconds", self.lateness_seconds)):
            if not 0 <= value <= MOST_SECONDS:
                raise SettingsError(f"{owner}.{name} is {value}; expected a number from 0 to {MOST_SECONDS}")
        if self.page_entries < 1:
            raise SettingsError(f"{owner}.page_entries is {self.page_entries}; expected at least 1")
        if not 0 < self.poll_seconds <= MOST_SECONDS:
            raise SettingsError(
                f"{owner}.poll_seconds is {self.poll_seconds}; expected a number above 0, at most {MOST_SECONDS}"
            )


class LokiSource:
    """Lines that a LogQL query selects, each once, in the order Loki has them; those that come late follow later.

    A message is JSON: the line under ``message``, and under ``loki`` its nanosecond, stream labels, structured metadata
    and what the query parsed, so that a sink can write it back to where it belongs. Lines that Vigie wrote (stream label
    ``labelled_by="vigie"``) are left out.

    The *offset* of a message is its nanosecond, or one more than the last offset where that is not larger (lines of one
    nanosecond, late lines); so offsets only grow and each stands once. A *position* is the query, partition 0 and the
    next offset. Which lines of the last seconds were polled already is more than a position can say: that is written to
    a journal in the project directory before the lines leave, and cut back to the committed position at the next start.
    So every line comes once, whatever is killed, and whatever came late meanwhile. When the journal is gone (another
    machine), the last `lateness_seconds` before the position are read again, which may give lines twice but loses none.
    A position of another query counts as well: a changed query goes on where the old one was. One worker reads a source.

    Parameters
    ----------
    name
        Its name in the settings.
    access
        The server, and as whom it is asked.
    watch
        Which lines are read, and how often.
    until_end
        Be exhausted when the present is reached.
    folder
        The project directory, for the journal.
    clock
        Nanoseconds since 1970.
    """

    def __init__(
        self,
        name: str,
        *,
        access: Access,
        watch: Watch,
        until_end: bool = False,
        folder: Path | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        watch.check(access.owner)
        self._access = access
        self._query = watch.query
        self._since = int(watch.since_seconds * NANOSECONDS)
        self._lateness = int(watch.lateness_seconds * NANOSECONDS)
        self._poll_seconds = watch.poll_seconds
        self._until_end = until_end
        self._clock = clock
        self._pages = Pages(access, watch.query, page_entries=watch.page_entries)
        self._journal = Journal(folder / ".vigie" / f"loki-{name}.journal" if folder else None)
        self._wants_tail = watch.tail and not until_end
        self._tail: Tail | None = None
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._seen = Seen()
        self._reader: Reader | None = None
        self._reading: _Reading | None = None
        self._read_at = float("-inf")
        self._ready: deque[_Row] = deque()
        self._kept: deque[_Row] = deque()  # polled, not committed
        self._last = 0  # the last offset given to an entry
        self._next: int | None = None  # where reading resumes

    @property
    def exhausted(self) -> bool:
        """Whether the end was asked for, and everything up to the present was polled."""
        reader = self._reader
        return bool(self._until_end and reader and reader.finished and not self._ready and self._reading is None)

    def open(self, positions: Sequence[Position]) -> None:
        """Resume at `positions`; the server is asked with the first poll."""
        self._access.trust()
        self._restore(_resumed(positions))
        if self._wants_tail and self._tail is None:
            self._tail = Tail(self._access, self._query, look=self._look, clock=self._clock)
            self._tail.start()

    def poll(self, max_messages: int, timeout_seconds: float) -> pl.DataFrame:
        """Return the next messages; ``timestamp`` is the line's own.

        Raises
        ------
        UnavailableError
            Loki does not answer now, or asks to be left alone for a while (429).
        SettingsError
            It refuses the query or who asks, or one nanosecond holds more lines than it hands out.
        """
        deadline = time.monotonic() + timeout_seconds
        while not self._ready and not self.exhausted:
            left = deadline - time.monotonic()
            self._fetch(max(0.0, left))
            if left <= 0:
                break
        rows = [self._ready.popleft() for _ in range(min(max_messages, len(self._ready)))]
        if self._opened.behind and not self._ready:
            self._begin()  # the next pages come while these messages are worked on
        return self._leave(rows)

    def positions(self) -> list[Position]:
        """Return the offset after the last message polled; nothing before the first."""
        return [] if self._next is None else [Position(self._query, PARTITION, self._next)]

    def membership(self) -> None:
        """Return None: one worker reads the query."""

    def rewind(self, positions: Sequence[Position]) -> None:
        """Go back to `positions`: what was polled and not committed comes again, offsets and order the same."""
        resume = _resumed(positions)
        if resume is not None and not (self._kept and self._kept[0].offset <= resume) and resume != self._next:
            self._restore(resume)
            return
        again = [row for row in self._kept if resume is None or row.offset >= resume]
        self._ready.extendleft(reversed(again))
        self._kept = deque(row for row in self._kept if resume is not None and row.offset < resume)
        self._journal.cut(0 if resume is None else resume)
        self._next = resume

    def committed(self, positions: Sequence[Position]) -> None:
        """Let go of what is before `positions`."""
        resume = _resumed(positions)
        with self._lock:  # a worker may commit one batch while it polls the next
            last = None
            while resume is not None and self._kept and self._kept[0].offset < resume:
                last = self._kept.popleft()
            if resume is not None and last is not None:
                self._journal.trim(len(self._seen) + len(self._kept), last.fresh.low, resume)

    def lag(self) -> dict[tuple[str, int], int]:
        """Return how many messages were read and not polled; nothing in a backlog, whose length Loki does not tell."""
        return {} if self._reader is None or self._reader.behind else {(self._query, PARTITION): len(self._ready)}

    def close(self) -> None:
        """Let go of connections and journal; may be called twice."""
        if self._tail is not None:
            self._tail.close()
            self._tail = None
        self._settle()
        self._pages.close()
        self._journal.close()

    @property
    def _opened(self) -> Reader:
        if self._reader is None:
            raise ValueError(f"{self._access.owner} is not open")
        return self._reader

    def _restore(self, resume: int | None) -> None:
        """Begin at an offset, knowing what was polled before it."""
        self._settle()
        records = self._journal.open(0 if resume is None else resume)
        self._seen = Seen()
        if resume is None:
            low = self._clock() - self._since
        elif records and records[-1].offset == resume - 1:
            low = records[-1].low
            for record in records:
                self._seen.add(record.nanosecond, record.digest)
        else:
            low = resume - 1 - self._lateness
            logger.warning(
                "%s: the journal of what was read is gone; the last %.0f s before the position are read again, "
                "so some messages may come twice",
                self._access.owner,
                self._lateness / NANOSECONDS,
            )
        self._reader = Reader(self._pages, self._seen, low=low, lateness=self._lateness, clock=self._clock)
        self._ready.clear()
        self._kept.clear()
        self._next, self._last = resume, (resume or 1) - 1
        self._read_at = float("-inf")

    def _fetch(self, timeout_seconds: float) -> None:
        """Wait for entries, or for the time to ask for some."""
        if self._reading is None and not self._is_due():
            self._wake.wait(min(timeout_seconds, max(0.001, self._due_in())))
            if not self._is_due():
                return
        self._begin()
        reading = self._reading
        if reading is None or not reading.wait(timeout_seconds):
            return
        self._reading, self._read_at = None, time.monotonic()
        for fresh in reading.result():
            self._last = max(fresh.entry.nanosecond, self._last + 1)
            self._ready.append(_Row(self._last, fresh))

    def _begin(self) -> None:
        if self._reading is None:
            self._wake.clear()
            reader = self._opened
            self._reading = _Reading(lambda: reader.read(MOST_AT_ONCE))

    def _is_due(self) -> bool:
        return self._opened.behind or self._wake.is_set() or self._due_in() <= 0

    def _due_in(self) -> float:
        listening = self._tail is not None and self._tail.listening
        return self._read_at + self._poll_seconds * (QUIET_FACTOR if listening else 1) - time.monotonic()

    def _look(self, nanosecond: int | None) -> None:
        """Take a hint of the tail; from its thread."""
        if nanosecond is not None and self._reader is not None:
            self._reader.look(nanosecond)
        self._wake.set()

    def _settle(self) -> None:
        """Wait for the query under way, and forget what it gave; one that takes long closes its own connection."""
        if self._reading is not None:
            if not self._reading.wait(1.0):
                self._reading.abandon(self._pages.close)
                self._pages = self._pages.anew()
            self._reading = None

    def _leave(self, rows: Sequence[_Row]) -> pl.DataFrame:
        """Write down what leaves, and return it as a batch."""
        if not rows:
            return empty_batch()
        records = [Record(offset, entry.nanosecond, low, entry.digest) for offset, (entry, low) in rows]
        with self._lock:
            self._journal.append(records)
            self._kept.extend(rows)
        self._next = rows[-1].offset + 1
        columns: dict[str, Sequence[Any] | pl.Series] = {
            "payload": [row.fresh.entry.payload for row in rows],
            "offset": [row.offset for row in rows],
            "timestamp": pl.Series([row.fresh.entry.nanosecond for row in rows]).cast(pl.Datetime("ns", "UTC")),
        }
        return batch(columns, stream=self._query, partition=PARTITION)


class _Reading:
    """A read under way in a thread of its own, so that a slow server never holds a poll, nor the end of the program."""

    def __init__(self, read: Callable[[], list[Fresh]]) -> None:
        self._read = read
        self._done = threading.Event()
        self._fresh: list[Fresh] = []
        self._problem: BaseException | None = None
        self._lock = threading.Lock()
        self._last: Callable[[], object] | None = None
        threading.Thread(target=self._run, daemon=True).start()

    def wait(self, timeout_seconds: float) -> bool:
        """Return whether it is done."""
        return self._done.wait(timeout_seconds)

    def abandon(self, last: Callable[[], object]) -> None:
        """Call `last` when it is done, which may be now; nobody waits for it any more."""
        with self._lock:
            self._last = last
            if not self._done.is_set():
                return
        last()

    def result(self) -> list[Fresh]:
        """Return what was read, or raise what went wrong."""
        if self._problem is not None:
            raise self._problem
        return self._fresh

    def _run(self) -> None:
        try:
            self._fresh = self._read()
        except BaseException as problem:  # noqa: BLE001  the poll that waits for it raises it
            self._problem = problem
        with self._lock:
            self._done.set()
            last = self._last
        if last is not None:
            last()


def _resumed(positions: Sequence[Position]) -> int | None:
    return max((position.offset for position in positions), default=None)
