from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import polars as pl
import pytest

from builders import a_labelled_batch
from learner_fakes import SEVERITY, TOPIC, MemoryRegistry
from vigie.classifiers import FloatArray
from vigie.classifiers.artefact import Artefact
from vigie.classifiers.linear import LinearClassifier
from vigie.errors import UnavailableError
from vigie.labels import Annotation, Purpose
from vigie.learner import saver as saver_module
from vigie.learner.answers import Answers
from vigie.learner.saver import MIN_ANSWERS, Saver
from vigie.learner.savings import TAG, Savings
from vigie.learner.training import DataSet
from vigie.registry import TrainingRecord
from vigie.store import Store, utc_now

WORDS = ("disk", "login", "timeout")
Begin = Callable[..., tuple[Saver, Callable[[], Artefact | None]]]


@pytest.fixture
def begin(store: Store, registry: MemoryRegistry) -> Begin:
    """Return what makes a saver of a project with 120 groups and some answers, and its champion."""
    store.record("files", a_labelled_batch(*[f"{WORDS[row % 3]} unit{row}" for row in range(120)]))

    def make(
        n_answers: int = MIN_ANSWERS,
        spent: Iterator[float] | None = None,
        classifier: type[LinearClassifier] = LinearClassifier,
    ) -> Any:
        answer(store, n_answers)
        data = DataSet.of(Answers.of(store.annotations.effective(), [SEVERITY]), [SEVERITY])
        champion = Artefact(data.fit(classifier, [SEVERITY]), (SEVERITY,), "logs", version="1")
        registry.tags.setdefault("1", {})
        ticks = spent or count(0.0, 0.001)
        return Saver(store, registry, seed=0, spent=lambda: next(ticks)), lambda: champion  # type: ignore[arg-type]

    return make


def answer(store: Store, n_answers: int) -> None:
    groups = store.pool.counts().sort("group_id").head(n_answers)
    given = [
        Annotation(
            group_id, "severity", SEVERITY.label_names[WORDS.index(template.split()[0]) % 2], "ann", purpose, utc_now()
        )
        for place, (group_id, template, _) in enumerate(groups.iter_rows())
        for purpose in [Purpose.AUDIT if place % 10 == 9 else Purpose.TRAIN]
    ]
    store.annotations.add(given)


def found(registry: MemoryRegistry, version: str = "1") -> Savings | None:
    return Savings.read(registry.tags[version].get(TAG, ""))


def test_step_when_there_are_enough_answers_then_the_version_says_what_was_saved(
    store: Store, registry: MemoryRegistry, begin: Begin
) -> None:
    saver, champion = begin()

    saver.step(champion, store.annotations.effective(), [SEVERITY])

    saved = found(registry)
    assert saved is not None
    assert (saved.version, saved.n_answers, list(saved.dimensions)) == ("1", MIN_ANSWERS, ["severity"])
    assert saved.overall.low is not None


def test_step_when_answers_are_few_then_nothing_is_begun(store: Store, registry: MemoryRegistry, begin: Begin) -> None:
    saver, champion = begin(MIN_ANSWERS - 1)

    saver.step(champion, store.annotations.effective(), [SEVERITY])

    assert found(registry) is None


def test_step_when_a_fit_takes_long_then_it_goes_on_at_the_next_step_and_comes_to_the_same(
    store: Store, registry: MemoryRegistry, begin: Begin
) -> None:
    saver, champion = begin()
    saver.step(champion, store.annotations.effective(), [SEVERITY])
    at_once = found(registry)
    registry.tags["1"].clear()

    saver, champion = begin(spent=count(0.0, 0.3))
    steps = 0
    while found(registry) is None:
        saver.step(champion, store.annotations.effective(), [SEVERITY])
        steps += 1

    assert steps > 5
    assert found(registry) == at_once


