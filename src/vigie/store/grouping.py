"""Counting messages into groups, and keeping a fair sample of each group."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from sqlalchemy import Connection, bindparam, insert, select, update

from vigie.store.engine import chunks, frame, replace_rows, storable, storable_columns
from vigie.store.tables import GroupState, groups, pool_state, samples

CACHE = 200_000
"""How many group ids a process remembers by the digest of the template (about 30 MB)."""

ROWS = pl.Schema(
    {
        "template": pl.String(),
        "text": pl.String(),
        "source": pl.String(),
        "stream": pl.String(),
        "partition": pl.Int32(),
        "offset": pl.Int64(),
        "timestamp": pl.Int64(),
    }
)
"""What is counted: one row per message, nothing null but the offset; times in microseconds."""


def digest(template: str) -> bytes:
    """Return what a group is found by: 16 bytes that no other template has."""
    return hashlib.blake2b(storable(template).encode(), digest_size=16).digest()


class Grouping:
    """Puts messages into groups; for one writer at a time that holds `Lock.POOL`.

    Parameters
    ----------
    samples_per_group
        How many real messages are kept of each group, each equally likely to be kept.
    rng
        Chooses them.

    Attributes
    ----------
    turn
        Held by whoever counts, from before the transaction until the ids are remembered.
    size
        How many groups there were after the last count.
    """

    def __init__(self, samples_per_group: int, rng: np.random.Generator) -> None:
        self._per_group = samples_per_group
        self._rng = rng
        self._ids: OrderedDict[bytes, int] = OrderedDict()
        self._evicted = 0
        self.turn = threading.Lock()
        self.size = 0

    def count(self, connection: Connection, rows: pl.DataFrame) -> pl.DataFrame:
        """Add messages to their groups, which are made where they do not exist.

        Parameters
        ----------
        connection
            In a write transaction.
        rows
                Columns of `ROWS`.

        Returns
        -------
        One row per group: ``template``, ``digest``, ``group_id``; remember it with `remember` after the commit.
        """
        rows = rows.with_columns(storable_columns("template", "text", "source", "stream"))
        found = rows.group_by("template", maintain_order=True).agg(
            n=pl.len(), oldest=pl.col("timestamp").min(), newest=pl.col("timestamp").max()
        )
        found = found.with_columns(
            digest=pl.Series([digest(template) for template in found["template"]], dtype=pl.Binary)
        )
        found = self._identified(connection, found)
        found = found.join(self._known(connection, found), on="group_id", how="left", maintain_order="left")
        self._insert(connection, found.filter(pl.col("count").is_null()))
        self._update(connection, found.filter(pl.col("count").is_not_null()))
        self._sample(
            connection, rows.join(found.select("template", "group_id", "count"), on="template", maintain_order="left")
        )
        return found.select("template", "digest", "group_id")

    def remember(self, found: pl.DataFrame) -> None:
        """Keep the ids of groups that `count` returned, once they are committed."""
        for key, group_id in found.select("digest", "group_id").iter_rows():
            self._ids[key] = group_id
            self._ids.move_to_end(key)
        while len(self._ids) > CACHE:
            self._ids.popitem(last=False)

    def _identified(self, connection: Connection, found: pl.DataFrame) -> pl.DataFrame:
        """Add the column ``group_id``; new groups get the next free ones."""
        state = connection.execute(select(pool_state)).one()
        if state.evicted != self._evicted:
            # Somebody, perhaps another process, evicted groups: an id we remember may be gone.
            self._ids.clear()
            self._evicted = state.evicted
        ids = [self._ids.get(key) for key in found["digest"]]
        missing = [key for key, group_id in zip(found["digest"], ids, strict=True) if group_id is None]
        stored = _stored_ids(connection, missing)
        fresh = [key for key in missing if key not in stored]
        stored |= {key: state.last_group_id + 1 + i for i, key in enumerate(fresh)}
        self.size = state.size + len(fresh)
        if fresh:
            values = {"last_group_id": state.last_group_id + len(fresh), "size": self.size}
            connection.execute(update(pool_state).values(values))
        resolved = [stored[key] if i is None else i for key, i in zip(found["digest"], ids, strict=True)]
        return found.with_columns(group_id=pl.Series(resolved, dtype=pl.Int64))

    def _known(self, connection: Connection, found: pl.DataFrame) -> pl.DataFrame:
        columns = select(groups.c.id.label("group_id"), groups.c.count, groups.c.first_seen, groups.c.last_seen)
        ids = found["group_id"].to_list()
        parts = [frame(connection, columns.where(groups.c.id.in_(part))) for part in chunks(ids)]
        known = pl.concat(parts) if parts else frame(connection, columns.limit(0))
        return known.with_columns(pl.col("first_seen", "last_seen").cast(pl.Int64))

    def _insert(self, connection: Connection, found: pl.DataFrame) -> None:
        if found.is_empty():
            return
        rows = found.select(
            pl.col("group_id").alias("id"),
            "digest",
            "template",
            pl.col("n").alias("count"),
            pl.col("oldest").alias("first_seen"),
            pl.col("newest").alias("last_seen"),
            pl.lit(GroupState.OPEN.value).alias("state"),
        )
        connection.execute(insert(groups), rows.to_dicts())

    def _update(self, connection: Connection, found: pl.DataFrame) -> None:
        if found.is_empty():
            return
        rows = found.select(
            pl.col("group_id").alias("_id"),
            (pl.col("count") + pl.col("n")).alias("_count"),
            pl.min_horizontal("first_seen", "oldest").alias("_first"),
            pl.max_horizontal("last_seen", "newest").alias("_last"),
        )
        connection.execute(_UPDATE, rows.to_dicts())

    def _sample(self, connection: Connection, rows: pl.DataFrame) -> None:
        """Keep each message with the same probability (Vitter 1985, Random sampling with a reservoir, algorithm R)."""
        nth = pl.col("count").fill_null(0) + pl.int_range(pl.len()).over("group_id") + 1
        drawn = (pl.Series("drawn", self._rng.random(rows.height)) * rows.select(nth=nth)["nth"]).floor().cast(pl.Int64)
        kept = (
            rows.with_columns(nth=nth, drawn=drawn)
            .with_columns(slot=pl.when(pl.col("nth") <= self._per_group).then(pl.col("nth") - 1).otherwise("drawn"))
            .filter(pl.col("slot") < self._per_group)
            .unique(["group_id", "slot"], keep="last", maintain_order=True)
        )
        columns = ("group_id", "slot", "text", "source", "stream", "partition", "offset", "timestamp")
        replace_rows(connection, samples, kept.select(columns).to_dicts())


_UPDATE = (
    update(groups)
    .where(groups.c.id == bindparam("_id"))
    .values(count=bindparam("_count"), first_seen=bindparam("_first"), last_seen=bindparam("_last"))
)


def _stored_ids(connection: Connection, digests: Sequence[bytes]) -> dict[bytes, int]:
    found: dict[bytes, int] = {}
    for part in chunks(digests):
        rows: Any = connection.execute(select(groups.c.digest, groups.c.id).where(groups.c.digest.in_(part)))
        found.update((bytes(key), group_id) for key, group_id in rows)
    return found
