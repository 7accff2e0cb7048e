"""The connection to the database: short read transactions, and write transactions that wait for each other.

SQLite has one writer at a time; here that holds for PostgreSQL too, per part of the data (`Lock`), so that the same code
is right on both. Readers never wait.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

import sqlalchemy.orm  # noqa: F401 — queries look into it once it is there, so no thread may import it beside others' queries
from sqlalchemy import URL, Connection, Engine, event, exc, func, select

from vigie.errors import UnavailableError

BUSY_SECONDS = 30.0
"""How long a writer waits for other processes before it gives up."""

_RESERVED = 0x5669_6769_6500  # "Vigie" in the first bytes: advisory locks are shared by a whole PostgreSQL database


class Lock(IntEnum):
    """What a PostgreSQL writer may have to itself; several are taken in this order, so nobody waits in a circle."""

    SCHEMA = 0
    POOL = 1
    QUESTIONS = 2
    INBOX = 3
    EMBEDDINGS = 4


def utc_now() -> datetime:
    """Return the time, aware."""
    return datetime.now(UTC)


class Database:
    """One database, used by any number of threads and processes at once.

    Parameters
    ----------
    engine
        Connects to it; made by `address.connect`.
    clock
        Tells the time.
    """

    def __init__(self, engine: Engine, clock: Callable[[], datetime] = utc_now) -> None:
        self.engine = engine
        self.now = clock
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._reading = engine.execution_options(vigie_write=False)
        self._writing = engine.execution_options(vigie_write=True)
        self._durable = engine.execution_options(vigie_write=True, vigie_durable=True)
        # Threads queue here; SQLite itself would let them poll, and the unlucky one could wait for long.
        self._turn: AbstractContextManager[Any] = threading.Lock() if self.is_sqlite else nullcontext()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield a connection that sees one moment of the database; never waits for writers.

        Raises
        ------
        UnavailableError
            The database does not answer now.
        """
        with self._translated(), self._reading.connect() as connection:
            yield connection

    @contextmanager
    def write(self, *locks: Lock, durable: bool = False) -> Iterator[Connection]:
        """Yield a connection in a transaction that is committed at the end, or undone by an exception.

        Parameters
        ----------
        locks
            What must not change under it on PostgreSQL; on SQLite it is always alone.
        durable
            Survive a power cut at once. Without it SQLite survives the end of the process, however hard, but a power
            cut may take the last transactions (never one in the middle).

        Raises
        ------
        UnavailableError
            The database does not answer now, or other processes held it for `BUSY_SECONDS`.
        """
        with self._translated(), self.transaction(*locks, durable=durable) as connection:
            yield connection

    @contextmanager
    def transaction(self, *locks: Lock, durable: bool = False) -> Iterator[Connection]:
        """Do the same as `write`, and raise what SQLAlchemy raises."""
        engine = self._durable if durable else self._writing
        with self._turn, engine.begin() as connection:
            for lock in sorted(locks) if not self.is_sqlite else ():
                connection.execute(select(func.pg_advisory_xact_lock(_RESERVED + lock)))
            yield connection

    def close(self) -> None:
        """Let go of all connections; may be called twice."""
        self.engine.dispose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (exc.OperationalError, exc.InterfaceError, exc.TimeoutError) as error:
            # The original holds SQL and perhaps a piece of a message: it goes no further.
            raise UnavailableError(f"the database {shown(self.engine.url)} does not answer: {reason(error)}") from None


def prepare_sqlite(engine: Engine) -> None:
    """Let SQLAlchemy alone decide where transactions begin, and make writers say so at once.

    A SQLite transaction that begins by reading cannot become a writer while somebody else writes: it fails without
    waiting. BEGIN IMMEDIATE waits its turn.
    """

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        for pragma in (
            f"busy_timeout = {int(BUSY_SECONDS * 1000)}",
            "foreign_keys = ON",
            "temp_store = MEMORY",
            "cache_size = -32000",
            "journal_size_limit = 67108864",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("vigie_write"):
            connection.exec_driver_sql(f"PRAGMA synchronous = {'FULL' if options.get('vigie_durable') else 'NORMAL'}")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql("BEGIN")


def shown(url: URL) -> str:
    """Return the address of a database without its password."""
    return url.set(query={}).render_as_string(hide_password=True)


def reason(error: exc.DBAPIError | exc.TimeoutError) -> str:
    """Return the first line of what the database said, without the statement, its values or a password."""
    original = getattr(error, "orig", None)
    return (str(original or error).strip().splitlines() or ["no reason given"])[0]
