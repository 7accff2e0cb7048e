import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self

import polars as pl
import pytest

from builders import a_dimension, a_labelled_batch
from learner_fakes import SEVERITY, TOPIC, MemoryRegistry
from store_fixtures import SettableClock
from tiny_encoder import lasting_encoder
from vigie.classifiers.hybrid import HybridClassifier
from vigie.classifiers.linear import LinearClassifier
from vigie.errors import ModelError, UnavailableError
from vigie.features.encoder_cache import embeddings
from vigie.labels import Annotation, Dimension, Purpose, QuestionKind
from vigie.learner import Learner, Plan, asking
from vigie.learner.embedding import SLICE, ready
from vigie.learner.loop import POLL_SECONDS
from vigie.learner.saver import Saver
from vigie.learner.savings import latest
from vigie.store import Store, utc_now
from vigie.strategies.uncertainty import Margin

LearnerMaker = Callable[..., Learner]


@pytest.fixture
def make_learner(store: Store, registry: MemoryRegistry, clock: SettableClock) -> LearnerMaker:
    """Make learners of one project, with 40 groups in its pool."""
    store.record("files", a_labelled_batch(*[f"word{row} other{row % 7}" for row in range(40) for _ in range(row + 1)]))

    def make(dimensions: Sequence[Dimension] = (SEVERITY,), classifier: Any = LinearClassifier, **plan: Any) -> Learner:
        return Learner(
            store,
            registry,  # type: ignore[arg-type]
            dimensions=lambda: dimensions,
            classifier=classifier,
            strategy=Margin(),
            text="logs",
            plan=Plan(**plan),
            clock=clock,
        )

    return make


def answer(store: Store, n: int, annotator: str = "ann") -> None:
    for question in store.questions.lease(annotator, n, 600):
        label = SEVERITY.label_names[question.group_id % 2]
        store.questions.answer(question.id, annotator, {"severity": label})


def test_step_when_nobody_answered_then_questions_are_open_and_nothing_is_trained(
    store: Store, registry: MemoryRegistry, make_learner: LearnerMaker
) -> None:
    make_learner().step()

    assert store.questions.counts()["open"] == 40
    assert registry.records == []


def test_train_when_messages_came_after_the_last_answer_then_they_count_as_seen(
    store: Store, registry: MemoryRegistry, make_learner: LearnerMaker, clock: SettableClock
) -> None:
    learner = make_learner(audit_every=2)
    learner.step()
    groups = store.pool.counts().sort("group_id")
    for group_id, label, purpose in zip(groups["group_id"], ("info", "error"), Purpose, strict=False):
        store.annotations.add([Annotation(group_id, "severity", label, "ann", purpose, clock())])
    learner.step()
    store.record("files", a_labelled_batch(*[groups["template"][0]] * 10_000, offset=5000))

    learner.train()

    assert (
        registry.records[-1].metrics["accuracy.severity"] > 0.9
    )  # what it learned from, and next to nothing of the rest


def test_step_when_all_answers_contradict_each_other_about_one_template_then_it_is_split_and_learned(
    store: Store, registry: MemoryRegistry, make_learner: LearnerMaker, clock: SettableClock
) -> None:
    template, texts = "job <num> ended <num>", [f"job 12{row}4 ended {row % 2}" for row in range(6)]
    store.record("files", a_labelled_batch(*[template] * 6, texts=texts, offset=5000))
    (group_id,) = store.pool.known([template])["group_id"]
    learner = make_learner(retrain_after_answers=1)
    learner.step()
    for text, (who, label) in zip(texts[:4], (("ann", "info"), ("bob", "error")) * 2, strict=True):
        store.annotations.add([Annotation(group_id, "severity", label, who, Purpose.TRAIN, clock(), message=text)])

    learner.step()

    assert registry.champion() == "1"
    assert learner.details()["problem"] is None


