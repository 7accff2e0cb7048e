"""Writing down what the stream saw: groups, samples and counters, each message once."""

import polars as pl
from sqlalchemy import Connection, select

from vigie.store.bulk import frame, replace_rows, storable, storable_columns
from vigie.store.engine import Database, Lock
from vigie.store.grouping import ROWS, Grouping
from vigie.store.pool import Pool
from vigie.store.tables import marks, microseconds
from vigie.store.traffic import Traffic


class Recorder:
    """Counts labelled batches into the pool and the traffic."""

    def __init__(self, database: Database, grouping: Grouping, pool: Pool, traffic: Traffic) -> None:
        self._database = database
        self._grouping = grouping
        self._pool = pool
        self._traffic = traffic

    def record(self, source: str, messages: pl.DataFrame) -> int:
        """Count a batch, in one transaction that also notes how far each stream was counted.

        Parameters
        ----------
        source
            The name of the source in the settings.
        messages
            A labelled batch; rows with an ``error`` count as dead letters only. Rows below what was counted already
            of their stream and partition are left out: a batch that comes again after a crash counts nothing twice.

        Returns
        -------
        How many rows were counted.
        """
        if messages.is_empty():
            return 0
        source = storable(source)
        messages = messages.with_columns(storable_columns("stream"))
        with self._grouping.turn:
            with self._database.write(Lock.POOL) as connection:
                fresh = _fresh(connection, source, messages)
                if fresh.is_empty():
                    return 0
                bad = _is_bad(fresh)
                labelled, dead_letters = fresh.filter(~bad), fresh.filter(bad)
                found = self._grouping.count(connection, self._rows(source, labelled))
                self._traffic.count(connection, source, labelled, dead_letters)
            self._grouping.remember(found)
        self._pool.shrink()
        return fresh.height

    def _rows(self, source: str, messages: pl.DataFrame) -> pl.DataFrame:
        now = microseconds(self._database.now())
        time = pl.col("timestamp").dt.timestamp("us").fill_null(now)
        return messages.select(
            "template", "text", pl.lit(source).alias("source"), "stream", "partition", "offset", time
        ).cast(ROWS)


def _is_bad(messages: pl.DataFrame) -> pl.Series:
    """Return which rows have no template: they could not be decoded."""
    unknown = messages["template"].is_null()
    return unknown | messages["error"].is_not_null() if "error" in messages.columns else unknown


def _fresh(connection: Connection, source: str, messages: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that were not counted yet, and note that they are."""
    place = ["stream", "partition"]
    query = select(marks.c.stream, marks.c.partition, marks.c.offset.label("mark")).where(marks.c.source == source)
    spans = messages.group_by(place).agg(first=pl.col("offset").min(), offset=pl.col("offset").max() + 1)
    mark = frame(connection, query.where(marks.c.stream.in_(spans["stream"].unique().to_list())))
    spans = spans.join(mark.cast({"partition": pl.Int32}), on=place, how="left")
    if (spans["first"] < spans["mark"]).any():
        known = pl.col("offset") < pl.col("mark")
        marked = messages.join(spans.select(*place, "mark"), on=place, maintain_order="left")
        messages = marked.filter(~known.fill_null(value=False)).drop("mark")
    reached = pl.max_horizontal("offset", "mark").alias("offset")
    replace_rows(connection, marks, spans.select(pl.lit(source).alias("source"), *place, reached))
    return messages
