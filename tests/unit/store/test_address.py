import builtins
import importlib.util
import os
import socket
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from store_fixtures import Cluster
from vigie.errors import MissingExtraError, SettingsError, UnavailableError
from vigie.store import Store
from vigie.store.address import connect


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("vigie.db", r"beginning 'vigie.db'\) is no URL; expected sqlite:///FILE"),
        ("", "is no URL"),
        ("mysql://ann:hunter2@host/db", "databases of kind 'mysql' are not supported"),
        ("sqlite://", "is no plain file"),
        ("sqlite:///:memory:", "is no plain file"),
        ("postgresql://ann:hunter2@host:port/db", "is no URL"),
    ],
)
def test_connect_when_address_is_wrong_then_says_what_was_expected(address: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as raised:
        connect(address)

    assert "store.url in vigie.toml" in str(raised.value)
    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_connect_when_folder_is_missing_then_names_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"folder {tmp_path}/missing does not exist"):
        connect(f"sqlite:///{tmp_path}/missing/vigie.db")


def test_connect_when_path_is_a_folder_then_says_it_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=rf"{tmp_path} cannot be used: unable to open"):
        connect(f"sqlite:///{tmp_path}")


def test_connect_when_file_is_no_database_then_says_so_and_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "vigie.db"
    path.write_bytes(b"precious " * 1000)

    with pytest.raises(SettingsError, match="file is not a database"):
        connect(f"sqlite:///{path}")

    assert path.read_bytes() == b"precious " * 1000


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_open_when_folder_is_read_only_then_says_it_cannot_be_used(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    with pytest.raises(SettingsError, match="unable to open"):
        Store.open(f"sqlite:///{tmp_path}/vigie.db")


def test_open_when_file_system_is_read_only_then_says_it_cannot_be_used() -> None:
    with pytest.raises(SettingsError, match=r"/proc/vigie\.db cannot be used"):
        Store.open("sqlite:////proc/vigie.db")


def test_open_when_there_can_be_no_write_ahead_log_then_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vigie.store.address._journal", lambda *_: "delete")

    with pytest.raises(SettingsError, match=r"cannot keep a write-ahead log \(journal mode is delete\)"):
        Store.open(f"sqlite:///{tmp_path}/vigie.db")


def test_open_when_others_hold_the_file_for_a_moment_then_waits_for_them(tmp_path: Path) -> None:
    path = tmp_path / "vigie.db"
    holder = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    holder.execute("CREATE TABLE other (id)")
    holder.execute("BEGIN EXCLUSIVE")
    timer = threading.Timer(0.3, lambda: holder.execute("COMMIT"))
    timer.start()

    with Store.open(f"sqlite:///{path}") as store:
        assert store.pool.size() == 0
    timer.join()
    holder.close()


def test_connect_when_driver_is_missing_then_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec

    def find_spec(name: str, *rest: Any) -> Any:
        return None if name == "psycopg" else real(name, *rest)

    monkeypatch.setattr("vigie.store.address.find_spec", find_spec)

    with pytest.raises(MissingExtraError, match=r"vigie\[postgres\]") as raised:
        connect("postgresql://ann:hunter2@localhost/vigie")
    assert "hunter2" not in str(raised.value)


def test_store_when_imported_then_postgresql_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def no_psycopg(name: str, *rest: Any) -> Any:
        assert not name.startswith("psycopg")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", no_psycopg)
    with pytest.raises(SettingsError):
        connect("sqlite://")


def test_connect_when_server_does_not_answer_then_it_is_worth_waiting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(UnavailableError, match="does not answer") as raised:
        connect(f"postgresql://ann:hunter2@127.0.0.1:{port}/vigie")

    assert "hunter2" not in str(raised.value)
    assert raised.value.retry_after_seconds > 0


@pytest.mark.postgres
def test_connect_when_server_refuses_then_it_is_a_fault_of_the_settings(postgres: Cluster) -> None:
    for user, database in (("vigie", "missing"), ("nobody", "postgres")):
        with pytest.raises(
            SettingsError, match=f"refuses us: .*{'missing' if user == 'vigie' else 'nobody'}"
        ) as raised:
            connect(f"postgresql://{user}:hunter2@/{database}?host={postgres.folder}")
        assert "hunter2" not in str(raised.value)


@pytest.mark.postgres
@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_connect_when_scheme_is_one_of_the_usual_then_reaches_the_server(postgres: Cluster, scheme: str) -> None:
    address = postgres.emptied().replace("postgresql", scheme, 1)

    with Store.open(address) as store:
        assert store.pool.size() == 0
