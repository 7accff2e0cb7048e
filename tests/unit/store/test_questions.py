import pytest

from builders import a_labelled_batch
from store_fixtures import SettableClock, StoreMaker
from vigie.errors import LabelError, QuestionError
from vigie.labels import Annotation, Purpose, Question, QuestionKind
from vigie.store import Draft, Store
from vigie.store.leasing import MOST_OWED

STRATEGY, AUDIT = QuestionKind.STRATEGY, QuestionKind.AUDIT


@pytest.fixture
def ids(store: Store) -> dict[str, int]:
    """Six groups of different sizes; ``f`` is the largest."""
    store.record("kafka", a_labelled_batch(*"abbcccddddeeeeeffffff"))
    return dict(store.pool.counts().select("template", "group_id").iter_rows())


def queue(store: Store, kind: QuestionKind, *group_ids: int) -> int:
    drafts = [Draft(group_id, kind, rank, {"why": kind.value}) for rank, group_id in enumerate(group_ids)]
    return store.questions.replace(drafts, kind)


def templates(questions: list[Question]) -> str:
    return "".join(question.template for question in questions)


def test_lease_when_there_is_no_queue_then_asks_about_the_largest_groups(store: Store, ids: dict[str, int]) -> None:
    questions = store.questions.lease("ann", 2, 60)

    assert templates(questions) == "fe"
    assert questions[0].reason == {"why": "largest"}
    assert questions[0].count == 6
    assert questions[0].samples == ("f",) * 5
    assert questions[0].group_id == ids["f"]


def test_lease_when_there_is_a_queue_then_follows_its_order_before_the_largest(
    store: Store, ids: dict[str, int]
) -> None:
    assert queue(store, STRATEGY, ids["a"], ids["c"]) == 2

    questions = store.questions.lease("ann", 3, 60)

    assert templates(questions) == "acf"
    assert questions[0].reason == {"why": "strategy"}


def test_lease_when_pool_is_empty_then_there_is_no_question(store: Store) -> None:
    assert store.questions.lease("ann", 3, 60) == []
    assert store.questions.get(1) is None


def test_lease_when_more_are_asked_than_there_are_then_returns_all(store: Store, ids: dict[str, int]) -> None:
    assert sorted(templates(store.questions.lease("ann", 100, 60))) == sorted(ids)
    assert store.questions.lease("ann", 1, 60) == []


def test_lease_when_somebody_holds_a_question_then_nobody_else_gets_it(
    store: Store, ids: dict[str, int], clock: SettableClock
) -> None:
    mine = store.questions.lease("ann", 3, 60)
    clock.forward(59)

    theirs = store.questions.lease("bob", 100, 60)

    assert templates(mine) + templates(theirs) == "fedcba"
    assert mine[0].leased_until is not None
    assert (mine[0].leased_until - clock.now).total_seconds() == 1


def test_lease_when_it_ran_out_then_the_question_is_asked_again(
    store: Store, ids: dict[str, int], clock: SettableClock
) -> None:
    first = store.questions.lease("ann", 1, 60)[0]
    clock.forward(60)
    assert store.questions.counts()["leased"] == 0
    assert store.questions.counts()["open"] == 1

    again = store.questions.lease("bob", 1, 60)[0]

    assert again.id == first.id
    with pytest.raises(QuestionError, match="not leased to 'ann'"):
        store.questions.answer(first.id, "ann", {"severity": "info"})


def test_lease_when_asked_again_then_what_is_held_comes_first_and_for_longer(
    store: Store, ids: dict[str, int], clock: SettableClock
) -> None:
    first = store.questions.lease("ann", 1, 60, again=True)
    clock.forward(30)

    again = store.questions.lease("ann", 2, 60, again=True)

    assert templates(first) == "f"
    assert templates(again) == "fe"
    assert again[0].id == first[0].id
    assert again[0].leased_until is not None
    assert (again[0].leased_until - clock.now).total_seconds() == 60
    assert templates(store.questions.lease("bob", 1, 60, again=True)) == "d"
    assert templates(store.questions.lease("ann", 1, 60)) == "c"


def test_lease_when_asked_again_after_an_answer_then_the_next_one_comes(store: Store, ids: dict[str, int]) -> None:
    for expected in "fed":
        question = store.questions.lease("ann", 1, 60, again=True)[0]
        assert question.template == expected
        store.questions.answer(question.id, "ann", {"severity": "info"})


