from typing import Any

import pytest

from vigie.errors import SettingsError
from vigie.messages import Position
from vigie.sinks.kafka import KafkaSink
from vigie.sinks.kafka_positions import decode, encode
from vigie.sinks.kafka_topics import FOREVER, MAX_MESSAGE_BYTES, Topic, _described

NOW = 1_700_000_000.0


def test_sink_when_made_then_its_producer_is_transactional() -> None:
    sink = KafkaSink("k", topic="out", transactional_id="me", options={"linger.ms": 5})

    assert sink._settings["transactional.id"] == "me"
    assert sink._settings["linger.ms"] == 5
    assert sink._settings["partitioner"] == "murmur2_random"


@pytest.mark.parametrize("key", ["transactional.id", "bootstrap.servers", "enable.idempotence"])
def test_sink_when_an_option_is_ours_then_it_is_refused(key: str) -> None:
    with pytest.raises(SettingsError, match=rf"sinks\.k\.options sets '{key}'"):
        KafkaSink("k", topic="out", options={key: "x"})


def test_sink_when_brokers_are_asked_then_security_options_go_along() -> None:
    sink = KafkaSink("k", topic="out", bootstrap_servers="a:1", options={"security.protocol": "SSL"})

    assert sink._connection == {"bootstrap.servers": "a:1", "security.protocol": "SSL"}


def test_sink_when_written_to_before_it_is_open_then_that_is_told() -> None:
    with pytest.raises(RuntimeError, match=r"sinks\.k is not open"):
        KafkaSink("k", topic="out").commit([], None)


def test_sink_when_never_opened_then_it_can_be_aborted_and_closed() -> None:
    sink = KafkaSink("k", topic="out")

    sink.abort()
    sink.close()


def test_positions_when_there_are_ten_thousand_files_then_they_stay_small() -> None:
    positions = [Position(f"/var/log/services/é{number:05}/today.log", number, number**2) for number in range(10_000)]

    assert decode(encode(positions)) == positions
    assert len(encode(positions)) < 200_000
    assert decode(encode([])) == []


def test_topic_when_its_settings_are_not_known_then_what_brokers_usually_have_is_taken() -> None:
    assert _described("out", 3, {}) == Topic("out", 3, MAX_MESSAGE_BYTES, wants_keys=False)


def test_topic_when_described_then_its_limits_are_known() -> None:
    settings = {
        "max.message.bytes": "2000",
        "cleanup.policy": "compact,delete",
        "message.timestamp.type": "CreateTime",
        "message.timestamp.before.max.ms": "60000",
        "message.timestamp.after.max.ms": "1000",
    }

    topic = _described("out", 3, settings)

    assert (topic.max_message_bytes, topic.wants_keys) == (2000, True)
    assert topic.times(NOW) == (1_699_999_940_000, 1_700_000_001_000)


@pytest.mark.parametrize("kind", [{}, {"message.timestamp.type": "LogAppendTime"}])
def test_topic_when_the_broker_gives_times_then_all_are_accepted(kind: dict[str, Any]) -> None:
    topic = _described("out", 1, {**kind, "message.timestamp.after.max.ms": "1000"})

    assert topic.times(NOW) == (0, FOREVER)
