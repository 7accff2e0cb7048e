from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest

from builders import NOON, a_labelled_batch
from learner_fakes import SEVERITY, KnowingModel
from store_fixtures import SettableClock
from vigie.labels import Annotation, Dimension, Purpose, Question, QuestionKind
from vigie.learner import asking
from vigie.learner.asking import Asker
from vigie.learner.ranking import MAX_EMBEDDED
from vigie.store import Store
from vigie.strategies.uncertainty import Margin


@pytest.fixture
def asker(store: Store, clock: SettableClock) -> Asker:
    return an_asker(store, clock)


def an_asker(store: Store, clock: SettableClock, **options: Any) -> Asker:
    chosen: dict[str, Any] = {"open_questions": 20, "audit_every": 10, "seed": 0} | options
    return Asker(store, Margin(), clock=clock, **chosen)


def fill(store: Store, n: int, *, first: int = 0) -> None:
    """Record groups of falling size, unlike each other."""
    templates = [f"word{row} other{row}" for row in range(first, first + n) for _ in range(1 + (first + n - row) // 4)]
    store.record(f"files{first}", a_labelled_batch(*templates))


def lease(store: Store, n: int, annotator: str = "ann") -> list[Question]:
    return store.questions.lease(annotator, n, 600)


def answer(store: Store, questions: list[Question], annotator: str = "ann") -> None:
    for question in questions:
        store.questions.answer(question.id, annotator, {"severity": "info"})


def kinds(questions: list[Question]) -> list[QuestionKind]:
    return [question.kind for question in questions]


def test_ask_when_there_are_groups_then_keeps_questions_of_both_kinds_open(store: Store, asker: Asker) -> None:
    fill(store, 60)

    asker.ask(None, [SEVERITY])

    assert store.questions.counts()["open"] == 23
    assert store.audit.draws().height == 3
    assert sorted(kinds(lease(store, 10))).count(QuestionKind.AUDIT) == 1


def test_ask_when_a_group_is_drawn_for_audit_then_no_strategy_asks_about_it(store: Store, asker: Asker) -> None:
    fill(store, 20)

    asker.ask(KnowingModel({}), [SEVERITY])

    drawn = set(store.audit.draws()["group_id"])
    asked = lease(store, 30)
    assert len(drawn) == 2
    assert len(asked) == 20
    assert {question.group_id for question in asked if question.kind == QuestionKind.AUDIT} == drawn


def test_ask_when_somebody_is_asked_about_a_group_already_then_it_is_not_drawn_for_audit(
    store: Store, asker: Asker
) -> None:
    fill(store, 40)
    early = lease(store, 10)  # before the learner has looked: the largest groups, which are drawn most probably

    asker.ask(None, [SEVERITY])
    answer(store, early)

    drawn = set(store.audit.draws()["group_id"])
    assert len(drawn) == 3
    assert not drawn & {question.group_id for question in early}
    assert drawn <= set(store.pool.sizes()["group_id"])


@pytest.mark.parametrize(("n_groups", "n_drawn"), [(3, 0), (9, 0), (10, 1), (29, 2), (60, 3)])
def test_ask_when_there_are_few_groups_then_most_are_left_to_learn_from(
    store: Store, asker: Asker, n_groups: int, n_drawn: int
) -> None:
    fill(store, n_groups)

    asker.ask(None, [SEVERITY])

    assert store.audit.draws().height == n_drawn
    assert kinds(lease(store, n_groups)).count(QuestionKind.STRATEGY) == n_groups - n_drawn


def test_ask_when_audit_questions_wait_then_draws_only_what_is_missing(
    store: Store, asker: Asker, clock: SettableClock
) -> None:
    fill(store, 60)
    asker.ask(None, [SEVERITY])
    asker.ask(None, [SEVERITY])
    assert store.audit.draws().height == 3

    asked = lease(store, 10)
    answer(store, asked)
    asker.ask(None, [SEVERITY])

    assert store.audit.draws().height == 4
    assert set(store.audit.draws()["draws"]) == {1}


def test_ask_when_asked_again_then_audit_questions_keep_their_order(store: Store, asker: Asker) -> None:
    fill(store, 60)
    asker.ask(None, [SEVERITY])
    first = list(asker._queue)

    asker.ask(None, [SEVERITY])
    asked = [question.group_id for question in lease(store, 60) if question.kind == QuestionKind.AUDIT]

    assert asked == first


def test_ask_when_the_learner_starts_again_then_waiting_audit_questions_are_kept(
    store: Store, clock: SettableClock
) -> None:
    fill(store, 60)
    an_asker(store, clock).ask(None, [SEVERITY])
    drawn = set(store.audit.draws()["group_id"])

    an_asker(store, clock).ask(None, [SEVERITY])

    assert set(store.audit.draws()["group_id"]) == drawn
    asked = {question.group_id for question in lease(store, 60) if question.kind == QuestionKind.AUDIT}
    assert asked == drawn


def test_ask_when_audit_questions_are_skipped_by_all_then_goes_on_with_others(store: Store, asker: Asker) -> None:
    fill(store, 200)
    asker.ask(None, [SEVERITY])
    for _ in range(12):
        for question in lease(store, 10):
            if question.kind == QuestionKind.AUDIT:
                store.questions.skip(question.id, "ann")
            else:
                answer(store, [question])
        asker.ask(None, [SEVERITY])

    assert 5 <= store.audit.draws().height <= 8


def test_ask_when_one_answer_goes_to_many_groups_then_audit_is_not_taken_for_stuck(store: Store, asker: Asker) -> None:
    fill(store, 200)
    asker.ask(None, [SEVERITY])
    for _ in range(3):
        question = lease(store, 1)[0]
        also = store.pool.unlabelled(20)["group_id"].to_list()
        store.questions.answer(question.id, "ann", {"severity": "info"}, also=also)
        asker.ask(None, [SEVERITY])

    assert store.pool.answered() > 30
    assert store.audit.draws().height == 3


def test_ask_when_a_group_is_answered_otherwise_then_its_draw_is_void(store: Store, asker: Asker) -> None:
    fill(store, 60)
    asker.ask(None, [SEVERITY])
    drawn = int(store.audit.draws()["group_id"][0])
    store.annotations.add([Annotation(drawn, "severity", "info", "import", Purpose.TRAIN, NOON)])

    asker.ask(None, [SEVERITY])

    assert store.audit.draws().height == 4
    assert drawn not in asker._queue


def test_is_due_when_nothing_was_asked_yet_then_true(asker: Asker) -> None:
    assert asker.is_due()


def test_is_due_when_new_groups_come_then_true_after_a_pause(store: Store, asker: Asker, clock: SettableClock) -> None:
    fill(store, 60)
    asker.ask(None, [SEVERITY])
    clock.forward(60)
    assert not asker.is_due()

    asker.ask(None, [SEVERITY])
    fill(store, 5, first=60)
    assert not asker.is_due()
    clock.forward(60)
    assert asker.is_due()


def test_is_due_when_questions_run_low_then_true_once_an_answer_comes(
    store: Store, asker: Asker, clock: SettableClock
) -> None:
    fill(store, 60)
    asker.ask(None, [SEVERITY])
    leased = lease(store, 15)
    clock.forward(60)
    assert asker.is_due()

    asker.ask(None, [SEVERITY])
    assert store.questions.counts()["open"] >= 20
    answer(store, leased)
    clock.forward(60)
    assert not asker.is_due()


def test_is_due_when_there_is_nothing_more_to_ask_then_false(store: Store, asker: Asker, clock: SettableClock) -> None:
    fill(store, 4)
    asker.ask(None, [SEVERITY])
    clock.forward(60)

    assert not asker.is_due()


def test_ask_when_the_seed_is_the_same_then_so_are_the_questions(tmp_path: Any, clock: SettableClock) -> None:
    asked = []
    for name in ("one", "other"):
        with Store.open(f"sqlite:///{tmp_path}/{name}.db", clock=clock) as store:
            fill(store, 60)
            an_asker(store, clock, seed=5).ask(KnowingModel({}), [SEVERITY])
            asked.append([question.group_id for question in lease(store, 60)])

    assert asked[0] == asked[1]


def test_ask_when_groups_come_after_most_answers_then_their_questions_say_that_they_are_new(
    store: Store, clock: SettableClock
) -> None:
    asker = an_asker(store, clock, open_questions=80)
    fill(store, 60)
    asker.ask(None, [SEVERITY])
    answer(store, lease(store, 12))
    batch = a_labelled_batch("word60 other60", "word61 other61")
    store.record("later", batch.with_columns(pl.col("timestamp") + pl.duration(hours=1)))

    asker.ask(KnowingModel({}), [SEVERITY])
    asked = [question for question in lease(store, 80) if question.kind == QuestionKind.STRATEGY]

    new = [question for question in asked if "new" in question.reason]
    assert 0 < len(new) < len(asked)
    assert {question.template for question in new} <= {"word60 other60", "word61 other61"}


class Meaning:
    """A classifier that says where texts lie before it has learned anything."""

    needs_answers = False

    def __init__(self, dimensions: Sequence[Dimension]) -> None:
        self.dimensions = dimensions

    def vectors(self, texts: pl.Series) -> np.ndarray:
        assert len(texts) <= MAX_EMBEDDED
        return np.random.default_rng(0).normal(size=(len(texts), 3))


def test_ask_when_a_classifier_knows_meanings_then_the_first_questions_are_typical(
    store: Store, clock: SettableClock
) -> None:
    fill(store, 60)
    an_asker(store, clock, make=Meaning).ask(None, [SEVERITY])

    reasons = [question.reason["why"] for question in lease(store, 60) if question.kind == QuestionKind.STRATEGY]
    assert set(reasons[:20]) == {"typical"}


class Reluctant(KnowingModel):
    """Unsure of what `doubtful` says, sure of the rest."""

    def predict_proba(self, templates: pl.Series) -> dict[str, Any]:
        unsure = templates.str.contains("doubtful").to_numpy()
        rest = len(SEVERITY.labels) - 1
        first = np.where(unsure, 1 / (rest + 1), 0.99)
        proba = np.repeat(((1 - first) / rest)[:, None], rest + 1, axis=1)
        proba[:, 0] = first
        return {"severity": proba}


def test_ask_when_there_are_more_groups_than_a_strategy_sees_then_the_doubtful_are_found_however_small(
    store: Store, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "MAX_CANDIDATES", 50)
    monkeypatch.setattr(asking, "MAX_SURVEYED", 40)
    fill(store, 300)
    store.record("late", a_labelled_batch(*[f"doubtful word{row}" for row in range(10)]))

    an_asker(store, clock, open_questions=8).ask(Reluctant({}), [SEVERITY])

    asked = [one for one in lease(store, 11) if one.reason["why"] == "uncertain"]
    assert len(asked) == 8
    assert all(one.template.startswith("doubtful") for one in asked)


def test_ask_when_a_learner_starts_anew_then_the_same_questions(
    store: Store, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "MAX_CANDIDATES", 50)
    monkeypatch.setattr(asking, "MAX_SURVEYED", 40)
    fill(store, 300)
    asker = an_asker(store, clock)

    def asked() -> list[int]:
        questions = store.questions.lease("ann", 30, 600)
        store.questions.release("ann", [one.id for one in questions])
        return [one.group_id for one in questions]

    asker.ask(Reluctant({}), [SEVERITY])
    asker.ask(Reluctant({}), [SEVERITY])
    before = asked()
    an_asker(store, clock).ask(Reluctant({}), [SEVERITY])

    assert sorted(asked()) == sorted(before)
