"""Small builders of the things tests need, every field with a default."""

from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl

from vigie.labels import Dimension, Label
from vigie.messages import batch

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def a_batch(*payloads: bytes | None, stream: str = "logs", partition: int = 0, offset: int = 0) -> pl.DataFrame:
    """Return a batch of consecutive messages."""
    offsets = range(offset, offset + len(payloads))
    return batch({"payload": payloads, "offset": offsets}, stream=stream, partition=partition, timestamp=NOON)


def a_dimension(
    name: str = "severity", labels: Sequence[str] = ("info", "warning", "error"), default: str | None = None
) -> Dimension:
    """Return a dimension."""
    return Dimension(name=name, labels=tuple(Label(label, f"When it is {label}.") for label in labels), default=default)
