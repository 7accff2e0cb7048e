from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from sqlalchemy import update

from builders import a_dimension, a_labelled_batch
from learner_fakes import SEVERITY
from store_fixtures import SettableClock
from vigie.labels import Annotation, Check, Dimension, Purpose
from vigie.quality import planning
from vigie.quality.label_errors import Doubt
from vigie.quality.planning import MAX_OPEN, PRESENT_SECONDS, REST_SECONDS, Doubted, SecondLooks, Shares, drawn
from vigie.store import CheckDraft, GroupState, Store
from vigie.store.tables import groups

Planner = Callable[..., SecondLooks]


@pytest.fixture
def ids(store: Store) -> list[int]:
    """Sixty groups that ann answered, the first the largest."""
    store.record("files", a_labelled_batch(*(f"t{n:02}" for n in range(60) for _ in range(61 - n))))
    ids = store.pool.counts().sort("template")["group_id"].to_list()
    say(store, "ann", *ids)
    return ids


@pytest.fixture
def plan(store: Store, clock: SettableClock) -> Planner:
    """Make a planner, and let it plan after all answers have rested."""

    def make(doubted: list[Doubted] | None = None, *, rest: float = REST_SECONDS, **shares: Any) -> SecondLooks:
        looks = SecondLooks(store, lambda: Shares(**shares), clock)
        looks._doubted = doubted
        clock.forward(rest)
        keep(looks, store)
        return looks

    return make


def say(store: Store, annotator: str, *group_ids: int, label: str = "info", seconds: float | None = None) -> None:
    now = store.checks._database.now()
    store.annotations.add(
        [
            Annotation(one, "severity", label, annotator, Purpose.TRAIN, now, duration_seconds=seconds)
            for one in group_ids
        ]
    )


def gold(store: Store, *group_ids: int, by: str = "rev") -> None:
    now = store.checks._database.now()
    for one in group_ids:
        store.checks.settle([Annotation(one, "severity", "error", by, Purpose.TRAIN, now)])
        store.checks.mark_gold(one, by)


def keep(looks: SecondLooks, store: Store) -> None:
    looks.plan(store.annotations.effective(), store.annotations.last_id())


def waiting(store: Store, check: Check) -> list[tuple[int, str | None]]:
    rows = store.checks.waiting().filter(pl.col("check_kind") == check)
    return rows.select("group_id", "asked_of").rows()


def a_doubt(group_id: int, given: str = "info") -> Doubted:
    return Doubted(group_id, Doubt(0, "severity", given, "error", 0.8, 0.05))


def test_drawn_when_the_seed_is_another_then_other_groups_and_always_the_same() -> None:
    ids = np.arange(20_000)

    assert (drawn(ids, 0.05, 1) == drawn(ids, 0.05, 1)).all()
    assert (drawn(ids, 0.05, 1) != drawn(ids, 0.05, 2)).any()
    assert 0.04 < drawn(ids, 0.05, 1).mean() < 0.06
    assert drawn(ids, 1.0, 0).all()
    assert not drawn(ids, 0.0, 0).any()


def test_plan_when_groups_have_one_answer_then_the_share_is_asked_of_somebody_else(store: Store, ids, plan) -> None:
    plan(second=0.2)

    found = [group_id for group_id, _ in waiting(store, Check.SECOND)]
    assert found == [one for one, chosen in zip(ids, drawn(np.array(ids), 0.2, 0), strict=True) if chosen]
    assert 4 <= len(found) <= MAX_OPEN
    assert {asked_of for _, asked_of in waiting(store, Check.SECOND)} == {None}


def test_plan_when_many_are_due_then_the_largest_and_at_most_so_many(store: Store, ids, plan) -> None:
    plan(second=1.0)

    assert [one for one, _ in waiting(store, Check.SECOND)] == ids[:MAX_OPEN]


def test_plan_when_the_share_is_nothing_then_nothing_is_asked(store: Store, ids, plan) -> None:
    plan(second=0.0)

    assert store.checks.waiting().is_empty()


def test_plan_when_an_answer_is_new_then_it_rests_first(store: Store, ids, plan) -> None:
    plan(second=1.0, rest=REST_SECONDS - 1)

    assert waiting(store, Check.SECOND) == []


def test_plan_when_a_group_has_two_answers_or_was_settled_then_it_is_left_alone(store: Store, ids, plan) -> None:
    say(store, "bob", ids[0])
    gold(store, ids[1])

    plan(second=1.0)

    assert [one for one, _ in waiting(store, Check.SECOND)] == ids[2 : MAX_OPEN + 2]


