import threading
from typing import Any

import pytest
from confluent_kafka import KafkaError, Message

from kafka_fakes import ScriptedProducer, a_message
from vigie.errors import FencedError, SettingsError, UnavailableError, VigieError
from vigie.sinks import kafka_transactions
from vigie.sinks.kafka_transactions import Transactions

AGAIN = KafkaError(KafkaError._TIMED_OUT, retriable=True)
LOST = KafkaError(KafkaError.UNKNOWN_PRODUCER_ID, txn_requires_abort=True)
FATAL = KafkaError(KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, fatal=True)
FENCED = KafkaError(KafkaError._FENCED, fatal=True)
A_ROW = (b"value", b"key", 1, 5, None)


def ignore(_error: KafkaError, _message: Message) -> VigieError | None:
    return None


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[ScriptedProducer]:
    """The producers that were made, in order."""
    producers: list[ScriptedProducer] = []

    class Noted(ScriptedProducer):
        def __init__(self, settings: dict[str, Any], **options: Any) -> None:
            super().__init__(settings, **options)
            producers.append(self)

    monkeypatch.setattr(kafka_transactions, "Producer", Noted)
    return producers


def transactions(timeout_seconds: float = 1.0, on_undelivered: Any = ignore, **script: Any) -> Transactions:
    """Return transactions over producers that fail as the script says."""
    ScriptedProducer.script = script
    return Transactions("sinks.k", {}, on_undelivered=on_undelivered, timeout_seconds=timeout_seconds)


def calls(producer: ScriptedProducer) -> list[str]:
    return [call for call in producer.calls if call != "poll"]


def test_commit_when_all_goes_well_then_offsets_are_part_of_the_transaction(made: list[ScriptedProducer]) -> None:
    made_of = transactions()
    made_of.begin()
    made_of.begin()
    made_of.produce("out", [A_ROW])

    made_of.commit([], "membership")

    assert calls(made[0]) == [
        "init_transactions",
        "begin_transaction",
        "produce",
        "send_offsets_to_transaction",
        "commit_transaction",
    ]
    assert made[0].produced == [("out", *A_ROW)]


def test_commit_when_there_is_no_membership_then_no_offsets_are_sent(made: list[ScriptedProducer]) -> None:
    made_of = transactions()
    made_of.begin()

    made_of.commit([], None)

    assert calls(made[0])[-2:] == ["begin_transaction", "commit_transaction"]


@pytest.mark.parametrize("call", ["init_transactions", "send_offsets_to_transaction", "commit_transaction"])
def test_call_when_an_error_is_retriable_then_the_same_call_comes_again(
    made: list[ScriptedProducer], call: str
) -> None:
    made_of = transactions(**{call: [AGAIN, AGAIN]})
    made_of.begin()
    made_of.commit([], "membership")

    assert calls(made[0]).count(call) == 3
    assert len(made) == 1


def test_commit_when_the_transaction_is_lost_then_the_same_producer_goes_on(made: list[ScriptedProducer]) -> None:
    made_of = transactions(commit_transaction=[LOST])
    made_of.begin()
    with pytest.raises(UnavailableError, match="cannot commit"):
        made_of.commit([], None)

    made_of.abort()
    made_of.begin()

    assert calls(made[0])[-3:] == ["commit_transaction", "abort_transaction", "begin_transaction"]
    assert len(made) == 1


@pytest.mark.parametrize("error", [FATAL, KafkaError(KafkaError._STATE)])
def test_commit_when_the_error_is_fatal_then_a_new_producer_goes_on(
    made: list[ScriptedProducer], error: KafkaError
) -> None:
    made_of = transactions(commit_transaction=[error])
    made_of.begin()
    with pytest.raises(UnavailableError):
        made_of.commit([], None)

    made_of.abort()
    made_of.begin()

    assert calls(made[0])[-1] == "purge"
    assert calls(made[1]) == ["init_transactions", "begin_transaction"]


def test_commit_when_nobody_says_how_it_ended_then_a_new_producer_finds_out(made: list[ScriptedProducer]) -> None:
    made_of = transactions(0.2, commit_transaction=[AGAIN] * 100)
    made_of.begin()
    with pytest.raises(UnavailableError):
        made_of.commit([], None)

    made_of.abort()
    made_of.start()

    assert "abort_transaction" not in calls(made[0])
    assert calls(made[1]) == ["init_transactions"]


def test_commit_when_brokers_are_slow_but_take_messages_then_it_waits_on(
    made: list[ScriptedProducer], monkeypatch: pytest.MonkeyPatch
) -> None:
    made_of = transactions(0.1, commit_transaction=[AGAIN] * 10)
    made_of.begin()
    made[0].waiting = 100
    monkeypatch.setattr(ScriptedProducer, "__len__", lambda self: 100 - self.calls.count("commit_transaction"))

    made_of.commit([], None)

    assert calls(made[0]).count("commit_transaction") == 11


