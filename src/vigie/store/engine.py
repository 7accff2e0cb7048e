"""The connection to the database: short read transactions, and write transactions that wait for each other.

SQLite has one writer at a time; here that holds for PostgreSQL too, per part of the data (`Lock`), so that the same code
is right on both. Readers never wait.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

import orjson
import polars as pl
from sqlalchemy import (
    ARRAY,
    URL,
    BigInteger,
    ClauseElement,
    ColumnElement,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    Select,
    Table,
    any_,
    event,
    exc,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.types import Float, TypeEngine

from vigie.errors import UnavailableError
from vigie.store.tables import UtcTime

BUSY_SECONDS = 30.0
"""How long a writer waits for other processes before it gives up."""

_RESERVED = 0x5669_6769_6500  # "Vigie" in the first bytes: advisory locks are shared by a whole PostgreSQL database
_FETCH = 50_000


class Lock(IntEnum):
    """What a PostgreSQL writer may have to itself; several are taken in this order, so nobody waits in a circle."""

    SCHEMA = 0
    POOL = 1
    QUESTIONS = 2
    INBOX = 3


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


def frame(connection: Connection, query: Select[Any]) -> pl.DataFrame:
    """Return the rows of a query as columns, named and typed as selected.

    Rows are taken from the driver as they are (a million in about 1.5 s); times become aware UTC columns.
    """
    columns = query.selected_columns
    schema = {column.name: _polars_type(column.type) for column in columns}
    times = [column.name for column in columns if isinstance(column.type, UtcTime)]
    cursor = connection.execution_options(stream_results=False).execute(query).cursor
    parts = [pl.DataFrame(schema=schema)]
    while cursor is not None and (rows := cursor.fetchmany(_FETCH)):
        parts.append(pl.DataFrame(rows, schema=schema, orient="row"))
    return pl.concat(parts).with_columns(pl.col(times).cast(pl.Datetime("us", "UTC")))


def insert(connection: Connection, table: Table) -> SqliteInsert | PostgresInsert:
    """Return an INSERT that knows ON CONFLICT, which both databases spell alike."""
    return sqlite_insert(table) if connection.dialect.name == "sqlite" else postgres_insert(table)


def replace_rows(connection: Connection, table: Table, rows: pl.DataFrame) -> None:
    """Insert rows; where one with the same primary key stands, it is overwritten."""
    statement = insert(connection, table)
    values = {name: statement.excluded[name] for name in rows.columns if name not in table.primary_key.columns}
    keys = list(table.primary_key.columns)
    write_rows(connection, statement.on_conflict_do_update(index_elements=keys, set_=values), rows)


def add_counts(connection: Connection, table: Table, rows: pl.DataFrame, column: str = "count") -> None:
    """Insert rows; where one with the same primary key stands, the counts are added up."""
    statement = insert(connection, table)
    total = {column: table.c[column] + statement.excluded[column]}
    keys = list(table.primary_key.columns)
    write_rows(connection, statement.on_conflict_do_update(index_elements=keys, set_=total), rows)


def write_rows(connection: Connection, statement: ClauseElement, rows: pl.DataFrame) -> None:
    """Run a statement once for each row, whose columns are its parameters; times are given in microseconds.

    SQLAlchemy would look at every value of every row, which takes longer than writing them (800 updates: 7 ms to 2 ms).
    """
    if rows.is_empty():
        return
    compiled: Any = statement.compile(dialect=connection.dialect, column_keys=rows.columns)
    values = rows.select(compiled.positiontup).rows() if compiled.positional else rows.to_dicts()
    connection.exec_driver_sql(str(compiled), values)


def among(connection: Connection, column: ColumnElement[int], values: Sequence[int]) -> ColumnElement[bool]:
    """Select rows whose number is one of any number of values, which travel as one parameter."""
    if connection.dialect.name == "sqlite":
        return column.in_(select(func.json_each(orjson.dumps(list(values)).decode()).table_valued("value").c.value))
    return column == any_(literal(list(values), ARRAY(BigInteger)))


def chunks(values: Sequence[Any], size: int = 10_000) -> Iterator[Sequence[Any]]:
    """Cut a sequence into pieces that fit into one statement."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def storable(text: str) -> str:
    """Return a text that every database takes: PostgreSQL has no NUL, and neither has half a surrogate pair."""
    return text.replace("\x00", "\N{SYMBOL FOR NULL}").encode("utf-8", "replace").decode("utf-8")


def storable_columns(*names: str) -> pl.Expr:
    """Return columns of text that every database takes; see `storable` (Polars has no half surrogate pairs)."""
    return pl.col(*names).str.replace_all("\x00", storable("\x00"), literal=True)


def _polars_type(kind: TypeEngine[Any]) -> pl.DataType:
    if isinstance(kind, (UtcTime, BigInteger, Integer)):
        return pl.Int64()
    if isinstance(kind, LargeBinary):
        return pl.Binary()
    return pl.Float64() if isinstance(kind, Float) else pl.String()
