"""Messages that a topic does not take: each becomes a dead letter, none stops the worker."""

import threading
from random import Random

import polars as pl
import pytest

from kafka_client import a_name, a_topic, fill, header, read_all
from kafka_server import KafkaServer
from kafka_worker import traced
from vigie.errors import SettingsError
from vigie.sinks.kafka import KafkaSink
from vigie.sources.kafka import KafkaSource
from vigie.stream.worker import Pace, Worker

pytestmark = pytest.mark.kafka


def unchanged(batch: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    messages, dead_letters = traced(batch)
    return messages.with_columns(output="payload"), dead_letters


def a_worker(server: KafkaServer, topic: str, output: str, max_batch: int = 100) -> Worker:
    group, brokers = a_name("group"), server.bootstrap_servers
    source = KafkaSource("in", topics=topic, bootstrap_servers=brokers, group=group, until_end=True)
    sink = KafkaSink("out", topic=output, bootstrap_servers=brokers, transactional_id=group)
    return Worker(source, sink, name="in", process=unchanged, pace=Pace(max_batch))


def test_worker_when_a_message_is_too_long_then_it_is_a_dead_letter_cut_to_fit(kafka_server: KafkaServer) -> None:
    topic, output = a_topic(kafka_server, partitions=1, max_message_bytes="10000000"), a_name("out")
    fill(kafka_server, topic, [b"before", b"y" * 5_000_000, b"after"], headers=[("trace", b"1")])

    a_worker(kafka_server, topic, output).run(threading.Event())

    assert [message.value() for message in read_all(kafka_server, output)] == [b"before", b"after"]
    (letter,) = read_all(kafka_server, f"{output}.dlq")
    assert header(letter, "vigie.value.bytes") == "5000000"
    assert header(letter, "trace") == "1"
    assert header(letter, "__connect.errors.offset") == "1"
    assert "accepts 1048588 (max.message.bytes)" in (header(letter, "__connect.errors.exception.message") or "")
    assert 1_000_000 < len(letter.value() or b"") < 1_048_588


def test_worker_when_the_dead_letter_topic_takes_long_messages_then_nothing_is_cut(kafka_server: KafkaServer) -> None:
    topic, output = a_topic(kafka_server, partitions=1, max_message_bytes="10000000"), a_name("out")
    kafka_server.create_topic(f"{output}.dlq", 1, {"max.message.bytes": "10000000"})
    fill(kafka_server, topic, [b"y" * 5_000_000])

    a_worker(kafka_server, topic, output).run(threading.Event())

    (letter,) = read_all(kafka_server, f"{output}.dlq")
    assert letter.value() == b"y" * 5_000_000
    assert header(letter, "vigie.value.bytes") is None


def test_worker_when_the_limit_fell_after_the_start_then_the_worker_learns_it(kafka_server: KafkaServer) -> None:
    topic, output = a_topic(kafka_server, partitions=1), a_topic(kafka_server, partitions=1)
    incompressible = Random(1).randbytes(10_000)
    fill(kafka_server, topic, [b"before", incompressible, b"after"])
    worker = a_worker(kafka_server, topic, output, max_batch=1)
    while worker.step() is None:
        pass
    kafka_server.change_topic(output, {"max.message.bytes": "2000"})

    worker.run(threading.Event())

    assert [message.value() for message in read_all(kafka_server, output)] == [b"before", b"after"]
    assert [message.value() for message in read_all(kafka_server, f"{output}.dlq")] == [incompressible]


def test_worker_when_a_compacted_topic_wants_keys_then_those_without_are_dead_letters(
    kafka_server: KafkaServer,
) -> None:
    topic, output = a_topic(kafka_server, partitions=1), a_topic(kafka_server, partitions=1, cleanup_policy="compact")
    fill(kafka_server, topic, [b"with"], key=b"k")
    fill(kafka_server, topic, [b"without"])
    fill(kafka_server, topic, [b"with too"], key=b"l")

    a_worker(kafka_server, topic, output).run(threading.Event())

    assert [message.value() for message in read_all(kafka_server, output)] == [b"with", b"with too"]
    (letter,) = read_all(kafka_server, f"{output}.dlq")
    assert letter.value() == b"without"
    assert "has no key" in (header(letter, "__connect.errors.exception.message") or "")


@pytest.mark.parametrize("n_bad", [1, 2])
def test_worker_when_the_broker_finds_a_fault_itself_then_only_the_culprits_are_dead_letters(
    kafka_server: KafkaServer, n_bad: int
) -> None:
    topic, output = a_topic(kafka_server, partitions=1), a_topic(kafka_server, partitions=1)
    fill(kafka_server, topic, [b"first"], key=b"k")
    fill(kafka_server, topic, [b"innocent"], key=b"k")
    fill(kafka_server, topic, [b"without %d" % number for number in range(n_bad)])
    fill(kafka_server, topic, [b"innocent too"], key=b"l")
    worker = a_worker(kafka_server, topic, output, max_batch=1)
    while worker.step() is None:
        pass
    kafka_server.change_topic(output, {"cleanup.policy": "compact"})
    worker._pace = Pace(100)

    worker.run(threading.Event())

    assert [message.value() for message in read_all(kafka_server, output)] == [b"first", b"innocent", b"innocent too"]
    letters = read_all(kafka_server, f"{output}.dlq")
    assert [letter.value() for letter in letters] == [b"without %d" % number for number in range(n_bad)]
    assert f"topic {output} refuses it" in (header(letters[0], "__connect.errors.exception.message") or "")


def test_worker_when_dead_letters_are_refused_then_it_stops_and_says_why(kafka_server: KafkaServer) -> None:
    topic, output = a_topic(kafka_server, partitions=1), a_name("out")
    fill(kafka_server, topic, [b"bad"] * 2)
    worker = a_worker(kafka_server, topic, output, max_batch=1)
    while worker.step() is None:
        pass
    kafka_server.change_topic(f"{output}.dlq", {"cleanup.policy": "compact"})

    with pytest.raises(SettingsError, match=rf"{output}\.dlq does not take a message.*correct the settings"):
        worker.run(threading.Event())

    assert len(read_all(kafka_server, f"{output}.dlq")) == 1


def test_worker_when_the_dead_letter_topic_is_compacted_then_positions_become_keys(kafka_server: KafkaServer) -> None:
    topic, output = a_topic(kafka_server, partitions=1), a_name("out")
    kafka_server.create_topic(f"{output}.dlq", 1, {"cleanup.policy": "compact"})
    fill(kafka_server, topic, [b"bad"])

    a_worker(kafka_server, topic, output).run(threading.Event())

    (letter,) = read_all(kafka_server, f"{output}.dlq")
    assert letter.key() == f"{topic}/0/0".encode()


def test_worker_when_times_are_too_old_then_they_are_dead_letters(kafka_server: KafkaServer) -> None:
    topic, output = a_topic(kafka_server, partitions=1), a_name("out")
    for name in (output, f"{output}.dlq"):
        kafka_server.create_topic(name, 1, {"message.timestamp.before.max.ms": "3600000"})
    fill(kafka_server, topic, [b"old"], timestamp=1_000_000_000_000)
    fill(kafka_server, topic, [b"new"])

    a_worker(kafka_server, topic, output).run(threading.Event())

    assert [message.value() for message in read_all(kafka_server, output)] == [b"new"]
    assert [message.value() for message in read_all(kafka_server, f"{output}.dlq")] == [b"old"]
