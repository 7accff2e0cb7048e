"""A transactional producer of Kafka that survives every error a transaction can end with."""

import functools
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from vigie.errors import SettingsError, UnavailableError, VigieError
from vigie.kafka import Complaints, connect

logger = logging.getLogger(__name__)


class Transactions:
    """One transaction after the other, under one `transactional.id`.

    What can go wrong, and what is done about it:

    - retriable: the same call again, until the time is over;
    - the transaction is lost (``txn_requires_abort``): :class:`UnavailableError`, and `abort` aborts it;
    - fatal, or nobody knows how a commit ended: :class:`UnavailableError`, and `start` makes a new producer, which
      completes or aborts what the former one left;
    - fenced: :class:`FencedError`.

    Parameters
    ----------
    owner
        The table of `vigie.toml` for errors.
    settings
        Of the producer, with its ``transactional.id``.
    on_undelivered
        Called with the error and each message that a broker did not take, which loses the transaction; returns what
        to raise instead of the transaction's own error.
    timeout_seconds
        How long a call may take in all.
    """

    def __init__(
        self,
        owner: str,
        settings: Mapping[str, Any],
        *,
        on_undelivered: Callable[[KafkaError, Message], VigieError | None],
        timeout_seconds: float = 5.0,
    ) -> None:
        self._owner = owner
        self._complaints = Complaints(owner)
        self._settings = {
            **settings,
            "delivery.report.only.error": True,
            "on_delivery": self._delivered,
            "error_cb": self._complaints,
        }
        self._on_undelivered = on_undelivered
        self._timeout_seconds = timeout_seconds
        self._producer: Producer | None = None
        self._ready = False
        self._begun = False
        self._problem: VigieError | None = None

    def start(self) -> None:
        """Be ready for a transaction; what an earlier producer of this identity left open is aborted first."""
        if self._producer is None:
            self._producer = connect(Producer, self._owner, self._settings)
        if not self._ready:
            self._call(self._producer.init_transactions, "cannot start transactions")
            self._ready = True

    def begin(self) -> None:
        """Begin a transaction unless there is one."""
        if not self._begun:
            self.start()
            self._call(lambda _: self._alive.begin_transaction(), "cannot begin a transaction")
            self._begun = True

    def produce(self, topic: str, rows: Iterable[Sequence[Any]]) -> None:
        """Send messages within the transaction; waits while the client's queue is full.

        Parameters
        ----------
        topic
            Where to.
        rows
            Value, key, partition (-1: by key), milliseconds (0: now), and headers or None.
        """
        send = self._alive.produce
        for value, key, partition, milliseconds, headers in rows:
            try:
                send(topic, value, key, partition, timestamp=milliseconds, headers=headers)
            except BufferError:
                self._send_when_possible(topic, (value, key, partition, milliseconds, headers))
            except KafkaException as problem:
                raise self._explain(problem.args[0], f"cannot write to {topic}") from problem
        self._serve(0)

    def commit(self, offsets: Sequence[TopicPartition], membership: object | None) -> None:
        """Make everything visible, together with the consumer group's offsets where there is a membership."""
        producer = self._alive
        if membership is not None:
            add = functools.partial(producer.send_offsets_to_transaction, list(offsets), membership)
            self._call(functools.partial(_bounded, add), "cannot add the offsets to the transaction")
        self._call(producer.commit_transaction, "cannot commit the transaction")
        self._begun = False

    def abort(self) -> None:
        """Undo everything since `begin`; when that fails, the next producer of this identity does it."""
        if self._producer is None or not self._begun:
            return
        try:
            self._call(self._producer.abort_transaction, "cannot abort the transaction")
        except UnavailableError as problem:
            logger.warning("%s; a new producer will", problem)
            self.discard()
        self._begun = False

    def discard(self) -> None:
        """Give the producer up; a transaction it had open is never committed."""
        if self._producer is not None:
            self._producer.purge()
        self._producer = None
        self._ready = self._begun = False

    @property
    def _alive(self) -> Producer:
        if self._producer is None:
            raise UnavailableError(f"{self._owner}: the producer was given up", retry_after_seconds=0.0)
        return self._producer

    def _send_when_possible(self, topic: str, row: tuple[Any, ...]) -> None:
        value, key, partition, milliseconds, headers = row
        deadline = time.monotonic() + self._timeout_seconds
        while time.monotonic() < deadline:
            self._serve(0.05)
            try:
                self._alive.produce(topic, value, key, partition, timestamp=milliseconds, headers=headers)
            except BufferError:
                continue
            except KafkaException as problem:
                raise self._explain(problem.args[0], f"cannot write to {topic}") from problem
            return
        raise UnavailableError(f"{self._owner}: the brokers took nothing for {self._timeout_seconds:.0f} s")

    def _call(self, call: Callable[[float], object], doing: str) -> None:
        """Call again while the error is retriable, until nothing moved for too long."""
        waiting, deadline = len(self._alive), time.monotonic() + self._timeout_seconds
        while True:
            try:
                call(max(0.1, deadline - time.monotonic()))
            except TimeoutError as problem:
                self.discard()
                raise UnavailableError(f"{self._owner}: {doing}: no broker answers") from problem
            except KafkaException as problem:
                if len(self._alive) < waiting:
                    waiting, deadline = len(self._alive), time.monotonic() + self._timeout_seconds
                if not problem.args[0].retriable() or time.monotonic() >= deadline:
                    raise self._lost(problem.args[0], doing) from problem
                self._serve(0.05)
            else:
                return

    def _serve(self, seconds: float) -> None:
        """Let the client call back; fatal errors come up here."""
        try:
            self._alive.poll(seconds)
        except KafkaException as problem:
            raise self._lost(problem.args[0], "the producer failed") from problem

    def _lost(self, error: KafkaError, doing: str) -> VigieError:
        """Return what to raise, and give up a producer that can do nothing more."""
        if self._ready and not error.txn_requires_abort():
            self.discard()
        return self._explain(error, doing)

    def _explain(self, error: KafkaError, doing: str) -> VigieError:
        known, self._problem = self._problem, None
        return known or self._complaints.explain(error, f"{self._owner}: {doing}")

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            problem = self._on_undelivered(error, message)
            if problem is not None and not isinstance(self._problem, SettingsError):
                self._problem = problem


def _bounded(call: Callable[[float], object], seconds: float) -> None:
    """Call, and give up when it takes longer than it was told.

    librdkafka 2.16 repeats the request that adds offsets for a minute and more when the broker goes away under it. The
    thread it is left to does no harm: the next producer of this identity shuts it out.

    Raises
    ------
    TimeoutError
        The call is still going on.
    """
    outcome: queue.SimpleQueue[KafkaException | None] = queue.SimpleQueue()

    def attempt() -> None:
        """Make the call and say how it ended, in a thread that may be left behind."""
        try:
            call(seconds)
        except KafkaException as problem:
            outcome.put(problem)
        else:
            outcome.put(None)

    threading.Thread(target=attempt, name="vigie-kafka-offsets", daemon=True).start()
    try:
        problem = outcome.get(timeout=seconds + 0.5)
    except queue.Empty:
        raise TimeoutError from None
    if problem is not None:
        raise problem
