"""Messages that a broker will never take, and what becomes of them."""

from typing import Any

import polars as pl

from vigie.errors import SettingsError
from vigie.sinks.kafka_rows import Row, sizes
from vigie.sinks.kafka_topics import Topic

Id = tuple[str, bytes | None, bytes | None]


class Refused:
    """Remembers refused messages from the lost transaction until one without them is committed.

    A broker may refuse a message for its time (`message.timestamp.after.max.ms`), for a missing key (a compacted
    topic) or for reasons of its own; the client learns it only when the transaction is lost already.
    """

    def __init__(self) -> None:
        self._reasons: dict[Id, str] = {}
        self._softened: set[Id] = set()

    def note(self, topic: str, key: bytes | None, value: bytes | None, reason: str) -> None:
        """Remember a message and why the broker will not take it."""
        self._reasons[topic, key, value] = f"topic {topic} refuses it: {reason}"

    def clear(self) -> None:
        """Forget them: a transaction was committed."""
        self._reasons.clear()
        self._softened.clear()

    def split(self, messages: pl.DataFrame, topic: Topic) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return the messages a topic will take, and the others as dead letters with ``stage`` and ``error``."""
        size = sizes(messages, "output")
        if not self._reasons and not (size > topic.max_message_bytes).any():
            return messages, messages.clear().with_columns(stage=pl.lit("write"), error=pl.lit("", pl.String))
        reasons = pl.Series(
            [
                self._reasons.get((topic.name, key, value)) or _too_long(n_bytes, topic)
                for key, value, n_bytes in zip(messages["key"], messages["output"], size, strict=True)
            ],
            dtype=pl.String,
        )
        unfit = messages.with_columns(stage=pl.lit("write"), error=reasons).filter(reasons.is_not_null())
        return messages.filter(reasons.is_null()), unfit

    def soften(self, row: Row, topic: Topic) -> Row:
        """Return a dead letter as the topic may take it: without its time and with a key when it was refused before.

        Raises
        ------
        SettingsError
            That was refused as well.
        """
        key = row.key or b"dead letter"
        before, after = (topic.name, row.key, row.value), (topic.name, key, row.value)
        if after in self._softened and after in self._reasons:
            raise SettingsError(f"dead letters cannot be kept: {self._reasons[after]}; correct the topic's settings")
        if before in self._reasons:
            del self._reasons[before]
            self._softened.add(after)
        return row._replace(key=key, milliseconds=0) if after in self._softened else row


def _too_long(n_bytes: Any, topic: Topic) -> str | None:
    if n_bytes <= topic.max_message_bytes:
        return None
    limit = f"topic {topic.name} accepts {topic.max_message_bytes} (max.message.bytes)"
    return f"the enriched message has {n_bytes} bytes; {limit}"
