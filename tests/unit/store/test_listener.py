import pytest
from polars.testing import assert_frame_equal
from sqlalchemy import event

from builders import NOON, a_labelled_batch
from store_fixtures import AddressMaker
from vigie.labels import Annotation, Purpose
from vigie.store import Store


@pytest.fixture
def store(store: Store) -> Store:
    store.record("kafka", a_labelled_batch("disk full", "login ok"))
    return store


def say(store: Store, template: str, label: str | None, *, message: str | None = None) -> None:
    group = store.pool.find(template)
    assert group is not None
    store.annotations.add([Annotation(group.id, "severity", label, "ann", Purpose.TRAIN, NOON, message=message)])


def test_told_when_nobody_said_anything_then_it_is_empty_with_all_columns(store: Store) -> None:
    listener = store.annotations.listener()

    assert_frame_equal(listener.told(), store.annotations.told())
    assert listener.last_id == 0


def test_told_when_answers_come_and_go_then_it_is_what_a_whole_reading_tells(store: Store) -> None:
    listener = store.annotations.listener()
    for label, message in (
        ("info", None),
        ("error", "disk 1 full"),
        (None, "disk 1 full"),
        ("error", None),
        (None, None),
    ):
        say(store, "disk full", label, message=message)
        assert_frame_equal(listener.told(), store.annotations.told())
    say(store, "login ok", "info")

    assert listener.told()["template"].to_list() == ["login ok"]
    assert listener.last_id == store.annotations.last_id() == 6


def test_told_when_nothing_is_new_then_only_counts_are_read(store: Store) -> None:
    listener = store.annotations.listener()
    say(store, "disk full", "error")
    listener.told()
    store.record("kafka", a_labelled_batch("disk full", offset=2))
    statements: list[str] = []
    engine = store._database.engine
    event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))

    told = listener.told()

    assert told["count"].to_list() == [2]
    assert not [one for one in statements if "annotations.message" in one]


def test_told_when_an_older_copy_of_the_database_took_its_place_then_everything_is_read_anew(
    new_address: AddressMaker, store: Store
) -> None:
    listener = store.annotations.listener()
    for label in ("info", "error"):
        say(store, "disk full", label)
    listener.told()
    with Store.open(new_address()) as older:
        older.record("kafka", a_labelled_batch("disk full"))
        say(older, "disk full", "warning")

        listener._database = older._database

        assert listener.told()["label"].to_list() == ["warning"]
