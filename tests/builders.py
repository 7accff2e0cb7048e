"""Small builders of the things tests need, every field with a default."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl

from vigie.labels import Dimension, Label
from vigie.messages import batch

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def a_batch(*payloads: bytes | None, stream: str = "logs", partition: int = 0, offset: int = 0) -> pl.DataFrame:
    """Return a batch of consecutive messages."""
    offsets = range(offset, offset + len(payloads))
    return batch({"payload": payloads, "offset": offsets}, stream=stream, partition=partition, timestamp=NOON)


def a_labelled_batch(
    *templates: str | None, texts: Sequence[str] | None = None, confidence: float = 0.9, **place: Any
) -> pl.DataFrame:
    """Return consecutive messages labelled in the dimension severity; one without a template is a dead letter.

    `place` is where they stand: `stream`, `partition`, `offset`.
    """
    return a_batch(*[b"{}"] * len(templates), **place).with_columns(
        pl.Series("template", templates, dtype=pl.String),
        pl.Series("text", texts or templates, dtype=pl.String),
        pl.when(pl.Series("known", templates, dtype=pl.String).is_null()).then(pl.lit("no JSON")).alias("error"),
        pl.lit("parse").alias("stage"),
        pl.lit("info").alias("label:severity"),
        pl.lit(confidence).alias("confidence:severity"),
        pl.lit("model").alias("origin:severity"),
        pl.lit("auto").alias("route"),
        pl.lit("1").alias("model"),
    )


def a_dimension(
    name: str = "severity", labels: Sequence[str] = ("info", "warning", "error"), default: str | None = None
) -> Dimension:
    """Return a dimension."""
    return Dimension(name=name, labels=tuple(Label(label, f"When it is {label}.") for label in labels), default=default)
