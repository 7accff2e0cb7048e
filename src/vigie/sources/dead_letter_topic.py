"""Dead letters from the topic that Kafka's sink keeps them in."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from vigie.errors import UnavailableError
from vigie.kafka import client_settings, connect, explain
from vigie.messages import Position
from vigie.sources.dead_letters import from_topic, letters, no_letters
from vigie.sources.kafka import frame_of

TIMEOUT_SECONDS = 5.0
STALLED_SECONDS = 30.0


class DeadLetterTopic:
    """What stands in the topic when it is opened, and not yet was replayed; what comes later is left for later.

    It resumes at the committed offsets of a consumer group which it never joins: it reads all partitions by itself. A
    sink commits for it in one transaction with its output, and of two replays at a time the transactional id of the
    sink shuts out the first. Reading alone commits nothing.

    Parameters
    ----------
    owner
        The table of `vigie.toml` for errors.
    topic
        Where the dead letters are; when it does not exist, there are none.
    source
        Whose dead letters are wanted, by the name in the settings.
    group
        Whose offsets say what was replayed.
    bootstrap_servers, options
        How to reach the brokers; nothing that only a producer knows is needed.
    clock
        Seconds from any start.
    """

    def __init__(
        self,
        owner: str,
        *,
        topic: str,
        source: str,
        group: str,
        bootstrap_servers: str,
        options: Mapping[str, Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        ours = {
            "bootstrap.servers": bootstrap_servers,
            "group.id": group,
            "enable.auto.commit": "false",
            "enable.auto.offset.store": "false",
            "isolation.level": "read_committed",
            "enable.partition.eof": "true",
            "auto.offset.reset": "earliest",  # what was deleted since cannot be replayed
            "log_level": 3,  # it would warn of each key that only producers know
        }
        self._owner = owner
        self._topic = topic
        self._source = source
        self._settings = client_settings(owner, ours, {}, defaults=client_settings(owner, {}, options or {}))
        self._clock = clock
        self._consumer: Consumer | None = None
        self._ends: dict[int, int] = {}
        self._next: dict[int, int] = {}
        self._moved_at = clock()

    @property
    def exhausted(self) -> bool:
        """Whether everything that stood there was polled."""
        return self._consumer is not None and all(self._next[part] >= end for part, end in self._ends.items())

    def open(self, positions: Sequence[Position]) -> None:
        """Find where the partitions end, and resume where the group is."""
        if self._consumer is None:
            self._consumer = connect(Consumer, self._owner, self._settings)
        try:
            self._ends = self._find_ends(self._consumer)
        except KafkaException as problem:
            raise explain(problem.args[0], f"{self._owner}: cannot read {self._topic}") from problem
        self.rewind(positions)

    def poll(self, max_messages: int, timeout_seconds: float) -> pl.DataFrame:
        """Return the next dead letters of this source, out of at most so many messages.

        Raises
        ------
        UnavailableError
            For half a minute nothing came, though there is something: a transaction is still open.
        """
        if self.exhausted:
            return no_letters()
        polled = self._opened.consume(max_messages, timeout_seconds)
        rows = frame_of([message for message in polled if self._take(message)])
        if polled:
            self._moved_at = self._clock()
        elif self._clock() - self._moved_at > STALLED_SECONDS:
            raise UnavailableError(f"{self._owner}: the end of {self._topic} is held back by an open transaction")
        found = (from_topic(row, self._source) for row in rows.iter_rows(named=True))
        return letters([row for row in found if row is not None])

    def positions(self) -> list[Position]:
        """Return where reading resumes in each partition."""
        return [Position(self._topic, part, offset) for part, offset in sorted(self._next.items()) if offset >= 0]

    def membership(self) -> object | None:
        """Return what makes a sink commit offsets for the group."""
        return self._opened.consumer_group_metadata()

    def rewind(self, positions: Sequence[Position]) -> None:
        """Go back to where the group is; `positions` are none, for a group keeps them."""
        del positions
        try:
            self._assign(self._opened)
        except KafkaException as problem:
            raise explain(problem.args[0], f"{self._owner}: cannot go back in {self._topic}") from problem
        self._moved_at = self._clock()

    def lag(self) -> dict[tuple[str, int], int]:
        """Return how many messages of each partition were not polled yet."""
        return {(self._topic, part): max(0, end - self._next[part]) for part, end in self._ends.items()}

    def close(self) -> None:
        """Let go of the connection."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    @property
    def _opened(self) -> Consumer:
        if self._consumer is None:
            raise RuntimeError(f"{self._owner} is not open")
        return self._consumer

    def _find_ends(self, consumer: Consumer) -> dict[int, int]:
        found = consumer.list_topics(self._topic, timeout=TIMEOUT_SECONDS).topics[self._topic]
        if found.error is not None:
            if found.error.code() in {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC}:  # noqa: SLF001  librdkafka's name
                return {}
            raise KafkaException(found.error)
        parts = [TopicPartition(self._topic, part) for part in sorted(found.partitions)]
        return {part.partition: consumer.get_watermark_offsets(part, timeout=TIMEOUT_SECONDS)[1] for part in parts}

    def _assign(self, consumer: Consumer) -> None:
        parts = [TopicPartition(self._topic, part) for part in self._ends]
        committed = consumer.committed(parts, timeout=TIMEOUT_SECONDS) if parts else []
        for part in committed:
            if part.error is not None:
                raise KafkaException(part.error)
            low = consumer.get_watermark_offsets(TopicPartition(part.topic, part.partition), timeout=TIMEOUT_SECONDS)[0]
            part.offset = max(part.offset, low)
        self._next = {part.partition: part.offset for part in committed}
        consumer.assign(committed)

    def _take(self, message: Message) -> bool:
        """Note how far a partition was read; return whether this is a dead letter that stood there."""
        error, part, offset = message.error(), message.partition(), message.offset()
        if error is not None:
            if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001  librdkafka's name
                raise explain(error, f"{self._owner}: cannot read {self._topic}")
            self._next[part] = max(self._next[part], min(offset, self._ends[part]))
            return False
        fresh = offset < self._ends[part]
        self._next[part] = min(offset + 1, self._ends[part])
        return fresh
