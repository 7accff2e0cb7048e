"""Whatever is killed, frozen or cut off: each input position comes out exactly once."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

import kafka_worker
from builders import a_batch
from kafka_client import a_name, a_topic, fill, outcomes, read_all
from kafka_server import KafkaServer
from vigie.errors import FencedError, UnavailableError
from vigie.messages import Position
from vigie.sinks.kafka import KafkaSink
from vigie.sources.kafka import KafkaSource
from vigie.stream.worker import BatchReport, Pace, Worker

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

N_MESSAGES = 6_000
N_AT_ONCE = 400
FAST = {"session.timeout.ms": 1_500, "heartbeat.interval.ms": 300}


class Cluster:
    """A topic that keeps growing, and processes that share a consumer group to work on it."""

    def __init__(self, server: KafkaServer) -> None:
        self.server = server
        self.topic, self.output, self.group = a_topic(server), a_name("out"), a_name("group")
        self._n_messages = 0
        self._ended = threading.Event()
        self._feeder = threading.Thread(target=self._feed)
        self._feeder.start()
        self._started: list[subprocess.Popen[str]] = []

    def _feed(self) -> None:
        """Add messages faster than a worker takes them, so that none waits in vain for its turn, however slow it starts."""
        while not self._ended.is_set():
            numbers = range(self._n_messages, self._n_messages + N_AT_ONCE)
            fill(self.server, self.topic, (b"bad" if number % 11 == 0 else b"good %d" % number for number in numbers))
            self._n_messages = numbers.stop
            self._ended.wait(0.5)

    def start(
        self, instance: int = 0, *, until_end: bool = False, pause_seconds: float = 0.08
    ) -> subprocess.Popen[str]:
        shared = {"bootstrap_servers": self.server.bootstrap_servers}
        source = {"topics": self.topic, "group": self.group, "options": FAST, "until_end": until_end}
        sink = {"topic": self.output, "transactional_id": f"{self.group}-{instance}", "n_partitions": 3}
        arguments: dict[str, Any] = {
            "source": {**source, **shared},
            "sink": {**sink, **shared},
            "pace": {"max_batch": 50, "max_delay_seconds": 0.01},
            "pause_seconds": pause_seconds,
        }
        command = [sys.executable, kafka_worker.__file__, json.dumps(arguments)]
        worker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._started.append(worker)
        return worker

    def finish(self) -> None:
        """Work on until nothing is left, undisturbed."""
        self._stop_feeding()
        worker = self.start(until_end=True, pause_seconds=0.0)
        worker.communicate(timeout=120)
        assert worker.returncode == 0

    def check(self) -> None:
        counts = outcomes(read_all(self.server, self.output), read_all(self.server, f"{self.output}.dlq"))
        assert len(counts) == self._n_messages
        assert set(counts.values()) == {1}

    def _stop_feeding(self) -> None:
        self._ended.set()
        self._feeder.join()

    def close(self) -> None:
        self._stop_feeding()
        for worker in self._started:
            worker.kill()
            worker.communicate()


@pytest.fixture
def cluster(kafka_server: KafkaServer) -> Iterator[Cluster]:
    made = Cluster(kafka_server)
    yield made
    made.close()


def wait_for_batches(worker: subprocess.Popen[str], n: int) -> None:
    assert worker.stdout is not None
    for _ in range(n):
        assert worker.stdout.readline(), "the worker ended"


def end(worker: subprocess.Popen[str], how: signal.Signals = signal.SIGKILL) -> int:
    worker.send_signal(how)
    worker.communicate(timeout=60)
    return worker.returncode


def test_worker_when_killed_again_and_again_then_each_message_comes_out_once(cluster: Cluster) -> None:
    rng = Random(7)
    for _ in range(5):
        worker = cluster.start()
        wait_for_batches(worker, rng.randint(1, 6))
        time.sleep(rng.random() * 0.1)
        end(worker)

    cluster.finish()

    cluster.check()


def test_worker_when_told_to_stop_then_it_ends_in_time_and_another_goes_on(cluster: Cluster) -> None:
    worker = cluster.start()
    wait_for_batches(worker, 3)

    assert end(worker, signal.SIGTERM) == 0
    cluster.finish()
    cluster.check()


def test_workers_when_they_come_and_go_then_partitions_move_and_nothing_doubles(cluster: Cluster) -> None:
    first, second = cluster.start(0), cluster.start(1)
    wait_for_batches(first, 2)
    wait_for_batches(second, 2)
    end(first, signal.SIGTERM)
    wait_for_batches(second, 2)
    first = cluster.start(0)
    wait_for_batches(first, 2)
    end(second)
    wait_for_batches(first, 10)
    end(first, signal.SIGTERM)

    cluster.finish()

    cluster.check()


def test_worker_when_frozen_until_its_partitions_are_taken_then_it_adds_nothing(cluster: Cluster) -> None:
    first = cluster.start(0)
    wait_for_batches(first, 2)
    os.kill(first.pid, signal.SIGSTOP)
    second = cluster.start(1)
    wait_for_batches(second, 5)
    os.kill(first.pid, signal.SIGCONT)
    wait_for_batches(second, 5)
    end(first, signal.SIGTERM)
    end(second, signal.SIGTERM)

    cluster.finish()

    cluster.check()


def test_worker_when_another_takes_its_identity_then_it_is_fenced(cluster: Cluster) -> None:
    first = cluster.start(0)
    wait_for_batches(first, 2)
    second = cluster.start(0)
    wait_for_batches(second, 2)

    assert first.wait(timeout=30) == 3
    end(second, signal.SIGTERM)
    cluster.finish()
    cluster.check()


def test_sink_when_a_zombie_commits_then_it_is_fenced_and_nobody_sees_its_output(kafka_server: KafkaServer) -> None:
    topic, identity = a_name("out"), a_name("identity")
    zombie, heir = (
        KafkaSink("k", topic=topic, bootstrap_servers=kafka_server.bootstrap_servers, transactional_id=identity)
        for _ in range(2)
    )
    for sink, payload in ((zombie, b"zombie"), (heir, b"heir")):
        sink.open("files")
        messages = a_batch(payload).with_columns(timestamp=None)
        sink.write(*unchanged(messages))
    heir.commit([Position("file", 0, 4)], None)

    with pytest.raises(FencedError, match="identity"):
        zombie.commit([Position("file", 0, 6)], None)

    zombie.close()
    assert heir.open("files") == [Position("file", 0, 4)]
    heir.close()
    assert [message.value() for message in read_all(kafka_server, topic)] == [b"heir"]


def unchanged(batch: Any) -> Any:
    messages, dead_letters = kafka_worker.traced(batch)
    return messages.with_columns(output="payload"), dead_letters


def started() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


@contextmanager
def a_running_worker(
    server: KafkaServer, topic: str, output: str, *, going_on: threading.Event | None = None
) -> Iterator[tuple[Worker, list[BatchReport]]]:
    going_on = going_on or started()
    group, stop, reports = a_name("group"), threading.Event(), list[BatchReport]()
    brokers = server.bootstrap_servers
    source = KafkaSource("in", topics=topic, bootstrap_servers=brokers, group=group, options=FAST)
    sink = KafkaSink("out", topic=output, bootstrap_servers=brokers, transactional_id=group)

    def process(batch: Any) -> Any:
        assert going_on.wait(120)
        time.sleep(0.02)
        return kafka_worker.traced(batch)

    worker = Worker(source, sink, name="in", process=process, pace=Pace(50), on_batch=reports.append)
    thread = threading.Thread(target=worker.run, args=[stop])
    thread.start()
    try:
        yield worker, reports
    finally:
        stop.set()
        thread.join(60)
        assert not thread.is_alive()


def wait_until(condition: Any, timeout_seconds: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_worker_when_the_broker_restarts_then_it_waits_and_goes_on(tmp_path: Path, how: str) -> None:
    going_on = started()
    with KafkaServer(tmp_path / "kafka") as server:
        topic, output = a_topic(server), a_name("out")
        fill(server, topic, [b"x"] * N_MESSAGES)
        with a_running_worker(server, topic, output, going_on=going_on) as (_, reports):
            wait_until(lambda: len(reports) > 5)
            # Not within a commit: a lone broker forgets some of those (docs/explanation/exactly-once.md).
            going_on.clear()
            time.sleep(1.0)
            getattr(server, how)()
            going_on.set()
            before = len(reports)
            time.sleep(1.0)
            server.start()
            wait_until(lambda: len(reports) > before + 5)
            wait_until(lambda: sum(report.n_messages for report in reports) >= N_MESSAGES)

        counts = outcomes(read_all(server, output), read_all(server, f"{output}.dlq"))

    assert len(counts) == N_MESSAGES
    assert set(counts.values()) == {1}


def test_worker_when_no_broker_answers_at_the_start_then_it_says_so_and_stops_when_told(tmp_path: Path) -> None:
    server = KafkaServer(tmp_path)

    with a_running_worker(server, "topic", "out") as (worker, reports):
        wait_until(lambda: worker.problem is not None)

    assert "Connection refused" in (worker.problem or "")
    assert reports == []


def test_worker_when_the_broker_is_away_then_it_still_stops_in_time(tmp_path: Path) -> None:
    with KafkaServer(tmp_path / "kafka") as server:
        topic = a_topic(server)
        fill(server, topic, [b"x"] * N_MESSAGES)
        with a_running_worker(server, topic, a_name("out")) as (_, reports):
            wait_until(lambda: len(reports) > 2)
            server.kill()
            time.sleep(0.5)
        assert sum(report.n_messages for report in reports) < N_MESSAGES


def test_sink_when_the_broker_is_away_then_it_is_unavailable(tmp_path: Path) -> None:
    server = KafkaServer(tmp_path)
    sink = KafkaSink("k", topic="out", bootstrap_servers=server.bootstrap_servers)

    with pytest.raises(UnavailableError):
        sink.open("files")
    sink.close()
