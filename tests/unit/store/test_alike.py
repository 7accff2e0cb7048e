import threading
from collections.abc import Callable, Sequence

import pytest

from builders import NOON, a_labelled_batch
from store_fixtures import SettableClock, StoreMaker
from vigie.errors import QuestionError, UnknownQuestionError
from vigie.labels import Annotation, Check, Purpose, Question, QuestionKind
from vigie.store import CheckDraft, Draft, GroupState, Store

STRATEGY, AUDIT = QuestionKind.STRATEGY, QuestionKind.AUDIT
GIVEN = {"severity": "info", "category": "Data"}
Answer = Callable[..., list[int]]


@pytest.fixture
def ids(store: Store) -> dict[str, int]:
    """Six groups of different sizes; ``f`` is the largest."""
    store.record("kafka", a_labelled_batch(*"abbcccddddeeeeeffffff"))
    return dict(store.pool.counts().select("template", "group_id").iter_rows())


@pytest.fixture
def asked(store: Store, ids: dict[str, int]) -> Question:
    """The question about group ``f``, which ann holds."""
    return store.questions.lease("ann", 1, 600)[0]


def said(store: Store) -> dict[str, str]:
    """Return what holds in the dimension severity, by template."""
    holds = store.annotations.effective().filter(dimension="severity")
    return dict(holds.select("template", "label").iter_rows())


def open_groups(store: Store) -> set[str]:
    return set(store.pool.unlabelled()["template"])


def test_answer_when_groups_take_it_along_then_all_are_answered_in_one_step(
    store: Store, ids: dict[str, int], asked: Question
) -> None:
    annotation_ids = store.questions.answer(
        asked.id, "ann", GIVEN, model_version="3", duration_seconds=2.5, also=[ids["c"], ids["a"]]
    )

    assert store.alike.taken(asked.id) == [ids["c"], ids["a"]]
    assert len(annotation_ids) == 6
    assert said(store) == dict.fromkeys("fca", "info")
    assert open_groups(store) == set("bde")
    assert store.questions.steps() == 1
    assert store.annotations.count() == 3


def test_answer_when_groups_take_it_along_then_the_record_says_so(
    store: Store, ids: dict[str, int], asked: Question
) -> None:
    store.questions.answer(asked.id, "ann", GIVEN, model_version="3", duration_seconds=2.5, also=[ids["c"]])

    history = store.annotations.history().filter(group_id=ids["c"])
    along = store.questions.get(history["question_id"][0])
    assert along is not None
    assert along.reason == {"why": "similar", "to": asked.id, "size": 3}
    assert set(history["purpose"]) == {"train"}
    assert set(history["annotator"]) == {"ann"}
    assert set(history["model_version"]) == {"3"}
    assert set(history["duration_seconds"]) == {None}
    assert set(store.annotations.history().filter(group_id=ids["f"])["duration_seconds"]) == {2.5}


def test_answer_when_groups_take_it_along_then_nobody_is_asked_about_them(
    store: Store, ids: dict[str, int], asked: Question
) -> None:
    drafts = [Draft(ids[name], STRATEGY, rank, {"why": "random"}) for rank, name in enumerate("cab")]
    store.questions.replace(drafts, STRATEGY)
    mine = store.questions.lease("ann", 1, 600)

    store.questions.answer(asked.id, "ann", GIVEN, also=[ids["c"], ids["a"], ids["d"]])

    assert [question.group_id for question in mine] == [ids["c"]]
    assert {question.template for question in store.questions.lease("bob", 10, 600)} == set("be")
    with pytest.raises(QuestionError):
        store.questions.answer(mine[0].id, "ann", GIVEN)
    assert store.questions.replace(drafts, STRATEGY) == 0


