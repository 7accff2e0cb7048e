"""Files to a topic: positions are kept in Kafka, in the same transaction as the output."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from random import Random
from typing import Any

import pytest
from confluent_kafka import Producer

import kafka_worker
from builders import a_batch
from kafka_client import a_name, fill, outcomes, read_all
from kafka_server import KafkaServer
from vigie.errors import UnavailableError
from vigie.messages import Position
from vigie.sinks import kafka_positions
from vigie.sinks.kafka import KafkaSink
from vigie.sinks.kafka_positions import FIRST_LOOK, PositionsReader
from vigie.sources.files import FilesSource
from vigie.stream.worker import Worker

pytestmark = pytest.mark.kafka

N_LINES = 3_000


def a_sink(server: KafkaServer, topic: str, identity: str = "vigie-files-0") -> KafkaSink:
    return KafkaSink("out", topic=topic, bootstrap_servers=server.bootstrap_servers, transactional_id=identity)


def commit(sink: KafkaSink, *positions: Position) -> None:
    sink.write(*kafka_worker.traced(a_batch(b"line").with_columns(timestamp=None)))
    sink.commit(positions, None)


def the_lines(folder: Path) -> Path:
    path = folder / "lines.log"
    path.write_bytes(b"".join(b"bad %d\n" % n if n % 9 == 0 else b"good %d\n" % n for n in range(N_LINES)))
    return path


@pytest.mark.slow
def test_worker_when_killed_while_it_reads_a_file_then_each_line_comes_out_once(
    kafka_server: KafkaServer, tmp_path: Path
) -> None:
    path, output, rng = the_lines(tmp_path), a_name("out"), Random(3)
    arguments: dict[str, Any] = {
        "source": {"path": str(path)},
        "sink": {"topic": output, "bootstrap_servers": kafka_server.bootstrap_servers, "transactional_id": output},
        "pace": {"max_batch": 50, "max_delay_seconds": 0.01},
        "pause_seconds": 0.02,
    }
    command = [sys.executable, kafka_worker.__file__, json.dumps(arguments)]
    for _ in range(4):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
            assert worker.stdout is not None
            for _ in range(rng.randint(1, 8)):
                assert worker.stdout.readline()
            worker.kill()

    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=120)

    counts = outcomes(read_all(kafka_server, output), read_all(kafka_server, f"{output}.dlq"))
    assert len(counts) == N_LINES
    assert set(counts.values()) == {1}


def test_worker_when_the_file_was_read_before_then_nothing_comes_again(
    kafka_server: KafkaServer, tmp_path: Path
) -> None:
    path, output = the_lines(tmp_path), a_name("out")
    for _ in range(2):
        sink = a_sink(kafka_server, output)
        Worker(FilesSource("in", path=str(path)), sink, name="in", process=kafka_worker.traced).run(threading.Event())

    counts = outcomes(read_all(kafka_server, output), read_all(kafka_server, f"{output}.dlq"))

    assert len(counts) == N_LINES
    assert set(counts.values()) == {1}


def test_sink_when_nothing_was_committed_then_it_starts_at_the_beginning(kafka_server: KafkaServer) -> None:
    sink = a_sink(kafka_server, a_name("out"))

    assert sink.open("files") == []
    sink.close()


def test_sink_when_opened_again_then_the_last_commit_counts(kafka_server: KafkaServer) -> None:
    topic, expected = a_name("out"), [Position(f"/var/log/{'x' * 80}{n}.log", 0, n) for n in range(500)]
    sink = a_sink(kafka_server, topic)
    sink.open("files")
    commit(sink, Position("a", 0, 1))
    commit(sink, *expected)
    sink.write(*kafka_worker.traced(a_batch(b"not committed").with_columns(timestamp=None)))
    sink.close()

    again = a_sink(kafka_server, topic)

    assert again.open("files") == expected
    again.close()
    assert len(read_all(kafka_server, topic)) == 2


def test_sink_when_anothers_open_transaction_hides_its_commit_then_it_never_resumes_before_it(
    kafka_server: KafkaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_positions, "TIMEOUT_SECONDS", 1.0)
    topic = a_name("out")
    one = a_sink(kafka_server, topic)
    one.open("files")
    commit(one, Position("a", 0, 1))
    other = Producer({"bootstrap.servers": kafka_server.bootstrap_servers, "transactional.id": a_name("other")})
    other.init_transactions(10)
    other.begin_transaction()
    other.produce(f"{topic}.positions", b"not committed", b"another key")
    other.flush(10)
    commit(one, Position("a", 0, 2))

    with pytest.raises(UnavailableError, match="held back by an open transaction"):
        one.open("files")

    other.abort_transaction(10)
    assert one.open("files") == [Position("a", 0, 2)]
    one.close()


def test_sink_when_aborted_then_output_and_positions_are_as_before(kafka_server: KafkaServer) -> None:
    topic = a_name("out")
    sink = a_sink(kafka_server, topic)
    sink.open("files")
    commit(sink, Position("a", 0, 1))
    sink.write(*kafka_worker.traced(a_batch(b"undone").with_columns(timestamp=None)))

    sink.abort()

    assert sink.open("files") == [Position("a", 0, 1)]
    sink.close()
    assert len(read_all(kafka_server, topic)) == 1


def test_sinks_when_two_share_a_topic_then_each_keeps_positions_of_its_own(kafka_server: KafkaServer) -> None:
    topic = a_name("out")
    sinks = {name: a_sink(kafka_server, topic, identity=f"{topic}-{name}") for name in ("one", "two")}
    for number, sink in enumerate(sinks.values()):
        assert sink.open("files") == []
        commit(sink, Position("a", 0, number))

    found = {name: sink.open("files") for name, sink in sinks.items()}

    assert found == {"one": [Position("a", 0, 0)], "two": [Position("a", 0, 1)]}
    for sink in sinks.values():
        sink.close()


def test_reader_when_the_positions_lie_far_back_then_it_finds_them(kafka_server: KafkaServer) -> None:
    topic = a_name("out")
    sink = a_sink(kafka_server, topic, identity=topic)
    sink.open("files")
    commit(sink, Position("a", 0, 7))
    sink.close()
    fill(kafka_server, f"{topic}.positions", [b"another's"] * (2 * FIRST_LOOK), key=b"another")
    reader = PositionsReader("sinks.out", {"bootstrap.servers": kafka_server.bootstrap_servers})

    assert reader.read(f"{topic}.positions", f"{topic}/files".encode()) == [Position("a", 0, 7)]
