import pytest

from builders import NOON, a_labelled_batch
from store_fixtures import SettableClock
from vigie.errors import QuestionError
from vigie.labels import Annotation, Check, Purpose, Question
from vigie.store import CheckDraft, GroupState, Store, Undone


@pytest.fixture
def store(store: Store) -> Store:
    store.record("kafka", a_labelled_batch(*"abbcccdddd"))
    return store


def ask(store: Store, annotator: str = "ann") -> Question:
    return store.questions.lease(annotator, 1, 600)[0]


def undo(store: Store, annotator: str = "ann") -> Undone:
    undone = store.questions.undo(annotator)
    assert undone is not None
    return undone


def test_undo_when_nothing_was_done_then_there_is_nothing_to_take_back(store: Store) -> None:
    ask(store)

    assert store.questions.undo("ann") is None


def test_undo_when_answered_then_returns_the_labels_and_leases_the_question_again(
    store: Store, clock: SettableClock
) -> None:
    question = ask(store)
    store.questions.answer(question.id, "ann", {"severity": "info", "category": "Data"})
    clock.forward(5)

    undone = undo(store)

    assert undone.action == "answered"
    assert undone.labels == {"severity": "info", "category": "Data"}
    assert undone.question.id == question.id
    assert undone.question.leased_until is not None
    assert undone.question.leased_until > clock.now
    assert store.annotations.effective().height == 0
    assert store.annotations.count() == 0
    assert store.questions.counts()["leased"] == 1
    assert store.questions.answer(question.id, "ann", {"severity": "error"})
    assert store.annotations.effective()["label"].to_list() == ["error"]


def test_undo_when_answered_then_the_history_keeps_both_and_names_the_purpose(store: Store) -> None:
    question = ask(store)
    store.questions.answer(question.id, "ann", {"severity": "info"})
    undo(store)

    history = store.annotations.history()

    assert history["label"].to_list() == [None, "info"]
    assert history["purpose"].to_list() == ["train", "train"]
    assert history["question_id"].to_list() == [question.id] * 2


def test_undo_when_repeated_then_goes_back_any_number_of_steps_of_every_kind(store: Store) -> None:
    first, second, third = store.questions.lease("ann", 3, 600)
    store.questions.answer(first.id, "ann", {"severity": "info"})
    store.questions.skip(second.id, "ann")
    store.questions.flag(third.id, "ann", "odd")

    undone = [undo(store) for _ in range(3)]

    assert [u.question.id for u in undone] == [third.id, second.id, first.id]
    assert [u.action for u in undone] == ["flagged", "skipped", "answered"]
    assert [dict(u.labels) for u in undone] == [{}, {}, {"severity": "info"}]
    assert store.questions.undo("ann") is None
    assert store.questions.counts() == {"open": 0, "leased": 3, "answered": 0, "skipped": 0, "flagged": 0}
    assert store.pool.unlabelled().height == 4


def test_undo_when_answered_again_afterwards_then_takes_back_the_new_answer(store: Store) -> None:
    question = ask(store)
    for label in ("info", "error"):
        store.questions.answer(question.id, "ann", {"severity": label})
        assert undo(store).labels == {"severity": label}


def test_undo_when_others_answered_too_then_only_the_own_step_is_taken_back(store: Store) -> None:
    mine, theirs = ask(store), ask(store, "bob")
    store.questions.answer(mine.id, "ann", {"severity": "info"})
    store.questions.answer(theirs.id, "bob", {"severity": "error"})

    assert undo(store).question.id == mine.id
    assert store.annotations.effective()["annotator"].to_list() == ["bob"]


def test_undo_when_skipped_then_the_open_copy_for_others_goes(store: Store) -> None:
    question = ask(store)
    store.questions.skip(question.id, "ann")
    assert store.questions.counts()["open"] == 1

    undo(store)

    assert store.questions.counts() == {"open": 0, "leased": 1, "answered": 0, "skipped": 0, "flagged": 0}
    assert question.template not in {q.template for q in store.questions.lease("bob", 10, 600)}


def test_undo_when_somebody_else_is_asked_meanwhile_then_the_step_before_is_taken_back(store: Store) -> None:
    answered, skipped = store.questions.lease("ann", 2, 600)
    store.questions.answer(answered.id, "ann", {"severity": "info"})
    store.questions.skip(skipped.id, "ann")
    other = ask(store, "bob")
    assert other.group_id == skipped.group_id

    assert undo(store).question.id == answered.id
    assert store.questions.undo("ann") is None
    store.questions.answer(other.id, "bob", {"severity": "info"})


