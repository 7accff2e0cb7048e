"""Messages that went out before a person answered go out once more, corrected."""

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Message

from builders import NOON
from kafka_client import a_name, a_topic, fill, read_all
from kafka_server import KafkaServer
from vigie.app import Project, corrections_worker
from vigie.labels import Annotation, Purpose
from vigie.sources.kafka_messages import KafkaMessages

pytestmark = pytest.mark.kafka

WHEN = int(time.time() * 1000) - 5_000  # an older one, and retention would delete it under the test

WORDS = ["ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen"]
TOML = """
[project]
name = "{output}"

[[dimensions]]
name = "severity"
labels = ["info", "error"]
default = "info"

[sources.logs]
type = "kafka"
topics = ["{topic}"]
bootstrap_servers = "{servers}"
corrections = true

[sinks.kafka]
type = "kafka"
topic = "{output}"
bootstrap_servers = "{servers}"
n_partitions = 3
"""

CORRECT = """
import sys, threading, time, pathlib
import vigie.sources.corrections
from vigie.app import Project, corrections_worker
vigie.sources.corrections.AT_ONCE = 1
def note(report):
    print(report.n_messages, flush=True)
    time.sleep(0.02)
project = Project.open(pathlib.Path(sys.argv[1]))
corrections_worker(project, "logs", until_end=True, on_batch=note).run(threading.Event())
"""


class Stage:
    """A topic, a project that reads it, and what comes out."""

    def __init__(self, server: KafkaServer, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.topic, self.output = a_topic(server), a_name("out")
        names = {"topic": self.topic, "output": self.output, "servers": server.bootstrap_servers}
        (folder / "vigie.toml").write_text(TOML.format(**names))
        self.project = Project.open(folder)

    def stream(self) -> None:
        self.project.worker("logs", until_end=True).run(threading.Event())

    def answer(self, template: str, label: str | None, annotator: str = "ann") -> None:
        group = self.project.store.pool.find(template)
        assert group is not None
        n = self.project.store.annotations.last_id()
        at = NOON.replace(microsecond=n + 1)
        answer = Annotation(group.id, "severity", label, annotator, Purpose.TRAIN, at)
        self.project.store.annotations.add([answer])

    def correct(self) -> None:
        corrections_worker(self.project, "logs", until_end=True).run(threading.Event())

    def came_out(self) -> list[tuple[str, str, int]]:
        return sorted(seen(message) for message in read_all(self.server, self.output))


def seen(message: Message) -> tuple[str, str, int]:
    found: dict[str, Any] = json.loads(message.value() or b"")
    return found["message"], found["severity"], found["vigie"]["revision"]


@pytest.fixture
def stage(kafka_server: KafkaServer, tmp_path: Path) -> Iterator[Stage]:
    made = Stage(kafka_server, tmp_path)
    yield made
    made.project.close()


def test_correction_when_a_person_answered_then_the_message_comes_again_with_its_key_and_place(stage: Stage) -> None:
    payload = b'{"message": "cat on fire", "n": 1.00}'
    fill(stage.server, stage.topic, [payload], key=b"k", headers=[("trace", b"1")], partition=2, timestamp=WHEN)
    fill(stage.server, stage.topic, [b"dog asleep"], partition=1)
    stage.stream()
    stage.answer("cat on fire", "error")

    stage.correct()

    first, second = [message for message in read_all(stage.server, stage.output) if message.key() == b"k"]
    assert (seen(first), seen(second)) == (("cat on fire", "info", 0), ("cat on fire", "error", 1))
    assert (second.partition(), second.headers(), second.timestamp()[1]) == (2, [("trace", b"1")], WHEN)
    assert (second.value() or b"").startswith(payload[:-1])
    assert json.loads(second.value() or b"")["vigie"]["origin"] == {"severity": "human"}
    assert len(stage.came_out()) == 3


def test_correction_when_run_again_then_nothing_comes_twice(stage: Stage) -> None:
    fill(stage.server, stage.topic, [b"cat on fire"])
    stage.stream()
    stage.answer("cat on fire", "error")
    stage.correct()

    stage.correct()

    assert stage.came_out() == [("cat on fire", "error", 1), ("cat on fire", "info", 0)]


def test_correction_when_the_answer_changes_then_the_revision_rises(stage: Stage) -> None:
    fill(stage.server, stage.topic, [b"cat on fire"])
    stage.stream()
    for label in ("error", "info", None):
        stage.answer("cat on fire", label)
        stage.correct()

    revisions = {revision: label for _, label, revision in stage.came_out()}
    assert revisions == {0: "info", 1: "error", 2: "info", 3: "info"}


def test_fetch_when_a_message_is_gone_then_it_is_left_out(kafka_server: KafkaServer) -> None:
    topic = a_topic(kafka_server, partitions=1)
    fill(kafka_server, topic, [b"0", b"1", b"2"])
    messages = KafkaMessages("sources.logs", bootstrap_servers=kafka_server.bootstrap_servers)

    found = messages.fetch([(topic, 0, 2), (topic, 0, 0), (topic, 0, 99), (topic, 0, 0)])
    messages.close()

    assert found["payload"].to_list() == [b"0", b"2"]


@pytest.mark.slow
def test_correction_when_killed_again_and_again_then_each_message_is_corrected_once(stage: Stage) -> None:
    texts = [f"{word} on fire" for word in WORDS]
    fill(stage.server, stage.topic, [text.encode() for text in texts for _ in range(4)])
    stage.stream()
    for text in texts:
        stage.answer(text, "error")
    command = [sys.executable, "-c", CORRECT, str(stage.folder)]
    for n_batches in (1, 4, 2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
            assert running.stdout is not None
            for _ in range(n_batches):
                assert running.stdout.readline()
            running.kill()

    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=120)

    counts = Counter(stage.came_out())
    assert counts == {(text, label, n): 4 for text in texts for label, n in (("info", 0), ("error", 1))}


def test_stream_when_corrections_are_asked_for_then_it_writes_them_beside_the_stream(stage: Stage) -> None:
    fill(stage.server, stage.topic, [b"cat on fire"])
    stage.stream()
    stage.answer("cat on fire", "error")
    fill(stage.server, stage.topic, [b"dog asleep"])
    command = [sys.executable, "-m", "vigie", "stream", "--project", str(stage.folder), "--until-end", "--json"]

    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)

    assert json.loads(done.stdout)["messages"] == 2
    assert stage.came_out() == [("cat on fire", "error", 1), ("cat on fire", "info", 0), ("dog asleep", "info", 0)]


def test_correction_when_the_sink_is_a_file_then_it_is_appended_while_the_stream_has_it_open(stage: Stage) -> None:
    settings = stage.folder / "vigie.toml"
    settings.write_text(
        settings.read_text().partition("[sinks")[0] + '[sinks.files]\ntype = "files"\npath = "out.jsonl"\n'
    )
    fill(stage.server, stage.topic, [b"cat on fire"])
    project = Project.open(stage.folder)
    project.worker("logs", until_end=True).run(threading.Event())
    stage.answer("cat on fire", "error")
    open_worker = project.worker("logs")
    open_worker.step()

    corrections_worker(project, "logs", until_end=True).run(threading.Event())

    open_worker.close()
    project.close()
    lines = [json.loads(line) for line in (stage.folder / "out.jsonl").read_text().splitlines()]
    assert [(line["severity"], line["vigie"]["revision"]) for line in lines] == [("info", 0), ("error", 1)]
