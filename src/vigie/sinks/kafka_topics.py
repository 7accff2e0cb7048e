"""What a Kafka sink has to know about its topics; makes those that are missing."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from vigie.errors import SettingsError, UnavailableError, VigieError
from vigie.kafka import Complaints, connect

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 5.0
MAX_MESSAGE_BYTES = 1_048_588
"""What a broker accepts unless told otherwise."""
FOREVER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as the broker knows it.

    ``max_message_bytes`` is its limit for one batch; ``wants_keys`` is true for compacted ones; times may be that many
    milliseconds before and after the broker's own.
    """

    name: str
    n_partitions: int
    max_message_bytes: int = MAX_MESSAGE_BYTES
    wants_keys: bool = False
    before_max_ms: int = FOREVER
    after_max_ms: int = FOREVER

    def times(self, now: float) -> tuple[int, int]:
        """Return the first and last time it accepts at `now` (seconds), in milliseconds since 1970."""
        milliseconds = int(now * 1000)
        return max(0, milliseconds - self.before_max_ms), min(FOREVER, milliseconds + self.after_max_ms)


class Topics:
    """Asks brokers about topics, and creates them.

    Parameters
    ----------
    owner
        The table of `vigie.toml` for errors.
    settings
        How to reach the brokers.
    """

    def __init__(self, owner: str, settings: Mapping[str, Any]) -> None:
        self._owner = owner
        self._complaints = Complaints(owner)
        self._admin = connect(AdminClient, owner, {**settings, "error_cb": self._complaints})

    def find(self, name: str) -> Topic | None:
        """Return a topic, None when there is none; asking never makes it."""
        asked = self._admin.describe_topics(TopicCollection([name]), request_timeout=TIMEOUT_SECONDS)
        try:
            found = asked[name].result(2 * TIMEOUT_SECONDS)
        except KafkaException as problem:
            if problem.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                return None
            raise self._explain(problem.args[0], f"cannot ask about topic {name!r}") from problem
        return _described(name, len(found.partitions), self._settings_of(name))

    def ensure(self, name: str, n_partitions: int, settings: Mapping[str, str] | None = None) -> Topic:
        """Return a topic, made with so many partitions (-1: as many as the broker likes) where it is missing.

        Raises
        ------
        SettingsError
            It is missing and may not be made.
        UnavailableError
            The brokers do not answer now.
        """
        topic = self.find(name)
        if topic is None:
            self._create(name, n_partitions, settings or {})
            topic = self._wait(name)
        return topic

    def _create(self, name: str, n_partitions: int, settings: Mapping[str, str]) -> None:
        new = NewTopic(name, n_partitions, -1, config=dict(settings))
        try:
            self._admin.create_topics([new], request_timeout=TIMEOUT_SECONDS)[name].result(2 * TIMEOUT_SECONDS)
        except KafkaException as problem:
            error = problem.args[0]
            if error.code() == KafkaError.TOPIC_ALREADY_EXISTS:
                return
            if error.retriable() or error.code() in {KafkaError._TRANSPORT, KafkaError._TIMED_OUT}:  # noqa: SLF001  librdkafka's names
                raise self._explain(error, f"cannot create topic {name!r}") from problem
            raise SettingsError(
                f"{self._owner}: topic {name!r} does not exist and cannot be created: {error.str()}; create it"
            ) from problem
        logger.info("%s: created topic %s", self._owner, name)

    def _wait(self, name: str) -> Topic:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            topic = self.find(name)
            if topic is not None:
                return topic
            time.sleep(0.05)
        raise UnavailableError(f"{self._owner}: topic {name!r} was created, but the brokers do not know it yet")

    def _explain(self, error: KafkaError, doing: str) -> VigieError:
        self._admin.poll(0)  # lets the client complain
        return self._complaints.explain(error, f"{self._owner}: {doing}")

    def _settings_of(self, name: str) -> dict[str, str]:
        """Return a topic's settings; none where they may not be asked."""
        resource = ConfigResource(ResourceType.TOPIC, name)
        asked = self._admin.describe_configs([resource], request_timeout=TIMEOUT_SECONDS)
        try:
            entries = asked[resource].result(2 * TIMEOUT_SECONDS)
        except KafkaException as problem:
            logger.info("%s: the limits of %s are not known: %s", self._owner, name, problem.args[0].str())
            return {}
        return {key: entry.value for key, entry in entries.items()}


def _described(name: str, n_partitions: int, settings: Mapping[str, str]) -> Topic:
    checks_times = settings.get("message.timestamp.type") == "CreateTime"
    return Topic(
        name,
        n_partitions,
        max_message_bytes=int(settings.get("max.message.bytes", MAX_MESSAGE_BYTES)),
        wants_keys="compact" in settings.get("cleanup.policy", ""),
        before_max_ms=int(settings.get("message.timestamp.before.max.ms", FOREVER)) if checks_times else FOREVER,
        after_max_ms=int(settings.get("message.timestamp.after.max.ms", FOREVER)) if checks_times else FOREVER,
    )
