import json
import math
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from loki_server import APP, QUERY, SECOND, LokiServer
from vigie.errors import SettingsError, UnavailableError
from vigie.messages import Position
from vigie.parameters import call
from vigie.sources.loki import LokiSource
from vigie.sources.loki_pages import Pages


@pytest.fixture
def make(loki_server: LokiServer, tmp_path: Path) -> Iterator:
    made: list[LokiSource] = []

    def source(**settings) -> LokiSource:
        values = {
            "name": "in",
            "owner": "sources.in",
            "url": loki_server.url,
            "query": QUERY,
            "folder": tmp_path,
            "tail": False,
            "poll_seconds": 0.02,
        }
        made.append(call(LokiSource, {**values, **settings}))
        return made[-1]

    yield source
    for source_ in made:
        source_.close()


def texts(frame: pl.DataFrame) -> list[str]:
    return [json.loads(payload)["message"] for payload in frame["payload"]]


def read(source: LokiSource, n: int, seconds: float = 60) -> list[str]:
    found: list[str] = []
    deadline = time.monotonic() + seconds
    while len(found) < n and time.monotonic() < deadline:
        found += texts(source.poll(n - len(found), 0.1))
    return found


def nothing_more(source: LokiSource) -> bool:
    return all(source.poll(10, 0.05).is_empty() for _ in range(4))


def test_poll_when_there_are_lines_then_they_are_messages_with_their_nanosecond(loki_server, make) -> None:
    at = time.time_ns() - SECOND
    loki_server.put((at, "disk full"), metadata={"trace": "1"})
    source = make()
    source.open([])
    frame = source.poll(10, 5)
    [row] = frame.iter_rows(named=True)
    assert json.loads(row["payload"]) == {
        "message": "disk full",
        "loki": {"timestamp": str(at), "labels": APP, "metadata": {"trace": "1"}},
    }
    assert (row["stream"], row["partition"], row["offset"], row["key"]) == (QUERY, 0, at, None)
    assert frame["timestamp"].dt.epoch("ns").to_list() == [at]


def test_poll_when_lines_share_a_nanosecond_then_their_offsets_still_grow(loki_server, make) -> None:
    at = time.time_ns() - SECOND
    loki_server.put((at, "a"), (at, "b"), (at + 1, "c"), (at + 500, "d"))
    source = make()
    source.open([])
    assert source.poll(10, 5)["offset"].to_list() == [at, at + 1, at + 2, at + 500]
    assert source.positions() == [Position(QUERY, 0, at + 501)]


def test_open_when_there_is_no_position_then_it_begins_since_seconds_ago(loki_server, make) -> None:
    now = time.time_ns()
    loki_server.put((now - 100 * SECOND, "old"), (now - 10 * SECOND, "new"))
    source = make(since_seconds=60, until_end=True)
    source.open([])
    assert read(source, 2, 1) == ["new"]
    assert source.exhausted


@pytest.mark.parametrize("n", range(7))
def test_open_when_started_again_amid_one_nanosecond_then_it_goes_on_exactly_there(loki_server, make, n: int) -> None:
    at = time.time_ns() - SECOND
    loki_server.put(*[(at, name) for name in "abcdef"])
    first = make()
    first.open([])
    before = read(first, n) if n else []
    positions = first.positions()
    first.close()
    loki_server.put((at, "g"), (at - 5 * SECOND, "late"))
    second = make()
    second.open(positions)
    after = read(second, 8 - n)
    assert sorted(before + after) == ["a", "b", "c", "d", "e", "f", "g", "late"]
    assert nothing_more(second)


