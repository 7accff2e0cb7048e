"""Single messages of Kafka, by their positions."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from vigie.errors import UnavailableError
from vigie.kafka import client_settings, connect, explain, hopeless
from vigie.sources.kafka import frame_of

TIMEOUT_SECONDS = 10.0

Place = tuple[str, int, int]


class KafkaMessages:
    """Reads messages again, one by one; some milliseconds each.

    Parameters
    ----------
    owner
        The table of `vigie.toml` for errors.
    bootstrap_servers, options
        How to reach the brokers.
    """

    def __init__(self, owner: str, *, bootstrap_servers: str, options: Mapping[str, Any] | None = None) -> None:
        ours = {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "vigie-messages",  # never joined, never committed: the client wants a name
            "enable.auto.commit": "false",
            "isolation.level": "read_committed",
            "enable.partition.eof": "true",
            "auto.offset.reset": "latest",  # what was deleted is not there; nothing else will do
        }
        self._owner = owner
        self._settings = client_settings(owner, ours, {}, defaults=client_settings(owner, {}, options or {}))
        self._settings.pop("group.instance.id", None)  # that name is the stream's
        self._consumer: Consumer | None = None

    def fetch(self, places: Iterable[Place]) -> pl.DataFrame:
        """Return the messages that are still there as a batch, each place once, in order.

        Parameters
        ----------
        places
            Topic, partition and offset of each.

        Raises
        ------
        UnavailableError
            No broker answers.
        """
        found = (self._read(TopicPartition(*place)) for place in sorted(set(places)))
        try:
            return frame_of([message for message in found if message is not None])
        except KafkaException as problem:
            raise explain(problem.args[0], f"{self._owner}: cannot read a message again") from problem

    def close(self) -> None:
        """Let go of the connection; may be called twice."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _read(self, place: TopicPartition) -> Message | None:
        if self._consumer is None:
            self._consumer = connect(Consumer, self._owner, self._settings)
        self._consumer.assign([place])
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            message = self._consumer.poll(0.5)
            if message is None:
                continue
            error = message.error()
            if error is None:
                return message if message.offset() == place.offset else None
            if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  librdkafka's name
                return None
            if hopeless(error):
                raise KafkaException(error)
        raise UnavailableError(f"{self._owner}: no broker answers")
