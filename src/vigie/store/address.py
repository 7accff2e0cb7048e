"""From the address of a database in vigie.toml to a connection, with an error for everything that can be wrong."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, exc, make_url

from vigie.errors import MissingExtraError, SettingsError, UnavailableError
from vigie.store.engine import BUSY_SECONDS, prepare_sqlite, reason, shown

_EXPECTED = "expected sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE; change store.url in vigie.toml"
# The driver gives no error code for a connection that was refused; a server that speaks another language is waited for.
_REFUSED: Final = (
    "authentication failed",
    "does not exist",
    "no pg_hba.conf entry",
    "permission denied",
    "no password",
)


_OPTIONS: Final[Mapping[str, Any]] = {
    "pool_size": 8,
    "max_overflow": 56,
    "hide_parameters": True,  # they hold messages, and errors are logged
}


def connect(address: str) -> Engine:
    """Return an engine for a database that was reached.

    Parameters
    ----------
    address
        ``sqlite:///FILE`` (the folder must exist, the file need not) or ``postgresql://…``.

    Raises
    ------
    SettingsError
        The address is wrong, or the file or database cannot be used.
    MissingExtraError
        PostgreSQL is asked for and its driver is not installed.
    UnavailableError
        The server does not answer now.
    """
    url = _parsed(address)
    return _sqlite(url) if url.drivername == "sqlite" else _postgresql(url)


@contextmanager
def opening(url: URL) -> Iterator[None]:
    """Turn what goes wrong while a database is opened into an error that says what to do."""
    try:
        yield
    except exc.DBAPIError as error:
        raise _explained(url, error) from None


def _parsed(address: str) -> URL:
    try:
        url = make_url(address)
    except (exc.ArgumentError, ValueError):
        # The address itself may hold a password that could not be told from the rest.
        raise SettingsError(
            f"the database address (beginning {address.partition(':')[0]!r}) is no URL; {_EXPECTED}"
        ) from None
    family = url.drivername.split("+")[0]
    if family == "sqlite":
        return url.set(drivername="sqlite")
    if family in {"postgresql", "postgres"}:
        return url.set(drivername="postgresql+psycopg")
    raise SettingsError(f"databases of kind {family!r} are not supported; {_EXPECTED}")


def _sqlite(url: URL) -> Engine:
    if not url.database or url.database == ":memory:" or url.query:
        raise SettingsError(
            f"the database {shown(url)} is no plain file, and the roles of Vigie share one; {_EXPECTED}"
        )
    path = Path(url.database)
    if not path.parent.is_dir():
        raise SettingsError(f"the database cannot be {path}: the folder {path.parent} does not exist; create it")
    engine = create_engine(url, poolclass=QueuePool, **_OPTIONS)
    prepare_sqlite(engine)
    return _reached(engine)


def _postgresql(url: URL) -> Engine:
    if find_spec("psycopg") is None:
        raise MissingExtraError(f"the database {shown(url)}", "postgres")
    engine = create_engine(
        url,
        pool_size=8,
        max_overflow=56,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"connect_timeout": 10},
    )
    return _reached(engine)


def _reached(engine: Engine) -> Engine:
    try:
        with opening(engine.url), engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                _use_wal(connection)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _use_wal(connection: Connection) -> None:
    """Switch the file to a write-ahead log, so that readers never wait for writers.

    The switch takes the file for a moment and does not wait for others, whatever the busy timeout.
    """
    connection.rollback()
    raw: Any = connection.connection.dbapi_connection
    deadline = time.monotonic() + BUSY_SECONDS
    mode = _journal(raw, "PRAGMA journal_mode")
    while mode != "wal" and time.monotonic() < deadline:
        mode = _journal(raw, "PRAGMA journal_mode = WAL")
        if mode not in {"wal", "busy"}:
            break
        time.sleep(0.01 if mode == "busy" else 0)
    if mode != "wal":
        raise SettingsError(
            f"the database {shown(connection.engine.url)} cannot keep a write-ahead log (journal mode is {mode}); "
            "put it on a local disk that this user may write to"
        )


def _journal(raw: Any, pragma: str) -> str:
    try:
        return str(raw.execute(pragma).fetchone()[0])
    except raw.OperationalError as error:
        if "locked" not in str(error):
            raise
        return "busy"


def _explained(url: URL, error: exc.DBAPIError) -> SettingsError | UnavailableError:
    said = _without_password(url, reason(error))
    if url.drivername == "sqlite" and "locked" not in said:
        advice = "put it where this user may write, or choose another file: store.url in vigie.toml"
        return SettingsError(f"the database {url.database} cannot be used: {said}; {advice}")
    if any(words in said for words in _REFUSED):
        return SettingsError(f"the database {shown(url)} refuses us: {said}; check store.url and its password")
    return UnavailableError(f"the database {shown(url)} does not answer: {said}", retry_after_seconds=5.0)


def _without_password(url: URL, said: str) -> str:
    return said.replace(str(url.password), "***") if url.password else said