def test_open_when_more_was_polled_than_committed_then_the_rest_comes_again(loki_server, make) -> None:
    at = time.time_ns() - SECOND
    loki_server.put(*[(at + n // 3, str(n)) for n in range(10)])
    first = make()
    first.open([])
    committed = read(first, 4)
    positions = first.positions()
    lost = read(first, 5)
    first.close()
    second = make()
    second.open(positions)
    again = read(second, 6)
    assert again[:5] == lost
    assert committed + again == [str(n) for n in range(10)]


def test_open_when_the_journal_is_gone_then_nothing_is_lost_and_that_is_said(
    loki_server, make, tmp_path: Path, caplog
) -> None:
    now = time.time_ns()
    loki_server.put((now - 100 * SECOND, "a"), (now - 90 * SECOND, "b"), (now - 5 * SECOND, "c"))
    first = make()
    first.open([])
    read(first, 2)
    positions = first.positions()
    first.close()
    second = make(folder=tmp_path / "another machine", lateness_seconds=5)
    second.open(positions)
    assert read(second, 2) == ["b", "c"]
    assert "the journal of what was read is gone" in caplog.text


def test_open_when_the_query_changed_then_it_goes_on_where_the_old_one_was(loki_server, make) -> None:
    now = time.time_ns()
    loki_server.put((now - 10 * SECOND, "a"), (now - 9 * SECOND, "b"))
    first = make()
    first.open([])
    read(first, 2)
    first.close()
    loki_server.put((now - 8 * SECOND, "c"))
    second = make(query='{app="shop", labelled_by=""}')
    second.open(first.positions())
    assert read(second, 1) == ["c"]
    assert nothing_more(second)


def test_rewind_when_batches_were_not_committed_then_they_come_again_before_what_is_new(loki_server, make) -> None:
    at = time.time_ns() - SECOND
    loki_server.put(*[(at + n, str(n)) for n in range(6)])
    source = make()
    source.open([])
    read(source, 2)
    positions = source.positions()
    source.committed(positions)
    lost = source.poll(3, 1)
    loki_server.put((at + 100, "new"))
    source.rewind(positions)
    assert source.poll(3, 1).equals(lost)
    assert read(source, 2) == ["5", "new"]


def test_poll_when_loki_is_busy_then_waits_and_loses_nothing(loki_server, make) -> None:
    at = time.time_ns() - SECOND
    loki_server.put(*[(at + n, str(n)) for n in range(30)])
    source = make(page_entries=5)
    source.open([])
    loki_server.failures = [(429, {"Retry-After": "2"})]
    with pytest.raises(UnavailableError) as caught:
        source.poll(100, 5)
    assert caught.value.retry_after_seconds == 2
    source.rewind([])
    assert read(source, 30) == [str(n) for n in range(30)]


def test_poll_when_loki_is_slow_then_it_returns_in_time(make, monkeypatch) -> None:
    source = make()
    source.open([])
    answers = threading.Event()
    monkeypatch.setattr(source._pages, "read", lambda *_: answers.wait(60) or pytest.fail("nobody waits for this"))
    assert source.poll(10, 0.1).is_empty()
    assert not answers.is_set()
    answers.set()


def test_close_when_a_query_is_under_way_then_it_keeps_no_connection_when_it_ends(
    loki_server, make, monkeypatch
) -> None:
    source = make()
    source.open([])
    pages, go_on = source._pages, threading.Event()
    read, closed = pages.read, threading.Event()
    monkeypatch.setattr(pages, "read", lambda *about: go_on.wait(60) and read(*about))
    monkeypatch.setattr(pages, "close", lambda: (Pages.close(pages), closed.set()))
    assert source.poll(10, 0.1).is_empty()

    source.close()
    assert not closed.is_set()
    go_on.set()

    assert closed.wait(60)
    assert pages._client is None
    loki_server.put((time.time_ns(), "later"))
    source.open([])
    assert texts(source.poll(1, 60)) == ["later"]


def test_tail_when_it_listens_then_new_and_late_lines_come_long_before_the_next_query(loki_server, make) -> None:
    now = time.time_ns()
    loki_server.put((now - 5 * SECOND, "first"))
    source = make(tail=True, poll_seconds=600)
    source.open([])
    assert read(source, 1) == ["first"]
    deadline = time.monotonic() + 60
    while not loki_server.n_tails and time.monotonic() < deadline:
        time.sleep(0.01)
    source.poll(10, 0.2)
    loki_server.put((now, "new"))
    assert read(source, 1) == ["new"]
    loki_server.put((now - 7 * SECOND, "late"))
    assert read(source, 1) == ["late"]


def test_committed_when_much_was_read_then_memory_is_let_go(loki_server, make) -> None:
    old = time.time_ns() - 1000 * SECOND
    loki_server.put(*[(old + n * SECOND, str(n)) for n in range(900)])
    source = make(lateness_seconds=5)
    source.open([])
    for _ in range(9):
        read(source, 100)
        source.committed(source.positions())
    assert len(source._kept) == 0
    assert len(source._seen) <= 10


def test_lag_when_lines_wait_then_counts_those_read(loki_server, make) -> None:
    at = time.time_ns() - SECOND
    loki_server.put(*[(at + n, str(n)) for n in range(6)])
    source = make()
    source.open([])
    read(source, 2)
    assert source.lag() == {(QUERY, 0): 4}


def test_poll_when_it_is_not_open_then_that_is_a_mistake(make) -> None:
    with pytest.raises(ValueError, match=r"sources\.in is not open"):
        make().poll(1, 0)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"query": "error"}, r"sources\.in\.query is 'error'; expected LogQL that selects lines"),
        ({"lateness_seconds": -1}, r"lateness_seconds is -1; expected a number from 0 to 1000000000"),
        ({"page_entries": 0}, r"page_entries is 0; expected at least 1"),
        ({"poll_seconds": 0}, r"poll_seconds is 0; expected a number above 0"),
        ({"lateness_seconds": math.nan}, r"lateness_seconds is nan; expected a number from 0 to 1000000000"),
        ({"lateness_seconds": math.inf}, r"lateness_seconds is inf; expected a number from 0 to 1000000000"),
        ({"since_seconds": -1}, r"since_seconds is -1; expected a number from 0 to 1000000000"),
        ({"since_seconds": math.inf}, r"since_seconds is inf; expected a number from 0 to 1000000000"),
        ({"since_seconds": 1e12}, r"since_seconds is 1000000000000\.0; expected a number from 0 to 1000000000"),
        ({"poll_seconds": math.nan}, r"poll_seconds is nan; expected a number above 0"),
        ({"poll_seconds": math.inf}, r"poll_seconds is inf; expected a number above 0"),
        ({"url": "loki:3100"}, r"url is 'loki:3100'; expected something like http://loki:3100"),
        ({"url": "http://a:b@loki"}, r"url holds a user or a password"),
        ({"user": "a"}, r"needs user and password together"),
        ({"token": "t", "user": "a", "password": "b"}, r"has both token and user"),
    ],
)
def test_settings_when_one_cannot_be_used_then_says_which_and_what_is_expected(make, settings, reason) -> None:
    with pytest.raises(SettingsError, match=reason):
        make(**settings)


def test_open_when_the_certificates_cannot_be_read_then_says_which_file(make) -> None:
    with pytest.raises(SettingsError, match=r"ca_file is 'nowhere\.pem', which cannot be used"):
        make(url="https://loki", ca_file="nowhere.pem").open([])
