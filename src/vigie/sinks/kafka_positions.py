"""Where sources other than Kafka resume, kept in a topic of their own, in the same transaction as the output.

A consumer group's offsets would do for Kafka's own positions only: their metadata end at 4096 bytes, which is some
forty files, and brokers forget them a week after the last commit, which would read every file again.
"""

import json
import time
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from vigie.errors import UnavailableError
from vigie.kafka import client_settings, connect, explain
from vigie.messages import Position

TIMEOUT_SECONDS = 5.0
FIRST_LOOK = 1_000

TOPIC_SETTINGS: Mapping[str, str] = {
    "cleanup.policy": "compact",
    "min.cleanable.dirty.ratio": "0.1",
    "segment.bytes": str(16 * 1024 * 1024),
    "max.message.bytes": str(8 * 1024 * 1024),
}


def encode(positions: Sequence[Position]) -> bytes:
    """Return positions as bytes, compressed: 10,000 files need some 100 kB."""
    rows = [[position.stream, position.partition, position.offset] for position in positions]
    return zlib.compress(json.dumps(rows).encode(), 1)


def decode(value: bytes) -> list[Position]:
    """Return the positions that `encode` was given.

    Examples
    --------
    >>> decode(encode([Position("logs.txt", 0, 71)]))
    [Position(stream='logs.txt', partition=0, offset=71)]
    """
    return [Position(stream, partition, offset) for stream, partition, offset in json.loads(zlib.decompress(value))]


class PositionsReader:
    """Finds the newest positions under a key, from the end of the topic backwards.

    Parameters
    ----------
    owner
        The table of `vigie.toml` for errors.
    connection
        How to reach the brokers; nothing that only a producer knows is needed.
    """

    def __init__(self, owner: str, connection: Mapping[str, Any]) -> None:
        ours = {
            "group.id": "vigie-positions",  # never joined, never committed: the client wants a name
            "enable.auto.commit": "false",
            "isolation.level": "read_committed",
            "enable.partition.eof": "true",
            "log_level": 3,  # it would warn of each key that only producers know
        }
        self._owner = owner
        self._consumer = connect(Consumer, owner, client_settings(owner, ours, {}, defaults=connection))
        self._admin = connect(AdminClient, owner, connection)

    def read(self, topic: str, key: bytes) -> list[Position]:
        """Return the positions committed last under `key`; none when there never were any.

        Raises
        ------
        UnavailableError
            The end cannot be read now: no broker answers, or somebody's transaction is still open.
        """
        try:
            return self._read(topic, key)
        except KafkaException as problem:
            raise explain(problem.args[0], f"{self._owner}: cannot read positions from {topic}") from problem
        finally:
            self._consumer.close()

    def _read(self, topic: str, key: bytes) -> list[Position]:
        low, _ = self._consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=TIMEOUT_SECONDS)
        high = self._end(topic)
        start, look = high, FIRST_LOOK
        while start > low:
            start, look = max(low, high - look), look * 10
            value = self._last(topic, start, high, key)
            if value is not None:
                return decode(value)
        return []

    def _end(self, topic: str) -> int:
        """Return the end of all that was written.

        A reader of committed messages is told an earlier end for some milliseconds after a commit: until the broker
        has marked every partition of the transaction. Positions read up to there would be those of the commit before.
        """
        part = TopicPartition(topic, 0)
        uncommitted = IsolationLevel.READ_UNCOMMITTED
        asked = self._admin.list_offsets(
            {part: OffsetSpec.latest()}, isolation_level=uncommitted, request_timeout=TIMEOUT_SECONDS
        )
        return int(asked[part].result(2 * TIMEOUT_SECONDS).offset)

    def _last(self, topic: str, start: int, high: int, key: bytes) -> bytes | None:
        """Return the newest value under `key` from offset `start` up to the end, which was at `high`."""
        self._consumer.assign([TopicPartition(topic, 0, start)])
        deadline = time.monotonic() + 2 * TIMEOUT_SECONDS
        found = None
        while time.monotonic() < deadline:
            for message in self._consumer.consume(1_000, 0.5):
                error = message.error()
                if error is None and message.key() == key:
                    found = message.value()
                elif error is not None and _at_end(error, message.offset(), high):
                    return found
        raise UnavailableError(f"{self._owner}: the end of {topic} is held back by an open transaction")


def _at_end(error: KafkaError, offset: int, high: int) -> bool:
    """Return whether everything there was has been read; before, an open transaction hides committed ones after it."""
    if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001  librdkafka's name
        raise KafkaException(error)
    return offset >= high
