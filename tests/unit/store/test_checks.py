from itertools import pairwise

import pytest

from builders import a_labelled_batch
from store_fixtures import SettableClock
from vigie.errors import QuestionError
from vigie.labels import Annotation, Check, Purpose, Question, QuestionKind
from vigie.store import CheckDraft, Draft, Store
from vigie.store.leasing import CHECK_EVERY

SECOND, GOLD, DOUBT = Check.SECOND, Check.GOLD, Check.DOUBT


@pytest.fixture
def ids(store: Store) -> dict[str, int]:
    """Eight groups of which ann answered a, b and c, the smallest."""
    letters = "abcdefgh"
    store.record("kafka", a_labelled_batch(*(letter for n, letter in enumerate(letters, 1) for _ in range(n))))
    ids = dict(store.pool.counts().select("template", "group_id").iter_rows())
    store.questions.replace(
        [Draft(ids[x], QuestionKind.STRATEGY, 0, {"why": "uncertain", "margin": 0.1}) for x in "abc"],
        QuestionKind.STRATEGY,
    )
    for question in store.questions.lease("ann", 3, 60):
        store.questions.answer(question.id, "ann", {"severity": "info"})
    return ids


def check(store: Store, kind: Check, *group_ids: int, **more: object) -> int:
    return store.checks.replace([CheckDraft(one, kind, n, **more) for n, one in enumerate(group_ids)], kind)


def asked(store: Store, annotator: str, n: int = 20) -> dict[str, Question]:
    return {question.template: question for question in store.questions.lease(annotator, n, 60)}


def holding(store: Store, group_id: int) -> list[tuple[str, str, str]]:
    rows = store.annotations.effective().filter(group_id=group_id)
    return rows.select("annotator", "label", "purpose").rows()


def test_lease_when_a_second_opinion_waits_then_only_others_are_asked_and_cannot_tell(store: Store, ids) -> None:
    assert check(store, SECOND, ids["a"]) == 1

    assert "a" not in asked(store, "ann", 2)
    question = asked(store, "bob")["a"]

    assert (question.kind, question.reason) == (QuestionKind.STRATEGY, {"why": "uncertain", "margin": 0.1})
    store.questions.answer(question.id, "bob", {"severity": "error"})
    assert holding(store, ids["a"]) == [("ann", "info", "train"), ("bob", "error", "train")]


def test_lease_when_second_looks_wait_then_they_come_between_the_others(store: Store, ids) -> None:
    check(store, SECOND, ids["a"], ids["b"])

    order = [question.template for question in store.questions.lease("bob", 7, 60)]

    assert [template for template in order if template in "ab"] == ["a", "b"]
    assert order[-2:] == ["a", "b"] or order.index("b") - order.index("a") >= 2
    assert len(order) == 7


def test_lease_when_there_are_many_others_then_one_in_five_is_a_second_look(store: Store, ids) -> None:
    store.record("kafka", a_labelled_batch(*(f"x{n}" for n in range(40)), offset=1000))
    check(store, SECOND, ids["a"], ids["b"], ids["c"])

    order = [question.template for question in store.questions.lease("bob", 3 * CHECK_EVERY, 60)]

    places = [place for place, template in enumerate(order) if template in "abc"]
    assert len(places) == 3
    assert [second - first for first, second in pairwise(places)] == [CHECK_EVERY, CHECK_EVERY]


def test_replace_when_a_group_has_no_answer_or_a_live_question_then_it_gets_none(store: Store, ids) -> None:
    check(store, SECOND, ids["a"])
    store.questions.lease("bob", 20, 60)

    assert check(store, DOUBT, ids["a"], ids["d"], ids["b"], asked_of="ann", reason={"why": "doubt"}) == 1
    assert check(store, DOUBT) == 0


