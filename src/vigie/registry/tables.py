"""What a worker asks of the registry's database every second, read without MLflow, whose packages take 100 MB.

Two tables of MLflow's schema are read and nothing is written; the tests compare the answers with MLflow's own.
"""

from functools import cached_property
from typing import Any

from sqlalchemy import Engine, Row, create_engine, inspect, text
from sqlalchemy.pool import NullPool

_ALIASES = "registered_model_aliases"
_BY_ALIAS = text(f"SELECT version FROM {_ALIASES} WHERE name = :name AND alias = :alias")  # noqa: S608 — our own constant
_BY_VERSION = text("SELECT run_id, source FROM model_versions WHERE name = :name AND version = :version")


class Tables:
    """The registered models in one of MLflow's databases.

    Parameters
    ----------
    uri
        ``sqlite:///…`` or ``postgresql://…``; every method may raise SQLAlchemy's errors.
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._complete = False

    def by_alias(self, model: str, alias: str) -> str | None:
        """Return the version that an alias stands for, None when it stands for none."""
        found = self._first(_BY_ALIAS, name=model, alias=alias)
        return None if found is None else str(found.version)

    def run_and_source(self, model: str, version: str) -> tuple[str, str] | None:
        """Return the run that made a version and where its files are, None when there is no such version."""
        if not version.isdecimal():
            return None
        found = self._first(_BY_VERSION, name=model, version=int(version))
        return None if found is None else (found.run_id, found.source)

    @cached_property
    def _engine(self) -> Engine:
        return create_engine(self._uri, poolclass=NullPool)

    def _first(self, query: Any, **values: object) -> Row[Any] | None:
        self._complete = self._complete or inspect(self._engine).has_table(_ALIASES)
        if not self._complete:
            return None
        with self._engine.connect() as connection:
            return connection.execute(query, values).first()
