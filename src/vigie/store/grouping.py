"""Counting messages into groups, and keeping a fair sample of each group."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import polars as pl
from sqlalchemy import Connection, select, update

from vigie.store.bulk import (
    among,
    chunks,
    frame,
    insert,
    insert_rows,
    replace_rows,
    storable,
    storable_columns,
    update_rows,
)
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
        self.turn = threading.Lock()
        self.size = 0
        self._per_group = samples_per_group
        self._rng = rng
        self._ids: OrderedDict[bytes, int] = OrderedDict()
        self._evicted = 0

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
        found = _groups(rows)
        if found["template"].str.contains("\x00", literal=True).any():
            found = _groups(rows.with_columns(storable_columns("template")))
        digests = pl.Series([digest(template) for template in found["template"]], dtype=pl.Binary)
        found = self._identified(connection, found.with_columns(digest=digests))
        found = found.join(_known(connection, found), on="group_id", how="left", maintain_order="left")
        _insert(connection, found.filter(pl.col("count").is_null()))
        _update(connection, found.filter(pl.col("count").is_not_null()))
        self._sample(connection, rows, found)
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

    def _sample(self, connection: Connection, rows: pl.DataFrame, found: pl.DataFrame) -> None:
        """Keep each message with the same probability (Vitter 1985, Random sampling with a reservoir, algorithm R)."""
        sizes = found["n"].to_numpy()
        before = np.repeat(found["count"].fill_null(0).to_numpy() - (np.cumsum(sizes) - sizes), sizes)
        nth = before + np.arange(1, rows.height + 1)
        slots = np.where(nth <= self._per_group, nth - 1, (self._rng.random(rows.height) * nth).astype(np.int64))
        kept = np.flatnonzero(slots < self._per_group)
        sample = rows.drop("template")[found["row"].explode().to_numpy()[kept]].with_columns(
            storable_columns("text", "source", "stream"),
            group_id=np.repeat(found["group_id"].to_numpy(), sizes)[kept],
            slot=slots[kept],
        )
        replace_rows(connection, samples, sample.unique(["group_id", "slot"], keep="last", maintain_order=True))


def _groups(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the groups of messages, in the order of first appearance, with the numbers of their rows."""
    time = pl.col("timestamp")
    grouped = rows.with_row_index("row").group_by("template", maintain_order=True)
    return grouped.agg("row", n=pl.len().cast(pl.Int64), oldest=time.min(), newest=time.max())


def _stored_ids(connection: Connection, digests: Sequence[bytes]) -> dict[bytes, int]:
    found: dict[bytes, int] = {}
    for part in chunks(digests):
        rows = connection.execute(select(groups.c.digest, groups.c.id).where(groups.c.digest.in_(part)))
        found.update((bytes(key), group_id) for key, group_id in rows)
    return found


def _known(connection: Connection, found: pl.DataFrame) -> pl.DataFrame:
    query = select(groups.c.id.label("group_id"), groups.c.count, groups.c.first_seen, groups.c.last_seen)
    known = frame(connection, query.where(among(connection, groups.c.id, found["group_id"].to_list())))
    return known.with_columns(pl.col("first_seen", "last_seen").cast(pl.Int64))


def _insert(connection: Connection, found: pl.DataFrame) -> None:
    columns = {"id": "group_id", "count": "n", "first_seen": "oldest", "last_seen": "newest"}
    rows = found.select("digest", "template", **columns, state=pl.lit(GroupState.OPEN.value))
    insert_rows(connection, insert(connection, groups), rows)


def _update(connection: Connection, found: pl.DataFrame) -> None:
    rows = found.select(
        id="group_id",
        count=pl.col("count") + pl.col("n"),
        first_seen=pl.min_horizontal("first_seen", "oldest"),
        last_seen=pl.max_horizontal("last_seen", "newest"),
    )
    update_rows(connection, groups, rows, key="id")