def test_plan_when_an_answer_came_too_fast_then_it_is_asked_about_first(store: Store, ids, plan) -> None:
    say(store, "ann", *ids[:20], seconds=4.0)
    say(store, "ann", ids[59], seconds=0.1)

    plan(second=0.001)

    assert waiting(store, Check.SECOND)[0] == (ids[59], None)


def test_plan_when_gold_is_due_then_each_annotator_gets_one_they_did_not_answer(store: Store, ids, plan) -> None:
    store.record("files", a_labelled_batch("gold one", "gold two", offset=9000))
    first, second = store.pool.unlabelled()["group_id"].sort().to_list()
    gold(store, first, second)
    say(store, "bob", *ids[:50])
    say(store, "eve", ids[0])

    plan(second=0.0, gold=0.02)

    assert waiting(store, Check.GOLD) == [(first, "ann"), (second, "bob")]


def test_plan_when_gold_was_answered_then_the_next_one_waits_for_its_share(store: Store, ids, plan, clock) -> None:
    store.record("files", a_labelled_batch("gold one", "gold two", offset=9000))
    gold(store, *store.pool.unlabelled()["group_id"].sort())
    looks = plan(second=0.0, gold=0.02)
    clock.forward(1)
    question = next(one for one in store.questions.lease("ann", 20, 60) if one.template.startswith("gold"))
    store.questions.answer(question.id, "ann", {"severity": "error"})
    clock.forward(60)

    keep(looks, store)

    assert waiting(store, Check.GOLD) == []


def test_plan_when_somebody_skipped_gold_then_it_is_not_offered_again(store: Store, ids, plan, clock) -> None:
    store.record("files", a_labelled_batch("gold one", offset=9000))
    gold(store, *store.pool.unlabelled()["group_id"])
    looks = plan(second=0.0)
    store.questions.skip(store.questions.lease("ann", 20, 60)[0].id, "ann")
    clock.forward(61)

    keep(looks, store)

    assert waiting(store, Check.GOLD) == []


@pytest.mark.parametrize("lost", ["flagged", "replaced", "skipped before", "held"])
def test_plan_when_the_oldest_gold_cannot_be_asked_then_the_next_one_is(store, ids, plan, clock, lost: str) -> None:
    store.record("files", a_labelled_batch("gold one", "gold one", "gold two", offset=9000))
    first, second = store.pool.unlabelled()["group_id"].sort().to_list()
    if lost == "skipped before":
        store.questions.skip(store.questions.lease("ann", 1, 60)[0].id, "ann")
    gold(store, first, second)
    if lost == "replaced":
        with store.checks._database.write() as connection:
            state = update(groups).where(groups.c.id == first).values(state=GroupState.REPLACED)
            connection.execute(state)
    elif lost != "skipped before":
        store.checks.replace([CheckDraft(first, Check.GOLD, asked_of="bob")], Check.GOLD)
        question = store.questions.lease("bob", 1, 60)[0]
        assert question.group_id == first
        if lost == "flagged":
            store.questions.flag(question.id, "bob")

    plan(second=0.0, gold=0.02)

    assert (second, "ann") in waiting(store, Check.GOLD)


def test_plan_when_somebody_holds_a_gold_question_then_they_are_not_sent_another(store, ids, plan, clock) -> None:
    store.record("files", a_labelled_batch("gold one", "gold two", offset=9000))
    first, _ = store.pool.unlabelled()["group_id"].sort().to_list()
    gold(store, *store.pool.unlabelled()["group_id"].sort())
    looks = plan(second=0.0, gold=0.02)
    store.questions.lease("ann", 20, 600)
    clock.forward(61)

    keep(looks, store)

    assert waiting(store, Check.GOLD) == [(first, "ann")]


def test_plan_when_somebody_skipped_all_that_waited_then_they_are_asked_about_others(store, ids, plan, clock) -> None:
    looks = plan(second=1.0, gold=0.0)
    for n in (1, 2, 3):
        questions = store.questions.lease("bob", MAX_OPEN, 60)
        assert [one.group_id for one in questions] == ids[(n - 1) * MAX_OPEN : n * MAX_OPEN]
        for question in questions:
            store.questions.skip(question.id, "bob")
        clock.forward(61)
        keep(looks, store)

    assert store.questions.lease("bob", MAX_OPEN, 60) == []
    assert len(waiting(store, Check.SECOND)) == MAX_OPEN