def test_lease_when_what_is_held_was_answered_without_its_question_then_the_next_one_comes(
    store: Store, ids: dict[str, int], clock: SettableClock
) -> None:
    store.questions.lease("ann", 1, 60, again=True)
    store.annotations.add([Annotation(ids["f"], "severity", "info", "ann", Purpose.TRAIN, clock.now, message="f")])

    assert templates(store.questions.lease("ann", 1, 60, again=True)) == "e"


@pytest.mark.parametrize("by", ["skip", "flag"])
def test_lease_when_what_is_held_is_left_then_the_next_one_comes(by: str, store: Store, ids: dict[str, int]) -> None:
    question = store.questions.lease("ann", 1, 60, again=True)[0]
    getattr(store.questions, by)(question.id, "ann")

    assert templates(store.questions.lease("ann", 1, 60, again=True)) == "e"


def test_lease_when_an_exception_is_held_then_it_comes_again_until_it_is_answered(
    store: Store, ids: dict[str, int]
) -> None:
    whole = store.questions.lease("ann", 1, 60, again=True)[0]
    store.questions.answer(whole.id, "ann", {"severity": "info"}, exceptions=["f"])
    exception, again = (store.questions.lease("ann", 1, 60, again=True)[0] for _ in range(2))

    assert exception.parent_id == again.parent_id == whole.id
    assert exception.id == again.id
    store.questions.answer(exception.id, "ann", {"severity": "error"})
    assert templates(store.questions.lease("ann", 1, 60, again=True)) == "e"


def test_lease_when_an_answer_was_taken_back_then_its_question_comes_again(store: Store, ids: dict[str, int]) -> None:
    question = store.questions.lease("ann", 1, 60, again=True)[0]
    store.questions.answer(question.id, "ann", {"severity": "info"})
    store.questions.undo("ann")

    assert [one.id for one in store.questions.lease("ann", 1, 60, again=True)] == [question.id]


def test_answer_when_the_lease_ran_out_but_nobody_took_it_then_it_counts(
    store: Store, ids: dict[str, int], clock: SettableClock
) -> None:
    first, second = store.questions.lease("ann", 2, 60)
    clock.forward(60)
    store.questions.lease("bob", 1, 60)  # opens both again, and takes the first
    queue(store, STRATEGY, ids["a"])

    store.questions.answer(second.id, "ann", {"severity": "info"})

    assert store.questions.counts()["answered"] == 1
    with pytest.raises(QuestionError):
        store.questions.answer(first.id, "ann", {"severity": "info"})


