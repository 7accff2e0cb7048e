"""Audit draws: which groups were drawn at random from the stream, in proportion to traffic, and how often."""

from collections import Counter
from collections.abc import Iterable

import polars as pl
from sqlalchemy import select

from vigie.store.bulk import add_counts, among, frame
from vigie.store.engine import Database, Lock
from vigie.store.tables import audit_draws, groups


class Audit:
    """The audit sample; a group drawn is never evicted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def draw(self, group_ids: Iterable[int]) -> None:
        """Note that groups were drawn; a group named several times was drawn so often. Groups that are gone are left out."""
        drawn = Counter(int(group_id) for group_id in group_ids)
        with self._database.write(Lock.POOL, Lock.QUESTIONS) as connection:
            there = connection.execute(select(groups.c.id).where(among(connection, groups.c.id, list(drawn)))).scalars()
            rows = [(group_id, drawn[group_id]) for group_id in there]
            schema = {"group_id": pl.Int64, "draws": pl.Int64}
            add_counts(connection, audit_draws, pl.DataFrame(rows, schema, orient="row"), column="draws")

    def draws(self) -> pl.DataFrame:
        """Return every group that was drawn: ``group_id``, ``draws``."""
        with self._database.read() as connection:
            return frame(connection, select(audit_draws).order_by(audit_draws.c.group_id))
