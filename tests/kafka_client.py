"""What tests do with topics: fill them, and read all of them as a careful reader would."""

import time
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from confluent_kafka import Consumer, IsolationLevel, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from kafka_server import KafkaServer

Headers = list[tuple[str, bytes | None]]


def a_name(what: str) -> str:
    """Return a topic or group nobody else uses."""
    return f"{what}-{uuid.uuid4().hex[:8]}"


def a_topic(server: KafkaServer, partitions: int = 3, **settings: str) -> str:
    """Return a new, empty topic; settings with _ for each dot."""
    name = a_name("topic")
    server.create_topic(name, partitions, {key.replace("_", "."): value for key, value in settings.items()})
    return name


def fill(server: KafkaServer, topic: str, values: Iterable[bytes | None], **options: Any) -> None:
    """Produce values; keyword arguments go to each `produce`."""
    settings = {"bootstrap.servers": server.bootstrap_servers, "linger.ms": 50, "message.max.bytes": 20_000_000}
    producer = Producer(settings)
    for value in values:
        while True:
            try:
                producer.produce(topic, value, **options)
            except BufferError:
                producer.poll(0.1)
                continue
            break
    assert producer.flush(30) == 0


def read_all(server: KafkaServer, topic: str, timeout_seconds: float = 60.0) -> list[Message]:
    """Return every committed message up to where each partition ends now, commits not yet marked there included."""
    consumer = Consumer(
        {
            "bootstrap.servers": server.bootstrap_servers,
            "group.id": a_name("check"),
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    partitions = sorted(consumer.list_topics(topic, timeout=10).topics[topic].partitions)
    ends = _written_ends(server, topic, partitions)
    consumer.assign([TopicPartition(topic, part, 0) for part in partitions])
    messages: list[Message] = []
    deadline = time.monotonic() + timeout_seconds
    while ends and time.monotonic() < deadline:
        for message in consumer.consume(10_000, 0.5):
            if message.error() is None:
                messages.append(message)
            elif message.error().code() != KafkaError._PARTITION_EOF:
                raise AssertionError(message.error())
            elif message.offset() >= ends.get(message.partition(), 0):
                ends.pop(message.partition(), None)
    consumer.close()
    assert not ends, f"partitions {sorted(ends)} of {topic} are held back by an open transaction"
    return messages


def _written_ends(server: KafkaServer, topic: str, partitions: Iterable[int]) -> dict[int, int]:
    """Return where partitions end; a reader of committed messages would be told of a commit some milliseconds late."""
    admin = AdminClient({"bootstrap.servers": server.bootstrap_servers})
    wanted = {TopicPartition(topic, part): OffsetSpec.latest() for part in partitions}
    asked = admin.list_offsets(wanted, isolation_level=IsolationLevel.READ_UNCOMMITTED)
    return {part.partition: found.result(10).offset for part, found in asked.items()}


def header(message: Message, name: str) -> str | None:
    """Return a header of a message."""
    return next((value.decode() for key, value in message.headers() or () if key == name and value is not None), None)


def outcomes(output: Sequence[Message], dead_letters: Sequence[Message]) -> Counter[tuple[int, int]]:
    """Count how often each input position (partition, offset) came out, as a `traced` message or a dead letter."""
    traced = [tuple(int(number) for number in (message.value() or b"").split(b":")[:2]) for message in output]
    died = [
        tuple(int(header(message, f"__connect.errors.{name}") or -1) for name in ("partition", "offset"))
        for message in dead_letters
    ]
    return Counter([*traced, *died])
