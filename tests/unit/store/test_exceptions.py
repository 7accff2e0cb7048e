"""Messages that an answer singles out, and answers that say which message they were about."""

from collections.abc import Sequence

import polars as pl
import pytest

from builders import NOON, a_labelled_batch
from store_fixtures import SettableClock
from vigie.errors import LabelError, QuestionError
from vigie.labels import Annotation, Purpose, Question
from vigie.quality.disagreements import disagreements
from vigie.sources.corrections import corrections
from vigie.store import GroupState, Store
from vigie.store.tables import MAX_MESSAGE_CHARACTERS

TEXTS = ["job 1 ended 0", "job 2 ended 1", "job 3 ended 0", "job 4 ended 7"]
TEMPLATE = "job <num> ended <num>"


@pytest.fixture
def store(store: Store) -> Store:
    store.record("kafka", a_labelled_batch(*[TEMPLATE] * 4, texts=TEXTS))
    return store


def ask(store: Store, annotator: str = "ann") -> Question:
    return store.questions.lease(annotator, 1, 600)[0]


def answer(store: Store, exceptions: Sequence[str], *, lease_seconds: float | None = None) -> Question:
    question = ask(store)
    store.questions.answer(question.id, "ann", {"severity": "info"}, exceptions=exceptions, lease_seconds=lease_seconds)
    return question


def told(store: Store) -> list[tuple[object, ...]]:
    return store.annotations.told().select("message", "annotator", "label", "is_exception").rows()


def state(store: Store) -> GroupState:
    group = store.pool.find(TEMPLATE)
    assert group is not None
    return group.state


def test_lease_when_newer_messages_come_then_the_question_shows_and_is_about_the_same_one(store: Store) -> None:
    first = ask(store)
    store.questions.release("ann", [first.id])
    store.record("kafka", a_labelled_batch(TEMPLATE, texts=["job 9 ended 9"], offset=4))

    again = ask(store, "bob")
    store.questions.answer(again.id, "bob", {"severity": "info"})

    assert first.message == first.samples[0] == again.message
    assert told(store) == [(first.message, "bob", "info", False)]


def test_lease_when_the_message_is_too_long_then_the_answer_says_nothing_of_it(store: Store) -> None:
    text = "x" * (MAX_MESSAGE_CHARACTERS + 1)
    store.record("kafka", a_labelled_batch(*["x"] * 9, texts=[text] * 9, offset=4))

    question = ask(store)
    store.questions.answer(question.id, "ann", {"severity": "info"})

    assert (question.samples[0], question.message) == (text, None)
    assert told(store) == [(None, "ann", "info", False)]


def test_answer_when_messages_are_excepted_then_they_are_asked_about_next_each_by_itself(store: Store) -> None:
    store.record("kafka", a_labelled_batch("other", offset=4))
    question = answer(store, ["job 2 ended 1", "job 1 ended 0", "job 2 ended 1"])

    first, second, third = store.questions.lease("ann", 3, 600)

    assert [one.message for one in (first, second)] == ["job 2 ended 1", "job 1 ended 0"]
    assert {one.parent_id for one in (first, second)} == {question.id}
    assert first.reason == {"why": "exception"}
    assert third.template == "other"
    store.questions.answer(first.id, "ann", {"severity": "error"})
    assert told(store) == [(question.message, "ann", "info", False), ("job 2 ended 1", "ann", "error", True)]
    assert store.annotations.effective()["label"].to_list() == ["info"]
    assert store.annotations.count() == 1


def test_answer_when_the_shown_message_is_excepted_then_the_answer_is_about_another(store: Store) -> None:
    question = ask(store)
    assert question.message is not None
    store.questions.answer(question.id, "ann", {"severity": "info"}, exceptions=[question.message])

    ((message, *_),) = told(store)
    assert message in set(question.samples) - {question.message}


def test_answer_when_all_messages_are_excepted_then_it_is_about_none_of_them(store: Store) -> None:
    question = ask(store)
    store.questions.answer(question.id, "ann", {"severity": "info"}, exceptions=list(question.samples))

    assert told(store) == [(None, "ann", "info", False)]


def test_answer_when_exceptions_are_leased_then_nobody_else_gets_them(store: Store) -> None:
    question = answer(store, ["job 2 ended 1"], lease_seconds=60)

    assert store.questions.lease("bob", 5, 60) == []
    (exception,) = store.questions.exceptions(question.id)
    assert exception.leased_until is not None
    store.questions.answer(exception.id, "ann", {"severity": "error"})
    assert store.questions.exceptions(question.id) == []


def test_answer_when_an_exception_is_too_long_then_nothing_is_stored(store: Store) -> None:
    question = ask(store)

    with pytest.raises(LabelError, match="characters"):
        store.questions.answer(question.id, "ann", {"severity": "info"}, exceptions=["x" * 20_001])

    assert told(store) == []
    assert store.questions.counts()["leased"] == 1


def test_exceptions_when_given_back_then_others_are_asked_and_new_rankings_leave_them(store: Store) -> None:
    answer(store, ["job 2 ended 1"])
    mine = ask(store)
    store.questions.release("ann", [mine.id])
    store.questions.replace([], kind=mine.kind)

    assert ask(store, "bob").id == mine.id


def test_exceptions_when_skipped_then_only_others_are_asked(store: Store) -> None:
    answer(store, ["job 2 ended 1"])
    store.questions.skip(ask(store).id, "ann")

    assert store.questions.lease("ann", 1, 60) == []
    assert ask(store, "bob").message == "job 2 ended 1"


