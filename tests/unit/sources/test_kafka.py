from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from confluent_kafka import KafkaError, KafkaException

from kafka_fakes import ScriptedConsumer, a_message, an_event, assign, revoke
from vigie.errors import FencedError, SettingsError, UnavailableError
from vigie.messages import SCHEMA, Position
from vigie.sources import kafka
from vigie.sources.kafka import GRACE_SECONDS, KafkaSource, frame_of

A, B = ("logs", 0), ("logs", 1)
TIMED_OUT = KafkaException(KafkaError(KafkaError._TIMED_OUT))


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "Consumer", ScriptedConsumer)


def an_open_source(*script: Any, positions: tuple[Position, ...] = (), **options: Any) -> Any:
    """Return a source and its consumer, which gives what the script says."""
    source = KafkaSource("k", topics="^logs", **options)
    source.open(positions)
    consumer = source._opened
    consumer.script.extend(script)
    return source, consumer


def test_frame_of_when_there_are_messages_then_every_column_is_filled() -> None:
    headers = [("a", b"1"), ("a", None)]
    frame = frame_of([a_message(4, value=None, key=b"k", headers=headers), a_message(5, topic="other", partition=3)])

    assert dict(frame.schema) == dict(SCHEMA)
    first, second = frame.rows(named=True)
    time = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    expected = {"payload": None, "key": b"k", "stream": "logs", "partition": 0, "offset": 4, "timestamp": time}
    assert first == {**expected, "headers": [{"name": "a", "value": b"1"}, {"name": "a", "value": None}]}
    assert (second["payload"], second["stream"], second["partition"], second["headers"]) == (b"x", "other", 3, None)


def test_frame_of_when_many_have_headers_then_each_keeps_its_own_in_order() -> None:
    given = [[(f"h{n}", b"%d" % row) for n in range(row % 4)] or None for row in range(200)]

    frame = frame_of([a_message(row, headers=pairs) for row, pairs in enumerate(given)])

    found = [None if pairs is None else [(pair["name"], pair["value"]) for pair in pairs] for pairs in frame["headers"]]
    assert found == given


@pytest.mark.parametrize("milliseconds", [-1, 2**62])
def test_frame_of_when_a_time_is_none_then_it_is_null(milliseconds: int) -> None:
    assert frame_of([a_message(timestamp=(1, milliseconds))])["timestamp"].to_list() == [None]


def test_frame_of_when_there_is_nothing_then_the_columns_are_there() -> None:
    assert dict(frame_of([]).schema) == dict(SCHEMA)


def test_source_when_made_then_transactions_can_rely_on_its_settings() -> None:
    _, consumer = an_open_source(group="g", options={"client.id": "c", "auto.offset.reset": "latest"})

    settings = consumer.settings
    assert settings["enable.auto.commit"] == "false"
    assert settings["isolation.level"] == "read_committed"
    assert settings["partition.assignment.strategy"] == "cooperative-sticky"
    assert (settings["group.id"], settings["client.id"], settings["auto.offset.reset"]) == ("g", "c", "latest")


def test_source_when_brokers_assign_then_no_strategy_is_sent() -> None:
    _, consumer = an_open_source(options={"group.protocol": "consumer"})

    assert "partition.assignment.strategy" not in consumer.settings


def test_source_when_membership_is_static_then_each_instance_has_an_id_of_its_own() -> None:
    _, consumer = an_open_source(options={"group.instance.id": "rack-1"}, instance=3)

    assert consumer.settings["group.instance.id"] == "rack-1-3"


def test_source_when_no_topic_is_given_then_it_cannot_be_made() -> None:
    with pytest.raises(SettingsError, match=r"sources\.k\.topics is empty"):
        KafkaSource("k", topics=[])


def test_poll_when_messages_are_there_then_positions_follow_them() -> None:
    source, _ = an_open_source(assign(A, B), a_message(4), a_message(5), a_message(9, partition=1))

    assert source.poll(10, 0).height == 3
    assert source.positions() == [Position("logs", 0, 6), Position("logs", 1, 10)]
    assert source.membership() == "metadata"


def test_poll_when_more_is_there_than_asked_for_then_the_rest_comes_next() -> None:
    source, _ = an_open_source(assign(A), *[a_message(n) for n in range(5)])

    assert [source.poll(2, 0)["offset"].to_list() for _ in range(3)] == [[0, 1], [2, 3], [4]]


def test_poll_when_nothing_is_there_then_positions_stay() -> None:
    source, _ = an_open_source(assign(A))

    assert source.poll(10, 0).is_empty()
    assert source.positions() == []


def test_poll_when_a_partition_was_revoked_meanwhile_then_its_messages_are_dropped() -> None:
    source, _ = an_open_source(
        assign(A, B), a_message(4), a_message(9, partition=1), revoke(A), a_message(10, partition=1)
    )

    assert source.poll(10, 0)["offset"].to_list() == [9, 10]
    assert source.positions() == [Position("logs", 1, 11)]


