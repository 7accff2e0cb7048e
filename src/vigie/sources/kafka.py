"""Messages from Kafka topics, as one member of a consumer group."""

import contextlib
import difflib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from vigie.errors import SettingsError, VigieError
from vigie.kafka import Complaints, client_settings, connect, explain, hopeless
from vigie.messages import Position, batch, empty_batch

logger = logging.getLogger(__name__)

Key = tuple[str, int]

TIMEOUT_SECONDS = 5.0
GRACE_SECONDS = 5.0
"""How long a member without partitions waits for some before it believes that it is not needed."""
HELD_BACK = "docs/explanation/exactly-once.md says what to do where it lasts"
STATIC_ID = "group.instance.id"
MAX_OFFSET = 2**63 - 1
MAX_MILLISECONDS = 2**63 // 10**6 - 1
"""The last time that nanoseconds in 64 bits can hold (the year 2262); a later one is not a time."""

DEFAULTS: Mapping[str, Any] = {
    "auto.offset.reset": "earliest",
    # librdkafka pauses a second when its queue is full, which is longer than the queue lasts at full speed.
    "fetch.queue.backoff.ms": 20,
    "queued.max.messages.kbytes": 16_384,
    "queued.min.messages": 20_000,
}


class KafkaSource:
    """Reads topics with a consumer group; committing is the sink's task, in one transaction with its output.

    A partition resumes at the position that the sink kept, else at the group's committed offset, else where
    ``auto.offset.reset`` says (at its beginning unless told otherwise).

    Parameters
    ----------
    name
        Its name in the settings.
    topics
        One or more names; one that begins with ``^`` is a regular expression.
    bootstrap_servers
        Brokers to ask first, ``host:port`` with commas between.
    group
        The consumer group; workers with the same one share the partitions.
    options
        Further keys of librdkafka: TLS, SASL, limits; ``group.instance.id`` (static membership) gets the worker's instance appended.
    until_end
        Be exhausted where the partitions ended when they were assigned, instead of waiting for more.
    instance
        Tells workers of one group apart.
    clock
        Seconds from any start.
    """

    def __init__(
        self,
        name: str,
        *,
        topics: str | Sequence[str],
        bootstrap_servers: str = "localhost:9092",
        group: str = "vigie",
        options: Mapping[str, Any] | None = None,
        until_end: bool = False,
        instance: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._owner = f"sources.{name}"
        self._topics = [topics] if isinstance(topics, str) else list(topics)
        if not self._topics:
            raise SettingsError(f"{self._owner}.topics is empty; expected at least one topic")
        self._complaints = Complaints(self._owner)
        self._settings = self._configure(bootstrap_servers, group, options or {}, until_end=until_end)
        if STATIC_ID in self._settings:
            self._settings[STATIC_ID] = f"{self._settings[STATIC_ID]}-{instance}"
        self._until_end = until_end
        self._clock = clock
        self._consumer: Consumer | None = None
        self._kept: dict[Key, int] = {}  # where the sink says to resume
        self._assigned: set[Key] = set()
        self._assigned_at: float | None = None
        self._first: dict[Key, int] = {}  # the first offset polled since the partition was assigned
        self._next: dict[Key, int] = {}  # where reading resumes after what was polled
        self._targets: dict[Key, int] = {}
        self._ended: set[Key] = set()

    @property
    def exhausted(self) -> bool:
        """Whether the end was asked for and every assigned partition is there."""
        if not self._until_end or self._assigned_at is None:
            return False
        if not self._assigned:
            return self._clock() - self._assigned_at > GRACE_SECONDS
        return self._assigned <= self._ended

    def open(self, positions: Sequence[Position]) -> None:
        """Join the group; partitions come with the first polls."""
        self._keep(positions)
        if self._consumer is None:
            self._consumer = connect(Consumer, self._owner, self._settings)
        self._check_topics(self._consumer)
        self._consumer.subscribe(
            self._topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
        )

    def poll(self, max_messages: int, timeout_seconds: float) -> pl.DataFrame:
        """Return what is there, waiting only for the first message."""
        polled = self._opened.consume(1, timeout_seconds)
        if polled and max_messages > 1:
            polled += self._opened.consume(max_messages - 1, 0)
        self._complaints.check()
        return self._note(frame_of(self._without_events(polled)))

    def positions(self) -> list[Position]:
        """Return where reading resumes in the partitions that this member holds and has read."""
        return [Position(*key, offset) for key, offset in sorted(self._next.items())]

    def membership(self) -> object | None:
        """Return the consumer group metadata, with which the broker refuses offsets of a former member."""
        return self._opened.consumer_group_metadata()

    def rewind(self, positions: Sequence[Position]) -> None:
        """Go back to what was committed, in every partition read since."""
        self._keep(positions)
        try:
            for start in self._starts([TopicPartition(*key) for key in sorted(self._next)]):
                self._seek(start)
        except KafkaException as problem:
            doing = f"{self._owner}: cannot go back to the committed offsets{self._held_back(problem.args[0])}"
            raise self._complaints.explain(problem.args[0], doing) from problem

    def lag(self) -> dict[Key, int]:
        """Return how many messages wait in each partition that was read from; costs no request."""
        lags = {}
        for key, offset in self._next.items():
            ends = self._opened.get_watermark_offsets(TopicPartition(*key), cached=True)
            if ends is not None and ends[1] >= 0:
                lags[key] = max(0, ends[1] - offset)
        return lags

    def close(self) -> None:
        """Leave the group."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    @property
    def _opened(self) -> Consumer:
        if self._consumer is None:
            raise RuntimeError(f"{self._owner} is not open")
        return self._consumer

    def _configure(
        self, bootstrap_servers: str, group: str, options: Mapping[str, Any], *, until_end: bool
    ) -> dict[str, Any]:
        ours = {
            "bootstrap.servers": bootstrap_servers,
            "group.id": group,
            "enable.auto.commit": "false",
            "enable.auto.offset.store": "false",
            "isolation.level": "read_committed",
            "enable.partition.eof": str(until_end).lower(),
        }
        if options.get("group.protocol") != "consumer":  # there the broker assigns, and refuses this key
            ours["partition.assignment.strategy"] = "cooperative-sticky"
        return {**client_settings(self._owner, ours, options, defaults=DEFAULTS), "error_cb": self._complaints}

    def _check_topics(self, consumer: Consumer) -> None:
        for topic in self._topics:
            if topic.startswith("^"):
                continue
            try:
                found = consumer.list_topics(topic, timeout=TIMEOUT_SECONDS).topics[topic].error
            except KafkaException as problem:
                consumer.poll(0)  # lets the client complain, who may know better than "timed out"
                raise self._complaints.explain(problem.args[0], f"{self._owner}: no broker answers") from problem
            if found is not None:
                raise self._topic_problem(consumer, topic, found)

    def _topic_problem(self, consumer: Consumer, topic: str, error: KafkaError) -> VigieError:
        if error.code() not in {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC}:  # noqa: SLF001  librdkafka's name
            return explain(error, f"{self._owner}: topic {topic!r} cannot be read")
        known = [name for name in consumer.list_topics(timeout=TIMEOUT_SECONDS).topics if not name.startswith("__")]
        near = difflib.get_close_matches(topic, known, 3) or sorted(known)[:10]
        return SettingsError(
            f"{self._owner}: topic {topic!r} does not exist; the broker has {', '.join(near) or 'none'};"
            " create it, or correct topics in vigie.toml"
        )

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for part in partitions:
            part.offset = self._kept.get((part.topic, part.partition), part.offset)
        consumer.incremental_assign(partitions)
        self._assigned |= {(part.topic, part.partition) for part in partitions}
        self._assigned_at = self._clock()
        if self._until_end:
            self._find_ends(consumer, partitions)
        logger.info("%s: %d partitions assigned, %d now held", self._owner, len(partitions), len(self._assigned))

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_unassign(partitions)
        for part in partitions:
            self._forget((part.topic, part.partition))
        self._assigned_at = self._clock()
        logger.info("%s: %d partitions revoked, %d still held", self._owner, len(partitions), len(self._assigned))

    def _forget(self, key: Key) -> None:
        self._assigned.discard(key)
        self._ended.discard(key)
        for known in (self._first, self._next, self._targets):
            known.pop(key, None)

    def _find_ends(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Ask where the partitions end now; where nobody answers, the client's own event tells later."""
        for part in partitions:
            # An exception in a callback would make the client drop messages that it already took from its queue.
            with contextlib.suppress(KafkaException):
                ends = consumer.get_watermark_offsets(part, timeout=TIMEOUT_SECONDS)
                self._targets[part.topic, part.partition] = ends[1] if ends else MAX_OFFSET

    def _keep(self, positions: Sequence[Position]) -> None:
        self._kept = {(position.stream, position.partition): position.offset for position in positions}

    def _starts(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """Return the partitions with the offset to read from; negative where nothing says."""
        starts = self._opened.committed(partitions, timeout=TIMEOUT_SECONDS) if partitions else []
        for start in starts:
            if start.error is not None:
                raise KafkaException(start.error)
            start.offset = self._kept.get((start.topic, start.partition), start.offset)
        return starts

    def _held_back(self, error: KafkaError) -> str:
        """Say what a broker waits for that answers everything but where the group stands: the client only says "timed out"."""
        if error.code() != KafkaError._TIMED_OUT:  # noqa: SLF001  librdkafka's name
            return ""
        try:
            self._opened.list_topics(timeout=TIMEOUT_SECONDS)
        except KafkaException:
            return ""
        group = self._settings["group.id"]
        return f", which the broker holds back: a transaction with offsets of group {group!r} has not ended there ({HELD_BACK})"

    def _seek(self, start: TopicPartition) -> None:
        key = (start.topic, start.partition)
        # Nothing was ever committed: all that was read since the assignment is read again.
        start.offset = start.offset if start.offset >= 0 else self._first[key]
        self._opened.seek(start)
        del self._next[key]
        self._ended.discard(key)

    def _without_events(self, polled: list[Message]) -> list[Message]:
        messages = [message for message in polled if message.error() is None]
        if len(messages) < len(polled):
            for message in polled:
                self._take_event(message, message.error())
        return messages

    def _take_event(self, message: Message, error: KafkaError | None) -> None:
        if error is None:
            return
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  librdkafka's name
            self._ended.add((message.topic(), message.partition()))
        elif hopeless(error) or error.fatal():
            raise explain(error, f"{self._owner}: cannot read {message.topic() or 'its topics'}")
        else:
            logger.warning("%s: %s; the client goes on trying", self._owner, error.str())

    def _note(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Remember how far each partition was read, and drop messages of partitions that were revoked meanwhile."""
        offset = pl.col("offset")
        parts = frame.group_by("stream", "partition").agg(offset.first().alias("first"), offset.last().alias("last"))
        gone = []
        for stream, partition, first, last in parts.iter_rows():
            key = (stream, partition)
            if key not in self._assigned:
                gone.append(key)
                continue
            self._first.setdefault(key, first)
            self._next[key] = last + 1
            if last + 1 >= self._targets.get(key, MAX_OFFSET):
                self._ended.add(key)
        for stream, partition in gone:
            frame = frame.remove(stream=stream, partition=partition)
        return frame


def frame_of(messages: Sequence[Message]) -> pl.DataFrame:
    """Return Kafka messages as a batch; about 0.3 µs each, 1 µs with headers."""
    if not messages:
        return empty_batch()
    columns: dict[str, Any] = {
        "payload": [message.value() for message in messages],
        "key": [message.key() for message in messages],
        "partition": [message.partition() for message in messages],
        "offset": [message.offset() for message in messages],
        "stream": [message.topic() for message in messages],
        "timestamp": _timestamps([message.timestamp()[1] for message in messages]),
    }
    headers = [message.headers() for message in messages]
    if any(headers):
        columns["headers"] = _header_lists(headers)
    return batch(columns)


def _timestamps(milliseconds: list[int]) -> pl.Series:
    """Return times; null where Kafka has none or it is beyond what can be a time."""
    times = pl.Series(milliseconds, dtype=pl.Int64)
    times = times.set(~times.is_between(0, MAX_MILLISECONDS), None)
    return (times * 1_000_000).cast(pl.Datetime("ns", "UTC"))


def _header_lists(headers: Sequence[list[tuple[str, bytes | None]] | None]) -> pl.Series:
    """Return headers as a column; 50 times faster than handing Polars a list of lists of dictionaries."""
    flat = pl.DataFrame(
        {
            "row": [row for row, pairs in enumerate(headers) if pairs for _ in pairs],
            "name": [name for pairs in headers if pairs for name, _ in pairs],
            "value": [value for pairs in headers if pairs for _, value in pairs],
        },
        schema={"row": pl.UInt32, "name": pl.String, "value": pl.Binary},
    )
    lists = flat.select("row", headers=pl.struct("name", "value")).group_by("row").agg("headers")
    every_row = pl.DataFrame({"row": pl.arange(len(headers), eager=True, dtype=pl.UInt32)})
    return every_row.join(lists, on="row", how="left", maintain_order="left")["headers"]
