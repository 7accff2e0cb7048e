"""What a Kafka sink makes of a batch: rows to produce, within what the topic accepts."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any, NamedTuple

import polars as pl

from vigie.sinks.dead_letters import PREFIX, dead_letter_headers
from vigie.sinks.kafka_topics import Topic

Headers = list[tuple[str, bytes | None]]

FRAMING_BYTES = 128
"""What a broker adds to a message, at most: the head of a batch (61 bytes) and of the record."""
HEADER_FRAMING_BYTES = 10
CUT_HEADER = "vigie.value.bytes"
"""On a dead letter whose value had to be cut: how long it was."""


class Row(NamedTuple):
    """One message to produce; partition -1 lets the key decide, 0 milliseconds are now."""

    value: bytes | None
    key: bytes | None
    partition: int
    milliseconds: int
    headers: Headers | None


def sizes(frame: pl.DataFrame, value: str) -> pl.Series:
    """Return how many bytes each message takes, uncompressed, when the column `value` is its value."""
    parts = [pl.col(name).bin.size().fill_null(0) for name in (value, "key")]
    if frame["headers"].null_count() < frame.height:
        parts.append(pl.col("headers").list.eval(_header_size()).list.sum().fill_null(0))
    return frame.select(size=FRAMING_BYTES + pl.sum_horizontal(parts).cast(pl.Int64)).to_series()


def _header_size() -> pl.Expr:
    name, value = (pl.element().struct.field(field) for field in ("name", "value"))
    return name.str.len_bytes() + value.bin.size().fill_null(0) + HEADER_FRAMING_BYTES


def rows(frame: pl.DataFrame, value: str, topic: Topic, *, keep_partitions: bool) -> Iterator[Sequence[Any]]:
    """Return messages as `Row` has them, plain tuples for speed; the column `value` is their value."""
    headers = frame["headers"]
    pairs: Iterable[Headers | None] = repeat(None)
    if headers.null_count() < len(headers):
        pairs = _pairs(headers)
    return zip(
        frame[value].to_list(),
        frame["key"].to_list(),
        partitions(frame, topic, keep_partitions=keep_partitions),
        milliseconds(frame),
        pairs,
        strict=False,
    )


def _pairs(headers: pl.Series) -> Iterator[Headers | None]:
    """Return each message's headers as the client wants them; three times faster than row by row."""
    flat = headers.filter(headers.list.len() > 0).explode().struct.unnest()
    every = list(zip(flat["name"].to_list(), flat["value"].to_list(), strict=True))
    start = 0
    for n_headers in headers.list.len().fill_null(0).to_list():
        yield every[start : start + n_headers] or None
        start += n_headers


def partitions(frame: pl.DataFrame, topic: Topic, *, keep_partitions: bool) -> list[int]:
    """Return each message's own partition where the topic has it and it is to be kept, else -1."""
    if not keep_partitions:
        return [-1] * frame.height
    own = pl.col("partition")
    return frame.select(pl.when(own < topic.n_partitions).then(own).otherwise(-1)).to_series().to_list()


def milliseconds(frame: pl.DataFrame) -> list[int]:
    """Return each message's time, 0 where it has none."""
    return frame["timestamp"].dt.epoch("ms").fill_null(0).clip(0).to_list()


def dead_letter_rows(
    frame: pl.DataFrame, topic: Topic, *, keep_partitions: bool, now: float, source: str | None = None
) -> Iterator[Row]:
    """Return dead letters with their headers, in a form that the topic takes.

    They are cut where they would not fit, take the time of writing where their own is out of bounds, and their position
    for a key where the topic wants one.
    """
    numbers, times = partitions(frame, topic, keep_partitions=keep_partitions), milliseconds(frame)
    earliest, latest = topic.times(now)
    for message, partition, time in zip(frame.iter_rows(named=True), numbers, times, strict=True):
        key = message["key"]
        if key is None and topic.wants_keys:
            key = "{stream}/{partition}/{offset}".format(**message).encode()
        accepted = time if earliest <= time <= latest else 0
        row = Row(message["payload"], key, partition, accepted, dead_letter_headers(message, source))
        yield fit(row, topic.max_message_bytes)


def fit(row: Row, max_bytes: int) -> Row:
    """Cut a dead letter until a topic takes it: first its value, then its own headers, then its key.

    The position in its headers says where the whole message is.

    Examples
    --------
    >>> fit(Row(b"x" * 1000, None, 0, 0, []), 200).headers
    [('vigie.value.bytes', b'1000')]
    """
    if _size(row) <= max_bytes:
        return row
    length = len(row.value or b"")
    row = row._replace(headers=[*(row.headers or ()), (CUT_HEADER, str(length).encode())])
    if _size(row._replace(value=None)) > max_bytes:
        row = row._replace(headers=[pair for pair in row.headers or () if pair[0].startswith((PREFIX, CUT_HEADER))])
    if _size(row._replace(value=None)) > max_bytes:
        spare = max_bytes - _size(row._replace(value=None, key=None))
        row = row._replace(key=(row.key or b"")[: max(0, spare)])
    room = max(0, max_bytes - _size(row._replace(value=None)))
    return row._replace(value=None if row.value is None else row.value[:room])


def _size(row: Row) -> int:
    headers = sum(len(name.encode()) + len(value or b"") + HEADER_FRAMING_BYTES for name, value in row.headers or ())
    return FRAMING_BYTES + len(row.value or b"") + len(row.key or b"") + headers
