"""What sources and sinks share when they talk to Kafka: the settings of its client, and its errors in Vigie's words."""

import logging
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException

from vigie.errors import FencedError, SettingsError, UnavailableError, VigieError

Client = TypeVar("Client")

LOGGER = logging.getLogger("vigie.kafka")
"""Where the client's own log lines go."""

REPEAT_SECONDS = 60.0
_VARIES = re.compile(r"\d+|\([^)]*\)")

OUR_KEYS = {"bootstrap.servers": "bootstrap_servers", "group.id": "group", "transactional.id": "transactional_id"}

FENCED = frozenset({KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.FENCED_INSTANCE_ID})  # noqa: SLF001  librdkafka's local codes begin with an underscore

HOPELESS = frozenset(
    {
        KafkaError._AUTHENTICATION,  # noqa: SLF001  librdkafka's local codes begin with an underscore
        KafkaError._AUTO_OFFSET_RESET,  # noqa: SLF001  the same
        KafkaError._INVALID_ARG,  # noqa: SLF001  the same
        KafkaError._UNSUPPORTED_FEATURE,  # noqa: SLF001  the same
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.INCONSISTENT_GROUP_PROTOCOL,
        KafkaError.INVALID_CONFIG,
        KafkaError.INVALID_GROUP_ID,
        KafkaError.INVALID_SESSION_TIMEOUT,
        KafkaError.INVALID_TRANSACTION_TIMEOUT,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.TOPIC_EXCEPTION,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
        KafkaError.UNSUPPORTED_VERSION,
    }
)
"""Errors that no waiting cures: somebody has to change the settings or the rights."""


SILENCE = frozenset({KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT, KafkaError._TRANSPORT})  # noqa: SLF001  the same
"""Errors that only say that nobody answered."""


def client_settings(
    owner: str, ours: Mapping[str, Any], options: Mapping[str, Any], *, defaults: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the configuration of a Kafka client.

    Parameters
    ----------
    owner
        The table of `vigie.toml` these belong to, for errors: ``sources.kafka``.
    ours
        Keys that Vigie needs as they are; the user may not set them.
    options
        Any other keys of librdkafka, as the user wrote them; they win over `defaults`.
    defaults
        What Vigie would choose.

    Raises
    ------
    SettingsError
        An option is one of ours, or neither text, a number nor true or false.

    Examples
    --------
    >>> client_settings("sources.kafka", {"group.id": "vigie"}, {"client.id": "a", "enable.x": True})
    {'client.id': 'a', 'enable.x': 'true', 'group.id': 'vigie'}
    """
    for key in options:
        if key in ours:
            instead = f"set {OUR_KEYS[key]} in [{owner}]" if key in OUR_KEYS else "Vigie needs it as it is"
            raise SettingsError(f"{owner}.options sets {key!r}; remove it there: {instead}")
    given = {key: _plain(f"{owner}.options", key, value) for key, value in options.items()}
    return {**(defaults or {}), **given, **ours}


def _plain(table: str, key: str, value: Any) -> str | int | float:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return value
    raise SettingsError(f"{table} sets {key!r} to a {type(value).__name__}; expected text, a number, true or false")


def connect(kind: Callable[..., Client], owner: str, settings: Mapping[str, Any]) -> Client:
    """Make a client of Kafka; it connects in the background.

    Raises
    ------
    SettingsError
        librdkafka does not know an option, or not this value.
    """
    try:
        return kind(dict(settings), logger=LOGGER)
    except KafkaException as problem:
        raise SettingsError(f"{owner}: {problem.args[0].str()}; see [{owner}.options] in vigie.toml") from problem


def explain(error: KafkaError, doing: str) -> VigieError:
    """Return what a role should do about an error of Kafka: an exception to raise.

    Parameters
    ----------
    error
        What librdkafka says.
    doing
        What failed, to begin the message with.
    """
    reason = f"{doing}: {error.str()} ({error.name()})"
    if error.code() in FENCED and not error.txn_requires_abort():
        return FencedError(
            f"{reason}; another worker uses the same identity (give each its own --instance), "
            "or this one was away for too long"
        )
    if error.code() in HOPELESS:
        return SettingsError(f"{reason}; correct vigie.toml, or the rights of this user on the broker")
    return UnavailableError(reason)


def hopeless(error: KafkaError) -> bool:
    """Return whether no waiting cures an error."""
    return error.code() in HOPELESS


class Seldom(logging.Filter):
    """Lets a log line pass when nothing like it did for a minute: while a broker is away, clients repeat themselves.

    Lines are alike when they differ in numbers and in what stands in brackets only.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._until: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a line shall pass."""
        now, kind = self._clock(), _VARIES.sub("#", record.getMessage())
        self._until = {other: until for other, until in self._until.items() if until > now}
        passes = kind not in self._until
        self._until.setdefault(kind, now + REPEAT_SECONDS)
        return passes


LOGGER.addFilter(Seldom())


class Complaints:
    """What a client says of its connection by itself (``error_cb``): a refused password, an unknown certificate.

    The calls that fail meanwhile only say that nobody answered in time.

    Parameters
    ----------
    owner
        The table of `vigie.toml` for errors.
    """

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._final: VigieError | None = None
        self._last = ""

    def __call__(self, error: KafkaError) -> None:
        """Take note of an error."""
        if hopeless(error):
            self._final = explain(error, f"{self._owner}: the broker refuses this worker")
            return
        if error.code() not in SILENCE or not self._last:
            self._last = error.str()
        LOGGER.warning("%s: %s; the client goes on trying", self._owner, error.str())

    def check(self) -> None:
        """Raise what no waiting cures, once, if anything."""
        final, self._final = self._final, None
        if final is not None:
            raise final

    def explain(self, error: KafkaError, doing: str) -> VigieError:
        """Return what to raise for a call that failed, with the reason that the client gave for its silence."""
        final, self._final = self._final, None
        last, self._last = self._last, ""
        if final is not None:
            return final
        silent = last and error.code() in SILENCE
        return explain(error, f"{doing}: {last}" if silent else doing)
