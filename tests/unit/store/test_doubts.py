"""Answers that an annotator thinks over: what is stored of it, and what undo brings back."""

import pytest

from builders import NOON, a_labelled_batch
from store_fixtures import SettableClock
from vigie.labels import Annotation, Check, Purpose, Question
from vigie.store import CheckDraft, Store

TEXTS = ["job 1 ended 0", "job 2 ended 1", "job 3 ended 0", "job 4 ended 7"]
TEMPLATE = "job <num> ended <num>"


@pytest.fixture
def store(store: Store) -> Store:
    """A group that ann answered with info, except for one message, which is an error."""
    store.record("kafka", a_labelled_batch(*[TEMPLATE] * 4, texts=TEXTS))
    question = store.questions.lease("ann", 1, 600)[0]
    store.questions.answer(question.id, "ann", {"severity": "info"}, exceptions=[TEXTS[1]], lease_seconds=600)
    (exception,) = store.questions.exceptions(question.id)
    store.questions.answer(exception.id, "ann", {"severity": "error"})
    return store


def doubt(store: Store) -> Question:
    group = store.pool.find(TEMPLATE)
    assert group is not None
    store.checks.replace([CheckDraft(group.id, Check.DOUBT, asked_of="ann", reason={"why": "doubt"})], Check.DOUBT)
    return store.questions.lease("ann", 1, 600)[0]


def told(store: Store) -> list[tuple[object, ...]]:
    columns = ("message", "annotator", "dimension", "label", "is_exception", "settled", "question_id")
    return store.annotations.told().select(columns).rows()


def settle(store: Store, question: Question, label: str, by: str) -> None:
    store.checks.settle([Annotation(question.group_id, "severity", label, by, Purpose.TRAIN, NOON)])


def test_undo_when_a_doubt_was_answered_then_all_that_was_said_before_holds_again(store: Store) -> None:
    before = told(store)
    store.questions.answer(doubt(store).id, "ann", {"severity": "warning"})

    undone = store.questions.undo("ann")

    assert undone is not None
    assert undone.labels == {"severity": "warning"}
    assert told(store) == before
    assert store.annotations.effective()["label"].to_list() == ["info"]


def test_undo_when_repeated_after_a_doubt_then_each_step_is_taken_back(store: Store) -> None:
    store.questions.answer(doubt(store).id, "ann", {"severity": "warning"})

    labels = [undone.labels for _ in range(3) if (undone := store.questions.undo("ann")) is not None]

    assert labels == [{"severity": "warning"}, {"severity": "error"}, {"severity": "info"}]
    assert told(store) == []


def test_answer_when_a_doubt_changes_nothing_then_nothing_is_stored_and_exceptions_stay(store: Store) -> None:
    before = told(store)
    question = doubt(store)

    assert store.questions.answer(question.id, "ann", {"severity": "info"}) == []

    assert told(store) == before
    assert store.checks.closed()["state"].to_list() == ["answered"]


def test_answer_when_a_doubt_changes_one_dimension_then_only_that_is_stored(store: Store) -> None:
    store.questions.answer(doubt(store).id, "ann", {"severity": "info", "category": "Data"})

    assert [row[1:4] for row in told(store)] == [
        ("ann", "severity", "info"),
        ("ann", "severity", "error"),
        ("ann", "category", "Data"),
    ]


def test_answer_when_the_message_in_doubt_is_excepted_then_the_answer_is_about_the_others(store: Store) -> None:
    question = doubt(store)
    said = store.annotations.told().filter(~store.annotations.told()["is_exception"])["message"][0]

    store.questions.answer(question.id, "ann", {"severity": "info"}, exceptions=[said], lease_seconds=600)
    (exception,) = store.questions.exceptions(question.id)
    store.questions.answer(exception.id, "ann", {"severity": "error"})

    assert store.annotations.effective()["label"].to_list() == ["info"]


def test_undo_when_a_doubt_changed_nothing_then_says_the_labels_and_asks_again(store: Store) -> None:
    before = told(store)
    question = doubt(store)
    store.questions.answer(question.id, "ann", {"severity": "info"})

    undone = store.questions.undo("ann")

    assert undone is not None
    assert (undone.question.id, undone.labels, undone.action) == (question.id, {"severity": "info"}, "answered")
    assert told(store) == before


def test_undo_when_it_was_settled_before_the_doubt_was_answered_then_it_is_settled_again(store: Store) -> None:
    question = doubt(store)
    settle(store, question, "error", "ann")
    before = told(store)
    store.questions.answer(question.id, "ann", {"severity": "warning"})
    assert not store.annotations.effective()["settled"].any()

    store.questions.undo("ann")

    assert told(store) == before
    assert store.annotations.effective().select("label", "settled").rows() == [("error", True)]


@pytest.mark.parametrize("when", ["before", "after"])
def test_undo_when_somebody_else_settled_it_since_then_theirs_holds(
    store: Store, clock: SettableClock, when: str
) -> None:
    question = doubt(store)
    settle(store, question, "error", "ann")
    if when == "before":
        settle(store, question, "critical", "eve")
    store.questions.answer(question.id, "ann", {"severity": "warning"})
    if when == "after":
        settle(store, question, "critical", "eve")
    clock.forward(1)

    store.questions.undo("ann")

    settled = store.annotations.effective().filter("settled")
    assert settled.select("annotator", "label").rows() == [("eve", "critical")]


def test_undo_when_more_was_said_of_single_messages_since_then_it_stays(store: Store) -> None:
    question = doubt(store)
    store.questions.answer(question.id, "ann", {"severity": "warning"})
    said = Annotation(question.group_id, "severity", "error", "ann", Purpose.TRAIN, NOON, message=TEXTS[2])
    store.annotations.add([said])

    store.questions.undo("ann")

    assert [row[0:4:3] for row in told(store)] == [(TEXTS[3], "info"), (TEXTS[1], "error"), (TEXTS[2], "error")]


def test_listener_when_a_doubt_is_answered_and_taken_back_then_tells_what_a_full_reading_tells(store: Store) -> None:
    listener = store.annotations.listener()
    question = doubt(store)
    settle(store, question, "error", "ann")
    listener.told()
    store.questions.answer(question.id, "ann", {"severity": "warning"})
    listener.told()

    store.questions.undo("ann")

    assert listener.told().equals(store.annotations.told())