def test_plan_when_all_large_groups_are_of_one_annotator_then_something_waits_for_that_one_too(
    store, ids, plan
) -> None:
    store.record("files", a_labelled_batch(*(f"s{n}" for n in range(8)), offset=9000))
    small = store.pool.unlabelled()["group_id"].sort().to_list()
    say(store, "bob", *small)

    plan(second=1.0, gold=0.0)

    found = [one for one, _ in waiting(store, Check.SECOND)]
    assert found == [*ids[: MAX_OPEN - 6], *small[:6]]
    assert [one.group_id for one in store.questions.lease("ann", MAX_OPEN, 60)] == small[:6]


def test_plan_when_largest_groups_were_flagged_or_are_held_then_smaller_ones_are_asked_about(store, ids, plan) -> None:
    plan(second=1.0, gold=0.0)
    held, flagged = store.questions.lease("bob", MAX_OPEN, 1e6)[:2]
    store.questions.flag(flagged.id, "bob")

    plan(second=1.0, gold=0.0)

    found = [one for one, _ in waiting(store, Check.SECOND)]
    assert held.group_id in found
    assert flagged.group_id not in found
    assert found[-1] == ids[2 * MAX_OPEN - 1]


def test_plan_when_an_answer_is_doubted_then_its_annotator_is_asked_with_what_was_said(store, ids, plan) -> None:
    plan([a_doubt(ids[4]), a_doubt(ids[5], "warning"), a_doubt(4711)], second=0.0)

    assert waiting(store, Check.DOUBT) == [(ids[4], "ann")]
    question = store.questions.lease("ann", 20, 60)[0]
    assert question.reason == {
        "why": "doubt",
        "dimension": "severity",
        "label": "error",
        "confidence": 0.8,
        "earlier": {"severity": "info"},
    }


def test_plan_when_many_are_doubted_then_one_answer_in_twenty_comes_back_over_all_trainings(
    store, ids, plan, clock
) -> None:
    looks = plan([a_doubt(one) for one in ids[:10]], second=0.0)
    assert [one for one, _ in waiting(store, Check.DOUBT)] == ids[:3]
    for question in store.questions.lease("ann", 20, 60):
        store.questions.answer(question.id, "ann", {"severity": "info"})
    clock.forward(60)

    keep(looks, store)

    assert waiting(store, Check.DOUBT) == []


def test_plan_when_doubts_are_held_then_they_count_among_those_that_come_back(store, ids, plan, clock) -> None:
    looks = plan([a_doubt(one) for one in ids[:10]], second=0.0)
    held = store.questions.lease("ann", 20, 600)
    assert len(held) == 3
    looks._doubted = [a_doubt(one) for one in ids[10:20]]
    clock.forward(60)

    keep(looks, store)

    assert [one for one, _ in waiting(store, Check.DOUBT)] == ids[:3]


@pytest.mark.parametrize("label", ["info", "error"])
def test_plan_when_a_doubt_was_answered_then_it_is_not_asked_a_third_time(store, ids, plan, clock, label: str) -> None:
    looks = plan([a_doubt(ids[4]), a_doubt(ids[4], "error")], second=0.0)
    store.questions.answer(store.questions.lease("ann", 20, 60)[0].id, "ann", {"severity": label})
    clock.forward(60)

    keep(looks, store)

    assert waiting(store, Check.DOUBT) == []
    assert store.annotations.effective().filter(group_id=ids[4])["label"].to_list() == [label]


def test_plan_when_the_annotator_has_left_then_somebody_else_is_asked_blindly(store: Store, ids, plan) -> None:
    plan([a_doubt(ids[40])], second=0.001, rest=PRESENT_SECONDS + 1)

    assert waiting(store, Check.DOUBT) == []
    assert waiting(store, Check.SECOND)[0] == (ids[40], None)


def test_plan_when_no_training_was_looked_at_yet_then_doubts_of_before_stay(store: Store, ids, plan) -> None:
    plan([a_doubt(ids[4])])

    plan(None)

    assert waiting(store, Check.DOUBT) == [(ids[4], "ann")]


def test_plan_when_doubts_are_switched_off_then_those_that_wait_are_withdrawn(store: Store, ids, plan) -> None:
    plan([a_doubt(ids[4])])

    plan(None, doubts=False)

    assert waiting(store, Check.DOUBT) == []