def test_step_when_the_model_knows_meanings_then_they_are_asked_for_a_few_at_a_time(
    store: Store, registry: MemoryRegistry, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saver_module, "_CHUNK", 20)
    asked: list[int] = []

    class Knowing(LinearClassifier):
        needs_answers = False

        def vectors(self, texts: pl.Series) -> FloatArray:
            asked.append(len(texts))
            return super().vectors(texts)

    saver, champion = begin(classifier=Knowing)
    saver.step(champion, store.annotations.effective(), [SEVERITY])

    assert found(registry) is not None
    assert asked == [20] * 6


def test_step_when_the_budget_is_spent_then_ends_with_what_was_tried(
    store: Store, registry: MemoryRegistry, begin: Begin
) -> None:
    saver, champion = begin(spent=count(0.0, 30.0))

    for _ in range(15):
        saver.step(champion, store.annotations.effective(), [SEVERITY])

    assert found(registry) is not None


def test_step_when_answers_grew_by_less_than_half_then_the_estimate_stays(
    store: Store, registry: MemoryRegistry, begin: Begin
) -> None:
    saver, champion = begin()
    saver.step(champion, store.annotations.effective(), [SEVERITY])
    answer(store, MIN_ANSWERS + 24)

    saver.step(champion, store.annotations.effective(), [SEVERITY])
    before = found(registry)
    answer(store, MIN_ANSWERS + 25)
    saver.step(champion, store.annotations.effective(), [SEVERITY])

    assert before is not None
    assert before.n_answers == MIN_ANSWERS
    assert found(registry) != before


def test_step_when_the_version_in_use_does_not_know_the_answers_then_waits(
    store: Store, registry: MemoryRegistry, begin: Begin
) -> None:
    saver, champion = begin()

    saver.step(champion, store.annotations.effective(), [SEVERITY], may_begin=False)

    assert found(registry) is None


def test_trained_when_there_is_an_estimate_then_the_new_version_carries_it(
    store: Store, registry: MemoryRegistry, begin: Begin
) -> None:
    saver, champion = begin()
    saver.step(champion, store.annotations.effective(), [SEVERITY])
    registry.tags["2"] = {}

    saver.trained("2")
    saver.step(champion, store.annotations.effective(), [SEVERITY])

    assert found(registry, "2") == found(registry, "1")


def test_step_when_started_again_then_the_estimate_is_found_in_the_registry(
    store: Store, registry: MemoryRegistry, begin: Begin
) -> None:
    saver, champion = begin()
    saver.step(champion, store.annotations.effective(), [SEVERITY])
    written = registry.tags.pop("1")
    folder = registry.folder.parent / "artefact"
    folder.mkdir()
    registry.log(TrainingRecord(folder, ("severity",), {}, {}, "0", 3, tags=written))

    def never() -> Artefact:
        raise AssertionError

    again, _ = begin()
    again.step(never, store.annotations.effective(), [SEVERITY])


def test_step_when_the_model_does_not_know_a_dimension_then_nothing_is_said_and_nothing_is_tried_again(
    store: Store, registry: MemoryRegistry, begin: Begin
) -> None:
    saver, champion = begin()
    asked = []

    def noted() -> Artefact | None:
        asked.append(1)
        return champion()

    for _ in range(3):
        saver.step(noted, store.annotations.effective(), [SEVERITY, TOPIC])

    assert found(registry) is None
    assert len(asked) == 1


def test_step_when_the_registry_is_away_then_it_is_tried_again(
    store: Store, registry: MemoryRegistry, begin: Begin
) -> None:
    saver, champion = begin()
    registry.away = True
    with pytest.raises(UnavailableError):
        saver.step(champion, store.annotations.effective(), [SEVERITY])
    registry.away = False

    saver.step(champion, store.annotations.effective(), [SEVERITY])

    assert found(registry) is not None


def test_forget_when_something_was_begun_then_begins_anew(store: Store, registry: MemoryRegistry, begin: Begin) -> None:
    saver, champion = begin(spent=count(0.0, 0.6))
    saver.step(champion, store.annotations.effective(), [SEVERITY])

    saver.forget()
    saver.step(champion, pl.DataFrame(), [SEVERITY])

    assert found(registry) is None
