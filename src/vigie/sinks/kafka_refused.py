"""Messages that a broker will never take, and how they are found."""

import time
from collections import defaultdict
from collections.abc import Callable

import polars as pl
from confluent_kafka import KafkaError, Message

from vigie.sinks.kafka_rows import sizes
from vigie.sinks.kafka_topics import Topic

REFUSALS = frozenset({KafkaError.INVALID_MSG, KafkaError.INVALID_RECORD, KafkaError.INVALID_TIMESTAMP})
"""Errors that a broker has with one message: it will never take it, however often it is sent."""

TOO_LONG = frozenset({KafkaError.INVALID_MSG_SIZE, KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE})

Id = tuple[bytes | None, bytes | None]


class Refused:
    """Keeps messages that a topic refuses out of the next transaction.

    What can be known before (length, a missing key, a time out of bounds) is checked over columns. What a broker finds
    on its own loses the transaction, and the next one leaves the message out. The client blames a single bad message
    on everything that was sent together with it; `one_by_one` asks for messages to be sent apart then.

    Parameters
    ----------
    now
        Seconds since 1970.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._reasons: dict[Id, str] = {}
        self._told: defaultdict[int | None, dict[Id, str]] = defaultdict(dict)
        self._innocents_told: set[int | None] = set()
        self.one_by_one = False

    def note(self, error: KafkaError, message: Message) -> None:
        """Remember what became of one message of a lost transaction."""
        if error.code() == KafkaError._INVALID_DIFFERENT_RECORD:  # noqa: SLF001  librdkafka's name
            self._innocents_told.add(message.partition())
        elif error.code() in REFUSALS:
            reason = f"topic {message.topic()} refuses it: {error.str()}"
            self._told[message.partition()][message.key(), message.value()] = reason

    def conclude(self) -> None:
        """Find out from a lost transaction which messages to leave out of the next."""
        culprits: dict[Id, str] = {}
        for partition, reasons in self._told.items():
            if self.one_by_one or len(reasons) == 1 or partition in self._innocents_told:
                culprits |= reasons
        if self._told:
            self.one_by_one = not culprits
        self._reasons |= culprits
        self._told.clear()
        self._innocents_told.clear()

    def clear(self) -> None:
        """Forget them: a transaction was committed."""
        self._reasons.clear()
        self.one_by_one = False

    def split(self, messages: pl.DataFrame, topic: Topic) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return the messages a topic takes, and the others as dead letters with ``stage`` and ``error``."""
        checks = self._checks(messages, topic)
        reasons = messages.select(error=pl.coalesce(checks)).to_series()
        if self._reasons:
            ids = zip(messages["key"], messages["output"], strict=True)
            told = pl.Series([self._reasons.get(it) for it in ids], dtype=pl.String)
            reasons = reasons.set(told.is_not_null(), None).fill_null(told)
        unfit = messages.with_columns(stage=pl.lit("write"), error=reasons).filter(reasons.is_not_null())
        return messages.filter(reasons.is_null()), unfit

    def _checks(self, messages: pl.DataFrame, topic: Topic) -> list[pl.Expr]:
        size = sizes(messages, "output")
        checks = [pl.lit(None, pl.String)]
        if (size > topic.max_message_bytes).any():
            limit = f"topic {topic.name} accepts {topic.max_message_bytes} (max.message.bytes)"
            reason = pl.format("the enriched message has {} bytes; " + limit, size)
            checks.append(pl.when(size > topic.max_message_bytes).then(reason))
        if topic.wants_keys and messages["key"].null_count():
            reason = pl.lit(f"it has no key; topic {topic.name} is compacted and takes none without")
            checks.append(pl.when(pl.col("key").is_null()).then(reason))
        earliest, latest = topic.times(self._now())
        fine = pl.col("timestamp").dt.epoch("ms").is_between(earliest, latest)
        limits = "message.timestamp.before.max.ms or .after.max.ms"
        reason = pl.lit(f"its time is further from now than topic {topic.name} accepts ({limits})")
        return [*checks, pl.when(~fine).then(reason)]