def test_askable_when_some_are_held_flagged_or_open_then_only_those_that_replace_would_take(
    store: Store, ids, clock: SettableClock
) -> None:
    check(store, SECOND, ids["a"])
    check(store, DOUBT, ids["b"], asked_of="ann")
    letters = [ids[x] for x in "cbad"]
    assert store.checks.askable(letters, SECOND) == [ids["c"], ids["a"]]
    assert store.checks.askable(letters, DOUBT) == [ids["c"], ids["b"]]
    held = asked(store, "bob")["a"]
    assert store.checks.askable(letters, SECOND) == [ids["c"]]

    clock.forward(61)
    store.questions.lease("eve", 0, 60)
    assert store.checks.askable(letters, SECOND) == [ids["c"]]

    store.questions.flag(held.id, "bob")
    assert store.checks.askable([], SECOND) == []
    assert store.checks.askable([*letters, 4711], SECOND) == [ids["c"]]


def test_skipped_when_first_questions_and_second_looks_were_then_who_and_what(store: Store, ids) -> None:
    assert store.checks.skipped().is_empty()
    first = store.questions.lease("ann", 1, 60)[0]
    store.questions.skip(first.id, "ann")
    check(store, SECOND, ids["a"], ids["b"])
    second = asked(store, "bob")
    store.questions.skip(second["a"].id, "bob")
    store.questions.skip(second["b"].id, "bob")
    store.questions.undo("bob")

    assert store.checks.skipped().rows() == sorted([(first.group_id, "ann"), (ids["a"], "bob")])


def test_replace_when_first_questions_are_replaced_then_second_looks_stay_and_the_other_way_round(
    store: Store, ids
) -> None:
    check(store, SECOND, ids["a"])
    store.questions.replace([Draft(ids["e"], QuestionKind.STRATEGY, 0)], QuestionKind.STRATEGY)
    check(store, GOLD)

    assert {"a", "e"} <= set(asked(store, "bob", 3)) | set(asked(store, "bob"))
    assert store.checks.n_waiting() == {SECOND: 1, GOLD: 0, DOUBT: 0}


def test_counts_when_second_looks_are_open_then_they_do_not_count_as_waiting(store: Store, ids) -> None:
    before = store.questions.counts()
    check(store, SECOND, ids["a"], ids["b"])

    assert store.questions.counts() == before


def test_counts_when_the_lease_of_a_second_look_ran_out_then_it_is_neither_open_nor_leased(
    store: Store, ids, clock: SettableClock
) -> None:
    check(store, SECOND, ids["a"])
    assert len(asked(store, "bob")) == 6
    clock.forward(61)

    counts = store.questions.counts()

    assert (counts["leased"], counts["open"]) == (0, 5)


def test_lease_when_a_doubt_is_somebodys_own_then_nobody_else_is_asked(store: Store, ids, clock: SettableClock) -> None:
    check(store, DOUBT, ids["a"], asked_of="ann", reason={"why": "doubt", "earlier": {"severity": "info"}})

    assert "a" not in asked(store, "bob", 3)
    clock.forward(100)
    question = asked(store, "ann")["a"]
    assert question.reason == {"why": "doubt", "earlier": {"severity": "info"}}
    store.questions.answer(question.id, "ann", {"severity": "error"})
    assert holding(store, ids["a"]) == [("ann", "error", "train")]


def test_undo_when_a_doubt_was_answered_then_the_earlier_answer_holds_again(store: Store, ids) -> None:
    first = store.annotations.effective().filter(group_id=ids["c"])["question_id"][0]
    check(store, DOUBT, ids["c"], asked_of="ann", reason={"why": "doubt"})
    question = asked(store, "ann")["c"]
    store.questions.answer(question.id, "ann", {"severity": "error"})

    undone = store.questions.undo("ann")

    assert undone is not None
    assert (undone.question.id, undone.labels) == (question.id, {"severity": "error"})
    assert holding(store, ids["c"]) == [("ann", "info", "train")]
    assert store.annotations.effective().filter(group_id=ids["c"])["question_id"].to_list() == [first]