def test_step_when_enough_answers_came_then_a_champion_asks_other_questions(
    store: Store, registry: MemoryRegistry, make_learner: LearnerMaker
) -> None:
    learner = make_learner()
    learner.step()
    answer(store, 9)
    learner.step()
    assert registry.records == []
    assert learner.details()["answers_since"] == 9

    answer(store, 1)
    learner.step()

    assert registry.champion() == "1"
    details = learner.details()
    assert (details["answers_since"], details["version"], details["promoted"]) == (0, "1", True)
    asked = store.questions.lease("ann", 20, 600)
    strategy = [question for question in asked if question.kind == QuestionKind.STRATEGY]
    assert {question.reason["why"] for question in strategy} == {"uncertain"}


class Named(LinearClassifier):
    """Begins with the names of labels, as rows of its own."""

    needs_answers = False

    def fit(self, texts: pl.Series, labels: pl.DataFrame, weights: pl.Series | None = None) -> Self:
        names = self.dimensions[0].label_names
        texts = pl.concat([pl.Series(names, dtype=pl.String), texts])
        return super().fit(texts, pl.concat([pl.DataFrame({"severity": names}), labels.select("severity")]))


def test_step_when_the_classifier_knows_names_then_it_is_champion_after_the_first_questions_and_before_an_answer(
    store: Store, registry: MemoryRegistry, make_learner: LearnerMaker
) -> None:
    learner = make_learner(classifier=Named)
    learner.step()
    assert (store.questions.counts()["open"], registry.records) == (40, [])

    learner.step()
    learner.step()

    assert [record.n_examples for record in registry.records] == [0]
    assert registry.champion() == "1"
    answer(store, 10)
    learner.step()
    assert registry.champion() == "2"


def test_step_when_the_classifier_knows_names_and_few_answers_came_first_then_its_first_model_does_not_wait_for_more(
    store: Store, registry: MemoryRegistry, make_learner: LearnerMaker
) -> None:
    learner = make_learner(classifier=Named)
    learner.step()
    answer(store, 2)

    learner.step()

    assert [record.n_examples for record in registry.records] == [2]


def test_step_when_the_classifier_encodes_then_the_pool_is_encoded_beside_the_rest_and_details_say_how_far(
    store: Store, make_learner: LearnerMaker
) -> None:
    embeddings.cache_clear()
    learner = make_learner(classifier=partial(HybridClassifier, encoder=str(lasting_encoder())))
    learner.step()
    assert learner.details()["embedded"] == SLICE
    assert learner.details()["to_embed"] == 40
    learner.step()

    assert learner.details()["embedded"] == 40
    assert learner.details()["problem"] is None
    assert store.embeddings.size() == 40 + len(["name", "name and dimension", "guideline"]) * len(SEVERITY.labels)


def test_step_when_the_pool_is_encoded_then_questions_are_chosen_among_all_of_it(
    store: Store, make_learner: LearnerMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "ready", partial(ready, n=5))
    embeddings.cache_clear()
    learner = make_learner(classifier=partial(HybridClassifier, encoder=str(lasting_encoder())))
    learner.step()
    assert store.questions.counts()["open"] < 20

    for _ in range(4):
        learner.step()

    assert store.questions.counts()["open"] == 40


def test_step_when_labels_change_before_an_answer_then_names_are_learned_again(
    store: Store, registry: MemoryRegistry, make_learner: LearnerMaker
) -> None:
    dimensions = [a_dimension("severity", ("low", "high"))]
    learner = make_learner(dimensions, classifier=Named)
    for _ in range(3):
        learner.step()

    dimensions[0] = a_dimension("severity", ("low", "middle", "high"))
    for _ in range(3):
        learner.step()

    assert len(registry.records) == 2


def test_step_when_few_answers_wait_long_enough_then_trains(
    store: Store, registry: MemoryRegistry, make_learner: LearnerMaker, clock: SettableClock
) -> None:
    learner = make_learner()
    clock.forward(1000)
    answer(store, 2)
    learner.step()
    clock.forward(299)
    learner.step()
    assert registry.records == []

    clock.forward(1)
    learner.step()

    assert registry.champion() == "1"