def test_answer_when_some_groups_may_not_take_it_then_only_the_others_do(
    store: Store, ids: dict[str, int], asked: Question, clock: SettableClock
) -> None:
    held = store.questions.lease("bob", 1, 600)[0]
    store.annotations.add([Annotation(ids["d"], "severity", "error", "bob", Purpose.TRAIN, clock.now)])
    store.audit.draw([ids["c"]])
    flagged = store.questions.lease("eve", 1, 600)[0]
    store.questions.flag(flagged.id, "eve")

    store.questions.answer(asked.id, "ann", GIVEN, also=list(ids.values()))

    assert (held.template, flagged.template) == ("e", "c")
    assert store.alike.taken(asked.id) == [ids["a"], ids["b"]]
    assert said(store) == {"f": "info", "a": "info", "b": "info", "d": "error"}
    assert store.questions.answer(held.id, "bob", GIVEN)


def test_answer_when_a_group_waits_as_an_audit_question_then_it_is_left_out(
    store: Store, ids: dict[str, int], asked: Question
) -> None:
    store.questions.replace([Draft(ids["a"], AUDIT, 0, {"why": "audit"})], AUDIT)

    store.questions.answer(asked.id, "ann", GIVEN, also=[ids["a"], ids["b"]])

    assert store.alike.taken(asked.id) == [ids["b"]]
    assert store.questions.counts()["open"] == 1


def test_answer_when_the_lease_of_another_ran_out_then_the_group_takes_it(
    store: Store, ids: dict[str, int], asked: Question, clock: SettableClock
) -> None:
    held = store.questions.lease("bob", 1, 60)[0]
    clock.forward(61)

    store.questions.answer(asked.id, "ann", GIVEN, also=[held.group_id])

    assert store.alike.taken(asked.id) == [held.group_id]
    with pytest.raises(QuestionError, match="not leased to 'bob'"):
        store.questions.answer(held.id, "bob", GIVEN)


def test_answer_when_the_question_measures_then_no_other_group_takes_it(store: Store, ids: dict[str, int]) -> None:
    store.questions.replace([Draft(ids["a"], AUDIT, 0, {"why": "audit"})], AUDIT)
    asked = next(one for one in store.questions.lease("ann", 6, 600) if one.kind is AUDIT)

    with pytest.raises(QuestionError, match="drawn for audit"):
        store.questions.answer(asked.id, "ann", GIVEN, also=[ids["b"]])
    with pytest.raises(QuestionError, match="drawn for audit"):
        store.alike.question(asked.id, "ann")

    assert store.annotations.count() == 0
    assert store.questions.answer(asked.id, "ann", GIVEN)


@pytest.mark.parametrize("rubbish", [0, -1, 99, 2**63 - 1])
def test_answer_when_a_group_never_was_then_nothing_is_stored(
    store: Store, ids: dict[str, int], asked: Question, rubbish: int
) -> None:
    with pytest.raises(UnknownQuestionError, match=f"group {rubbish} was never in the pool"):
        store.questions.answer(asked.id, "ann", GIVEN, also=[ids["a"], rubbish])

    assert store.annotations.history().height == 0
    assert store.questions.counts()["leased"] == 1
    assert store.pool.answered() == 0


def test_answer_when_a_group_was_evicted_then_it_is_left_out(open_store: StoreMaker, clock: SettableClock) -> None:
    store = open_store(max_groups=3)
    store.record("kafka", a_labelled_batch(*"aaab"))
    gone = store.pool.find("b")
    assert gone is not None
    store.record("kafka", a_labelled_batch(*"ccddee", offset=10))
    asked = store.questions.lease("ann", 1, 600)[0]

    store.questions.answer(asked.id, "ann", GIVEN, also=[gone.id])

    assert store.pool.group(gone.id) is None
    assert store.alike.taken(asked.id) == []
    assert store.annotations.count() == 1


def test_answer_when_a_group_is_named_twice_or_is_its_own_then_it_takes_it_once(
    store: Store, ids: dict[str, int], asked: Question
) -> None:
    store.questions.answer(asked.id, "ann", GIVEN, also=[ids["a"], asked.group_id, ids["a"]])

    assert store.alike.taken(asked.id) == [ids["a"]]
    assert store.annotations.history().height == 4


