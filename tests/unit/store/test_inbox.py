from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest

from builders import NOON
from vigie.errors import InboxFullError
from vigie.store import Store


def test_put_when_there_is_room_then_messages_are_read_in_order(store: Store) -> None:
    ids = store.inbox.put([b"a", b"\x00\xff", b""], cap=10)

    messages = store.inbox.read(0, 10)

    assert messages["id"].to_list() == ids
    assert messages["payload"].to_list() == [b"a", b"\x00\xff", b""]
    assert messages["received_at"].to_list() == [NOON] * 3
    assert messages.schema["payload"] == pl.Binary
    assert store.inbox.waiting() == 3


def test_put_when_there_is_nothing_to_put_then_returns_nothing(store: Store) -> None:
    assert store.inbox.put([], cap=0) == []
    assert store.inbox.waiting() == 0
    assert store.inbox.read(0, 5).columns == ["id", "payload", "received_at"]


def test_put_when_it_would_exceed_the_cap_then_nothing_is_put(store: Store) -> None:
    store.inbox.put([b"a", b"b"], cap=3)

    with pytest.raises(InboxFullError, match=r"2 messages wait .* 2 more would exceed 3") as raised:
        store.inbox.put([b"c", b"d"], cap=3)

    assert raised.value.retry_after_seconds > 0
    assert store.inbox.read(0, 10)["payload"].to_list() == [b"a", b"b"]
    assert len(store.inbox.put([b"c"], cap=3)) == 1


def test_read_when_after_an_id_then_returns_what_follows_at_most_n(store: Store) -> None:
    ids = store.inbox.put([b"a", b"b", b"c", b"d"], cap=10)

    assert store.inbox.read(ids[0], 2)["payload"].to_list() == [b"b", b"c"]
    assert store.inbox.read(ids[-1], 2).height == 0


def test_forget_when_called_then_ids_go_on_growing(store: Store) -> None:
    ids = store.inbox.put([b"a", b"b", b"c"], cap=3)
    store.inbox.forget(ids[1])
    assert store.inbox.waiting() == 1
    store.inbox.forget(ids[2])
    assert store.inbox.waiting() == 0

    assert store.inbox.put([b"d"], cap=3)[0] > ids[2]


def test_put_when_many_threads_do_then_a_reader_that_follows_ids_misses_none(store: Store) -> None:
    def put(i: int) -> None:
        for j in range(10):
            store.inbox.put([f"{i}-{j}-{k}".encode() for k in range(3)], cap=1000)

    seen: list[bytes] = []
    with ThreadPoolExecutor(4) as threads:
        pending = [threads.submit(put, i) for i in range(4)]
        after = 0
        while len(seen) < 120:
            part = store.inbox.read(after, 7)
            seen += part["payload"].to_list()
            after = part["id"].max() or after
            assert seen or not all(done.done() for done in pending) or part.height
        for done in pending:
            done.result()

    assert sorted(seen) == sorted(f"{i}-{j}-{k}".encode() for i in range(4) for j in range(10) for k in range(3))