def test_step_when_answers_are_taken_back_then_nothing_is_trained(
    store: Store, registry: MemoryRegistry, make_learner: LearnerMaker, clock: SettableClock
) -> None:
    learner = make_learner()
    answer(store, 10)
    learner.step()
    answer(store, 1)
    learner.step()
    store.questions.undo("ann")
    learner.step()
    clock.forward(1000)
    learner.step()

    assert len(registry.records) == 1


def test_step_when_only_audit_questions_are_answered_then_waits_without_a_problem(
    store: Store, registry: MemoryRegistry, make_learner: LearnerMaker
) -> None:
    learner = make_learner(retrain_after_answers=1)
    learner.step()
    audit = [question for question in store.questions.lease("ann", 40, 600) if question.kind == QuestionKind.AUDIT]
    store.questions.answer(audit[0].id, "ann", {"severity": "info"})

    learner.step()

    assert registry.records == []
    assert learner.details()["problem"] is None


def test_step_when_started_again_then_knows_what_was_learned(
    store: Store, registry: MemoryRegistry, make_learner: LearnerMaker, clock: SettableClock
) -> None:
    answer(store, 10)
    make_learner().step()

    again = make_learner()
    again.step()
    assert again.details()["answers_since"] == 0

    answer(store, 3)
    again.step()
    assert again.details()["answers_since"] == 3
    once_more = make_learner()
    once_more.step()
    assert once_more.details()["answers_since"] == 3
    answer(store, 7)
    once_more.step()
    assert len(registry.records) == 2


def test_step_when_a_training_was_cut_short_then_it_is_done_again(
    store: Store, registry: MemoryRegistry, make_learner: LearnerMaker
) -> None:
    answer(store, 10)
    make_learner().step()
    del registry.tags["1"]["validation_status"]

    make_learner().step()

    assert registry.champion() == "2"


@pytest.mark.parametrize("changed", [(SEVERITY, TOPIC), (a_dimension(labels=("info", "warning")),)])
def test_step_when_dimensions_change_then_trains_at_once(
    store: Store, registry: MemoryRegistry, make_learner: LearnerMaker, changed: tuple[Dimension, ...]
) -> None:
    dimensions = [SEVERITY]
    learner = make_learner(dimensions)
    answer(store, 10)
    learner.step()

    dimensions[:] = changed
    learner.step()
    learner.step()

    assert len(registry.records) == 2
    assert list(registry.records[1].outputs) == [dimension.name for dimension in changed]


def test_step_when_the_classifier_fails_then_says_so_rests_and_tries_again(
    store: Store, registry: MemoryRegistry, make_learner: LearnerMaker, clock: SettableClock
) -> None:
    broken = [True]

    class Shaky(LinearClassifier):
        def fit(self, *given: Any) -> Any:
            if broken[0]:
                raise ValueError("a message")
            return super().fit(*given)

    learner = make_learner(classifier=Shaky)
    answer(store, 10)
    learner.step()
    assert learner.details()["problem"] == "training failed: ValueError"
    assert learner.details()["training"] is False
    assert store.questions.counts()["open"] > 0

    broken[0] = False
    clock.forward(1)
    learner.step()

    assert registry.champion() == "1"
    assert learner.details()["problem"] is None


def test_step_when_the_registry_is_away_then_answers_wait_and_nothing_is_lost(
    store: Store, registry: MemoryRegistry, make_learner: LearnerMaker, clock: SettableClock
) -> None:
    learner = make_learner()
    learner.step()
    registry.away = True
    answer(store, 12)
    learner.step()
    assert "the registry does not answer" in str(learner.details()["problem"])

    registry.away = False
    clock.forward(60)
    learner.step()

    assert registry.champion() == "1"
    assert registry.records[0].n_examples == 11
    assert learner.details()["problem"] is None


def test_step_when_another_learner_acts_then_waits_and_then_takes_over(
    store: Store, registry: MemoryRegistry, make_learner: LearnerMaker, clock: SettableClock
) -> None:
    first, second = make_learner(), make_learner()
    first.step()
    store.presence.beat("learner", "a", first.details())
    answer(store, 10)
    second.step()
    assert registry.records == []
    assert second.details()["acting"] is False

    clock.forward(11)
    second.step()

    assert registry.champion() == "1"
    assert second.details()["acting"] is True