def test_poll_when_a_partition_was_revoked_before_then_its_position_is_forgotten() -> None:
    source, _ = an_open_source(assign(A), a_message(4))
    source.poll(10, 0)
    source._opened.script.append(revoke(A))

    source.poll(10, 0)

    assert source.positions() == []


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (an_event(KafkaError.TOPIC_AUTHORIZATION_FAILED), SettingsError),
        (an_event(KafkaError.FENCED_INSTANCE_ID, fatal=True), FencedError),
    ],
)
def test_poll_when_the_group_refuses_this_member_then_it_stops(event: Any, kind: type[Exception]) -> None:
    source, _ = an_open_source(assign(A), event)

    with pytest.raises(kind, match=r"sources\.k: cannot read logs"):
        source.poll(10, 0)


def test_poll_when_an_error_passes_then_messages_come_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    source, _ = an_open_source(assign(A), a_message(1), an_event(KafkaError._TRANSPORT), a_message(2))

    assert source.poll(10, 0).height == 2
    assert "the client goes on trying" in caplog.text


def test_poll_when_the_password_is_wrong_then_the_settings_are_to_blame() -> None:
    source, consumer = an_open_source()
    consumer.settings["error_cb"](KafkaError(KafkaError._AUTHENTICATION))

    with pytest.raises(SettingsError, match=r"the broker refuses this worker.*correct vigie\.toml"):
        source.poll(10, 0)
    assert source.poll(10, 0).is_empty()


def test_poll_when_brokers_are_down_then_it_waits(caplog: pytest.LogCaptureFixture) -> None:
    source, consumer = an_open_source()
    consumer.settings["error_cb"](KafkaError(KafkaError._ALL_BROKERS_DOWN))

    assert source.poll(10, 0).is_empty()
    assert "the client goes on trying" in caplog.text


def test_poll_when_the_sink_keeps_positions_then_partitions_start_there() -> None:
    source, consumer = an_open_source(assign(A, B), positions=(Position("logs", 1, 42),))
    source.poll(1, 0)

    assert consumer.assigned == [("logs", 0, -1001), ("logs", 1, 42)]


def test_rewind_when_offsets_were_committed_then_it_goes_back_there() -> None:
    source, consumer = an_open_source(assign(A, B), a_message(4), a_message(9, partition=1))
    source.poll(10, 0)
    consumer.offsets = {A: 3, B: 8}

    source.rewind([])

    assert consumer.sought == [("logs", 0, 3), ("logs", 1, 8)]
    assert source.positions() == []


def test_rewind_when_nothing_was_ever_committed_then_it_goes_back_to_the_first_message() -> None:
    source, consumer = an_open_source(assign(A), a_message(4), a_message(5))
    source.poll(1, 0)
    source.poll(1, 0)

    source.rewind([])

    assert consumer.sought == [("logs", 0, 4)]


def test_rewind_when_the_sink_kept_a_position_then_that_one_counts() -> None:
    source, consumer = an_open_source(assign(A), a_message(4), a_message(5))
    source.poll(10, 0)
    consumer.offsets = {A: 3}

    source.rewind([Position("logs", 0, 5)])

    assert consumer.sought == [("logs", 0, 5)]


def test_rewind_when_a_partition_was_not_read_from_then_it_is_left_alone() -> None:
    source, consumer = an_open_source(assign(A, B), a_message(4))
    source.poll(10, 0)

    source.rewind([])

    assert consumer.sought == [("logs", 0, 4)]


def test_rewind_when_no_broker_answers_then_it_can_be_tried_again() -> None:
    source, consumer = an_open_source(assign(A), a_message(4))
    source.poll(10, 0)
    consumer.failure = TIMED_OUT
    with pytest.raises(UnavailableError, match="cannot go back"):
        source.rewind([])
    consumer.failure = None

    source.rewind([])

    assert consumer.sought == [("logs", 0, 4)]


@pytest.mark.parametrize(("code", "said"), [(KafkaError._TIMED_OUT, True), (KafkaError._TRANSPORT, False)])
def test_rewind_when_only_the_offsets_do_not_come_then_it_says_that_a_transaction_has_not_ended(
    monkeypatch: pytest.MonkeyPatch, code: int, said: bool
) -> None:
    source, consumer = an_open_source(assign(A), a_message(4), group="logs-1")
    source.poll(10, 0)
    monkeypatch.setattr(consumer, "committed", raising(KafkaException(KafkaError(code))))

    with pytest.raises(UnavailableError, match="cannot go back") as caught:
        source.rewind([])

    assert ("a transaction with offsets of group 'logs-1' has not ended" in str(caught.value)) == said


