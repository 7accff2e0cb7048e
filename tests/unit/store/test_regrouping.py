from collections.abc import Collection, Sequence

import polars as pl
import pytest

from builders import a_labelled_batch
from store_fixtures import StoreMaker
from vigie.labels import QuestionKind
from vigie.store import Draft, GroupState, Store

TEXTS = [f"job {n} ended {code}" for n, code in enumerate([0, 1, 0, 0])]
BASE = "job <num> ended <num>"


def refine(texts: Sequence[str]) -> list[str]:
    """Show what the second number is."""
    return [f"job <num> ended {text.split()[-1]}" for text in texts]


def leave(texts: Sequence[str]) -> list[str]:
    return [BASE for _ in texts]


@pytest.fixture
def store(store: Store) -> Store:
    store.record("kafka", a_labelled_batch(*[BASE] * 4, "other", texts=[*TEXTS, "other"]))
    return store


def regroup(store: Store, answered: Collection[str] = (), *, is_split: bool = True) -> None:
    family = store.regrouping.like([("job ", "")]).filter(pl.col("template") != BASE)["group_id"].to_list()
    store.regrouping.regroup(BASE, family, refine if is_split else leave, answered, is_split=is_split)


def groups(store: Store) -> dict[str, tuple[int, str]]:
    found = {template: store.pool.find(template) for template in store.pool.counts()["template"]}
    return {template: (group.count, group.state) for template, group in found.items() if group is not None}


def test_regroup_when_a_template_is_split_then_messages_and_samples_are_shared_out(store: Store) -> None:
    regroup(store, {"job <num> ended 1", "job <num> ended 9"})

    assert groups(store) == {
        BASE: (0, GroupState.REPLACED),
        "job <num> ended 0": (3, GroupState.OPEN),
        "job <num> ended 1": (1, GroupState.ANSWERED),
        "job <num> ended 9": (0, GroupState.ANSWERED),
        "other": (1, GroupState.OPEN),
    }
    assert store.pool.size() == 5
    assert store.pool.messages() == 5
    part = store.pool.find("job <num> ended 0")
    assert part is not None
    assert sorted(sample.text for sample in store.pool.samples(part.id)) == [TEXTS[0], TEXTS[2], TEXTS[3]]
    assert store.regrouping.replaced() == [BASE]


def test_regroup_when_done_twice_then_nothing_changes(store: Store) -> None:
    regroup(store, {"job <num> ended 1"})
    before = groups(store)
    regroup(store, {"job <num> ended 1"})

    assert groups(store) == before


def test_regroup_when_messages_were_counted_meanwhile_then_they_are_shared_out_too(store: Store) -> None:
    regroup(store)
    store.record("kafka", a_labelled_batch(*[BASE] * 4, texts=TEXTS, offset=5))
    regroup(store)

    counts = {template: n for template, (n, _) in groups(store).items()}
    assert sum(counts.values()) == 9
    assert counts["job <num> ended 0"] >= 5


def test_regroup_when_nothing_is_told_apart_any_more_then_there_is_one_group_again(store: Store) -> None:
    regroup(store, {"job <num> ended 1"})
    store.record("kafka", a_labelled_batch("job <num> ended 0", texts=["job 7 ended 0"], offset=5))
    regroup(store, {BASE}, is_split=False)

    assert groups(store)[BASE] == (5, GroupState.ANSWERED)
    assert groups(store)["job <num> ended 0"] == (0, GroupState.REPLACED)

    regroup(store)
    assert groups(store)[BASE][1] == GroupState.REPLACED
    assert groups(store)["job <num> ended 0"][1] == GroupState.OPEN
    assert store.pool.messages() == 6


def test_regroup_when_questions_wait_then_only_the_parts_are_asked_about(store: Store) -> None:
    base = store.pool.find(BASE)
    assert base is not None
    store.questions.replace([Draft(base.id, QuestionKind.STRATEGY, 0)], QuestionKind.STRATEGY)

    regroup(store, {"job <num> ended 1"})

    asked = store.questions.lease("ann", 9, 60)
    assert {one.template for one in asked} == {"job <num> ended 0", "other"}


def test_regroup_when_a_question_is_answered_late_then_the_group_stays_replaced(store: Store) -> None:
    question = next(one for one in store.questions.lease("ann", 9, 60) if one.template == BASE)
    regroup(store)

    store.questions.answer(question.id, "ann", {"severity": "info"})

    assert groups(store)[BASE][1] == GroupState.REPLACED


def test_regroup_when_the_group_was_drawn_for_audit_then_so_are_its_parts(store: Store) -> None:
    base = store.pool.find(BASE)
    assert base is not None
    store.audit.draw([base.id])

    regroup(store)

    drawn = set(store.audit.draws()["group_id"])
    parts = [store.pool.find(f"job <num> ended {code}") for code in (0, 1)]
    assert {base.id, *(part.id for part in parts if part)} == drawn


def test_regroup_when_there_is_no_such_group_then_nothing_happens(store: Store) -> None:
    before = groups(store)
    store.regrouping.regroup("nothing <num>", [], refine, (), is_split=True)

    assert groups(store) == before


def test_evicted_when_parts_are_one_group_again_then_they_go_first(open_store: StoreMaker) -> None:
    store = open_store(max_groups=10)
    store.record("kafka", a_labelled_batch(*[BASE] * 4, texts=TEXTS))
    regroup(store)
    regroup(store, is_split=False)
    store.record("kafka", a_labelled_batch(*[f"other {n}" for n in range(9)], offset=9))

    left = set(store.pool.counts()["template"])
    assert "job <num> ended 1" not in left
    assert BASE in left


def test_like_when_templates_hold_wildcards_then_they_mean_themselves(store: Store) -> None:
    store.record("kafka", a_labelled_batch("a%b_c 1 z", "aXbYc 1 z", offset=5))

    assert store.regrouping.like([("a%b_c", " z")])["template"].to_list() == ["a%b_c 1 z"]
    assert store.regrouping.like([]).is_empty()


def test_known_when_some_templates_have_groups_then_those_are_returned(store: Store) -> None:
    known = store.pool.known(["other", "nothing"])

    assert known.select("template", "count").rows() == [("other", 1)]
    assert store.pool.known([]).is_empty()
