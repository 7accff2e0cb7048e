import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.exc import IntegrityError

from builders import NOON, a_labelled_batch
from store_fixtures import Cluster
from vigie.errors import UnavailableError
from vigie.store import Store, utc_now
from vigie.store.address import connect
from vigie.store.bulk import add_counts, among, chunks, frame, replace_rows, storable, update_rows
from vigie.store.engine import Database, Lock
from vigie.store.tables import audit_draws, inbox, microseconds, output_files, positions, presence


@pytest.fixture
def database(address: str) -> Iterator[Database]:
    made = Database(connect(address))
    yield made
    made.close()


def stored(database: Database) -> dict[str, int]:
    with database.read() as connection:
        return dict(connection.execute(select(output_files.c.path, output_files.c.bytes)).all())


def put(database: Database, path: str) -> None:
    with database.write() as connection:
        connection.execute(insert(output_files).values(path=path, bytes=1))


def test_write_when_it_ends_well_then_others_see_it(database: Database) -> None:
    put(database, "a")

    assert stored(database) == {"a": 1}


def test_write_when_it_fails_then_nothing_is_left(database: Database) -> None:
    def put_twice() -> None:
        with database.write() as connection:
            for _ in range(2):
                connection.execute(insert(output_files).values(path="a", bytes=1))

    with pytest.raises(IntegrityError):
        put_twice()

    assert stored(database) == {}


def test_read_when_somebody_writes_then_does_not_wait_and_sees_what_was(database: Database) -> None:
    put(database, "a")
    with database.write(Lock.POOL, Lock.QUESTIONS) as connection:
        connection.execute(delete(output_files))

        with ThreadPoolExecutor(1) as thread:
            assert thread.submit(stored, database).result(10) == {"a": 1}
    assert stored(database) == {}


def test_write_when_many_threads_read_and_add_then_no_addition_is_lost(database: Database) -> None:
    put(database, "n")

    def add_one(_: int) -> None:
        with database.write(Lock.POOL) as connection:
            n = connection.execute(select(output_files.c.bytes)).scalar_one()
            connection.execute(output_files.update().values(bytes=n + 1))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add_one, range(80)))

    assert stored(database) == {"n": 81}


def test_write_when_locks_are_named_in_any_order_then_nobody_waits_in_a_circle(database: Database) -> None:
    def write(i: int) -> None:
        locks = [Lock.POOL, Lock.QUESTIONS, Lock.INBOX]
        with database.write(*(locks if i % 2 else reversed(locks))):
            time.sleep(0.001)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(40)))


def test_write_when_another_process_holds_the_file_for_too_long_then_it_is_worth_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vigie.store.engine.BUSY_SECONDS", 0.1)
    path = tmp_path / "secret.db"
    with Store.open(f"sqlite:///{path}") as store:
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")

        with pytest.raises(UnavailableError, match="database is locked") as raised:
            store.record("kafka", a_labelled_batch("private text"))

        holder.close()
        assert "private" not in str(raised.value)
        assert raised.value.__cause__ is None
        assert store.record("kafka", a_labelled_batch("private text")) == 1


@pytest.mark.postgres
def test_read_when_the_server_closed_the_connection_then_the_next_call_reconnects(postgres: Cluster) -> None:
    with Store.open(postgres.emptied()) as store:
        with pytest.raises(UnavailableError, match="does not answer"), store._database.read() as connection:
            connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

        assert store.pool.size() == 0


def test_durable_when_asked_for_then_sqlite_syncs_every_such_transaction(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path}/vigie.db") as store:
        modes = []
        for durable in (False, True, False):
            with store._database.write(durable=durable) as connection:
                modes.append(connection.exec_driver_sql("PRAGMA synchronous").scalar())
            with store._database.read() as connection:
                assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"

    assert modes == [1, 2, 1]


def test_close_when_called_twice_then_nothing_happens(address: str) -> None:
    store = Store.open(address)
    store.close()
    store.close()


def test_time_when_stored_then_comes_back_aware_and_exact(database: Database) -> None:
    paris = timezone(timedelta(hours=1))
    time_there = datetime(2026, 11, 21, 13, 0, 0, 1, tzinfo=paris)
    row = {"role": "web", "instance": "1", "pid": 1, "details": {}, "seen_at": time_there}
    with database.write() as connection:
        connection.execute(insert(presence).values(**row, started_at=datetime(1969, 7, 20, 20, 17, tzinfo=UTC)))

    with database.read() as connection:
        seen_at, started_at = connection.execute(select(presence.c.seen_at, presence.c.started_at)).one()
        columns = frame(connection, select(presence.c.seen_at, presence.c.role))

    assert seen_at == time_there
    assert seen_at.utcoffset() == timedelta(0)
    assert started_at == datetime(1969, 7, 20, 20, 17, tzinfo=UTC)
    assert columns["seen_at"].to_list() == [time_there]


