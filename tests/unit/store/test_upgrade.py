import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

from store_fixtures import AddressMaker
from vigie.errors import SettingsError
from vigie.store import Store
from vigie.store.address import connect
from vigie.store.tables import REVISION, metadata
from vigie.store.upgrade import MIGRATIONS, VERSION_TABLE


@pytest.fixture
def empty(new_address: AddressMaker) -> str:
    return new_address()


def execute(address: str, *statements: str) -> None:
    engine = connect(address)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def tables(engine: Engine) -> list[object]:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        return compare_metadata(context, metadata)


def test_open_when_database_is_empty_then_migrations_make_what_the_code_expects(empty: str) -> None:
    Store.open(empty).close()
    engine = connect(empty)

    assert tables(engine) == []

    engine.dispose()


def test_tables_when_compared_with_a_changed_database_then_the_comparison_notices(empty: str) -> None:
    Store.open(empty).close()
    execute(empty, "ALTER TABLE inbox ADD COLUMN more INTEGER", "DROP INDEX ix_questions_one_per_group")
    engine = connect(empty)

    assert len(tables(engine)) == 2

    engine.dispose()


def test_revision_when_read_from_the_migrations_then_it_is_the_one_in_the_code() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))

    assert ScriptDirectory.from_config(config).get_heads() == [REVISION]


def test_open_when_opened_again_then_alembic_is_not_needed(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Store.open(empty).close()
    monkeypatch.setattr("alembic.command.upgrade", lambda *_: pytest.fail("migrated twice"))

    Store.open(empty).close()


def test_open_when_many_open_an_empty_database_at_once_then_all_can_use_it(empty: str) -> None:
    with ThreadPoolExecutor(8) as threads:
        stores = list(threads.map(lambda _: Store.open(empty), range(8)))

    assert [store.pool.size() for store in stores] == [0] * 8
    for store in stores:
        store.close()


def test_open_when_it_migrates_then_logs_nothing(
    empty: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.INFO):
        Store.open(empty).close()

    assert caplog.text == ""
    assert capfd.readouterr() == ("", "")


def test_open_when_answers_are_older_than_their_messages_then_they_hold_as_before(empty: str) -> None:
    """A database of revision 0002, in which no answer says which message it was about."""
    engine = connect(empty)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
    engine.dispose()
    execute(
        empty,
        "INSERT INTO groups (id, digest, template, count, first_seen, last_seen, state) "
        f"VALUES (1, CAST('abc' AS {'BLOB' if empty.startswith('sqlite') else 'BYTEA'}), 'a', 3, 0, 0, 'answered')",
        "INSERT INTO questions (id, group_id, kind, rank, reason, state, annotator, created_at, step) "
        "VALUES (1, 1, 'strategy', 0, '{}', 'answered', 'ann', 0, 1)",
        "INSERT INTO annotations (id, group_id, dimension, label, annotator, purpose, created_at, question_id) "
        "VALUES (1, 1, 'severity', 'info', 'ann', 'train', 0, 1)",
    )

    with Store.open(empty) as store:
        assert store.annotations.told().select("label", "message", "is_exception").rows() == [("info", None, False)]
        undone = store.questions.undo("ann")
        assert undone is not None
        assert dict(undone.labels) == {"severity": "info"}
        assert store.annotations.count() == 0


def test_open_when_a_newer_vigie_made_the_database_then_says_so(empty: str) -> None:
    Store.open(empty).close()
    execute(empty, f"UPDATE {VERSION_TABLE} SET version_num = '9876'")

    with pytest.raises(SettingsError, match=rf"made by a newer Vigie .*9876.*up to {REVISION}"):
        Store.open(empty)


def test_open_when_the_database_is_of_another_program_then_leaves_it_alone(empty: str) -> None:
    execute(empty, "CREATE TABLE groups (id INTEGER PRIMARY KEY, name TEXT)")

    with pytest.raises(SettingsError, match="tables of another program"):
        Store.open(empty)

    engine = connect(empty)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM groups")).scalar() == 0
    engine.dispose()


def test_open_when_mlflow_keeps_its_tables_there_too_then_both_work(empty: str) -> None:
    execute(empty, "CREATE TABLE alembic_version (version_num TEXT)", "INSERT INTO alembic_version VALUES ('mlflow')")

    with Store.open(empty) as store:
        assert store.pool.size() == 0


def test_open_when_a_migration_fails_then_nothing_is_left_behind(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from alembic import op

    real = op.create_index
    monkeypatch.setattr(
        "alembic.op.create_index", lambda name, *a, **k: 1 / 0 if "one_per" in name else real(name, *a, **k)
    )
    with pytest.raises(ZeroDivisionError):
        Store.open(empty)
    monkeypatch.undo()

    with Store.open(empty) as store:
        assert store.pool.size() == 0


def test_migrations_when_the_package_is_built_then_are_inside_it() -> None:
    import vigie.store

    package = Path(vigie.store.__file__).parent
    assert MIGRATIONS.is_relative_to(package)
    assert (MIGRATIONS / "env.py").is_file()
    assert (MIGRATIONS / "script.py.mako").is_file()
