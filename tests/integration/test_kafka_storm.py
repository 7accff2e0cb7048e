"""A storm over workers, drawn anew each time: each message comes out once, as it was.

`python -m benchmarks.chaos` is the same with 200 events over 200,000 messages, and kills the broker, too.
"""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from benchmarks.chaos import OUTPUT, TOPIC, Plan, flawless, judge, run
from benchmarks.storm import WEIGHTS
from confluent_kafka import Message


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.usefixtures("kafka_server")  # not for its broker, which others use: for what it does where there is none
def test_workers_when_they_are_killed_frozen_and_replaced_then_each_message_comes_out_once(
    tmp_path: Path,
) -> None:
    # A lone broker that dies within a commit forgets some (docs/explanation/exactly-once.md); test_kafka_chaos.py kills it outside one.
    plan = Plan(Random().randrange(10**6), n_messages=10_000, n_events=25, gap_seconds=1.0, broker_stays=True)

    found = run(plan, tmp_path)

    again = f"python -m benchmarks.chaos --seed {plan.seed} --messages 10000 --events 25 --gap 1 --broker-stays"
    assert found["messages"] == plan.n_messages, again
    assert flawless(found), f"{found}; to have it again: {again}; logs: {tmp_path}/project"


def test_plan_when_its_seed_is_the_same_then_events_and_messages_are() -> None:
    first, second, other = (Plan(seed, n_messages=500) for seed in (3, 3, 4))

    assert first.events() == second.events() != other.events()
    assert first.messages() == second.messages() != other.messages()
    assert len(first.events()) == 200
    assert {event.kind for event in first.events()} == set(WEIGHTS)
    assert {event.kind for event in Plan(3, broker_stays=True).events()} == set(WEIGHTS) - {"broker"}


def test_plan_when_a_worker_is_away_then_nothing_happens_to_it() -> None:
    events = [event for event in Plan(5, n_events=500).events() if event.kind in {"freeze", "kill", "leave", "twin"}]
    leaves = [event for event in events if event.kind == "leave"]

    assert leaves
    assert not [
        event
        for event in events
        for leave in leaves
        if event.instance == leave.instance and leave.at < event.at < leave.at + leave.seconds
    ]


def a_message(number: int, value: bytes, topic: str = TOPIC) -> Message:
    headers = [("number", b"%d" % number)]
    return Message(topic=topic, partition=number % 2, offset=number, value=value, headers=headers)


def labelled(number: int, **fields: Any) -> Message:
    return a_message(number, json.dumps({**fields, "severity": "info", "vigie": {}}).encode(), OUTPUT)


SENT = [a_message(0, b'{"message": "a", "n": 1}'), a_message(1, b"plain"), a_message(2, b'{"message": "cut')]
RIGHT = [labelled(0, message="a", n=1), labelled(1, message="plain")]
PLACE = {f"__connect.errors.{name}": text for name, text in (("topic", TOPIC), ("partition", "0"), ("offset", "2"))}


def a_dead_letter(**other: str) -> Message:
    headers = [(name, text.encode()) for name, text in {"number": "2", **PLACE, **other}.items()]
    return Message(topic=f"{OUTPUT}.dlq", partition=0, offset=0, value=b'{"message": "cut', headers=headers)


def test_judge_when_each_message_came_out_once_then_all_is_well() -> None:
    found = judge(SENT, RIGHT, [a_dead_letter()])

    assert found == {"messages": 3, "output": 2, "dead_letters": 1, "missing": 0, "doubled": 0, "changed": 0}
    assert flawless(found)


@pytest.mark.parametrize(
    ("output", "dead_letters", "fault"),
    [
        (RIGHT[:1], [a_dead_letter()], "missing"),
        (RIGHT, [], "missing"),
        ([*RIGHT, RIGHT[0]], [a_dead_letter()], "doubled"),
        (RIGHT, [a_dead_letter(), a_dead_letter()], "doubled"),
        ([labelled(0, message="a", n=2), RIGHT[1]], [a_dead_letter()], "changed"),
        ([labelled(0, message="a"), RIGHT[1]], [a_dead_letter()], "changed"),
        (RIGHT, [a_dead_letter(**{"__connect.errors.offset": "3"})], "changed"),
        ([*RIGHT, labelled(7, message="from nowhere")], [a_dead_letter()], "changed"),
    ],
)
def test_judge_when_something_is_wrong_then_it_says_what(
    output: list[Message], dead_letters: list[Message], fault: str
) -> None:
    found = judge(SENT, output, dead_letters)

    assert found[fault] == 1
    assert sum(found[name] for name in ("missing", "doubled", "changed")) == 1
    assert not flawless(found)
