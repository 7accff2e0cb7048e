"""Making MLflow's SQLite file, which takes MLflow several seconds: whole or not there, however many processes want it."""

import fcntl
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

_SCHEME = "sqlite:///"


def file_of(uri: str) -> Path | None:
    """Return the file of a SQLite address; None for any other."""
    path = uri.removeprefix(_SCHEME)
    return Path(path) if uri.startswith(_SCHEME) and path else None


def make(path: Path) -> None:
    """Make MLflow's database at `path` where there is none.

    It is made beside its place and moved there when all tables are in it, so that others see it whole or not at all;
    the second process that wants to make it waits for the first.
    """
    with _locked(path.with_name(f"{path.name}.lock")):
        if path.exists():
            return
        from mlflow import MlflowClient  # noqa: PLC0415 — takes a second or more

        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as scratch:
            begun = Path(scratch) / path.name
            client = MlflowClient(tracking_uri=f"{_SCHEME}{begun}", registry_uri=f"{_SCHEME}{begun}")
            client.search_experiments(max_results=1)
            client.search_registered_models(max_results=1)
            begun.replace(path)


def read_while_written(path: Path) -> None:
    """Let others read MLflow's database while somebody writes; a commit then waits for the disk once instead of three times.

    It stays so for all processes. Where others are busy with it now, or its file system cannot do that, it stays as it was.
    """
    with suppress(sqlite3.OperationalError), closing(sqlite3.connect(path, timeout=1)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
