"""Stores over both databases: SQLite in a file, and PostgreSQL in a private cluster that lives as long as the tests."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders import NOON
from vigie.store import Store
from vigie.store.tables import metadata

# Tables are emptied before each test: were they analysed just then, plans for no rows would meet thousands.
SETTINGS = (
    "listen_addresses=",
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "autovacuum=off",
    "max_connections=200",
)
HOW_TO_GET_IT = "apt-get install postgresql, and pip install 'vigie[postgres]'"

DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
STATE_ROWS = (
    "INSERT INTO pool_state (id, last_group_id, size, evicted) VALUES (1, 0, 0, 0)",
    "INSERT INTO question_state (id, since_audit, last_step) VALUES (1, 0, 0)",
)

AddressMaker = Callable[[], str]
StoreMaker = Callable[..., Store]


class SettableClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Cluster:
    """A PostgreSQL server on a socket of its own, started by `start`, with as many empty databases as asked for."""

    def __init__(self, programs: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="vigie-pg-", dir="/tmp"))
        self._programs = programs
        self._process: subprocess.Popen[bytes] | None = None
        self._names = count()
        self._prepared: str | None = None

    def start(self) -> None:
        # The kernel stops the server should the tests be killed.
        run = ["setpriv", *_identity(self.folder), "--pdeathsig", "QUIT"]
        data = self.folder / "data"
        initdb = [
            self._programs / "initdb",
            "-D",
            data,
            "-U",
            "vigie",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        ]
        subprocess.run([*run, *initdb], check=True, capture_output=True)
        options = [part for setting in SETTINGS for part in ("-c", setting)]
        with (self.folder / "log").open("wb") as log:
            server = [self._programs / "postgres", "-D", data, "-k", self.folder, *options]
            self._process = subprocess.Popen([*run, *server], stdout=log, stderr=log)
        self._wait()

    def address(self) -> str:
        """Return the address of a new, empty database."""
        name = f"test_{next(self._names)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE template0")
        return f"postgresql://vigie@/{name}?host={self.folder}"

    def emptied(self) -> str:
        """Return the address of a database with all tables and no rows: a new one takes a quarter of a second."""
        if self._prepared is None:
            self._prepared = self.address()
            Store.open(self._prepared).close()
        deletes = [f'DELETE FROM "{table}"' for table in reversed(metadata.sorted_tables)]
        restarts = [f"ALTER SEQUENCE {name}_id_seq RESTART" for name in ("questions", "inbox")]
        self._execute("; ".join([*deletes, *restarts, *STATE_ROWS]), self._prepared)
        return self._prepared

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)  # at once: the data is thrown away
            self._process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                self._execute("SELECT 1")
            except Exception:  # noqa: BLE001 - not there yet
                time.sleep(0.05)
            else:
                return
        raise RuntimeError((self.folder / "log").read_text())

    def _execute(self, statement: str, address: str | None = None) -> None:
        import psycopg

        connection = psycopg.connect(address or f"postgresql://vigie@/postgres?host={self.folder}", autocommit=True)
        with closing(connection):
            connection.execute(statement)


def _identity(folder: Path) -> list[str]:
    """Give a folder to a user PostgreSQL runs as, since it refuses root, and say how to become this user."""
    if os.geteuid() != 0:
        return []
    for user in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(user)
        except KeyError:
            continue
        os.chown(folder, entry.pw_uid, entry.pw_gid)
        return [f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]
    raise RuntimeError("PostgreSQL does not run as root, and there is no user postgres or nobody")


def _programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


def _missing(what: str) -> None:
    message = f"{what}; get it with: {HOW_TO_GET_IT}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    programs = _programs()
    if programs is None:
        _missing("there is no PostgreSQL server on this machine")
    try:
        import psycopg  # noqa: F401 - only whether it is there
    except ImportError:
        _missing("the PostgreSQL driver is not installed")
    assert programs is not None
    cluster = Cluster(programs)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(params=DATABASES)
def new_address(request: pytest.FixtureRequest, tmp_path: Path) -> AddressMaker:
    """Make addresses of new, empty databases, of each kind in turn."""
    if request.param == "postgresql":
        cluster: Cluster = request.getfixturevalue("postgres")
        return cluster.address
    numbers = count()
    return lambda: f"sqlite:///{tmp_path}/vigie{next(numbers)}.db"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a file with all tables and no rows."""
    path = tmp_path_factory.mktemp("store") / "template.db"
    Store.open(f"sqlite:///{path}").close()
    return path


@pytest.fixture(params=DATABASES)
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a database with all tables and no rows, of each kind in turn."""
    if request.param == "postgresql":
        cluster: Cluster = request.getfixturevalue("postgres")
        return cluster.emptied()
    return f"sqlite:///{shutil.copy(request.getfixturevalue('sqlite_template'), tmp_path / 'vigie.db')}"


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def open_store(address: str, clock: SettableClock) -> Iterator[StoreMaker]:
    """Open the same database any number of times; all are closed in the end."""
    opened: list[Store] = []

    def make(**options: Any) -> Store:
        opened.append(Store.open(address, **{"clock": clock, "rng": np.random.default_rng(0)} | options))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: StoreMaker) -> Store:
    return open_store()
