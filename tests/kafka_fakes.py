"""Kafka's clients, scripted: fakes at the boundary to the network, for what a real broker does not do on demand."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition


def a_message(offset: int = 0, **fields: Any) -> Message:
    """Return a message as a consumer hands it over; 1 is the type of a time that the producer gave."""
    chosen = {"topic": "logs", "partition": 0, "value": b"x", "timestamp": (1, 1_700_000_000_000), **fields}
    return Message(offset=offset, **chosen)


def an_event(code: int, **fields: Any) -> Message:
    """Return a consumer's event, which looks like a message with an error."""
    return Message(topic="logs", partition=0, error=KafkaError(code, **fields))


class ScriptedConsumer:
    """A consumer whose `consume` gives what its script says; a callable in the script is a call-back of the group."""

    def __init__(self, settings: dict[str, Any], **_: Any) -> None:
        self.settings = settings
        self.script: deque[Message | Callable[[ScriptedConsumer], None]] = deque()
        self.topics: dict[str, Any] = {}
        self.offsets: dict[tuple[str, int], int] = {}
        self.ends: dict[tuple[str, int], tuple[int, int] | None] = {}
        self.assigned: list[tuple[str, int, int]] = []
        self.sought: list[tuple[str, int, int]] = []
        self.callbacks: dict[str, Callable[..., None]] = {}
        self.failure: KafkaException | None = None
        self.closed = 0

    def subscribe(self, topics: list[str], **callbacks: Callable[..., None]) -> None:
        self.callbacks = callbacks

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> Any:
        if self.failure:
            raise self.failure
        return type("Metadata", (), {"topics": self.topics})

    def poll(self, timeout: float = -1) -> None:
        while self.script and callable(self.script[0]):
            self._call_back()

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[Message]:
        found: list[Message] = []
        while self.script and len(found) < num_messages:
            if callable(self.script[0]):
                self._call_back()
            else:
                found.append(self.script.popleft())
        return found

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        self.assigned += [(part.topic, part.partition, part.offset) for part in partitions]

    def incremental_unassign(self, partitions: list[TopicPartition]) -> None:
        gone = {(part.topic, part.partition) for part in partitions}
        self.assigned = [part for part in self.assigned if part[:2] not in gone]

    def committed(self, partitions: list[TopicPartition], timeout: float = -1) -> list[TopicPartition]:
        if self.failure:
            raise self.failure
        return [
            TopicPartition(part.topic, part.partition, self.offsets.get((part.topic, part.partition), -1001))
            for part in partitions
        ]

    def seek(self, part: TopicPartition) -> None:
        self.sought.append((part.topic, part.partition, part.offset))

    def get_watermark_offsets(self, part: TopicPartition, **_: Any) -> tuple[int, int] | None:
        if self.failure:
            raise self.failure
        return self.ends.get((part.topic, part.partition), (-1001, -1001))

    def consumer_group_metadata(self) -> str:
        return "metadata"

    def close(self) -> None:
        self.closed += 1

    def _call_back(self) -> None:
        call = self.script.popleft()
        assert callable(call)
        call(self)


def assign(*keys: tuple[str, int]) -> Callable[[ScriptedConsumer], None]:
    """Return a call-back of the group: these partitions are yours."""
    return lambda consumer: consumer.callbacks["on_assign"](consumer, [TopicPartition(*key) for key in keys])


def revoke(*keys: tuple[str, int]) -> Callable[[ScriptedConsumer], None]:
    """Return a call-back of the group: these partitions are another's."""
    return lambda consumer: consumer.callbacks["on_revoke"](consumer, [TopicPartition(*key) for key in keys])


class ScriptedProducer:
    """A transactional producer that fails where its script says: errors by call, each raised once, None for success."""

    script: dict[str, list[KafkaError | type[Exception] | None]]

    def __init__(self, settings: dict[str, Any], **_: Any) -> None:
        self.settings = settings
        self.calls: list[str] = []
        self.produced: list[tuple[Any, ...]] = []
        self.waiting = 0

    def __len__(self) -> int:
        return self.waiting

    def init_transactions(self, timeout: float) -> None:
        self._note("init_transactions")

    def begin_transaction(self) -> None:
        self._note("begin_transaction")

    def produce(self, topic: str, value: Any, key: Any, partition: int, *, timestamp: int, headers: Any) -> None:
        self._note("produce")
        self.produced.append((topic, value, key, partition, timestamp, headers))

    def send_offsets_to_transaction(self, offsets: Sequence[TopicPartition], membership: Any, timeout: float) -> None:
        self._note("send_offsets_to_transaction")

    def commit_transaction(self, timeout: float) -> None:
        self._note("commit_transaction")

    def abort_transaction(self, timeout: float) -> None:
        self._note("abort_transaction")

    def poll(self, timeout: float) -> int:
        time.sleep(timeout)
        self._note("poll")
        return 0

    def purge(self) -> None:
        self.calls.append("purge")

    def _note(self, call: str) -> None:
        self.calls.append(call)
        failures = self.script.get(call)
        failure = failures.pop(0) if failures else None
        if isinstance(failure, KafkaError):
            raise KafkaException(failure)
        if failure is not None:
            raise failure
