"""A hundred thousand lines through everything Loki may do, and the write path back."""

import json
import random
import threading
import time
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from loki_server import APP, QUERY, SECOND, LokiServer
from source_fakes import FileCheckpoints
from vigie.parameters import call
from vigie.sinks.files import FilesSink
from vigie.sinks.loki import LokiSink
from vigie.sources.loki import LokiSource
from vigie.stream.worker import Worker

N = 100_000
SEED = 20261121


def enriched(batch: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    messages = batch.with_columns(pl.col("payload").alias("output"), pl.lit("error").alias("label:severity"))
    return messages, batch.clear().with_columns(stage=pl.lit(None, pl.String), error=pl.lit(None, pl.String))


class Running:
    """A worker in a thread; `stop` ends it between two batches, its source is opened again by the next."""

    def __init__(self, server: LokiServer, folder: Path, sink: FilesSink | LokiSink) -> None:
        settings = {
            "name": "in",
            "owner": "sources.in",
            "url": server.url,
            "query": QUERY,
            "folder": folder,
            "poll_seconds": 0.1,
            "lateness_seconds": 4,
        }
        self._worker = Worker(call(LokiSource, settings), sink, name="in", process=enriched)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._worker.run, args=(self._stop,))
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(120)
        assert not self._thread.is_alive()


def feed(server: LokiServer, rng: random.Random) -> set[str]:
    """Put lines as agents do: bursts of one nanosecond, some late, the tail pressed and closed, storms of 429."""
    names = [f"line {n}" for n in range(N)]
    given = 0
    while given < N:
        burst = names[given : given + rng.choice([1, 40, 900, 3000])]
        now = time.time_ns()
        made = now - rng.choice([0, 0, 0, SECOND // 2, 2 * SECOND])
        width = rng.choice([1, 1, 7, 5000])  # how many nanoseconds they share
        pod = {**APP, "pod": rng.choice("abc")}
        server.put(*[(made + n % width, name) for n, name in enumerate(burst)], labels=pod)
        given += len(burst)
        server.tail_drops = rng.random() < 0.2
        if rng.random() < 0.05:
            server.close_tails(rng.choice([1011, 1001]))
        if rng.random() < 0.05:
            server.failures = [(rng.choice([429, 429, 503]), {"Retry-After": "0.1"})] * rng.choice([1, 2, 4])
        time.sleep(0.02)
    return set(names)


def lines(path: Path) -> list[str]:
    return [json.loads(line)["message"] for line in path.read_bytes().splitlines()] if path.exists() else []


def wait_for(n: int, path: Path, seconds: float = 200) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and path.read_bytes().count(b"\n") < n:
        time.sleep(0.1)


@pytest.mark.slow
def test_stream_when_loki_does_its_worst_then_every_line_arrives_once(loki_server: LokiServer, tmp_path: Path) -> None:
    rng = random.Random(SEED)
    output = tmp_path / "out.jsonl"
    wanted: list[set[str]] = []
    feeder = threading.Thread(target=lambda: wanted.append(feed(loki_server, rng)))

    def start() -> Running:
        sink = FilesSink("out", path=str(output), checkpoints=FileCheckpoints(tmp_path / "checkpoints.json"))
        return Running(loki_server, tmp_path, sink)

    running = start()
    feeder.start()
    while feeder.is_alive():
        feeder.join(1.5)
        running.stop()
        running = start()
    wait_for(N, output)
    time.sleep(0.5)  # what should not come has time to
    running.stop()
    found = Counter(lines(output))
    assert [name for name, count in found.items() if count > 1] == []
    assert wanted[0] - set(found) == set()
    assert len(found) == N


def test_stream_when_it_writes_back_to_loki_then_each_line_is_there_once_with_its_labels(
    loki_server: LokiServer, tmp_path: Path
) -> None:
    at = time.time_ns() - SECOND
    loki_server.put(*[(at + n // 10, f"line {n}") for n in range(2000)], metadata={"trace": "1"})
    loki_server.failures = [(429, {"Retry-After": "0.1"}), (503, {})]
    checkpoints = FileCheckpoints(tmp_path / "checkpoints.json")
    running = Running(
        loki_server,
        tmp_path,
        call(
            LokiSink,
            {
                "name": "out",
                "owner": "sinks.out",
                "url": loki_server.url,
                "checkpoints": checkpoints,
                "folder": tmp_path,
            },
        ),
    )
    deadline = time.monotonic() + 200
    ours = '{labelled_by="vigie"}'
    while len(loki_server.lines(ours)) < 2000 and time.monotonic() < deadline:
        time.sleep(0.1)
    running.stop()
    found = loki_server.entries(ours)
    assert [(nanosecond, line) for nanosecond, _, line, _ in found] == [
        (at + n // 10, f"line {n}") for n in range(2000)
    ]
    assert all(labels == {**APP, "labelled_by": "vigie"} for _, labels, _, _ in found)
    assert all(metadata == {"trace": "1", "severity": "error"} for *_, metadata in found)
    assert len(loki_server.lines()) == 4000
