"""Topic to topic through a worker, on Apache Kafka."""

import threading
from typing import Any

import pytest

from kafka_client import a_name, a_topic, fill, header, outcomes, read_all
from kafka_server import KafkaServer
from kafka_worker import traced
from vigie.errors import SettingsError
from vigie.sinks.kafka import KafkaSink
from vigie.sources.kafka import KafkaSource
from vigie.stream.worker import Pace, Worker

pytestmark = pytest.mark.kafka


def move_all(server: KafkaServer, topic: str, output: str, *, process: Any = traced, **options: Any) -> None:
    group = options.pop("group", None) or a_name("group")
    source = KafkaSource(
        "in", topics=topic, bootstrap_servers=server.bootstrap_servers, group=group, until_end=True, **options
    )
    sink = KafkaSink(
        "out", topic=output, bootstrap_servers=server.bootstrap_servers, transactional_id=group, n_partitions=3
    )
    Worker(source, sink, name="in", process=process, pace=Pace(300)).run(threading.Event())


def unchanged(batch: Any) -> Any:
    messages, dead_letters = traced(batch)
    return messages.with_columns(output="payload"), dead_letters


def test_worker_when_some_messages_are_bad_then_each_comes_out_once(kafka_server: KafkaServer) -> None:
    topic, output = a_topic(kafka_server), a_name("out")
    fill(kafka_server, topic, (b"bad one" if number % 7 == 0 else b"good %d" % number for number in range(2_000)))

    move_all(kafka_server, topic, output)

    dead_letters = read_all(kafka_server, f"{output}.dlq")
    counts = outcomes(read_all(kafka_server, output), dead_letters)
    assert len(counts) == 2_000
    assert set(counts.values()) == {1}
    assert len(dead_letters) == 286
    assert {message.value() for message in dead_letters} == {b"bad one"}


def test_worker_when_a_message_is_bad_then_its_dead_letter_says_why(kafka_server: KafkaServer) -> None:
    topic, output = a_topic(kafka_server, partitions=1), a_name("out")
    fill(kafka_server, topic, [b"bad"], key=b"k", headers=[("trace", b"1")])

    move_all(kafka_server, topic, output)

    (letter,) = read_all(kafka_server, f"{output}.dlq")
    assert (letter.key(), letter.value()) == (b"k", b"bad")
    assert header(letter, "trace") == "1"
    assert header(letter, "__connect.errors.topic") == topic
    assert header(letter, "__connect.errors.stage") == "decode"
    assert header(letter, "__connect.errors.exception.message") == "it is bad"


def test_worker_when_messages_have_metadata_then_all_of_it_survives(kafka_server: KafkaServer) -> None:
    topic, output = a_topic(kafka_server), a_name("out")
    headers = [("trace", b"1"), ("trace", b"2"), ("none", None), ("raw", b"\xff\x00")]
    fill(kafka_server, topic, [b"with"], key=b"\xfe", headers=headers, timestamp=1_700_000_000_123, partition=2)
    fill(kafka_server, topic, [b"without"], partition=1, timestamp=1_700_000_000_456)

    move_all(kafka_server, topic, output, process=unchanged)

    with_all, without = sorted(read_all(kafka_server, output), key=lambda message: message.value() or b"")
    assert (with_all.key(), with_all.headers(), with_all.partition()) == (b"\xfe", headers, 2)
    assert with_all.timestamp()[1] == 1_700_000_000_123
    assert (without.key(), without.headers(), without.partition()) == (None, None, 1)
    assert without.timestamp()[1] == 1_700_000_000_456


def test_worker_when_there_is_a_tombstone_then_it_stays_one(kafka_server: KafkaServer) -> None:
    topic, output = a_topic(kafka_server), a_name("out")
    fill(kafka_server, topic, [None], key=b"gone")

    move_all(kafka_server, topic, output, process=unchanged)

    (tombstone,) = read_all(kafka_server, output)
    assert (tombstone.key(), tombstone.value()) == (b"gone", None)


def test_worker_when_the_output_has_fewer_partitions_then_equal_keys_stay_together(kafka_server: KafkaServer) -> None:
    topic, output = a_topic(kafka_server, partitions=6), a_topic(kafka_server, partitions=2)
    for key in (b"a", b"b", b"c", b"d", b"e", b"f"):
        fill(kafka_server, topic, [b"1", b"2"], key=key)

    move_all(kafka_server, topic, output)

    places: dict[bytes | None, set[int]] = {}
    for message in read_all(kafka_server, output):
        places.setdefault(message.key(), set()).add(message.partition())
    assert len(places) == 6
    assert all(len(partitions) == 1 for partitions in places.values())


def test_worker_when_started_again_then_it_goes_on_behind_what_was_committed(kafka_server: KafkaServer) -> None:
    topic, output, group = a_topic(kafka_server), a_name("out"), a_name("group")
    fill(kafka_server, topic, [b"1"] * 100)
    move_all(kafka_server, topic, output, group=group)
    fill(kafka_server, topic, [b"2"] * 100)

    move_all(kafka_server, topic, output, group=group)

    counts = outcomes(read_all(kafka_server, output), [])
    assert len(counts) == 200
    assert set(counts.values()) == {1}


def test_worker_when_two_topics_are_read_then_both_come_out(kafka_server: KafkaServer) -> None:
    topics, output = [a_topic(kafka_server, partitions=1) for _ in range(2)], a_name("out")
    for topic in topics:
        fill(kafka_server, topic, [topic.encode()])
    source = KafkaSource("in", topics=topics, bootstrap_servers=kafka_server.bootstrap_servers, until_end=True)
    sink = KafkaSink("out", topic=output, bootstrap_servers=kafka_server.bootstrap_servers)

    Worker(source, sink, name="in", process=unchanged).run(threading.Event())

    assert {message.value() for message in read_all(kafka_server, output)} == {topic.encode() for topic in topics}


def test_source_when_the_topic_ends_with_a_transaction_then_it_is_exhausted(kafka_server: KafkaServer) -> None:
    topic, middle, output = a_topic(kafka_server), a_name("middle"), a_name("out")
    fill(kafka_server, topic, [b"x"] * 10)
    move_all(kafka_server, topic, middle)

    move_all(kafka_server, middle, output)

    assert len(read_all(kafka_server, output)) == 10


def test_source_when_the_new_protocol_is_asked_for_then_it_works(kafka_server: KafkaServer) -> None:
    topic, output = a_topic(kafka_server), a_name("out")
    fill(kafka_server, topic, [b"x"] * 10)

    move_all(kafka_server, topic, output, options={"group.protocol": "consumer"})

    assert len(read_all(kafka_server, output)) == 10


def test_source_when_the_topic_is_unknown_then_near_names_are_told(kafka_server: KafkaServer) -> None:
    topic = a_topic(kafka_server)

    with pytest.raises(SettingsError, match=f"topic '{topic}x' does not exist; the broker has.* {topic}.*create it"):
        move_all(kafka_server, f"{topic}x", a_name("out"))


@pytest.mark.parametrize("part", [KafkaSource, KafkaSink])
def test_part_when_an_option_is_unknown_then_the_table_is_named(kafka_server: KafkaServer, part: Any) -> None:
    topics = {"topics": "x"} if part is KafkaSource else {"topic": "x"}
    made = part("k", **topics, bootstrap_servers=kafka_server.bootstrap_servers, options={"lingr.ms": 5})

    with pytest.raises(SettingsError, match=r"lingr\.ms.*see \[s(ource|ink)s\.k\.options\]"):
        made.open([] if part is KafkaSource else "in")
