"""The inbox: messages pushed over HTTP that wait for the stream worker."""

from collections.abc import Sequence

import polars as pl
from sqlalchemy import Connection, delete, func, insert, select

from vigie.errors import InboxFullError
from vigie.store.bulk import frame
from vigie.store.engine import Database, Lock
from vigie.store.tables import inbox

RETRY_SECONDS = 1.0


class Inbox:
    """Messages in the order they came; ids only grow, also after all were forgotten."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, messages: Sequence[bytes], *, cap: int) -> list[int]:
        """Append messages, all or none, and return their ids; on disk when this returns.

        Raises
        ------
        InboxFullError
            There would be more than `cap` waiting; come back after its ``retry_after_seconds``.
        """
        if not messages:
            return []
        rows = [{"payload": message, "received_at": self._database.now()} for message in messages]
        # The lock makes ids visible in their order: a reader that saw 7 never misses 6.
        with self._database.write(Lock.INBOX, durable=True) as connection:
            waiting = _waiting(connection)
            if waiting + len(messages) > cap:
                raise InboxFullError(
                    f"{waiting} messages wait for the stream worker and {len(messages)} more would exceed {cap}; "
                    "send fewer at once, try again later, or start another worker",
                    retry_after_seconds=RETRY_SECONDS,
                )
            last = _last(connection)
            connection.execute(insert(inbox), rows)
            query = select(inbox.c.id).where(inbox.c.id > last).order_by(inbox.c.id)
            return list(connection.execute(query).scalars().all())

    def read(self, after_id: int, n: int) -> pl.DataFrame:
        """Return the next messages: ``id``, ``payload`` (Binary), ``received_at``, at most `n` with ids above `after_id`."""
        query = select(inbox).where(inbox.c.id > after_id).order_by(inbox.c.id).limit(n)
        with self._database.read() as connection:
            return frame(connection, query)

    def forget(self, up_to_id: int) -> None:
        """Delete messages that were labelled and written, up to and including an id."""
        with self._database.write() as connection:
            connection.execute(delete(inbox).where(inbox.c.id <= up_to_id))

    def waiting(self) -> int:
        """Return how many messages are waiting (on PostgreSQL perhaps a few more after an interrupted `put`)."""
        with self._database.read() as connection:
            return _waiting(connection)


def _waiting(connection: Connection) -> int:
    """Count without reading every row: messages are forgotten from the front only."""
    first, last = connection.execute(select(func.min(inbox.c.id), func.max(inbox.c.id))).one()
    return 0 if first is None else int(last - first + 1)


def _last(connection: Connection) -> int:
    return int(connection.execute(select(func.max(inbox.c.id))).scalar() or 0)
