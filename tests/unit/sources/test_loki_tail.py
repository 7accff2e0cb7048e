import time
from collections.abc import Callable, Iterator

import pytest

from loki_server import QUERY, LokiServer
from vigie.loki import Access
from vigie.sources.loki_tail import Tail, oldest


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.01)


@pytest.fixture
def looks(loki_server: LokiServer) -> Iterator[list[int | None]]:
    seen: list[int | None] = []
    tail = Tail(Access(owner="sources.in", url=loki_server.url), QUERY, look=seen.append)
    tail.start()
    until(lambda: loki_server.n_tails == 1)
    until(lambda: tail.listening)
    yield seen
    tail.close()
    tail.close()


def test_tail_when_a_line_comes_then_says_at_which_nanosecond(loki_server, looks) -> None:
    loki_server.put((17, "a"), (15, "b"))
    until(lambda: 15 in looks)


def test_tail_when_a_line_is_left_out_then_says_where_it_is_missing(loki_server, looks) -> None:
    loki_server.tail_drops = True
    loki_server.put((17, "a"))
    until(lambda: 17 in looks)


@pytest.mark.parametrize(
    ("code", "reason"), [(1011, "reached tail max duration limit"), (1000, ""), (1011, "failed to connect to ingester")]
)
def test_tail_when_the_server_closes_then_it_looks_for_the_gap_and_listens_again(
    loki_server, looks, code, reason
) -> None:
    looks.clear()
    assert loki_server.close_tails(code, reason) == 1
    until(lambda: loki_server.n_tails == 1)
    until(lambda: looks.count(None) >= 2)
    loki_server.put((18, "b"))
    until(lambda: 18 in looks)


def test_tail_when_the_server_refuses_then_it_goes_on_trying(loki_server) -> None:
    loki_server.tail_refused = 429
    looks: list[int | None] = []
    tail = Tail(Access(owner="sources.in", url=loki_server.url), QUERY, look=looks.append)
    tail.start()
    until(lambda: looks)
    assert not tail.listening
    loki_server.tail_refused = 0
    until(lambda: tail.listening)
    tail.close()
    assert not tail.listening


@pytest.mark.parametrize(
    ("frame", "nanosecond"),
    [
        ('{"streams": []}', None),
        ('{"streams": null, "dropped_entries": null}', None),
        ('{"streams": [{"stream": {}, "values": [["9", "a"], ["7", "b", {}]]}]}', 7),
        ('{"streams": [], "dropped_entries": [{"labels": {}, "timestamp": "5"}]}', 5),
        ("rubbish", None),
        ("[1]", None),
        ('{"streams": [{}]}', None),
    ],
)
def test_oldest_when_given_a_frame_then_finds_the_nanosecond_or_none(frame: str, nanosecond: int | None) -> None:
    assert oldest(frame) == nanosecond