@pytest.mark.parametrize("who", ["bob", "ann"])
def test_undo_when_a_second_look_is_leased_then_it_is_withdrawn(store: Store, who: str) -> None:
    older, newer = store.questions.lease("ann", 2, 600)
    for question in (older, newer):
        store.questions.answer(question.id, "ann", {"severity": "info"})
    kind = Check.DOUBT if who == "ann" else Check.SECOND
    store.checks.replace([CheckDraft(newer.group_id, kind, asked_of=who)], kind)
    look = next(one for one in store.questions.lease(who, 10, 600) if one.group_id == newer.group_id)

    assert undo(store).question.id == newer.id

    assert store.annotations.effective()["group_id"].to_list() == [older.group_id]
    assert store.checks.waiting().is_empty()
    assert store.checks.closed().is_empty()
    with pytest.raises(QuestionError, match="ask for the next one"):
        store.questions.answer(look.id, who, {"severity": "error"})


def test_undo_when_a_second_look_was_taken_back_before_then_it_is_withdrawn(store: Store, clock: SettableClock) -> None:
    question = ask(store)
    store.questions.answer(question.id, "ann", {"severity": "info"})
    store.checks.replace([CheckDraft(question.group_id, Check.SECOND)], Check.SECOND)
    look = next(one for one in store.questions.lease("bob", 10, 60) if one.group_id == question.group_id)
    store.questions.answer(look.id, "bob", {"severity": "error"})
    undo(store, "bob")
    clock.forward(3600)

    assert undo(store).question.id == question.id
    assert store.annotations.effective().is_empty()


def test_undo_when_skipped_then_the_annotator_may_be_asked_again(store: Store) -> None:
    question = ask(store)
    store.questions.skip(question.id, "ann")
    undo(store)
    store.questions.release("ann", [question.id])

    assert question.id in {q.id for q in store.questions.lease("ann", 10, 600)}


def test_undo_when_flagged_then_the_group_is_unlabelled_again(store: Store) -> None:
    question = ask(store)
    store.questions.flag(question.id, "ann")
    undo(store)

    group = store.pool.group(question.group_id)
    assert group is not None
    assert group.state == GroupState.OPEN


def test_undo_when_flagged_after_somebody_answered_then_the_group_is_answered_again(store: Store) -> None:
    question = ask(store)
    store.annotations.add([Annotation(question.group_id, "severity", "info", "bob", Purpose.TRAIN, NOON)])
    store.questions.flag(question.id, "ann")
    undo(store)

    group = store.pool.group(question.group_id)
    assert group is not None
    assert group.state == GroupState.ANSWERED


def test_undo_when_the_annotator_said_otherwise_since_then_the_newer_annotation_stays(store: Store) -> None:
    question = ask(store)
    store.questions.answer(question.id, "ann", {"severity": "info", "category": "Data"})
    store.annotations.add([Annotation(question.group_id, "severity", "error", "ann", Purpose.TRAIN, NOON)])

    assert undo(store).labels == {"category": "Data"}
    assert store.annotations.effective()["label"].to_list() == ["error"]


def test_undo_when_the_lease_it_gave_ran_out_then_others_are_asked(store: Store, clock: SettableClock) -> None:
    question = ask(store)
    store.questions.answer(question.id, "ann", {"severity": "info"})
    assert store.questions.undo("ann", seconds=30) is not None
    clock.forward(30)

    again = store.questions.lease("bob", 10, 600)

    assert question.id in {q.id for q in again}
    with pytest.raises(QuestionError):
        store.questions.answer(question.id, "ann", {"severity": "info"})


def test_undo_when_the_queue_is_replaced_then_the_question_with_a_history_stays(store: Store) -> None:
    from vigie.labels import QuestionKind

    question = ask(store)
    store.questions.answer(question.id, "ann", {"severity": "info"})
    undo(store)
    store.questions.release("ann", [question.id])

    assert store.questions.replace([], QuestionKind.STRATEGY) == 1
    assert store.annotations.history()["question_id"].to_list() == [question.id] * 2