def test_now_when_no_clock_is_given_then_is_aware() -> None:
    assert abs(utc_now() - datetime.now(UTC)) < timedelta(minutes=1)
    assert microseconds(NOON) == 1_795_262_400_000_000


def test_frame_when_rows_are_many_or_none_then_types_are_as_selected(database: Database) -> None:
    query = select(inbox.c.id, inbox.c.payload, inbox.c.received_at).order_by(inbox.c.id)
    with database.write() as connection:
        none = frame(connection, query)
        rows = [{"payload": bytes([i % 256]), "received_at": NOON} for i in range(1000)]
        connection.execute(insert(inbox), rows)
        many = frame(connection, query)

    assert none.schema == many.schema == {"id": pl.Int64, "payload": pl.Binary, "received_at": pl.Datetime("us", "UTC")}
    assert none.height == 0
    assert many["payload"].to_list() == [bytes([i % 256]) for i in range(1000)]


def test_replace_rows_when_some_are_there_then_they_are_overwritten(database: Database) -> None:
    first = pl.DataFrame({"source": ["s", "s"], "stream": ["a", "b"], "partition": [0, 0], "offset": [1, 2]})
    then = first.with_columns(stream=pl.Series(["b", "c"]), offset=pl.Series([3, 3]))
    with database.write() as connection:
        replace_rows(connection, positions, first)
        replace_rows(connection, positions, then)

        found = frame(connection, select(positions.c.stream, positions.c.offset).order_by(positions.c.stream))

    assert found.rows() == [("a", 1), ("b", 3), ("c", 3)]


def test_bulk_when_there_are_no_rows_then_does_nothing(database: Database) -> None:
    nothing = pl.DataFrame(schema={"path": pl.String, "bytes": pl.Int64})
    with database.write() as connection:
        replace_rows(connection, output_files, nothing)
        add_counts(connection, output_files, nothing, column="bytes")
        update_rows(connection, output_files, nothing, key="path")

    assert stored(database) == {}


def test_update_rows_when_keys_are_there_then_only_these_change(database: Database) -> None:
    for path in "abc":
        put(database, path)
    with database.write() as connection:
        update_rows(connection, output_files, pl.DataFrame({"path": ["a", "c", "x"], "bytes": [7, 8, 9]}), key="path")

    assert stored(database) == {"a": 7, "b": 1, "c": 8}


def test_among_when_values_are_many_or_none_then_selects_just_these(database: Database) -> None:
    for path in "abc":
        put(database, path)
    with database.write() as connection:
        update_rows(connection, output_files, pl.DataFrame({"path": ["a", "c"], "bytes": [7, 8]}), key="path")
        wanted = among(connection, output_files.c.bytes, range(2, 100_000))
        assert connection.execute(select(func.count()).select_from(output_files).where(wanted)).scalar() == 2
        nothing = among(connection, output_files.c.bytes, [])
        assert connection.execute(select(func.count()).select_from(output_files).where(nothing)).scalar() == 0


def test_chunks_when_cut_then_nothing_is_lost() -> None:
    assert [list(part) for part in chunks(range(5), 2)] == [[0, 1], [2, 3], [4]]
    assert list(chunks([])) == []


@pytest.mark.parametrize(
    ("given", "kept"), [("plain é", "plain é"), ("a\x00b", "a\N{SYMBOL FOR NULL}b"), ("\ud800x", "?x"), ("😀", "😀")]
)
def test_storable_when_text_has_what_no_database_takes_then_it_is_replaced(given: str, kept: str) -> None:
    assert storable(given) == kept
    assert storable(kept) == kept


def test_audit_draws_when_added_by_many_threads_then_none_is_lost(address: str) -> None:
    with Store.open(address) as store:
        store.record("kafka", a_labelled_batch("a", "b"))
        a, b = store.pool.counts().sort("template")["group_id"]
        barrier = threading.Barrier(4)

        def draw(_: int) -> None:
            barrier.wait(60)
            store.audit.draw([a, b, a, 999])

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(draw, range(4)))

        assert store.audit.draws().rows() == [(a, 8), (b, 4)]
        with store._database.read() as connection:
            assert connection.execute(select(func.count()).select_from(audit_draws)).scalar() == 2


def test_engine_when_imported_then_no_thread_imports_the_orm_later_beside_queries() -> None:
    loaded = "import sys, vigie.store.engine; print('sqlalchemy.orm' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout == "True\n"