@pytest.mark.parametrize("audit_every", [1, 3, 10])
def test_lease_when_there_are_audit_questions_then_every_so_many_is_one(
    open_store: StoreMaker, audit_every: int
) -> None:
    store = open_store(audit_every=audit_every)
    store.record("kafka", a_labelled_batch(*[f"g{i}" for i in range(60)]))
    group_ids = store.pool.counts()["group_id"].to_list()
    queue(store, AUDIT, *group_ids[:5])
    queue(store, STRATEGY, *group_ids[5:])

    kinds = [store.questions.lease("ann", 1, 60)[0].kind for _ in range(12)]
    kinds += [question.kind for question in store.questions.lease("bob", 28, 60)]

    due = [(i + 1) % audit_every == 0 and (i + 1) // audit_every <= 5 for i in range(40)]
    assert [kind == AUDIT for kind in kinds] == due


def test_lease_when_an_audit_question_was_due_and_missing_then_the_next_one_comes_first(open_store: StoreMaker) -> None:
    store = open_store(audit_every=2)
    store.record("kafka", a_labelled_batch(*"abcdef"))
    store.questions.lease("ann", 3, 60)
    group = store.pool.find("a")
    assert group is not None
    assert queue(store, AUDIT, group.id) == 1

    assert [question.kind for question in store.questions.lease("ann", 2, 60)] == [AUDIT, STRATEGY]


@pytest.mark.parametrize("audit_every", [2, 3, 10])
def test_lease_when_audit_questions_were_missing_for_long_then_a_few_are_made_up_for(
    open_store: StoreMaker, audit_every: int
) -> None:
    store = open_store(audit_every=audit_every)
    store.record("kafka", a_labelled_batch(*[f"g{i}" for i in range(90)]))
    group_ids = store.pool.counts()["group_id"].to_list()
    queue(store, STRATEGY, *group_ids[:70])
    store.questions.lease("ann", 55, 60)
    queue(store, AUDIT, *group_ids[70:])

    kinds = [question.kind for question in store.questions.lease("bob", MOST_OWED + 1 + audit_every, 60)]

    made_up, later = [AUDIT] * (1 + MOST_OWED), [STRATEGY] * (audit_every - 1)
    assert kinds == [*made_up, *later, AUDIT]


def test_lease_when_only_audit_questions_are_left_then_returns_them(open_store: StoreMaker) -> None:
    store = open_store(audit_every=0)
    store.record("kafka", a_labelled_batch("a", "b"))
    queue(store, AUDIT, *store.pool.counts()["group_id"])

    assert [question.kind for question in store.questions.lease("ann", 3, 60)] == [AUDIT, AUDIT]


def test_replace_when_asked_again_then_only_open_questions_of_that_kind_go(store: Store, ids: dict[str, int]) -> None:
    queue(store, STRATEGY, ids["a"], ids["b"], ids["c"])
    queue(store, AUDIT, ids["d"])
    held = store.questions.lease("ann", 1, 60)[0]

    assert queue(store, STRATEGY, ids["e"]) == 1

    assert templates(store.questions.lease("bob", 1, 60)) == "e"
    assert store.questions.get(held.id) is not None
    assert store.questions.counts() == {"open": 1, "leased": 2, "answered": 0, "skipped": 0, "flagged": 0}


def test_replace_when_groups_are_answered_leased_flagged_or_gone_then_they_get_no_question(
    store: Store, ids: dict[str, int]
) -> None:
    answered, flagged, leased = store.questions.lease("ann", 3, 60)
    store.questions.answer(answered.id, "ann", {"severity": "info"})
    store.questions.flag(flagged.id, "ann", "no idea")

    assert queue(store, STRATEGY, *ids.values(), 12345, ids["a"]) == 3

    rest = store.questions.lease("bob", 10, 60)
    assert sorted(templates(rest)) == ["a", "b", "c"]
    assert leased.template == "d"


def test_replace_when_a_group_is_drawn_for_audit_then_it_is_not_asked_twice(store: Store, ids: dict[str, int]) -> None:
    queue(store, STRATEGY, ids["a"], ids["b"])
    assert queue(store, AUDIT, ids["a"]) == 1
    assert queue(store, STRATEGY, ids["a"], ids["b"]) == 1

    asked = {question.template: question.kind for question in store.questions.lease("ann", 10, 60)}

    assert asked["a"] == AUDIT
    assert asked["b"] == STRATEGY
    assert len(asked) == 6


def test_replace_when_there_are_no_drafts_then_the_queue_is_empty(store: Store, ids: dict[str, int]) -> None:
    queue(store, STRATEGY, ids["a"])

    assert queue(store, STRATEGY) == 0
    assert store.questions.counts()["open"] == 0


def test_replace_when_reason_holds_odd_numbers_then_they_are_kept_or_null(store: Store, ids: dict[str, int]) -> None:
    import numpy as np

    reason = {"margin": np.float64(0.25), "entropy": float("nan"), "words": ["\x00", 1]}
    store.questions.replace([Draft(ids["a"], STRATEGY, 0, reason)], STRATEGY)

    question = store.questions.lease("ann", 1, 60)[0]

    assert question.reason == {"margin": 0.25, "entropy": None, "words": ["\x00", 1]}


def test_answer_when_given_then_annotations_carry_everything(
    store: Store, ids: dict[str, int], clock: SettableClock
) -> None:
    question = store.questions.lease("ann", 1, 60)[0]
    clock.forward(5)

    made = store.questions.answer(
        question.id, "ann", {"severity": "info", "category": "Data"}, model_version="3", duration_seconds=4.5
    )

    history = store.annotations.history().sort("id")
    assert history["id"].to_list() == made
    assert history["dimension"].to_list() == ["severity", "category"]
    assert history["label"].to_list() == ["info", "Data"]
    first = history.row(0, named=True)
    assert (first["group_id"], first["annotator"], first["purpose"]) == (ids["f"], "ann", "train")
    assert (first["question_id"], first["model_version"], first["duration_seconds"]) == (question.id, "3", 4.5)
    assert first["created_at"] == clock.now


def test_answer_when_question_was_drawn_for_audit_then_annotations_only_measure(
    store: Store, ids: dict[str, int]
) -> None:
    queue(store, AUDIT, *ids.values())
    question = store.questions.lease("ann", 10, 60)[-1]
    assert question.kind == AUDIT

    store.questions.answer(question.id, "ann", {"severity": "info"})

    assert store.annotations.effective()["purpose"].to_list() == ["audit"]


def test_answer_when_given_twice_then_the_second_is_refused(store: Store, ids: dict[str, int]) -> None:
    question = store.questions.lease("ann", 1, 60)[0]
    store.questions.answer(question.id, "ann", {"severity": "info"})

    with pytest.raises(QuestionError, match="already answered"):
        store.questions.answer(question.id, "ann", {"severity": "error"})

    assert store.annotations.history().height == 1


def test_answer_when_question_is_unknown_or_anothers_then_it_is_refused(store: Store, ids: dict[str, int]) -> None:
    question = store.questions.lease("ann", 1, 60)[0]

    with pytest.raises(QuestionError, match="question 999 does not exist"):
        store.questions.answer(999, "ann", {"severity": "info"})
    with pytest.raises(QuestionError, match="not leased to 'bob'"):
        store.questions.answer(question.id, "bob", {"severity": "info"})
    for close in (store.questions.skip, store.questions.flag):
        with pytest.raises(QuestionError):
            close(question.id, "bob")
    assert store.annotations.last_id() == 0


def test_answer_when_no_label_is_given_then_it_is_refused(store: Store, ids: dict[str, int]) -> None:
    question = store.questions.lease("ann", 1, 60)[0]

    with pytest.raises(LabelError, match="without a label"):
        store.questions.answer(question.id, "ann", {})


def test_skip_when_done_then_others_are_asked_and_the_annotator_is_not(store: Store, ids: dict[str, int]) -> None:
    queue(store, STRATEGY, ids["a"])
    question = store.questions.lease("ann", 1, 60)[0]
    store.questions.skip(question.id, "ann")
    queue(store, STRATEGY, ids["a"], ids["b"])

    assert templates(store.questions.lease("ann", 10, 60)) == "bfedc"
    assert templates(store.questions.lease("bob", 10, 60)) == "a"


def test_skip_when_the_question_was_for_audit_then_it_stays_one_for_others(store: Store, ids: dict[str, int]) -> None:
    queue(store, AUDIT, *ids.values())
    question = store.questions.lease("ann", 1, 60)[0]
    store.questions.skip(question.id, "ann")

    other = next(q for q in store.questions.lease("bob", 10, 60) if q.group_id == question.group_id)

    assert other.kind == AUDIT
    assert other.id != question.id


def test_flag_when_done_then_nobody_is_asked_again(store: Store, ids: dict[str, int]) -> None:
    question = store.questions.lease("ann", 1, 60)[0]

    store.questions.flag(question.id, "ann", "two messages in one")

    assert "f" not in templates(store.questions.lease("bob", 10, 60))
    assert store.questions.counts()["flagged"] == 1


def test_release_when_questions_are_given_back_then_others_get_them(store: Store, ids: dict[str, int]) -> None:
    mine = store.questions.lease("ann", 2, 60)
    store.questions.release("bob", [mine[0].id])
    store.questions.release("ann", [mine[1].id, 999])

    assert templates(store.questions.lease("bob", 1, 60)) == "e"
    with pytest.raises(QuestionError):
        store.questions.answer(mine[1].id, "ann", {"severity": "info"})


def test_renew_when_still_held_then_the_lease_is_longer(
    store: Store, ids: dict[str, int], clock: SettableClock
) -> None:
    first, second = store.questions.lease("ann", 2, 60)
    clock.forward(61)
    store.questions.lease("bob", 1, 60)

    assert store.questions.renew("ann", [first.id, second.id, 999], 60) == [second.id]
    assert store.questions.renew("carl", [first.id, second.id], 60) == []
    clock.forward(59)
    assert templates(store.questions.lease("carl", 1, 60)) == "d"


def test_get_when_question_is_closed_then_it_is_still_there(store: Store, ids: dict[str, int]) -> None:
    question = store.questions.lease("ann", 1, 60)[0]
    assert store.questions.get(question.id) == question
    store.questions.answer(question.id, "ann", {"severity": "info"})

    closed = store.questions.get(question.id)

    assert closed is not None
    assert (closed.template, closed.leased_until) == ("f", None)


def test_lease_when_annotator_name_is_odd_then_it_is_the_same_person(store: Store, ids: dict[str, int]) -> None:
    question = store.questions.lease("a\x00\ud800", 1, 60)[0]

    assert store.questions.answer(question.id, "a\x00\ud800", {"severity": "info"}) == [1]
    assert store.questions.undo("a\x00\ud800") is not None
