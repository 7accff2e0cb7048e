"""How much came through: counters for charts, by ten seconds, and for Prometheus, since the beginning."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl
from sqlalchemy import Connection, delete, func, select

from vigie.messages import confidence_column, label_column
from vigie.store.bulk import add_counts, frame, storable
from vigie.store.engine import Database
from vigie.store.tables import microseconds, totals, traffic

BUCKET_SECONDS = 10
KEPT_SECONDS = 24 * 3600
BINS = 20
"""The confidence histogram has this many bins of equal width over [0, 1]."""

_Count = tuple[str, str, str, int]
_COUNTS = {"kind": pl.String, "dimension": pl.String, "value": pl.String, "count": pl.Int64}


@dataclass(frozen=True, slots=True)
class Series:
    """What came through over time; ``time`` (aware UTC) is where a step begins, and steps without messages are absent.

    Parameters
    ----------
    messages
        ``time``, ``route``, ``count``.
    labels
        ``time``, ``dimension``, ``label``, ``count``.
    confidence
        ``dimension``, ``bin`` (0 to 19, each 0.05 wide), ``count`` over the whole time.
    dead_letters
        ``time``, ``stage``, ``count``.
    """

    messages: pl.DataFrame
    labels: pl.DataFrame
    confidence: pl.DataFrame
    dead_letters: pl.DataFrame


class Traffic:
    """Counters of messages, labels, confidences and dead letters."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pruned = 0

    def series(self, seconds: int, since: datetime) -> Series:
        """Return what came through, in steps.

        Parameters
        ----------
        seconds
            The width of a step, at least 10.
        since
            Not older than 24 hours: what is older is gone.
        """
        step = max(seconds, BUCKET_SECONDS)
        query = (
            select(
                (traffic.c.bucket - traffic.c.bucket % step).label("step"),
                traffic.c.kind,
                traffic.c.dimension,
                traffic.c.value,
                func.sum(traffic.c.count).label("count"),
            )
            .where(traffic.c.bucket >= microseconds(since) // 1_000_000)
            .group_by("step", traffic.c.kind, traffic.c.dimension, traffic.c.value)
            .order_by("step", traffic.c.kind, traffic.c.dimension, traffic.c.value)
        )
        with self._database.read() as connection:
            rows = frame(connection, query)
        time = pl.from_epoch(pl.col("step"), time_unit="s").dt.cast_time_unit("us").dt.replace_time_zone("UTC")
        return _series(rows.with_columns(pl.col("count").cast(pl.Int64), time=time))

    def totals(self) -> pl.DataFrame:
        """Return everything counted since the beginning: ``source``, ``kind``, ``dimension``, ``value``, ``count``.

        Kinds are ``route``, ``label``, ``confidence`` (the value is a bin) and ``dead_letter`` (the value is a stage);
        ``dimension`` is empty where it says nothing.
        """
        with self._database.read() as connection:
            return frame(connection, select(totals).order_by(*totals.primary_key.columns))

    def count(self, connection: Connection, source: str, messages: pl.DataFrame, dead_letters: pl.DataFrame) -> None:
        """Add labelled messages and dead letters to the counters, inside a write transaction."""
        bucket = microseconds(self._database.now()) // 1_000_000 // BUCKET_SECONDS * BUCKET_SECONDS
        counts = [*_counts(messages), *_values(_stage(dead_letters), "dead_letter", "")]
        rows = pl.DataFrame(counts, _COUNTS, orient="row").with_columns(source=pl.lit(storable(source)))
        add_counts(connection, totals, rows)
        add_counts(connection, traffic, rows.with_columns(bucket=bucket))
        if bucket != self._pruned:
            connection.execute(delete(traffic).where(traffic.c.bucket < bucket - KEPT_SECONDS))
            self._pruned = bucket


def _series(rows: pl.DataFrame) -> Series:
    confidence = _of(rows, "confidence").group_by("dimension", pl.col("value").cast(pl.Int64).alias("bin"))
    return Series(
        messages=_of(rows, "route").select("time", pl.col("value").alias("route"), "count"),
        labels=_of(rows, "label").select("time", "dimension", pl.col("value").alias("label"), "count"),
        confidence=confidence.agg(pl.col("count").sum()).sort("dimension", "bin"),
        dead_letters=_of(rows, "dead_letter").select("time", pl.col("value").alias("stage"), "count"),
    )


def _of(rows: pl.DataFrame, kind: str) -> pl.DataFrame:
    return rows.filter(pl.col("kind") == kind)


def _counts(messages: pl.DataFrame) -> Iterator[_Count]:
    """Count each route, label and bin of confidence; what is null is not counted."""
    for column in messages.columns:
        kind, _, dimension = column.partition(":")
        if column in {"route", label_column(dimension)}:
            yield from _values(messages[column], kind, dimension)
        elif column == confidence_column(dimension):
            yield from _bins(messages[column], dimension)


def _values(values: pl.Series, kind: str, dimension: str) -> Iterator[_Count]:
    for value, count in values.drop_nulls().value_counts().iter_rows():
        yield kind, storable(dimension), storable(value), count


def _bins(confidence: pl.Series, dimension: str) -> Iterator[_Count]:
    known = confidence.drop_nulls().drop_nans().to_numpy()
    counts = np.bincount(np.clip(known * BINS, 0, BINS - 1).astype(np.int64), minlength=BINS)
    for value in np.flatnonzero(counts):
        yield "confidence", storable(dimension), str(value), int(counts[value])


def _stage(dead_letters: pl.DataFrame) -> pl.Series:
    unknown = pl.Series("stage", [""], dtype=pl.String).new_from_index(0, dead_letters.height)
    return dead_letters["stage"].fill_null("") if "stage" in dead_letters.columns else unknown
