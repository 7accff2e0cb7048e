"""Rows in bulk, between tables and Polars frames; times are microseconds on the way in, aware UTC on the way out.

SQLAlchemy looks at every value of every row, which takes longer than writing them (800 updates on SQLite: 7 ms to
2 ms), and PostgreSQL answers every row of a many-row statement (40,000 rows: 1.6 s). So rows go past SQLAlchemy to SQLite,
and to PostgreSQL as one array for each column.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
import polars as pl
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ClauseElement,
    Column,
    ColumnElement,
    Connection,
    Float,
    Integer,
    LargeBinary,
    Select,
    Table,
    TableValuedAlias,
    any_,
    bindparam,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.types import TypeEngine

from vigie.store.tables import UtcTime

_FETCH = 50_000


def frame(connection: Connection, query: Select[Any]) -> pl.DataFrame:
    """Return the rows of a query as columns, named and typed as selected.

    Rows are taken from the driver as they are (a million in about 1.5 s).
    """
    columns = query.selected_columns
    schema = {column.name: _polars_type(column.type) for column in columns}
    times = [column.name for column in columns if isinstance(column.type, UtcTime)]
    cursor = connection.execute(query).cursor
    parts = [pl.DataFrame(schema=schema)]
    while cursor is not None and (rows := cursor.fetchmany(_FETCH)):
        parts.append(pl.DataFrame(rows, schema=schema, orient="row"))
    return pl.concat(parts).with_columns(pl.col(times).cast(pl.Datetime("us", "UTC")))


def insert(connection: Connection, table: Table) -> SqliteInsert | PostgresInsert:
    """Return an INSERT that knows ON CONFLICT, which both databases spell alike."""
    return postgres_insert(table) if _is_postgres(connection) else sqlite_insert(table)


def insert_rows(connection: Connection, statement: SqliteInsert | PostgresInsert, rows: pl.DataFrame) -> None:
    """Run an INSERT (made by `insert`) for rows whose columns are named like the table's."""
    if rows.is_empty():
        return
    if isinstance(statement, PostgresInsert):
        new = _unnested(statement.table, rows)
        connection.execute(statement.from_select(rows.columns, select(*new.c)))
    else:
        _run(connection, statement, rows)


def replace_rows(connection: Connection, table: Table, rows: pl.DataFrame) -> None:
    """Insert rows; where one with the same primary key stands, it is overwritten."""
    new = insert(connection, table)
    _upsert(connection, new, rows, {n: new.excluded[n] for n in rows.columns if n not in table.primary_key.columns})


def add_counts(connection: Connection, table: Table, rows: pl.DataFrame, column: str = "count") -> None:
    """Insert rows; where one with the same primary key stands, the counts are added up."""
    new = insert(connection, table)
    _upsert(connection, new, rows, {column: table.c[column] + new.excluded[column]})


def update_rows(connection: Connection, table: Table, rows: pl.DataFrame, *, key: str) -> None:
    """Set the columns of rows that are there already, found by the column `key`."""
    if rows.is_empty():
        return
    names = [name for name in rows.columns if name != key]
    if _is_postgres(connection):
        new = _unnested(table, rows)
        changed = update(table).where(table.c[key] == new.c[key])
        connection.execute(changed.values({name: new.c[name] for name in names}))
    else:
        changed = update(table).where(table.c[key] == bindparam(f"new_{key}"))
        changed = changed.values({name: bindparam(f"new_{name}") for name in names})
        _run(connection, changed, rows.rename(lambda name: f"new_{name}"))


def among(connection: Connection, column: ColumnElement[int], values: Sequence[int]) -> ColumnElement[bool]:
    """Select rows whose number is one of any number of values, which travel as one parameter."""
    if _is_postgres(connection):
        return column == any_(literal(list(values), ARRAY(BigInteger)))
    return column.in_(select(func.json_each(orjson.dumps(list(values)).decode()).table_valued("value").c.value))


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


def _upsert(
    connection: Connection,
    new: SqliteInsert | PostgresInsert,
    rows: pl.DataFrame,
    values: Mapping[str, ColumnElement[Any]],
) -> None:
    keys = list(new.table.primary_key)
    insert_rows(connection, new.on_conflict_do_update(index_elements=keys, set_=values), rows)


def _run(connection: Connection, statement: ClauseElement, rows: pl.DataFrame) -> None:
    """Run a statement once for each row, whose columns are its parameters."""
    compiled: Any = statement.compile(dialect=connection.dialect, column_keys=rows.columns)
    connection.exec_driver_sql(str(compiled), rows.select(compiled.positiontup).rows())


def _unnested(table: Any, rows: pl.DataFrame) -> TableValuedAlias:
    arrays = [literal(rows[name].to_list(), ARRAY(_plain(table.c[name]))) for name in rows.columns]
    columns = [Column(name, _plain(table.c[name])) for name in rows.columns]
    return func.unnest(*arrays).table_valued(*columns, name="new").render_derived()


def _plain(column: ColumnElement[Any]) -> TypeEngine[Any]:
    return BigInteger() if isinstance(column.type, UtcTime) else column.type


def _is_postgres(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"


def _polars_type(kind: TypeEngine[Any]) -> pl.DataType:
    if isinstance(kind, (UtcTime, BigInteger, Integer)):
        return pl.Int64()
    if isinstance(kind, LargeBinary):
        return pl.Binary()
    return pl.Float64() if isinstance(kind, Float) else pl.String()
