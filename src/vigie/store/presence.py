"""Presence: which roles run, where, and what they say about themselves."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, case, delete, select

from vigie.store.bulk import insert, storable
from vigie.store.engine import Database
from vigie.store.tables import presence

KEPT = timedelta(days=1)
"""How long a role that ended without a word is remembered."""


@dataclass(frozen=True, slots=True)
class Presence:
    """One running role: which, its instance and process, since when, when it was last seen, and its own details."""

    role: str
    instance: str
    pid: int
    started_at: datetime
    seen_at: datetime
    details: Mapping[str, Any]


class Roster:
    """Heartbeats of all roles."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def beat(self, role: str, instance: str, details: Mapping[str, Any]) -> None:
        """Say that a role of this process runs; call it every few seconds.

        A new process under an old name is a new start.
        """
        now, pid = self._database.now(), os.getpid()
        row = {"role": storable(role), "instance": storable(instance), "pid": pid, "seen_at": now, "started_at": now}
        with self._database.write() as connection:
            _put(connection, row | {"details": dict(details)})
            connection.execute(delete(presence).where(presence.c.seen_at < now - KEPT))

    def alive(self, within_seconds: float) -> list[Presence]:
        """Return the roles heard of in the last seconds, by role and instance."""
        since = self._database.now() - timedelta(seconds=within_seconds)
        query = select(presence).where(presence.c.seen_at >= since).order_by(presence.c.role, presence.c.instance)
        with self._database.read() as connection:
            return [Presence(**row) for row in connection.execute(query).mappings()]

    def leave(self, role: str, instance: str) -> None:
        """Say that a role ends."""
        mine = (presence.c.role == storable(role)) & (presence.c.instance == storable(instance))
        with self._database.write() as connection:
            connection.execute(delete(presence).where(mine))


def _put(connection: Connection, row: Mapping[str, Any]) -> None:
    statement = insert(connection, presence).values(row)
    new = statement.excluded
    same_process = presence.c.pid == new.pid
    values = {
        "pid": new.pid,
        "seen_at": new.seen_at,
        "details": new.details,
        "started_at": case((same_process, presence.c.started_at), else_=new.started_at),
    }
    connection.execute(statement.on_conflict_do_update(index_elements=["role", "instance"], set_=values))
