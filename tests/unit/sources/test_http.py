from datetime import UTC, timedelta

from builders import NOON
from source_fakes import ListInbox
from vigie.messages import SCHEMA, Position
from vigie.sources.http import HttpSource


def a_source(*payloads: bytes, **options: bool) -> tuple[HttpSource, ListInbox]:
    inbox = ListInbox(*payloads)
    source = HttpSource("http", inbox=inbox, **options)
    source.open([])
    return source, inbox


def test_poll_when_messages_wait_then_they_have_the_columns_of_a_batch() -> None:
    source, _ = a_source(b"a", b"b")
    frame = source.poll(10, 0)
    assert frame.schema == dict(SCHEMA)
    assert frame.select("payload", "stream", "partition", "offset").rows() == [
        (b"a", "http", 0, 1),
        (b"b", "http", 0, 2),
    ]
    assert frame["timestamp"][1].astimezone(UTC) == NOON + timedelta(seconds=2)


def test_poll_when_inbox_is_empty_then_an_empty_batch_comes() -> None:
    source, _ = a_source()
    frame = source.poll(10, 0.001)
    assert frame.is_empty()
    assert frame.schema == dict(SCHEMA)
    assert source.positions() == []
    assert not source.exhausted


def test_exhausted_when_reading_until_the_end_then_an_empty_inbox_is_the_end() -> None:
    source, _ = a_source(b"a", until_end=True)
    source.poll(10, 0)
    assert not source.exhausted
    source.poll(10, 0)
    assert source.exhausted
    source.rewind([])
    assert not source.exhausted


def test_committed_when_told_then_the_inbox_forgets_just_that() -> None:
    source, inbox = a_source(b"a", b"b", b"c")
    source.poll(2, 0)
    assert inbox.waiting() == 3
    source.committed(source.positions())
    assert inbox.waiting() == 1
    assert source.lag() == {("http", 0): 1}
    assert source.poll(10, 0)["payload"].to_list() == [b"c"]


def test_committed_when_positions_are_of_others_then_nothing_is_forgotten() -> None:
    source, inbox = a_source(b"a")
    source.committed([Position("kafka", 0, 5)])
    assert inbox.waiting() == 1


def test_open_when_a_worker_died_after_its_commit_then_committed_messages_are_forgotten() -> None:
    inbox = ListInbox(b"a", b"b")
    source = HttpSource("http", inbox=inbox)
    source.open([Position("http", 0, 2)])
    assert inbox.waiting() == 1
    assert source.poll(10, 0)["payload"].to_list() == [b"b"]


def test_rewind_when_nothing_was_committed_then_all_come_again() -> None:
    source, _ = a_source(b"a", b"b")
    source.poll(10, 0)
    source.rewind([])
    assert source.poll(10, 0)["payload"].to_list() == [b"a", b"b"]
