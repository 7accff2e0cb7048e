from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from kafka_fakes import ScriptedConsumer, a_message, an_event
from vigie.errors import SettingsError, UnavailableError
from vigie.messages import ATTEMPT, ERRORS, Position
from vigie.sources import dead_letter_topic
from vigie.sources.dead_letter_topic import STALLED_SECONDS, DeadLetterTopic

TOPIC = "labelled.dlq"


class Assigned(ScriptedConsumer):
    """A consumer that is assigned its partitions at once, and not by a group."""

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.assigned = [(part.topic, part.partition, part.offset) for part in partitions]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Kit:
    """A topic of dead letters, and its consumer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.consumer = Assigned({})
        self.clock = Clock()
        monkeypatch.setattr(dead_letter_topic, "connect", self._connect)
        self.source = DeadLetterTopic(
            "sinks.out", topic=TOPIC, source="in", group="vigie.in.replay", bootstrap_servers="x:1", clock=self.clock
        )

    def holds(self, *ends: tuple[int, int], committed: dict[int, int] | None = None) -> None:
        self.consumer.topics = {TOPIC: SimpleNamespace(error=None, partitions=dict.fromkeys(range(len(ends))))}
        self.consumer.ends = {(TOPIC, part): found for part, found in enumerate(ends)}
        self.consumer.offsets = {(TOPIC, part): offset for part, offset in (committed or {}).items()}

    def comes(self, *offsets: int) -> None:
        self.consumer.script.extend(a_letter(offset) for offset in offsets)

    def _connect(self, _kind: type, _owner: str, settings: dict[str, Any]) -> Assigned:
        self.consumer.settings = settings
        return self.consumer


def a_letter(offset: int, partition: int = 0, headers: Mapping[str, bytes] | None = None) -> Any:
    why = {"connector.name": b"in", "topic": b"logs", "partition": b"3", "offset": b"70", "stage": b"decode"}
    why |= {"exception.message": b"it is no JSON", **(headers or {})}
    named = [(f"{ERRORS}{name}", value) for name, value in why.items()]
    return a_message(offset, topic=TOPIC, partition=partition, value=b"raw", headers=[*named, ("own", b"1")])


@pytest.fixture
def kit(monkeypatch: pytest.MonkeyPatch) -> Kit:
    return Kit(monkeypatch)


def place(frame: pl.DataFrame) -> list[tuple[int, int]]:
    return frame.select("letter:partition", "letter:offset").rows()


def test_poll_when_there_are_letters_then_each_is_the_message_it_was(kit: Kit) -> None:
    kit.holds((0, 1))
    kit.comes(0)
    kit.source.open([])

    (row,) = kit.source.poll(10, 0).iter_rows(named=True)

    assert (row["stream"], row["partition"], row["offset"], row["payload"]) == ("logs", 3, 70, b"raw")
    assert row["headers"] == [{"name": "own", "value": b"1"}]
    assert (row["letter:stage"], row["letter:error"], row["letter:attempt"]) == ("decode", "it is no JSON", 1)
    assert (row["letter:stream"], row["letter:partition"], row["letter:offset"]) == (TOPIC, 0, 0)
    assert not row["letter:cut"]


def test_poll_when_letters_are_of_another_source_then_they_are_passed_over_and_not_lost(kit: Kit) -> None:
    kit.holds((0, 3))
    kit.comes(0)
    kit.consumer.script.append(a_letter(1, 0, {"connector.name": b"other"}))
    kit.comes(2)
    kit.source.open([])

    assert place(kit.source.poll(10, 0)) == [(0, 0), (0, 2)]
    assert kit.source.positions() == [Position(TOPIC, 0, 3)]
    assert kit.source.exhausted


def test_poll_when_letters_come_after_it_was_opened_then_they_are_left_for_later(kit: Kit) -> None:
    kit.holds((0, 2))
    kit.comes(0, 1, 2, 3)
    kit.source.open([])

    assert place(kit.source.poll(10, 0)) == [(0, 0), (0, 1)]
    assert kit.source.positions() == [Position(TOPIC, 0, 2)]


def test_poll_when_a_partition_ends_in_markers_of_transactions_then_its_end_is_reached(kit: Kit) -> None:
    kit.holds((0, 5))
    kit.comes(0)
    kit.source.open([])
    kit.source.poll(10, 0)
    assert not kit.source.exhausted

    end = a_message(5, topic=TOPIC, partition=0, error=KafkaError(KafkaError._PARTITION_EOF))
    kit.consumer.script.append(end)

    assert kit.source.poll(10, 0).is_empty()
    assert kit.source.exhausted
    assert kit.source.positions() == [Position(TOPIC, 0, 5)]


def test_open_when_the_group_was_here_then_it_resumes_there_or_at_what_is_left(kit: Kit) -> None:
    kit.holds((0, 9), (4, 9), (0, 9), committed={0: 7, 1: 2})

    kit.source.open([])

    assert kit.consumer.assigned == [(TOPIC, 0, 7), (TOPIC, 1, 4), (TOPIC, 2, 0)]
    assert kit.source.lag() == {(TOPIC, 0): 2, (TOPIC, 1): 5, (TOPIC, 2): 9}


def test_open_when_positions_are_given_then_the_group_knows_better(kit: Kit) -> None:
    kit.holds((0, 9), committed={0: 7})

    kit.source.open([Position(TOPIC, 0, 1)])

    assert kit.source.positions() == [Position(TOPIC, 0, 7)]


@pytest.mark.parametrize("code", [KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC])
def test_open_when_there_is_no_such_topic_then_there_are_no_letters(kit: Kit, code: int) -> None:
    kit.consumer.topics = {TOPIC: SimpleNamespace(error=KafkaError(code), partitions={})}

    kit.source.open([])

    assert kit.source.exhausted
    assert kit.source.poll(10, 0).is_empty()
    assert kit.source.positions() == []


def test_open_when_the_topic_may_not_be_read_then_the_role_stops_and_says_which(kit: Kit) -> None:
    error = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)
    kit.consumer.topics = {TOPIC: SimpleNamespace(error=error, partitions={})}

    with pytest.raises(SettingsError, match=r"sinks\.out: cannot read labelled\.dlq"):
        kit.source.open([])


def test_open_when_the_broker_is_away_then_it_is_waited_for(kit: Kit) -> None:
    kit.consumer.failure = KafkaException(KafkaError(KafkaError._ALL_BROKERS_DOWN))

    with pytest.raises(UnavailableError, match=r"sinks\.out: cannot read labelled\.dlq"):
        kit.source.open([])


def test_rewind_when_the_broker_went_away_then_it_is_waited_for(kit: Kit) -> None:
    kit.holds((0, 1))
    kit.source.open([])
    kit.consumer.failure = KafkaException(KafkaError(KafkaError._TRANSPORT))

    with pytest.raises(UnavailableError, match="cannot go back in labelled"):
        kit.source.rewind([])


def test_rewind_when_letters_were_polled_and_not_replayed_then_they_come_again(kit: Kit) -> None:
    kit.holds((0, 2))
    kit.comes(0, 1)
    kit.source.open([])
    first = kit.source.poll(10, 0)

    kit.source.rewind([])
    kit.comes(0, 1)

    assert not kit.source.exhausted
    assert place(kit.source.poll(10, 0)) == place(first) == [(0, 0), (0, 1)]


def test_poll_when_a_transaction_stays_open_then_it_says_so_after_half_a_minute(kit: Kit) -> None:
    kit.holds((0, 1))
    kit.source.open([])
    kit.clock.now = STALLED_SECONDS
    assert kit.source.poll(10, 0).is_empty()

    kit.clock.now = STALLED_SECONDS + 1
    with pytest.raises(UnavailableError, match="is held back by an open transaction"):
        kit.source.poll(10, 0)


def test_poll_when_the_consumer_fails_then_what_failed_is_said(kit: Kit) -> None:
    kit.holds((0, 1))
    kit.source.open([])
    kit.consumer.script.append(an_event(KafkaError._TRANSPORT))

    with pytest.raises(UnavailableError, match="cannot read labelled"):
        kit.source.poll(10, 0)


@pytest.mark.parametrize(
    ("attempt", "expected"), [(b"2", 2), (b"17", 17), (b"", 1), (b"-1", 1), (b"many", 1), (b"\xff", 1)]
)
def test_poll_when_the_attempt_is_counted_or_nonsense_then_at_least_one(
    kit: Kit, attempt: bytes, expected: int
) -> None:
    kit.holds((0, 1))
    letter = a_message(0, topic=TOPIC, headers=[(ATTEMPT, attempt)])
    kit.consumer.script.append(letter)
    kit.source.open([])

    assert kit.source.poll(10, 0)["letter:attempt"].to_list() == [expected]


@pytest.mark.parametrize(
    ("name", "value"), [("partition", b"x"), ("partition", b""), ("offset", b"-7"), ("offset", b"\xff")]
)
def test_poll_when_a_header_is_no_number_then_the_place_of_the_letter_stands_for_it(
    kit: Kit, name: str, value: bytes
) -> None:
    kit.holds((0, 6))
    kit.consumer.script.append(a_letter(5, 0, {name: value}))
    kit.source.open([])

    (row,) = kit.source.poll(10, 0).iter_rows(named=True)

    assert row[name] == {"partition": 0, "offset": 5}[name]


def test_poll_when_it_is_not_open_then_that_is_a_mistake(kit: Kit) -> None:
    assert not kit.source.exhausted
    with pytest.raises(RuntimeError, match=r"sinks\.out is not open"):
        kit.source.poll(1, 0)


def test_open_when_reading_then_nothing_is_committed_by_itself_and_only_committed_letters_are_seen(kit: Kit) -> None:
    kit.holds((0, 0))
    kit.source.open([])

    assert kit.consumer.settings["enable.auto.commit"] == "false"
    assert kit.consumer.settings["isolation.level"] == "read_committed"
    assert kit.source.membership() == "metadata"


def test_close_when_called_twice_then_the_connection_is_closed_once(kit: Kit) -> None:
    kit.holds((0, 0))
    kit.source.open([])

    kit.source.close()
    kit.source.close()

    assert kit.consumer.closed == 1