def raising(problem: Exception) -> Any:
    def fail(*_: Any, **__: Any) -> None:
        raise problem

    return fail


def test_exhausted_when_the_end_was_not_asked_for_then_it_never_is() -> None:
    source, _ = an_open_source(assign(A), an_event(KafkaError._PARTITION_EOF))
    source.poll(10, 0)

    assert not source.exhausted


def test_exhausted_when_every_partition_ended_then_it_is() -> None:
    end_of_b = a_message(partition=1, error=KafkaError(KafkaError._PARTITION_EOF))
    source, _ = an_open_source(assign(A, B), an_event(KafkaError._PARTITION_EOF), until_end=True)
    source.poll(10, 0)
    assert not source.exhausted

    source._opened.script.append(end_of_b)
    source.poll(10, 0)

    assert source.exhausted


def test_exhausted_when_the_topic_grows_on_then_the_end_at_the_start_counts() -> None:
    source, consumer = an_open_source(until_end=True)
    consumer.ends = {A: (0, 2)}
    consumer.script.extend([assign(A), *[a_message(n) for n in range(4)]])

    source.poll(1, 0)
    assert not source.exhausted
    source.poll(1, 0)
    assert source.exhausted


def test_exhausted_when_nobody_says_where_the_end_is_then_the_event_does() -> None:
    source, consumer = an_open_source(until_end=True)
    consumer.failure = TIMED_OUT
    consumer.script.extend([assign(A), a_message(0)])
    source.poll(10, 0)
    assert not source.exhausted

    consumer.script.append(an_event(KafkaError._PARTITION_EOF))
    source.poll(10, 0)

    assert source.exhausted


def test_exhausted_when_it_went_back_then_it_is_not_any_more() -> None:
    source, _ = an_open_source(assign(A), a_message(0), an_event(KafkaError._PARTITION_EOF), until_end=True)
    source.poll(10, 0)
    assert source.exhausted

    source.rewind([])

    assert not source.exhausted


def test_exhausted_when_no_partition_comes_then_it_gives_up_after_a_while() -> None:
    now = [0.0]
    source, _ = an_open_source(assign(), until_end=True, clock=lambda: now[0])
    assert not source.exhausted
    source.poll(10, 0)
    assert not source.exhausted

    now[0] = GRACE_SECONDS + 0.1

    assert source.exhausted


def test_lag_when_ends_are_known_then_what_waits_is_counted() -> None:
    source, consumer = an_open_source(assign(A, B), a_message(4), a_message(9, partition=1))
    source.poll(10, 0)
    consumer.ends = {A: (0, 12)}

    assert source.lag() == {A: 7}


def test_open_when_no_broker_answers_then_it_is_unavailable_and_can_be_tried_again() -> None:
    source = KafkaSource("k", topics="logs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScriptedConsumer, "list_topics", fail)
        with pytest.raises(UnavailableError, match=r"sources\.k: no broker answers"):
            source.open([])
    source._opened.topics = {"logs": SimpleNamespace(error=None)}

    source.open([])

    assert source.poll(1, 0).is_empty()


def fail(*_: Any, **__: Any) -> None:
    raise TIMED_OUT


def test_open_when_the_topic_is_unknown_then_near_names_are_told() -> None:
    source = KafkaSource("k", topics=["lgos"])
    unknown = SimpleNamespace(error=KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
    topics = {"lgos": unknown, "logs": None, "tweets": None, "__consumer_offsets": None}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScriptedConsumer, "list_topics", lambda *_, **__: SimpleNamespace(topics=topics))
        with pytest.raises(SettingsError, match=r"topic 'lgos' does not exist; the broker has l.*logs; create it"):
            source.open([])


def test_open_when_the_topic_may_not_be_read_then_rights_are_to_blame() -> None:
    source = KafkaSource("k", topics=["logs"])
    denied = SimpleNamespace(error=KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScriptedConsumer, "list_topics", lambda *_, **__: SimpleNamespace(topics={"logs": denied}))
        with pytest.raises(SettingsError, match="'logs' cannot be read"):
            source.open([])


def test_close_when_called_twice_then_the_group_is_left_once() -> None:
    source, consumer = an_open_source()

    source.close()
    source.close()

    assert consumer.closed == 1
    with pytest.raises(RuntimeError, match="is not open"):
        source.poll(1, 0)


def test_poll_when_two_topics_share_partition_numbers_then_positions_differ() -> None:
    source, _ = an_open_source(assign(A, ("other", 0)), a_message(4), a_message(7, topic="other"))

    frame = source.poll(10, 0)

    assert frame.select(pl.col("stream").unique().sort()).to_series().to_list() == ["logs", "other"]
    assert source.positions() == [Position("logs", 0, 5), Position("other", 0, 8)]