@pytest.mark.parametrize("call", ["init_transactions", "commit_transaction", "send_offsets_to_transaction"])
def test_call_when_fenced_then_that_is_told(made: list[ScriptedProducer], call: str) -> None:
    made_of = transactions(**{call: [FENCED]})

    def move() -> None:
        made_of.begin()
        made_of.commit([], "membership")

    with pytest.raises(FencedError, match=r"another worker uses the same identity \(give each its own --instance\)"):
        move()


def test_poll_when_the_client_raises_a_fatal_error_there_then_it_is_told_as_well(made: list[ScriptedProducer]) -> None:
    made_of = transactions(poll=[FENCED])
    made_of.begin()

    with pytest.raises(FencedError):
        made_of.produce("out", [A_ROW])


def test_produce_when_the_queue_is_full_then_it_waits_and_keeps_the_order(made: list[ScriptedProducer]) -> None:
    made_of = transactions(produce=[None, BufferError, BufferError, None])
    made_of.begin()

    made_of.produce("out", [(b"1", None, 0, 0, None), (b"2", None, 0, 0, None), (b"3", None, 0, 0, None)])

    assert [row[1] for row in made[0].produced] == [b"1", b"2", b"3"]


def test_produce_when_the_queue_stays_full_then_it_is_unavailable(made: list[ScriptedProducer]) -> None:
    made_of = transactions(0.1, produce=[BufferError] * 1000)
    made_of.begin()

    with pytest.raises(UnavailableError, match="took nothing"):
        made_of.produce("out", [A_ROW])


def test_produce_when_the_transaction_is_lost_then_it_can_be_aborted(made: list[ScriptedProducer]) -> None:
    made_of = transactions(produce=[KafkaError(KafkaError._STATE)])
    made_of.begin()
    with pytest.raises(UnavailableError, match="cannot write to out"):
        made_of.produce("out", [A_ROW])

    made_of.abort()

    assert calls(made[0])[-1] == "abort_transaction"


def test_abort_when_it_fails_then_the_next_producer_does_it(made: list[ScriptedProducer]) -> None:
    made_of = transactions(0.1, abort_transaction=[AGAIN] * 1000)
    made_of.begin()

    made_of.abort()
    made_of.start()

    assert calls(made[1]) == ["init_transactions"]


def test_abort_when_nothing_was_begun_then_nothing_happens(made: list[ScriptedProducer]) -> None:
    made_of = transactions()
    made_of.abort()
    made_of.start()
    made_of.abort()

    assert calls(made[0]) == ["init_transactions"]


def test_commit_when_a_message_was_refused_then_its_problem_is_told_instead(made: list[ScriptedProducer]) -> None:
    made_of = transactions(
        commit_transaction=[LOST], on_undelivered=lambda *_: UnavailableError("it refuses a message")
    )
    made_of.begin()
    made[0].settings["on_delivery"](KafkaError(KafkaError.INVALID_RECORD), a_message())

    with pytest.raises(UnavailableError, match="it refuses a message"):
        made_of.commit([], None)


def test_commit_when_messages_fail_in_several_ways_then_the_one_that_stops_is_told(
    made: list[ScriptedProducer],
) -> None:
    problems = iter([UnavailableError("wait"), SettingsError("stop"), UnavailableError("wait"), None])
    made_of = transactions(commit_transaction=[LOST], on_undelivered=lambda *_: next(problems))
    made_of.begin()
    for _ in range(4):
        made[0].settings["on_delivery"](KafkaError(KafkaError.INVALID_RECORD), a_message())

    with pytest.raises(SettingsError, match="stop"):
        made_of.commit([], None)


def test_start_when_the_password_is_wrong_then_the_settings_are_to_blame(made: list[ScriptedProducer]) -> None:
    made_of = transactions(init_transactions=[KafkaError(KafkaError._TIMED_OUT)])
    with pytest.raises(UnavailableError):
        made_of.start()
    made[0].settings["error_cb"](KafkaError(KafkaError._AUTHENTICATION))
    ScriptedProducer.script = {"init_transactions": [KafkaError(KafkaError._TIMED_OUT)]}

    with pytest.raises(SettingsError, match="refuses this worker"):
        made_of.start()


def test_commit_when_adding_offsets_hangs_then_it_gives_up_and_a_new_producer_goes_on(
    made: list[ScriptedProducer], monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(ScriptedProducer, "send_offsets_to_transaction", lambda *_: go_on.wait(120))
    made_of = transactions(0.1)
    made_of.begin()

    with pytest.raises(UnavailableError, match="cannot add the offsets to the transaction: no broker answers"):
        made_of.commit([], "membership")
    go_on.set()
    made_of.begin()

    assert calls(made[1]) == ["init_transactions", "begin_transaction"]


def test_produce_when_the_producer_was_given_up_then_it_can_be_tried_again(made: list[ScriptedProducer]) -> None:
    made_of = transactions()
    made_of.begin()
    made_of.discard()

    with pytest.raises(UnavailableError, match="was given up"):
        made_of.produce("out", [A_ROW])
