from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError

from vigie.errors import FencedError, SettingsError, UnavailableError
from vigie.kafka import client_settings, connect, explain, hopeless


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