def test_step_when_training_then_details_say_so(
    store: Store, registry: MemoryRegistry, make_learner: LearnerMaker
) -> None:
    seen = []

    class Watched(LinearClassifier):
        def fit(self, *given: Any) -> Any:
            seen.append(learner.details()["training"])
            return super().fit(*given)

    learner = make_learner(classifier=Watched)
    answer(store, 10)
    learner.step()

    assert seen == [True]
    assert learner.details()["training"] is False


def test_train_when_called_then_trains_though_nothing_is_due(
    store: Store, registry: MemoryRegistry, make_learner: LearnerMaker
) -> None:
    learner = make_learner()
    with pytest.raises(ModelError):
        learner.train()
    answer(store, 1)

    trained = learner.train()

    assert (trained.version, trained.n_examples) == ("1", 1)
    assert registry.champion() == "1"


def test_run_when_told_to_stop_then_ends_soon_and_goes_on_after_failures(
    store: Store, registry: MemoryRegistry, make_learner: LearnerMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner, stop = make_learner(), threading.Event()
    step, failures = learner.step, [UnavailableError("the database does not answer", retry_after_seconds=0)]

    def shaky() -> None:
        if failures:
            raise failures.pop()
        step()

    monkeypatch.setattr(learner, "step", shaky)
    learner._looking._clock = utc_now
    answer(store, 10)
    thread = threading.Thread(target=learner.run, args=(stop,))
    thread.start()
    deadline = time.monotonic() + 60
    while registry.champion() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    stop.set()
    thread.join(60)

    assert registry.champion() == "1"
    assert not thread.is_alive()
    assert learner.details()["problem"] is None


def test_step_when_many_answers_came_then_the_newest_version_says_how_many_were_saved(
    store: Store, registry: MemoryRegistry, make_learner: LearnerMaker
) -> None:
    store.record("more", a_labelled_batch(*[f"more{row} other{row % 7}" for row in range(40)]))
    learner = make_learner(retrain_after_answers=60, open_questions=80)
    learner.step()
    answer(store, 60)
    for _ in range(100):
        learner.step()
        if "vigie.answers_saved" in registry.tags.get("1", {}):
            break

    saved = latest(registry.versions(), ["severity"])

    assert saved is not None
    assert (saved.version, saved.n_answers) == ("1", 60)
    assert learner.details()["problem"] is None


class Checking:
    """Writes down what it is told; `failure` is raised instead."""

    def __init__(self) -> None:
        self.doubted: list[tuple[int, list[str]]] = []
        self.planned: list[tuple[int, int]] = []
        self.failure: Exception | None = None

    def doubt(self, effective: pl.DataFrame, *, labels: pl.DataFrame, held_out: Any, **given: Any) -> None:
        assert len(given["texts"]) == len(labels)
        if self.failure:
            raise self.failure
        self.doubted.append((len(labels), labels.columns))
        for name, (rows, proba) in held_out.items():
            assert labels[name].gather(rows).null_count() == 0
            assert proba.shape == (len(rows), 3)

    def plan(self, effective: pl.DataFrame, last_id: int) -> None:
        self.planned.append((effective.height, last_id))

    def details(self) -> dict[str, object]:
        return {"found": len(self.doubted)}


def test_step_when_a_training_ended_then_doubts_are_looked_for_once(store: Store, make_learner: LearnerMaker) -> None:
    checking = Checking()
    learner = make_learner().check_with(checking)
    learner.step()
    assert checking.doubted == []
    answer(store, 10)

    learner.step()
    learner.step()

    assert checking.doubted == [(9, ["severity"])]
    assert checking.planned[-1] == (10, store.annotations.last_id())
    assert learner.details()["doubts"] == {"found": 1}


def test_step_when_looking_for_doubts_fails_then_it_is_said_and_training_goes_on(
    store: Store, registry: MemoryRegistry, make_learner: LearnerMaker, clock: SettableClock
) -> None:
    checking = Checking()
    checking.failure = ModelError("no doubt")
    learner = make_learner().check_with(checking)
    learner.step()
    answer(store, 10)
    learner.step()

    assert registry.champion() == "1"
    assert learner.details()["problem"] == "looking for doubtful answers failed: no doubt"
    assert checking.planned


def test_step_when_a_template_is_split_then_second_looks_and_savings_know_its_parts(
    store: Store, make_learner: LearnerMaker, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = {f"worker 123{n} ended {n % 2}": ("info", "error")[n % 2] for n in range(8)}
    template = "worker <num> ended <num>"
    store.record("more", a_labelled_batch(*[template] * 8, texts=list(lines), offset=10_000))
    group = store.pool.find(template)
    assert group is not None
    answer(store, 10)
    said = [
        Annotation(group.id, "severity", label, "ann", Purpose.TRAIN, clock(), message=text)
        for text, label in lines.items()
    ]
    store.annotations.add(said)
    seen: dict[str, list[str]] = {}

    class Noting(Checking):
        def doubt(self, effective: pl.DataFrame, **given: Any) -> None:
            seen["doubt"] = effective["template"].to_list()
            assert set(given["texts"]) <= set(effective["template"])

        def plan(self, effective: pl.DataFrame, last_id: int) -> None:
            del last_id
            seen["plan"] = effective["template"].to_list()

    def step(_: Saver, __: object, effective: pl.DataFrame, *___: object, **____: object) -> None:
        seen["save"] = effective["template"].to_list()

    monkeypatch.setattr(Saver, "step", step)
    learner = make_learner().check_with(Noting())

    learner.step()

    assert learner.details()["problem"] is None
    for templates in (seen["doubt"], seen["plan"], seen["save"]):
        assert {one for one in templates if one.startswith("worker")} == {
            "worker <num> ended 0",
            "worker <num> ended 1",
        }

    seen.clear()
    again = make_learner().check_with(Noting())
    again.step()
    assert "worker <num> ended 0" in seen["plan"]


class Turns(threading.Event):
    """Is set after a few waits, and writes down how long they were to be; `then` is called at each."""

    def __init__(self, n: int, then: Callable[[int], object] = lambda _nth: None) -> None:
        super().__init__()
        self._n = n
        self._then = then
        self.waits: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        self._then(len(self.waits))
        if len(self.waits) >= self._n:
            self.set()
        return self.is_set()


@pytest.fixture
def encoding_learner(make_learner: LearnerMaker, monkeypatch: pytest.MonkeyPatch) -> Learner:
    """A learner with more to encode than it does at one time."""
    monkeypatch.setattr("vigie.learner.embedding.SLICE", 2)
    return make_learner(classifier=partial(HybridClassifier, encoder=str(lasting_encoder())))


def test_run_when_there_is_more_to_encode_then_goes_on_at_once(encoding_learner: Learner) -> None:
    stop = Turns(4)

    encoding_learner.run(stop)

    assert stop.waits == [0] * 4


def test_run_when_the_database_is_away_while_there_is_more_to_encode_then_it_waits(
    encoding_learner: Learner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> bool:
        raise UnavailableError("the database does not answer", retry_after_seconds=5)

    stop = Turns(4, lambda nth: nth == 1 and monkeypatch.setattr(encoding_learner._turn, "take", away))

    encoding_learner.run(stop)

    assert stop.waits == [0, *[POLL_SECONDS] * 3]


def test_run_when_another_learner_acts_while_there_is_more_to_encode_then_it_waits(
    encoding_learner: Learner, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = encoding_learner._turn

    def lose(nth: int) -> None:
        if nth == 1:
            monkeypatch.setattr(turn, "acting", False)
            monkeypatch.setattr(turn, "take", lambda: False)

    stop = Turns(4, lose)

    encoding_learner.run(stop)

    assert stop.waits == [0, *[POLL_SECONDS] * 3]