def test_answer_when_two_annotators_want_the_same_groups_at_once_then_each_is_answered_once(
    store: Store, ids: dict[str, int]
) -> None:
    mine, theirs = (store.questions.lease(name, 1, 600)[0] for name in ("ann", "bob"))
    rest = [ids[name] for name in "abcd"]
    threads = [
        threading.Thread(target=store.questions.answer, args=(one.id, name, GIVEN), kwargs={"also": rest})
        for one, name in ((mine, "ann"), (theirs, "bob"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(store.alike.taken(mine.id) + store.alike.taken(theirs.id)) == sorted(rest)
    assert store.annotations.history().height == 12


def test_undo_when_groups_took_it_along_then_all_are_taken_back_at_once(
    store: Store, ids: dict[str, int], asked: Question
) -> None:
    store.questions.answer(asked.id, "ann", GIVEN, also=[ids["a"], ids["b"]])

    undone = store.questions.undo("ann")

    assert undone is not None
    assert (undone.question.id, undone.labels, undone.also) == (asked.id, GIVEN, (ids["a"], ids["b"]))
    assert said(store) == {}
    assert store.annotations.history().height == 12
    assert open_groups(store) == set("abcdef")
    assert store.questions.counts() == {"open": 0, "leased": 1, "answered": 0, "skipped": 0, "flagged": 0}
    assert store.alike.taken(asked.id) == []
    assert store.questions.undo("ann") is None


def test_undo_when_it_was_answered_anew_then_only_the_new_step_counts(
    store: Store, ids: dict[str, int], asked: Question
) -> None:
    store.questions.answer(asked.id, "ann", GIVEN, also=[ids["a"], ids["b"]])
    store.questions.undo("ann")
    store.questions.answer(asked.id, "ann", {"severity": "error"}, also=[ids["b"]])

    assert store.alike.taken(asked.id) == [ids["b"]]
    assert said(store) == {"f": "error", "b": "error"}
    undone = store.questions.undo("ann")
    assert undone is not None
    assert undone.also == (ids["b"],)
    assert said(store) == {}


def test_undo_when_something_was_open_before_then_it_is_open_again(
    store: Store, ids: dict[str, int], asked: Question
) -> None:
    reason = {"why": "random", "size": 1}
    store.questions.replace([Draft(ids["a"], STRATEGY, 0, reason)], STRATEGY)
    store.questions.answer(asked.id, "ann", GIVEN, also=[ids["a"], ids["b"]])
    store.questions.undo("ann")

    again = store.questions.lease("bob", 1, 600)[0]

    assert (again.group_id, again.reason) == (ids["a"], reason)
    assert store.questions.replace([Draft(ids["b"], STRATEGY, 0)], STRATEGY) == 1


def test_undo_when_the_group_is_answered_another_way_then_its_question_is_not_open_for_ever(
    store: Store, ids: dict[str, int], asked: Question
) -> None:
    store.questions.replace([Draft(ids["a"], STRATEGY, 0), Draft(ids["b"], STRATEGY, 1)], STRATEGY)
    store.questions.answer(asked.id, "ann", GIVEN, also=[ids["a"], ids["b"]])
    store.questions.undo("ann")
    assert store.questions.counts()["open"] == 2

    store.annotations.add([Annotation(ids["a"], "severity", "error", "bob", Purpose.TRAIN, NOON)])
    store.checks.settle([Annotation(ids["b"], "severity", "error", "bob", Purpose.TRAIN, NOON)])

    assert store.questions.counts()["open"] == 0
    drafts = [CheckDraft(ids["a"], Check.SECOND), CheckDraft(ids["b"], Check.SECOND)]
    assert store.checks.replace(drafts, Check.SECOND) == 2


def test_undo_when_the_group_was_answered_since_then_its_question_is_not_opened_again(
    store: Store, ids: dict[str, int], asked: Question
) -> None:
    store.questions.replace([Draft(ids["a"], STRATEGY, 0)], STRATEGY)
    store.questions.answer(asked.id, "ann", GIVEN, also=[ids["a"]])
    store.annotations.add([Annotation(ids["a"], "severity", "error", "bob", Purpose.TRAIN, NOON)])

    store.questions.undo("ann")

    assert store.questions.counts()["open"] == 0
    assert said(store) == {"a": "error"}


def test_undo_when_an_earlier_step_comes_next_then_the_groups_stay_out_of_it(
    store: Store, ids: dict[str, int], asked: Question
) -> None:
    store.questions.answer(asked.id, "ann", {"severity": "error"})
    later = store.questions.lease("ann", 1, 600)[0]
    store.questions.answer(later.id, "ann", GIVEN, also=[ids["a"], ids["b"]])

    first, second = store.questions.undo("ann"), store.questions.undo("ann")

    assert first is not None
    assert second is not None
    assert (first.question.id, len(first.also)) == (later.id, 2)
    assert (second.question.id, second.also) == (asked.id, ())


def test_undo_when_the_annotator_said_otherwise_of_a_group_since_then_that_stays(
    store: Store, ids: dict[str, int], asked: Question, clock: SettableClock
) -> None:
    store.questions.answer(asked.id, "ann", {"severity": "info"}, also=[ids["a"], ids["b"]])
    later = [
        Annotation(ids["a"], "severity", "error", "ann", Purpose.TRAIN, clock.now),
        Annotation(ids["b"], "severity", "warning", "bob", Purpose.TRAIN, clock.now),
    ]
    store.annotations.add(later)

    store.questions.undo("ann")

    assert said(store) == {"a": "error", "b": "warning"}
    assert open_groups(store) == set("cdef")


def test_undo_when_somebody_else_undoes_then_nothing_of_it_is_touched(
    store: Store, ids: dict[str, int], asked: Question
) -> None:
    store.questions.answer(asked.id, "ann", GIVEN, also=[ids["a"]])

    assert store.questions.undo("bob") is None
    assert said(store) == {"f": "info", "a": "info"}


def test_offers_when_asked_for_then_free_groups_come_in_the_order_given(
    store: Store, ids: dict[str, int], asked: Question
) -> None:
    store.record("kafka", a_labelled_batch("a", texts=["a, the newest"], offset=100))
    store.questions.replace([Draft(ids["b"], STRATEGY, 0)], STRATEGY)

    offers = store.alike.offers("ann", [ids["b"], 999, ids["a"], ids["f"]], 10)

    assert [(offer.group_id, offer.count) for offer in offers] == [(ids["b"], 2), (ids["a"], 2), (ids["f"], 6)]
    assert offers[1].text in {"a", "a, the newest"}
    assert store.alike.offers("ann", [ids["b"], ids["a"], ids["f"]], 2) == offers[:2]


def test_offers_when_groups_are_taken_then_they_are_left_out(
    store: Store, ids: dict[str, int], asked: Question, clock: SettableClock
) -> None:
    held = store.questions.lease("bob", 1, 60)[0]
    store.annotations.add([Annotation(ids["d"], "severity", "error", "bob", Purpose.TRAIN, clock.now)])
    store.audit.draw([ids["c"]])
    skipped = next(one for one in store.questions.lease("ann", 6, 60) if one.template == "b")
    store.questions.skip(skipped.id, "ann")

    assert [offer.group_id for offer in store.alike.offers("ann", sorted(ids.values()), 10)] == [ids["a"], ids["f"]]
    clock.forward(61)
    assert held.group_id in {offer.group_id for offer in store.alike.offers("ann", sorted(ids.values()), 10)}


def test_groups_when_asked_for_then_the_largest_come_first_without_those_drawn(
    store: Store, ids: dict[str, int], asked: Question
) -> None:
    store.audit.draw([ids["e"]])
    store.questions.answer(asked.id, "ann", GIVEN)

    assert store.alike.groups(3) == [ids["d"], ids["c"], ids["b"]]
    assert store.alike.templates([ids["b"], 999, ids["a"]])["template"].to_list() == ["a", "b"]
    group = store.pool.group(ids["f"])
    assert group is not None
    assert group.state is GroupState.ANSWERED


@pytest.fixture
def family(store: Store) -> tuple[Question, int]:
    """A group of two messages that ann is asked about, and the id of another one like it."""
    texts = ["job 1 ended", "job 2 ended", "job of three ended"]
    store.record("kafka", a_labelled_batch("job <num> ended", "job <num> ended", "job of three ended", texts=texts))
    other = store.pool.find("job of three ended")
    assert other is not None
    return store.questions.lease("ann", 1, 600)[0], other.id


def test_undo_when_an_answer_had_exceptions_and_similar_groups_then_all_goes_in_one_step(
    store: Store, family: tuple[Question, int]
) -> None:
    question, other = family
    store.questions.answer(question.id, "ann", GIVEN, exceptions=["job 1 ended"], lease_seconds=60, also=[other])
    (exception,) = store.questions.exceptions(question.id)
    assert said(store) == {"job <num> ended": "info", "job of three ended": "info"}

    undone = store.questions.undo("ann")

    assert undone is not None
    assert (undone.question.id, undone.dropped, undone.also) == (question.id, (exception.id,), (other,))
    assert said(store) == {}
    assert open_groups(store) == {"job <num> ended", "job of three ended"}
    assert store.questions.undo("ann") is None


def test_answer_when_groups_take_it_along_then_only_the_one_asked_about_names_its_message(
    store: Store, family: tuple[Question, int]
) -> None:
    question, other = family
    store.questions.answer(question.id, "ann", GIVEN, also=[other])

    told = store.annotations.told().filter(dimension="severity").select("template", "message", "is_exception")
    assert told.rows() == [("job <num> ended", question.message, False), ("job of three ended", None, False)]


def test_answer_when_the_question_is_about_one_message_then_no_group_may_take_it(
    store: Store, family: tuple[Question, int]
) -> None:
    question, other = family
    store.questions.answer(question.id, "ann", GIVEN, exceptions=["job 1 ended"], lease_seconds=60)
    (exception,) = store.questions.exceptions(question.id)

    with pytest.raises(QuestionError, match="is about one message alone"):
        store.alike.question(exception.id, "ann")
    with pytest.raises(QuestionError, match="is about one message alone"):
        store.questions.answer(exception.id, "ann", GIVEN, also=[other])

    assert set(said(store)) == {"job <num> ended"}
    assert [one.id for one in store.questions.exceptions(question.id)] == [exception.id]


def test_answer_when_a_group_has_an_exception_that_waits_then_it_stays_a_question_of_its_own(
    store: Store, family: tuple[Question, int]
) -> None:
    question, other = family
    store.questions.answer(question.id, "ann", GIVEN, exceptions=["job 1 ended"])
    store.annotations.add([Annotation(question.group_id, name, None, "ann", Purpose.TRAIN, NOON) for name in GIVEN])
    store.questions.replace([Draft(other, STRATEGY, 0.0)], STRATEGY)
    bob = next(one for one in store.questions.lease("bob", 2, 600) if one.group_id == other)
    assert [one.group_id for one in store.alike.offers("bob", [question.group_id], 5)] == [question.group_id]

    store.questions.answer(bob.id, "bob", GIVEN, also=[question.group_id])

    assert store.alike.taken(bob.id) == [question.group_id]
    assert [one.message for one in store.questions.exceptions(question.id)] == ["job 1 ended"]
    undone = store.questions.undo("bob")
    assert undone is not None
    assert undone.also == (question.group_id,)
    assert [one.message for one in store.questions.exceptions(question.id)] == ["job 1 ended"]


def test_offers_when_a_group_was_split_then_its_parts_are_offered_and_it_is_not(
    store: Store, family: tuple[Question, int]
) -> None:
    question, _ = family
    store.questions.release("ann", [question.id])

    def refine(texts: Sequence[str]) -> list[str]:
        return [text if text in {"job 1 ended", "job 2 ended"} else "job <num> ended" for text in texts]

    store.regrouping.regroup("job <num> ended", [], refine, (), is_split=True)
    parts = [group.id for text in ("job 1 ended", "job 2 ended") if (group := store.pool.find(text)) is not None]

    assert question.group_id not in store.alike.groups(10)
    assert [one.group_id for one in store.alike.offers("ann", [question.group_id, *parts], 5)] == parts
    (asked,) = store.questions.lease("bob", 1, 600)
    store.questions.answer(asked.id, "bob", GIVEN, also=[question.group_id, *parts])
    assert question.group_id not in store.alike.taken(asked.id)
