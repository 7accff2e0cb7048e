import logging
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError

from vigie.errors import FencedError, SettingsError, UnavailableError
from vigie.kafka import REPEAT_SECONDS, Complaints, Seldom, client_settings, connect, explain, hopeless


def test_client_settings_when_the_user_sets_options_then_they_win_over_defaults() -> None:
    settings = client_settings("sources.k", {"group.id": "g"}, {"linger.ms": 5}, defaults={"linger.ms": 50, "acks": 1})

    assert settings == {"group.id": "g", "linger.ms": 5, "acks": 1}


@pytest.mark.parametrize(
    ("key", "instead"),
    [("group.id", r"set group in \[sources\.k\]"), ("enable.auto.commit", "Vigie needs it as it is")],
)
def test_client_settings_when_an_option_is_ours_then_the_right_place_is_named(key: str, instead: str) -> None:
    with pytest.raises(SettingsError, match=f"sources.k.options sets '{key}'; remove it there: {instead}"):
        client_settings("sources.k", {key: "ours"}, {key: "theirs"})


@pytest.mark.parametrize("value", [["a"], {"a": 1}, None])
def test_client_settings_when_a_value_is_no_plain_one_then_its_type_is_named(value: Any) -> None:
    with pytest.raises(SettingsError, match=f"'x' to a {type(value).__name__}; expected text"):
        client_settings("sources.k", {}, {"x": value})


def test_client_settings_when_an_option_is_refused_then_its_value_is_not_told() -> None:
    with pytest.raises(SettingsError) as told:
        client_settings("sources.k", {"sasl.password": ""}, {"sasl.password": "open sesame"})

    assert "sesame" not in str(told.value)


def test_connect_when_a_value_is_not_known_then_the_table_is_named() -> None:
    settings = {"bootstrap.servers": "localhost:1", "group.id": "g", "security.protocol": "pigeon"}

    with pytest.raises(SettingsError, match=r"sources\.k: .*security\.protocol.*\[sources\.k\.options\]"):
        connect(Consumer, "sources.k", settings)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (KafkaError(KafkaError._FENCED), FencedError),
        (KafkaError(KafkaError.PRODUCER_FENCED), FencedError),
        (KafkaError(KafkaError.PRODUCER_FENCED, txn_requires_abort=True), UnavailableError),
        (KafkaError(KafkaError.SASL_AUTHENTICATION_FAILED), SettingsError),
        (KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED), SettingsError),
        (KafkaError(KafkaError._ALL_BROKERS_DOWN), UnavailableError),
        (KafkaError(KafkaError.NOT_LEADER_FOR_PARTITION), UnavailableError),
    ],
)
def test_explain_when_kafka_fails_then_the_kind_says_what_to_do(error: KafkaError, kind: type[Exception]) -> None:
    problem = explain(error, "sinks.k: cannot commit")

    assert type(problem) is kind
    assert str(problem).startswith("sinks.k: cannot commit: ")
    assert error.name() in str(problem)
    assert hopeless(error) is (kind is SettingsError)


REFUSED = "FAIL [rdkafka#consumer-4]: 127.0.0.1:9092: Connect failed: Connection refused (after 0ms in state CONNECT)"
AGAIN = "FAIL [rdkafka#consumer-5]: 127.0.0.1:9093: Connect failed: Connection refused (after 3ms, 30 suppressed)"


def passed(filtering: Seldom, *lines: str) -> list[str]:
    records = [logging.LogRecord("vigie.kafka", logging.ERROR, "", 0, line, (), None) for line in lines]
    return [record.getMessage() for record in records if filtering.filter(record)]


def test_seldom_when_lines_differ_in_numbers_and_brackets_only_then_the_first_passes() -> None:
    assert passed(Seldom(), REFUSED, AGAIN, "SESSTMOUT: revoking", REFUSED) == [REFUSED, "SESSTMOUT: revoking"]


def test_seldom_when_a_minute_is_over_then_the_line_passes_again_and_old_ones_are_forgotten() -> None:
    now = 0.0
    filtering = Seldom(lambda: now)
    passed(filtering, REFUSED, "other")

    now = REPEAT_SECONDS

    assert passed(filtering, AGAIN, REFUSED) == [AGAIN]
    assert len(filtering._until) == 1


def test_complaints_when_the_password_is_refused_then_calls_that_time_out_say_so_once() -> None:
    complaints = Complaints("sinks.out")
    complaints(KafkaError(KafkaError._AUTHENTICATION, "SASL authentication error"))

    found = complaints.explain(KafkaError(KafkaError._TIMED_OUT), "sinks.out: cannot ask")

    assert isinstance(found, SettingsError)
    assert "SASL authentication error" in str(found)
    complaints.check()


def test_complaints_when_the_client_gave_a_reason_then_silence_has_one() -> None:
    complaints = Complaints("sinks.out")
    complaints(KafkaError(KafkaError._SSL, "certificate verify failed"))
    complaints(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))

    found = complaints.explain(KafkaError(KafkaError._TIMED_OUT), "sinks.out: cannot ask")

    assert isinstance(found, UnavailableError)
    assert str(found).startswith("sinks.out: cannot ask: certificate verify failed")
    assert "certificate" not in str(complaints.explain(KafkaError(KafkaError._TIMED_OUT), "later"))


def test_complaints_when_the_error_says_more_itself_then_it_speaks_alone() -> None:
    complaints = Complaints("sinks.out")
    complaints(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))

    found = complaints.explain(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED), "cannot ask")

    assert "brokers are down" not in str(found)


def test_complaints_when_nothing_is_final_then_check_raises_nothing_and_later_it_raises() -> None:
    complaints = Complaints("sinks.out")
    complaints(KafkaError(KafkaError._TRANSPORT))
    complaints.check()
    complaints(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))

    with pytest.raises(SettingsError, match="refuses this worker"):
        complaints.check()
