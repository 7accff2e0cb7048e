"""Bringing a database to the tables this version of Vigie knows, when it is opened."""

import logging
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from vigie.errors import SettingsError
from vigie.store.address import opening
from vigie.store.engine import Database, Lock, shown
from vigie.store.tables import REVISION

VERSION_TABLE = "vigie_version"
"""Where the revision stands; not Alembic's own name, so that MLflow may share a PostgreSQL database."""

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(database: Database) -> None:
    """Run the migrations that are missing, in one transaction; processes that open at once take turns.

    Raises
    ------
    SettingsError
        A newer Vigie made the database, or it holds other tables of the same names.
    """
    with opening(database.engine.url):
        with database.engine.connect() as connection:
            if _revision(connection) == REVISION:
                return
        # Not through Database.write: whatever goes wrong here is explained by `opening`.
        with database.transaction(Lock.SCHEMA) as connection:
            _upgrade(connection)


def _upgrade(connection: Connection) -> None:
    # Alembic takes a tenth of a second to import, and is needed once in the life of a database.
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415 - see above

    revision = _revision(connection)
    if revision == REVISION:
        return
    _check(connection, revision)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608 - a constant


def _check(connection: Connection, revision: str | None) -> None:
    where = f"the database {shown(connection.engine.url)}"
    if revision is None and inspect(connection).has_table("groups"):
        raise SettingsError(f"{where} holds tables of another program; give Vigie a database of its own in store.url")
    known = {path.name.split("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py")}
    if revision is not None and revision not in known:
        raise SettingsError(
            f"{where} was made by a newer Vigie (its revision is {revision}, this one knows up to {REVISION}); "
            "install that version, or choose another database in store.url"
        )