def test_plan_when_nothing_changed_then_the_store_is_left_alone_for_a_minute(store, ids, plan, clock) -> None:
    looks = plan(second=1.0)
    clock.forward(3)
    keep(looks, store)
    store.checks.replace([], Check.SECOND)
    clock.forward(30)
    keep(looks, store)
    assert waiting(store, Check.SECOND) == []

    clock.forward(31)
    keep(looks, store)

    assert len(waiting(store, Check.SECOND)) == MAX_OPEN


def test_plan_when_somebody_answered_then_it_plans_again_before_the_minute_is_over(store, ids, plan, clock) -> None:
    looks = plan(second=1.0)
    say(store, "bob", ids[0])
    clock.forward(3)

    keep(looks, store)

    assert ids[0] not in [one for one, _ in waiting(store, Check.SECOND)]


@pytest.mark.parametrize("name", ["severity", "template"])
def test_doubt_when_a_label_is_out_of_place_then_the_group_is_found_by_its_template(store, ids, clock, name) -> None:
    looks = SecondLooks(store, Shares, clock)
    dimension = a_dimension(name, SEVERITY.label_names)
    texts, labels = pl.Series([f"t{n:02}" for n in range(60)]), pl.DataFrame({name: ["info"] * 30 + ["error"] * 30})
    proba = np.array([[0.9, 0.05, 0.05]] * 30 + [[0.05, 0.05, 0.9]] * 30)
    proba[7] = [0.02, 0.02, 0.96]
    held = {name: (np.arange(60), proba)}

    looks.doubt(store.annotations.effective(), texts=texts, labels=labels, held_out=held, dimensions=[dimension])

    assert [one.group_id for one in looks._doubted] == [ids[7]]
    assert looks.details()["found"] == 1
    assert looks.details()["problem"] is None


def test_doubt_when_a_training_did_not_cross_validate_then_what_was_doubted_before_stays_while_it_is_asked(
    store, ids, clock
) -> None:
    looks = SecondLooks(store, Shares, clock)
    texts = pl.Series([f"t{n:02}" for n in range(60)])
    labels = pl.DataFrame({name: ["info"] * 30 + ["error"] * 30 for name in ("severity", "topic")})
    topic = a_dimension("topic", SEVERITY.label_names)

    def doubt(held_out: dict[str, Any], *asked: Dimension) -> list[tuple[int, str]]:
        said = store.annotations.effective()
        looks.doubt(said, texts=texts, labels=labels, held_out=held_out, dimensions=asked)
        return [(one.group_id, one.doubt.dimension) for one in looks._doubted or ()]

    assert doubt({"severity": cross_validated(7), "topic": cross_validated(9, worse=0.001)}, SEVERITY, topic) == [
        (ids[9], "topic"),
        (ids[7], "severity"),
    ]
    assert doubt({}, SEVERITY, topic) == [(ids[9], "topic"), (ids[7], "severity")]
    assert looks.details()["problem"] is None
    assert doubt({"severity": cross_validated(5)}, SEVERITY, topic) == [(ids[9], "topic"), (ids[5], "severity")]
    assert doubt({}, SEVERITY) == [(ids[5], "severity")]
    assert doubt({}, a_dimension("severity", ("info", "warning"))) == []


def cross_validated(wrong: int, worse: float = 0.01) -> tuple[np.ndarray, np.ndarray]:
    """Return held-out probabilities of sixty rows, half of them info and half error, of which one is given the wrong label."""
    proba = np.array([[0.9, 0.05, 0.05]] * 30 + [[0.05, 0.05, 0.9]] * 30)
    proba[wrong] = [worse, worse, 1 - 2 * worse]
    return np.arange(60), proba


def test_doubt_when_cleanlab_is_missing_then_says_what_to_install(store, ids, clock, monkeypatch) -> None:
    monkeypatch.setattr(planning, "is_installed", lambda: False)

    looks = SecondLooks(store, Shares, clock)

    looks.doubt(
        store.annotations.effective(), texts=pl.Series(), labels=pl.DataFrame(), held_out={}, dimensions=[SEVERITY]
    )

    assert "pip install 'vigie[quality]'" in str(looks.details()["problem"])


def test_doubt_when_switched_off_then_nothing_is_needed(store, ids, clock, monkeypatch) -> None:
    monkeypatch.setattr(planning, "is_installed", lambda: False)
    looks = SecondLooks(store, lambda: Shares(doubts=False), clock)

    looks.doubt(
        store.annotations.effective(), texts=pl.Series(), labels=pl.DataFrame(), held_out={}, dimensions=[SEVERITY]
    )

    assert looks.details() == {}