def test_exceptions_when_flagged_then_the_group_stays_answered(store: Store) -> None:
    answer(store, ["job 2 ended 1"])
    store.questions.flag(ask(store).id, "ann")

    assert state(store) == GroupState.ANSWERED
    assert store.annotations.left().is_empty()
    store.questions.undo("ann")
    assert state(store) == GroupState.ANSWERED


def test_undo_when_an_answer_has_exceptions_then_all_of_it_goes_in_one_step(store: Store) -> None:
    question = answer(store, ["job 2 ended 1", "job 4 ended 7"], lease_seconds=60)
    exceptions = store.questions.exceptions(question.id)

    undone = store.questions.undo("ann")

    assert undone is not None
    assert undone.question.id == question.id
    assert undone.dropped == tuple(one.id for one in exceptions)
    assert undone.exceptions == ("job 2 ended 1", "job 4 ended 7")
    assert told(store) == []
    assert store.questions.counts() == {"open": 0, "leased": 1, "answered": 0, "skipped": 0, "flagged": 0}
    assert state(store) == GroupState.OPEN
    with pytest.raises(QuestionError):
        store.questions.answer(exceptions[0].id, "ann", {"severity": "error"})
    assert store.questions.undo("ann") is None


def test_undo_when_an_exception_was_answered_then_that_goes_first_and_the_answer_stays(store: Store) -> None:
    question = answer(store, ["job 2 ended 1"])
    exception = ask(store)
    store.questions.answer(exception.id, "ann", {"severity": "error"})

    first = store.questions.undo("ann")
    assert first is not None
    assert (first.question.id, dict(first.labels)) == (exception.id, {"severity": "error"})
    assert told(store) == [(question.message, "ann", "info", False)]
    assert state(store) == GroupState.ANSWERED

    second = store.questions.undo("ann")
    assert second is not None
    assert (second.question.id, second.dropped) == (question.id, (exception.id,))
    assert told(store) == []


def test_told_when_somebody_speaks_of_several_messages_then_each_holds(store: Store) -> None:
    group = store.pool.find(TEMPLATE)
    assert group is not None

    def say(label: str | None, message: str | None, annotator: str = "ann") -> None:
        one = Annotation(group.id, "severity", label, annotator, Purpose.TRAIN, NOON, message=message)  # type: ignore[union-attr]
        store.annotations.add([one])

    say("info", "a")
    say("error", "b")
    say("warning", "a")
    assert told(store) == [("b", "ann", "error", False), ("a", "ann", "warning", False)]
    assert store.annotations.effective()["label"].to_list() == ["warning"]

    say(None, "a")
    assert told(store) == [("b", "ann", "error", False)]
    assert state(store) == GroupState.ANSWERED

    say("info", None)  # of the whole group, whatever was said before
    assert told(store) == [(None, "ann", "info", False)]
    say("error", "c", "bob")
    say(None, None)
    assert told(store) == [("c", "bob", "error", False)]


def test_add_when_a_message_holds_what_no_database_takes_then_it_is_stored_all_the_same(
    store: Store, clock: SettableClock
) -> None:
    group = store.pool.find(TEMPLATE)
    assert group is not None
    store.annotations.add(
        [Annotation(group.id, "severity", "info", "ann", Purpose.TRAIN, clock.now, message="a\x00b \ud800")]
    )

    assert told(store) == [("a\N{SYMBOL FOR NULL}b ?", "ann", "info", False)]


def test_effective_when_somebody_else_answers_about_an_exception_then_it_is_no_answer_about_the_rest(
    store: Store,
) -> None:
    answer(store, ["job 2 ended 1"])
    exception = ask(store, "bob")
    store.questions.answer(exception.id, "bob", {"severity": "error", "category": "Data"})

    effective = store.annotations.effective()

    assert effective.select("annotator", "dimension", "label").rows() == [("ann", "severity", "info")]
    assert disagreements(effective).is_empty()
    assert corrections(history(store))[-1].labels == {"severity": "info"}


def test_undo_when_somebody_else_answered_about_its_exception_then_the_group_is_asked_about_again(
    store: Store, clock: SettableClock
) -> None:
    question = answer(store, ["job 2 ended 1"])
    exception = ask(store, "bob")
    store.questions.answer(exception.id, "bob", {"severity": "error"})

    store.questions.undo("ann")
    clock.forward(3600)

    assert state(store) == GroupState.OPEN
    assert [one.id for one in store.questions.lease("eve", 5, 60)] == [question.id]
    labels = dict(store.annotations.effective().select("dimension", "label").rows())
    assert labels == corrections(history(store))[-1].labels


def test_answer_when_the_rest_was_taken_back_meanwhile_then_the_group_stays_unanswered(store: Store) -> None:
    question = answer(store, ["job 2 ended 1", "job 3 ended 0"])
    exception = ask(store, "bob")
    store.questions.answer(exception.id, "bob", {"severity": "error"})
    store.questions.undo("ann")
    store.questions.undo("bob")

    store.questions.answer(exception.id, "bob", {"severity": "warning"})
    assert state(store) == GroupState.OPEN

    store.questions.answer(question.id, "ann", {"severity": "info"})
    assert state(store) == GroupState.ANSWERED


def history(store: Store) -> pl.DataFrame:
    return store.annotations.history().with_columns(family="template")
