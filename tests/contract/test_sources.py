"""What every source promises, run over all that are installed by their plug-in names."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kafka_client import a_name, a_topic, fill
from kafka_server import KafkaServer
from loki_server import QUERY, SECOND, LokiServer
from source_fakes import ListInbox
from vigie.messages import SCHEMA, Position
from vigie.parameters import call
from vigie.plugins import load, names
from vigie.sources import Source

PAYLOADS = [b"one", b'{"message": "two"}', b"\xff three", "quatre é".encode(), b"", b"six", b"x" * 10_000]

Make = Callable[[Sequence[bytes]], Callable[[], Source]]
"""Puts messages where a source finds them, and returns what makes sources that read them to their end."""


def files(_: pytest.FixtureRequest, folder: Path) -> Make:
    def make(payloads: Sequence[bytes]) -> Callable[[], Source]:
        path = folder / "in.log"
        path.write_bytes(b"".join(payload + b"\n" for payload in payloads))
        return lambda: load("sources", "files")("in", path=str(path))

    return make


def http(_: pytest.FixtureRequest, __: Path) -> Make:
    def make(payloads: Sequence[bytes]) -> Callable[[], Source]:
        inbox = ListInbox(*payloads)
        return lambda: load("sources", "http")("in", inbox=inbox, until_end=True)

    return make


def kafka(request: pytest.FixtureRequest, _: Path) -> Make:
    server: KafkaServer = request.getfixturevalue("kafka_server")

    def make(payloads: Sequence[bytes]) -> Callable[[], Source]:
        topic = a_topic(server, partitions=1)
        fill(server, topic, payloads)
        settings = {"topics": topic, "bootstrap_servers": server.bootstrap_servers, "until_end": True}
        return lambda: load("sources", "kafka")("in", group=a_name("group"), **settings)

    return make


class Lines:
    """A Loki source whose payloads are the lines alone; Loki holds texts, so each byte is written as one character."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def poll(self, max_messages: int, timeout_seconds: float) -> pl.DataFrame:
        frame = self._source.poll(max_messages, timeout_seconds)
        lines = [json.loads(payload)["message"].encode("latin-1") for payload in frame["payload"]]
        return frame.with_columns(payload=pl.Series(lines, dtype=pl.Binary))


def loki(request: pytest.FixtureRequest, folder: Path) -> Make:
    server: LokiServer = request.getfixturevalue("loki_server")

    def make(payloads: Sequence[bytes]) -> Callable[[], Source]:
        second = time.time_ns() - 10 * SECOND
        server.put(*[(second + n // 2, payload.decode("latin-1")) for n, payload in enumerate(payloads)])
        settings = {"url": server.url, "query": QUERY, "page_entries": 2, "until_end": True, "folder": folder}
        return lambda: Lines(call(load("sources", "loki"), {"name": "in", "owner": "sources.in", **settings}))

    return make


KITS = {"files": files, "http": http, "kafka": kafka, "loki": loki}
MARKS = {"kafka": pytest.mark.kafka}


@pytest.fixture(params=[pytest.param(name, marks=MARKS.get(name, ())) for name in names("sources")])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[Sequence[bytes]], Callable[[], Source]]]:
    opened: list[Source] = []
    put = KITS[request.param](request, tmp_path)

    def put_and_remember(payloads: Sequence[bytes]) -> Callable[[], Source]:
        new = put(payloads)

        def remembered() -> Source:
            opened.append(new())
            return opened[-1]

        return remembered

    yield put_and_remember
    for source in opened:
        source.close()
        source.close()


def read(source: Source, n: int | None = None, *, at_once: int = 3) -> list[tuple[bytes, str, int, int]]:
    """Poll `n` messages, or all, and return payload, stream, partition and offset of each."""
    rows: list[tuple[bytes, str, int, int]] = []
    deadline = time.monotonic() + 60
    while not source.exhausted and (n is None or len(rows) < n):
        assert time.monotonic() < deadline, "the source does not come to an end"
        frame = source.poll(at_once if n is None else min(at_once, n - len(rows)), 0.2)
        assert frame.height <= at_once
        assert frame.schema == pl.Schema(SCHEMA)
        assert (
            frame.select("payload", "stream", "partition", "offset", "timestamp").null_count().sum_horizontal().sum()
            == 0
        )
        rows += frame.select("payload", "stream", "partition", "offset").rows()
    return rows


def test_poll_when_read_to_the_end_then_every_message_comes_once_in_order_byte_for_byte(make: Make) -> None:
    source = make(PAYLOADS)()
    source.open([])
    rows = read(source)
    assert [payload for payload, *_ in rows] == PAYLOADS
    offsets = [offset for *_, offset in rows]
    assert offsets == sorted(set(offsets))


def test_poll_when_there_is_nothing_then_it_returns_with_an_empty_batch(make: Make) -> None:
    source = make([])()
    source.open([])
    frame = source.poll(10, 0.2)
    assert frame.is_empty()
    assert frame.schema == pl.Schema(SCHEMA)


@pytest.mark.parametrize("n", [0, 1, 4, len(PAYLOADS)])
def test_open_when_given_positions_then_it_resumes_exactly_there(make: Make, n: int) -> None:
    new = make(PAYLOADS)
    first = new()
    first.open([])
    before = read(first, n)
    positions = first.positions()
    assert all(isinstance(position, Position) for position in positions)
    first.close()
    second = new()
    second.open(positions)
    assert [payload for payload, *_ in before + read(second)] == PAYLOADS


def test_rewind_when_batches_were_not_committed_then_the_same_messages_come_again(make: Make) -> None:
    source = make(PAYLOADS)()
    source.open([])
    read(source, 2)
    positions = source.positions()
    lost = read(source, 3)
    source.rewind(positions)
    rest = read(source, at_once=100)
    assert rest[:3] == lost
    assert [payload for payload, *_ in rest] == PAYLOADS[2:]


def test_rewind_when_nothing_was_ever_committed_then_all_comes_again(make: Make) -> None:
    source = make(PAYLOADS)()
    source.open([])
    whole = read(source)
    source.rewind([])
    assert not source.exhausted
    assert read(source) == whole


def test_positions_when_everything_was_polled_then_a_new_source_has_nothing_to_do(make: Make) -> None:
    new = make(PAYLOADS)
    first = new()
    first.open([])
    read(first)
    second = new()
    second.open(first.positions())
    assert read(second) == []


def test_lag_when_asked_then_it_counts_by_stream_and_partition(make: Make) -> None:
    source = make(PAYLOADS)()
    source.open([])
    [_, stream, partition, _], *_ = read(source, 2)
    assert all(n >= 0 for n in source.lag().values())
    assert set(source.lag()) <= {(stream, partition)}
