"""Enriched messages to a Kafka topic: output, dead letters and positions in one transaction."""

import contextlib
import dataclasses
import time
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from confluent_kafka import KafkaError, Message, TopicPartition

from vigie.errors import SettingsError, UnavailableError, VigieError
from vigie.kafka import client_settings, explain, hopeless
from vigie.messages import SCHEMA, Position
from vigie.sinks import kafka_positions
from vigie.sinks.kafka_positions import PositionsReader
from vigie.sinks.kafka_refused import REFUSALS, TOO_LONG, Refused
from vigie.sinks.kafka_rows import Row, dead_letter_rows, rows
from vigie.sinks.kafka_topics import Topic, Topics
from vigie.sinks.kafka_transactions import Transactions

MAX_BATCH_BYTES = 1_000_000
DEAD_LETTER = [*SCHEMA, "stage", "error"]

DEFAULTS: Mapping[str, Any] = {
    "compression.type": "lz4",
    "linger.ms": 50,
    "partitioner": "murmur2_random",  # as Java's client, so that other writers of the topic agree on keys
    "queue.buffering.max.kbytes": 131_072,
    "transaction.timeout.ms": 60_000,
}


class KafkaSink:
    """Writes with transactions; readers that ask for `read_committed` see each message exactly once.

    Keys, headers, timestamps (in milliseconds) and, where the output topic has enough of them, partition numbers stay
    as they were. Positions of a Kafka source become its group's offsets in the same transaction; those of any other
    source go to ``<topic>.positions``, in the same transaction as well. Topics that are missing are made.

    A message longer than the topic accepts (uncompressed), or one that the broker refuses for another reason, becomes
    a dead letter; one that does not fit there either is cut, and a header says how long it was.

    Parameters
    ----------
    name
        Its name in the settings.
    topic
        Where enriched messages go.
    dead_letter_topic
        Where undecodable ones go; ``<topic>.dlq`` where not given.
    bootstrap_servers
        Brokers to ask first, ``host:port`` with commas between.
    transactional_id
        The identity of this worker: stable over its restarts, and no other worker's; ``vigie-<name>-0`` where not
        given. The broker shuts out the older of two workers with the same one.
    options
        Further keys of librdkafka: TLS, SASL, compression, limits.
    n_partitions
        Of topics that are made; -1 leaves it to the broker.
    keep_partitions
        Whether a message stays in its partition; otherwise keys decide, as for sources that have no partitions.
    """

    def __init__(
        self,
        name: str,
        *,
        topic: str,
        dead_letter_topic: str | None = None,
        bootstrap_servers: str = "localhost:9092",
        transactional_id: str | None = None,
        options: Mapping[str, Any] | None = None,
        n_partitions: int = -1,
        keep_partitions: bool = True,
    ) -> None:
        self._owner = f"sinks.{name}"
        self._names = (topic, dead_letter_topic or f"{topic}.dlq")
        self._positions_name = f"{topic}.positions"
        self._identity = transactional_id or f"vigie-{name}-0"
        ours = {
            "bootstrap.servers": bootstrap_servers,
            "transactional.id": self._identity,
            "enable.idempotence": "true",
        }
        self._settings = client_settings(self._owner, ours, options or {}, defaults=DEFAULTS)
        self._connection = {key: self._settings[key] for key in ["bootstrap.servers", *(options or {})]}
        self._n_partitions = n_partitions
        self._keep_partitions = keep_partitions
        self._topics: tuple[Topic, Topic] | None = None
        self._transactions: Transactions | None = None
        self._source = ""
        self._key = b""
        self._positions_in_group = False
        self._positions_topic_known = False
        self._refused = Refused()
        self._limits_doubtful = False
        self._one_by_one = False

    @property
    def dead_letter_topic(self) -> str:
        """Where dead letters go."""
        return self._names[1]

    def open(self, source: str) -> list[Position]:
        """Finish what an earlier worker of this identity left; where a source without a group resumes."""
        self._source = source
        self._key = f"{self._identity}/{source}".encode()
        self._refused.conclude()
        if self._topics is None or self._limits_doubtful:
            self._find_topics()
        if self._one_by_one != self._refused.one_by_one:
            self.close()  # a producer cannot change how it makes batches
        self._started.start()
        return self._read_positions()

    def write(self, messages: pl.DataFrame, dead_letters: pl.DataFrame) -> None:
        """Send one batch within the transaction, which begins with the first one."""
        output, dead_letter_topic = self._found
        self._started.begin()
        messages, unfit = self._refused.split(messages, output)
        self._started.produce(output.name, rows(messages, "output", output, keep_partitions=self._keep_partitions))
        unfit = pl.concat([dead_letters.select(DEAD_LETTER), unfit.select(DEAD_LETTER)])
        letters = dead_letter_rows(
            unfit, dead_letter_topic, keep_partitions=self._keep_partitions, now=time.time(), source=self._source
        )
        self._started.produce(dead_letter_topic.name, letters)

    def commit(self, positions: Sequence[Position], membership: object | None) -> None:
        """Commit output, dead letters and positions in one transaction."""
        self._started.begin()
        self._positions_in_group = membership is not None
        if membership is None:
            self._write_positions(positions)
        offsets = [TopicPartition(position.stream, position.partition, position.offset) for position in positions]
        self._started.commit(offsets, membership)
        self._refused.clear()
        if self._one_by_one:
            self.close()

    def abort(self) -> None:
        """Abort the transaction."""
        if self._transactions is not None:
            self._transactions.abort()

    def close(self) -> None:
        """Abort what is not committed, and let go of the producer."""
        if self._transactions is not None:
            with contextlib.suppress(VigieError):  # the broker aborts it by itself, later
                self._transactions.abort()
            self._transactions.discard()
            self._transactions = None

    @property
    def _found(self) -> tuple[Topic, Topic]:
        if self._topics is None:
            raise RuntimeError(f"{self._owner} is not open")
        return self._topics

    @property
    def _started(self) -> Transactions:
        if self._transactions is None:
            limits = [topic.max_message_bytes for topic in self._found]
            settings = {
                **self._settings,
                "message.max.bytes": max(*limits, int(kafka_positions.TOPIC_SETTINGS["max.message.bytes"])),
                "batch.size": min(*limits, int(self._settings.get("batch.size", MAX_BATCH_BYTES))),
            }
            self._one_by_one = self._refused.one_by_one
            if self._one_by_one:
                settings["batch.num.messages"] = 1
            self._transactions = Transactions(self._owner, settings, on_undelivered=self._undelivered)
        return self._transactions

    def _find_topics(self) -> None:
        """Ask what the topics accept; halve it where a broker refused less than it said, or would not say."""
        topics = Topics(self._owner, self._connection)
        before = self._topics
        output, dead_letters = (topics.ensure(name, self._n_partitions) for name in self._names)
        self._topics = (output, dead_letters)
        if before == self._topics and self._limits_doubtful:
            self._topics = (_halved(output), _halved(dead_letters))
        self._limits_doubtful = False
        self.close()  # a producer cannot change its limits

    def _read_positions(self) -> list[Position]:
        if self._positions_in_group or Topics(self._owner, self._connection).find(self._positions_name) is None:
            return []
        return PositionsReader(self._owner, self._connection).read(self._positions_name, self._key)

    def _write_positions(self, positions: Sequence[Position]) -> None:
        if not self._positions_topic_known:
            Topics(self._owner, self._connection).ensure(self._positions_name, 1, kafka_positions.TOPIC_SETTINGS)
            self._positions_topic_known = True
        row = Row(kafka_positions.encode(positions), self._key, 0, 0, None)
        self._started.produce(self._positions_name, [row])

    def _undelivered(self, error: KafkaError, message: Message) -> VigieError | None:
        """Find out what to do about a message that the broker did not take; the transaction is lost already."""
        doing = f"{self._owner}: {message.topic()} does not take a message"
        self._limits_doubtful |= error.code() in TOO_LONG
        if message.topic() == self._found[0].name:
            self._refused.note(error, message)
        elif error.code() in REFUSALS:
            return SettingsError(f"{doing}, though it must: {error.str()}; correct the settings of that topic")
        if hopeless(error):
            return explain(error, doing)
        if error.code() in REFUSALS | TOO_LONG:
            return UnavailableError(f"{doing}: {error.str()}; another way is tried", retry_after_seconds=0.0)
        return None


def _halved(topic: Topic) -> Topic:
    return dataclasses.replace(topic, max_message_bytes=max(1_024, topic.max_message_bytes // 2))