def test_skip_when_it_is_a_second_look_then_no_question_is_left_and_the_answer_stays(store: Store, ids) -> None:
    check(store, SECOND, ids["a"])
    store.questions.skip(asked(store, "bob")["a"].id, "bob")

    assert store.checks.waiting().is_empty()
    assert store.checks.closed().select("group_id", "annotator", "state").rows() == [(ids["a"], "bob", "skipped")]
    check(store, SECOND, ids["a"])
    assert "a" not in asked(store, "bob")
    assert holding(store, ids["a"]) == [("ann", "info", "train")]


def test_answer_when_the_group_was_audited_then_the_second_answer_only_measures(store: Store, ids) -> None:
    store.audit.draw([ids["a"]])
    check(store, SECOND, ids["a"])

    question = asked(store, "bob")["a"]
    store.questions.answer(question.id, "bob", {"severity": "info"})

    assert question.kind is QuestionKind.AUDIT
    assert holding(store, ids["a"])[-1] == ("bob", "info", "audit")


def settled(store: Store, group_id: int, label: str = "error", by: str = "rev") -> list[int]:
    answer = Annotation(group_id, "severity", label, by, Purpose.TRAIN, store.checks._database.now())
    return store.checks.settle([answer])


def test_settle_when_stored_then_it_is_marked_and_open_second_looks_are_withdrawn(store: Store, ids) -> None:
    check(store, SECOND, ids["a"])

    settled(store, ids["a"])

    rows = store.annotations.effective().filter(group_id=ids["a"]).select("annotator", "label", "settled").rows()
    assert rows == [("ann", "info", False), ("rev", "error", True)]
    assert store.annotations.history()["settled"].to_list() == [True, False, False, False]
    assert store.checks.waiting().is_empty()


def test_settle_when_the_same_person_says_otherwise_later_then_only_the_vote_is_left(store: Store, ids) -> None:
    settled(store, ids["a"])
    now = store.checks._database.now()
    store.annotations.add([Annotation(ids["a"], "severity", "warning", "rev", Purpose.TRAIN, now)])

    assert store.annotations.effective().filter(annotator="rev").select("label", "settled").rows() == [
        ("warning", False)
    ]


def test_settle_when_a_group_is_not_there_then_nothing_is_stored(store: Store, ids) -> None:
    last = store.annotations.last_id()

    with pytest.raises(QuestionError, match="999"):
        settled(store, 999)

    assert store.annotations.last_id() == last


def test_settle_when_a_group_was_flagged_then_it_is_answered(store: Store, ids) -> None:
    question = asked(store, "bob", 1)["h"]
    store.questions.flag(question.id, "bob")

    settled(store, ids["h"])

    assert store.pool.group(ids["h"]).state == "answered"


def test_mark_gold_when_settled_then_it_is_gold_once_until_unmarked(store: Store, ids, clock: SettableClock) -> None:
    settled(store, ids["a"])
    store.checks.mark_gold(ids["a"], "rev")
    clock.forward(5)
    store.checks.mark_gold(ids["a"], "eve")

    assert store.checks.gold().select("group_id", "marked_by").rows() == [(ids["a"], "rev")]
    check(store, GOLD, ids["a"], asked_of="bob")
    assert store.checks.unmark_gold(ids["a"]) is True
    assert store.checks.unmark_gold(ids["a"]) is False
    assert store.checks.gold().is_empty()
    assert store.checks.waiting().is_empty()
    assert store.annotations.effective()["settled"].sum() == 1


@pytest.mark.parametrize("letter", ["a", None])
def test_mark_gold_when_nothing_was_settled_or_the_group_is_unknown_then_says_so(store: Store, ids, letter) -> None:
    with pytest.raises(QuestionError):
        store.checks.mark_gold(ids[letter] if letter else 4711, "rev")

    assert store.checks.gold().is_empty()


def test_lease_when_somebody_answered_a_gold_group_meanwhile_then_is_not_asked(store: Store, ids) -> None:
    settled(store, ids["a"])
    store.checks.mark_gold(ids["a"], "rev")
    check(store, GOLD, ids["a"], asked_of="ann")

    assert "a" not in asked(store, "ann")
