"""The loop of the stream role: from a source to a sink, every message exactly once."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import polars as pl

from vigie.errors import MessageError, UnavailableError, VigieError
from vigie.messages import SCHEMA, Position
from vigie.sinks import Sink
from vigie.sources import CommitListener, Source

T = TypeVar("T")

logger = logging.getLogger(__name__)

STAGE = "process"
LONGEST_WAIT_SECONDS = 30.0
SMALL_SHARE = 0.5
"""The source is nearly empty when less than this share of a batch came, and less is waiting."""


class Process(Protocol):
    """Turns a batch into enriched messages (with ``output``) and dead letters (with ``stage`` and ``error``)."""

    def __call__(self, batch: pl.DataFrame, /) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return every row of `batch` in exactly one of the two; called again with the same rows after a failure."""


class Record(Protocol):
    """Keeps what the pool and the charts need of a batch."""

    def __call__(self, messages: pl.DataFrame, dead_letters: pl.DataFrame, /) -> object:
        """Take note of a batch; may see the same positions twice and must count them once."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How batches are cut.

    ``max_batch`` messages at most; each waits at most ``max_delay_seconds`` for company, and one that comes after a
    pause as long goes at once.
    """

    max_batch: int = 20_000
    max_delay_seconds: float = 0.2


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What became of one batch, and how many seconds each step took (poll, process, write, record, commit)."""

    source: str
    n_messages: int
    n_dead_letters: int
    seconds: Mapping[str, float]
    lag: Mapping[tuple[str, int], int]


@dataclass(frozen=True, slots=True)
class _Polled:
    """A batch with everything its commit needs, so that a later poll cannot change it."""

    batch: pl.DataFrame
    positions: Sequence[Position]
    membership: object | None
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Processed:
    """A batch that can be written."""

    polled: _Polled
    messages: pl.DataFrame
    dead_letters: pl.DataFrame

    def __len__(self) -> int:
        return self.messages.height + self.dead_letters.height


class Worker:
    """Moves batches from a source to a sink, each in this order.

    1. poll: the batch, the positions after it and the membership belong together from here on;
    2. process: decode, normalise, label, route, enrich; one call sees one model, so no batch is mixed;
    3. write: to the sink, still undone by `abort`;
    4. record: to the store, which ignores positions it knows;
    5. commit: output, dead letters and positions become visible in one step;
    6. the source is told, if it keeps what was not committed.

    A crash before 5 leaves nothing but what 4 recorded, which the replay does not count again. When a server does not
    answer at any step (:class:`UnavailableError`), the sink aborts, says what is committed, the source goes back
    there, and the worker goes on after a wait. A message that no step can deal with (:class:`MessageError`) becomes a
    dead letter. Any other error ends the worker with 5 undone.

    While much is waiting, steps overlap: one thread does 3 to 5 for a batch, as this one does 2 for the next batch, which was
    polled before. Polling never overlaps with a commit, so that a rebalance finds nothing half committed. A failure
    drops the batch that was processed ahead; it comes again.

    Parameters
    ----------
    source, sink
        Where messages come from and go to; the worker opens and closes both.
    name
        The source's name in the settings; the sink keeps positions under it.
    process, record
        Steps 2 and 4.
    pace
        How batches are cut.
    clock
        Seconds from any start.
    on_batch
        Called after each commit.
    """

    def __init__(
        self,
        source: Source,
        sink: Sink,
        *,
        name: str,
        process: Process,
        record: Record = lambda _messages, _dead_letters: None,
        pace: Pace | None = None,
        clock: Callable[[], float] = time.monotonic,
        on_batch: Callable[[BatchReport], None] = lambda _: None,
    ) -> None:
        self._source = source
        self._sink = sink
        self._name = name
        self._process = process
        self._record = record
        self._pace = pace or Pace()
        self._clock = clock
        self._on_batch = on_batch
        self._opened = False
        self._consistent = False
        self._next_poll = clock()
        self._ahead: _Processed | None = None
        self._finisher = ThreadPoolExecutor(1, f"vigie-{name}-finish")
        self._n_failures = 0
        self.problem: str | None = None
        """What the worker waits for; None while it works."""

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set or the source is exhausted, and close source and sink.

        Raises
        ------
        VigieError
            Something that waiting does not cure; nothing of the last batch was committed.
        """
        try:
            while not stop.is_set() and not self._done:
                self._step_or_wait(stop)
        finally:
            self.close()

    def step(self) -> BatchReport | None:
        """Move one batch; None when there was nothing to move.

        Raises
        ------
        UnavailableError
            A server does not answer; nothing was committed, and the next step begins by going back.
        """
        if not self._consistent:
            self._recover()
        self._consistent = False
        started = self._clock()
        batch, self._ahead = self._ahead or self._prepare(self._pace.max_delay_seconds), None
        report = None if batch is None else self._move(batch)
        self._consistent = True
        pause = 0.0 if batch is not None and self._much_is_waiting(batch) else self._pace.max_delay_seconds
        self._next_poll = 0.0 if self._ahead else started + pause
        return report

    def close(self) -> None:
        """Undo what is not committed, and let go of sink and source; may be called twice."""
        self._finisher.shutdown()
        for part in (self._sink, self._source):
            with contextlib.suppress(VigieError):  # whatever is left half done is undone by the next open
                part.close()

    def _step_or_wait(self, stop: threading.Event) -> None:
        if stop.wait(max(0.0, self._next_poll - self._clock())):
            return
        try:
            self.step()
        except UnavailableError as problem:
            self._n_failures += 1
            seconds = self._patience(problem)
            self.problem = str(problem)
            logger.warning("%s: %s; trying again in %.1f s", self._name, problem, seconds)
            stop.wait(seconds)
        else:
            self._n_failures, self.problem = 0, None

    def _patience(self, problem: UnavailableError) -> float:
        doubled = problem.retry_after_seconds * 2 ** min(self._n_failures - 1, 10)
        return min(LONGEST_WAIT_SECONDS, max(doubled, 0.1 * (self._n_failures - 1)))

    def _recover(self) -> None:
        """Bring sink and source to the last commit: only the sink knows whether an interrupted one went through."""
        self._ahead = None
        if self._opened:
            self._sink.abort()
        positions = self._sink.open(self._name)
        if self._opened:
            self._source.rewind(positions)
        else:
            self._source.open(positions)
            self._opened = True

    @property
    def _done(self) -> bool:
        return self._consistent and self._ahead is None and self._source.exhausted

    def _much_is_waiting(self, batch: _Processed) -> bool:
        limit = SMALL_SHARE * self._pace.max_batch
        return len(batch) >= limit or sum(self._source.lag().values()) >= limit

    def _prepare(self, timeout_seconds: float) -> _Processed | None:
        """Poll and process; None when nothing came."""
        polled = self._poll(timeout_seconds)
        return None if polled is None else self._processed(polled)

    def _poll(self, timeout_seconds: float) -> _Polled | None:
        seconds: dict[str, float] = {}
        batch = self._timed(seconds, "poll", lambda: self._source.poll(self._pace.max_batch, timeout_seconds))
        if batch.is_empty():
            return None
        return _Polled(batch, self._source.positions(), self._source.membership(), seconds)

    def _processed(self, polled: _Polled) -> _Processed:
        return _Processed(polled, *self._timed(polled.seconds, "process", lambda: self._process_all(polled.batch)))

    def _move(self, batch: _Processed) -> BatchReport:
        """Write and commit a batch, and process the next one meanwhile where there is one; a failure of that comes last."""
        following = None
        try:
            following = self._poll(0.0) if self._much_is_waiting(batch) else None
        finally:
            report = self._finish_while(batch, following)
        return report

    def _finish_while(self, batch: _Processed, following: _Polled | None) -> BatchReport:
        finished = self._finisher.submit(self._finish, batch)
        try:
            self._ahead = None if following is None else self._processed(following)
        finally:
            finished.result()
            report = self._tell(batch)
        return report

    def _finish(self, batch: _Processed) -> None:
        polled, messages, dead_letters = batch.polled, batch.messages, batch.dead_letters
        self._timed(polled.seconds, "write", lambda: self._sink.write(messages, dead_letters))
        self._timed(polled.seconds, "record", lambda: self._record(messages, dead_letters))
        self._timed(polled.seconds, "commit", lambda: self._sink.commit(polled.positions, polled.membership))

    def _tell(self, batch: _Processed) -> BatchReport:
        polled = batch.polled
        self._n_failures = 0
        if isinstance(self._source, CommitListener):
            self._source.committed(polled.positions)
        n_messages, n_dead_letters = batch.messages.height, batch.dead_letters.height
        report = BatchReport(self._name, n_messages, n_dead_letters, polled.seconds, self._source.lag())
        self._on_batch(report)
        return report

    def _process_all(self, batch: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Process a batch; one that holds a message nobody can deal with is halved until that message is alone."""
        try:
            return self._process(batch)
        except MessageError as problem:
            if batch.height == 1:
                return _as_dead_letter(batch, str(problem))
        middle = batch.height // 2
        halves = [self._process_all(half) for half in (batch.head(middle), batch.tail(-middle))]
        messages, dead_letters = zip(*halves, strict=True)
        return pl.concat(messages, how="diagonal"), pl.concat(dead_letters, how="diagonal")

    def _timed(self, seconds: dict[str, float], step: str, call: Callable[[], T]) -> T:
        started = self._clock()
        result = call()
        seconds[step] = self._clock() - started
        return result


def _as_dead_letter(message: pl.DataFrame, error: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    dead_letter = message.select(list(SCHEMA)).with_columns(stage=pl.lit(STAGE), error=pl.lit(error))
    return dead_letter.clear().with_columns(output=pl.lit(None, pl.Binary)), dead_letter
