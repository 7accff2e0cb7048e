"""The learner with MLflow's own registry, and two learners of one project."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from builders import a_labelled_batch
from learner_fakes import SEVERITY, TOPIC
from vigie.classifiers.artefact import Artefact
from vigie.classifiers.linear import LinearClassifier
from vigie.learner import Learner, Plan
from vigie.learner.answers import Answers
from vigie.learner.numbers import measure
from vigie.learner.unanswered import unanswered
from vigie.registry import Registry
from vigie.store import Store
from vigie.strategies.uncertainty import Margin

WORDS = {"info": ("login", "logout", "heartbeat"), "warning": ("slow", "retry"), "error": ("failed", "refused")}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path}/vigie.db") as opened:
        templates = [f"{word} of service{number}" for words in WORDS.values() for word in words for number in range(12)]
        opened.record("files", a_labelled_batch(*[text for text in templates for _ in range(1 + len(text) % 5)]))
        yield opened


def open_registry(folder: Path) -> Registry:
    return Registry(
        f"sqlite:///{folder}/mlflow.db", "vigie-test", artifact_root=folder / "models", cache=folder / "cache"
    )


def a_learner(store: Store, registry: Registry) -> Learner:
    return Learner(
        store,
        registry,
        dimensions=lambda: (SEVERITY, TOPIC),
        classifier=LinearClassifier,
        strategy=Margin(),
        text="logs",
        plan=Plan(retrain_after_answers=10),
    )


def answer(store: Store, n: int) -> None:
    for question in store.questions.lease("ann", n, 600):
        word = question.template.split()[0]
        label = next(label for label, words in WORDS.items() if word in words)
        store.questions.answer(question.id, "ann", {"severity": label})


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_learner_when_people_answer_then_champions_follow_that_anybody_can_fetch(store: Store, tmp_path: Path) -> None:
    learner, stop = a_learner(store, open_registry(tmp_path)), threading.Event()
    thread = threading.Thread(target=learner.run, args=(stop,))
    thread.start()
    try:
        wait_for(lambda: store.questions.counts()["open"])
        for version in ("1", "2"):
            answer(store, 10)
            wait_for(lambda version=version: learner.details()["version"] == version)
    finally:
        stop.set()
        thread.join(30)

    registry = open_registry(tmp_path)
    champion = Artefact.load(registry.fetch("2"), version=registry.champion())
    newest = registry.versions(limit=1)[0]
    answers, n_messages = Answers.of(store.annotations.effective(), (SEVERITY, TOPIC)), store.pool.messages()
    rest = unanswered(store, answers, n_messages=n_messages)
    found = measure(answers, champion, (SEVERITY, TOPIC), n_messages=n_messages, rest=rest)
    assert champion.version == "2"
    assert len(champion.answers) == 20
    assert newest.tags["validation_status"] == "passed"
    assert newest.metrics["n_audited.severity"] == 2
    assert found["severity"] is not None
    assert found["severity"].accuracy.value == pytest.approx(newest.metrics["accuracy.severity"])
    assert found["topic"] is None
    assert learner.details()["problem"] is None


def test_learner_when_killed_and_started_again_then_trains_on_what_was_not_learned(
    store: Store, tmp_path: Path
) -> None:
    registry = open_registry(tmp_path)
    a_learner(store, registry).step()
    answer(store, 12)
    a_learner(store, registry).step()

    again = a_learner(store, open_registry(tmp_path))
    again.step()
    assert (registry.champion(), again.details()["answers_since"]) == ("1", 0)
    answer(store, 10)
    again.step()

    assert registry.champion() == "2"
