"""Dead letters of a topic, put through once more: each once, whatever is killed."""

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from kafka_client import a_name, a_topic, fill, header, read_all
from kafka_server import KafkaServer
from vigie.app import DeadLetters, Project
from vigie.cli.dead_letters import summary

pytestmark = pytest.mark.kafka

WHEN = int(time.time() * 1000) - 5_000  # an older one, and retention would delete it under the test

TOML = """
[project]
name = "{output}"

[stream]
max_batch = {max_batch}

[[dimensions]]
name = "severity"
labels = ["info", "error"]

[sources.logs]
type = "kafka"
topics = ["{topic}"]
bootstrap_servers = "{servers}"
text_fields = ["{field}"]

[sinks.kafka]
type = "kafka"
topic = "{output}"
bootstrap_servers = "{servers}"
n_partitions = 3
options = {{ "linger.ms" = 5 }}
"""

REPLAY = """
import sys, threading, time, pathlib
from vigie.app import DeadLetters, Project
def note(report):
    print(report.n_messages, flush=True)
    time.sleep(0.02)
DeadLetters(Project.open(pathlib.Path(sys.argv[1])), "logs").worker(on_batch=note).run(threading.Event())
"""


class Stage:
    """A topic, a project that reads it, and what comes out."""

    def __init__(self, server: KafkaServer, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.topic, self.output = a_topic(server), a_name("out")

    def project(self, field: str, max_batch: int = 1000) -> Project:
        names = {"topic": self.topic, "output": self.output, "servers": self.server.bootstrap_servers}
        (self.folder / "vigie.toml").write_text(TOML.format(field=field, max_batch=max_batch, **names))
        return Project.open(self.folder)

    def stream(self, field: str) -> None:
        project = self.project(field)
        project.worker("logs", until_end=True).run(threading.Event())
        project.close()

    def replay(self, reason: str = "") -> None:
        project = self.project("msg")
        DeadLetters(project, "logs").worker(reason=reason).run(threading.Event())
        project.close()

    def waiting(self) -> dict[str, object]:
        project = self.project("msg")
        found = summary(DeadLetters(project, "logs").waiting(), limit=5, show_payload=False)
        project.close()
        return found

    def came_out(self) -> Counter[int]:
        messages = read_all(self.server, self.output)
        return Counter(json.loads(message.value() or b"")["msg"] for message in messages)


@pytest.fixture
def stage(kafka_server: KafkaServer, tmp_path: Path) -> Stage:
    return Stage(kafka_server, tmp_path)


def test_replay_when_run_twice_then_each_message_comes_out_once_as_it_was(stage: Stage) -> None:
    fill(stage.server, stage.topic, [b'{"msg": "a"}'], key=b"k", headers=[("trace", b"1")], partition=2, timestamp=WHEN)
    fill(stage.server, stage.topic, [b'{"msg": "b"}'] * 20)
    stage.stream("wrong")
    assert stage.waiting()["count"] == 21

    stage.replay()
    stage.replay()

    messages = read_all(stage.server, stage.output)
    assert stage.came_out() == {"a": 1, "b": 20}
    (first,) = [message for message in messages if message.key() == b"k"]
    assert (first.partition(), first.headers(), first.timestamp()[1]) == (2, [("trace", b"1")], WHEN)
    assert stage.waiting()["count"] == 0


def test_replay_when_it_fails_again_then_it_is_a_dead_letter_with_one_attempt_more(stage: Stage) -> None:
    fill(stage.server, stage.topic, [b'{"other": 1}'], partition=1)
    stage.stream("wrong")

    stage.replay()
    stage.replay()

    letters = read_all(stage.server, f"{stage.output}.dlq")
    assert [header(letter, "vigie.attempt") for letter in letters] == [None, "2", "3"]
    assert {header(letter, "__connect.errors.topic") for letter in letters} == {stage.topic}
    assert {header(letter, "__connect.errors.offset") for letter in letters} == {"0"}
    assert {header(letter, "__connect.errors.connector.name") for letter in letters} == {"logs"}
    assert stage.waiting()["count"] == 1


def test_replay_when_a_reason_is_given_then_the_others_go_on_waiting(stage: Stage) -> None:
    fill(stage.server, stage.topic, [b'{"msg": "a"}', b"{"])
    stage.stream("wrong")

    stage.replay(reason="NONE OF THE FIELDS")

    assert stage.came_out() == {"a": 1}
    assert stage.waiting()["count"] == 1


def test_waiting_when_there_is_no_topic_yet_then_there_are_none(stage: Stage) -> None:
    assert stage.waiting()["count"] == 0


@pytest.mark.slow
def test_replay_when_killed_again_and_again_then_each_message_comes_out_once(stage: Stage) -> None:
    fill(stage.server, stage.topic, (b'{"msg": "m%d"}' % n for n in range(600)))
    stage.stream("wrong")
    stage.project("msg", max_batch=25).close()
    command = [sys.executable, "-c", REPLAY, str(stage.folder)]
    for n_batches in (1, 3, 2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
            assert running.stdout is not None
            for _ in range(n_batches):
                assert running.stdout.readline()
            running.kill()

    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=120)

    assert stage.came_out() == {f"m{n}": 1 for n in range(600)}
    assert stage.waiting()["count"] == 0
