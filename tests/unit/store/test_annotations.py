from collections.abc import Sequence
from datetime import timedelta

import polars as pl
import pytest

from builders import NOON, a_labelled_batch
from store_fixtures import SettableClock
from vigie.errors import QuestionError
from vigie.labels import Annotation, Purpose, QuestionKind
from vigie.store import Draft, GroupState, QuestionState, Store
from vigie.store.annotations import Refusal
from vigie.store.elsewhere import Note


@pytest.fixture
def groups(store: Store) -> Sequence[int]:
    store.record("kafka", a_labelled_batch("a", "b", "b"))
    return store.pool.counts().sort("template")["group_id"].to_list()


def an_annotation(
    group_id: int, label: str | None = "info", annotator: str = "ann", dimension: str = "severity"
) -> Annotation:
    return Annotation(group_id, dimension, label, annotator, Purpose.TRAIN, NOON)


def test_effective_when_there_is_nothing_then_has_its_columns(store: Store) -> None:
    effective = store.annotations.effective()

    assert effective.schema == {
        "group_id": pl.Int64,
        "template": pl.String,
        "count": pl.Int64,
        "dimension": pl.String,
        "annotator": pl.String,
        "label": pl.String,
        "purpose": pl.String,
        "created_at": pl.Datetime("us", "UTC"),
        "question_id": pl.Int64,
        "model_version": pl.String,
        "duration_seconds": pl.Float64,
        "settled": pl.Boolean,
    }
    assert effective.height == store.annotations.last_id() == store.annotations.count() == 0


def test_effective_when_people_change_their_minds_then_the_last_word_of_each_holds(
    store: Store, groups: Sequence[int]
) -> None:
    a, b = groups
    ids = store.annotations.add([an_annotation(a), an_annotation(b), an_annotation(a, annotator="bob")])
    ids += store.annotations.add([an_annotation(a, "error"), an_annotation(a, "Data", dimension="category")])
    ids += store.annotations.add([an_annotation(b, None)])

    effective = store.annotations.effective()

    assert ids == [1, 2, 3, 4, 5, 6]
    assert effective.select("template", "annotator", "dimension", "label").rows() == [
        ("a", "bob", "severity", "info"),
        ("a", "ann", "severity", "error"),
        ("a", "ann", "category", "Data"),
    ]
    assert store.annotations.last_id() == 6
    assert store.annotations.count() == 2
    assert store.pool.answered() == 1


def test_effective_when_messages_keep_coming_then_shows_how_many_an_answer_covers(
    store: Store, groups: Sequence[int]
) -> None:
    store.annotations.add([an_annotation(groups[1])])
    store.record("kafka", a_labelled_batch("b", "b", offset=3))

    assert store.annotations.effective()["count"].to_list() == [4]


def test_history_when_limited_then_returns_the_newest_first(store: Store, groups: Sequence[int]) -> None:
    given = Annotation(
        group_id=groups[0],
        dimension="severity",
        label="info",
        annotator="ann",
        purpose=Purpose.AUDIT,
        created_at=NOON + timedelta(microseconds=1),
        model_version="7",
        duration_seconds=0.25,
    )
    store.annotations.add([an_annotation(groups[0], None), given])

    newest = store.annotations.history(1).row(0, named=True)

    assert newest == {
        "id": 2,
        "group_id": groups[0],
        "dimension": "severity",
        "label": "info",
        "annotator": "ann",
        "purpose": "audit",
        "created_at": NOON + timedelta(microseconds=1),
        "question_id": None,
        "model_version": "7",
        "duration_seconds": 0.25,
        "message": None,
        "is_exception": False,
        "settled": False,
        "template": "a",
    }
    assert store.annotations.history()["label"].to_list() == ["info", None]


def test_add_when_nothing_is_given_then_adds_nothing(store: Store) -> None:
    assert store.annotations.add([]) == []


def test_add_when_a_group_is_gone_then_nothing_is_added(store: Store, groups: Sequence[int]) -> None:
    with pytest.raises(QuestionError, match=r"1 groups that were answered \(the first is 12345\)"):
        store.annotations.add([an_annotation(groups[0]), an_annotation(12345)])

    assert store.annotations.last_id() == 0


def test_add_when_a_question_about_the_group_is_open_then_it_is_withdrawn(store: Store, groups: Sequence[int]) -> None:
    store.questions.replace([Draft(group, QuestionKind.STRATEGY, 0) for group in groups], QuestionKind.STRATEGY)

    store.annotations.add([an_annotation(groups[0])])

    assert [question.template for question in store.questions.lease("bob", 5, 60)] == ["b"]


def test_add_when_a_question_about_the_group_is_leased_then_it_may_still_be_answered(
    store: Store, groups: Sequence[int]
) -> None:
    question = store.questions.lease("ann", 1, 60)[0]
    store.annotations.add([an_annotation(question.group_id, "error", "bob")])

    store.questions.answer(question.id, "ann", {"severity": "info"})

    assert set(store.annotations.effective()["label"]) == {"info", "error"}


@pytest.mark.parametrize("how", ["skip", "lapse"])
def test_add_when_a_question_about_the_group_is_leased_then_nobody_is_asked_afterwards(
    store: Store, groups: Sequence[int], clock: SettableClock, how: str
) -> None:
    question = store.questions.lease("ann", 1, 60)[0]
    store.annotations.add([an_annotation(question.group_id, "error", "bob")])
    if how == "skip":
        store.questions.skip(question.id, "ann")
    clock.forward(60)

    assert question.group_id not in {other.group_id for other in store.questions.lease("eve", 5, 60)}


def test_add_when_a_flagged_group_is_answered_then_it_is_answered(store: Store, groups: Sequence[int]) -> None:
    question = store.questions.lease("ann", 1, 60)[0]
    store.questions.flag(question.id, "ann")
    store.annotations.add([an_annotation(question.group_id, None, "bob")])
    group = store.pool.group(question.group_id)
    assert group is not None
    assert group.state == GroupState.FLAGGED

    store.annotations.add([an_annotation(question.group_id, "info", "bob")])

    group = store.pool.group(question.group_id)
    assert group is not None
    assert group.state == GroupState.ANSWERED


def test_add_when_many_are_imported_then_all_groups_are_answered(store: Store) -> None:
    names = [f"g{i}" for i in range(12_000)]
    added = store.pool.add(pl.DataFrame({"text": names, "template": names}))

    ids = store.annotations.add([an_annotation(group_id) for group_id in added["group_id"]])

    assert len(ids) == store.annotations.count() == store.pool.answered() == 12_000
    assert store.pool.unlabelled().height == 0


def test_about_when_answers_came_with_names_then_they_stand_beside_them(store: Store, groups: Sequence[int]) -> None:
    a, b = groups
    store.annotations.add(
        [an_annotation(a), an_annotation(b), an_annotation(a, None)], notes=[Note(), Note("1001"), Note()]
    )

    about = store.annotations.about([a, b])

    assert about.select("id", "group_id", "label", "answer_id").rows() == [
        (1, a, "info", None),
        (2, b, "info", "1001"),
        (3, a, None, None),
    ]
    assert about["created_at"].to_list() == [NOON] * 3
    assert store.annotations.about([b])["id"].to_list() == [2]
    assert store.annotations.about([]).is_empty()
    assert store.annotations.names().rows() == [(2, "1001")]


def test_texts_when_groups_were_annotated_skipped_or_flagged_then_the_newest_of_each(store: Store) -> None:
    store.record("kafka", a_labelled_batch("a", "b", "c", "d", "a", texts=["a 1", "b 1", "c 1", "d 1", "a 2"]))
    ids = dict(store.pool.counts().select("template", "group_id").iter_rows())
    store.annotations.add([an_annotation(ids["a"])])
    for template, close in (("b", store.questions.skip), ("c", store.questions.flag)):
        store.questions.replace([Draft(ids[template], QuestionKind.STRATEGY, 0.0, {})], QuestionKind.STRATEGY)
        close(store.questions.lease("ann", 1, 60)[0].id, "ann")

    texts = dict(store.annotations.texts().iter_rows())

    assert texts == {ids["a"]: "a 2", ids["b"]: "b 1", ids["c"]: "c 1"}


def test_left_when_people_skip_and_flag_then_says_who_and_when(store: Store, clock: SettableClock) -> None:
    store.record("kafka", a_labelled_batch("a", "b"))
    for close in (store.questions.skip, lambda i, who: store.questions.flag(i, who, "two in one")):
        (question,) = store.questions.lease("ann", 1, 60)
        clock.forward(1)
        close(question.id, "ann")

    left = store.annotations.left()

    assert left.select("annotator", "state", "comment", "kind").rows() == [
        ("ann", "skipped", None, "strategy"),
        ("ann", "flagged", "two in one", "strategy"),
    ]
    assert set(left["template"]) == {"a", "b"}
    assert left["closed_at"].to_list() == [NOON + timedelta(seconds=1), NOON + timedelta(seconds=2)]
    store.questions.undo("ann")
    assert store.annotations.left()["state"].to_list() == ["skipped"]


def test_refuse_when_people_skipped_and_flagged_elsewhere_then_it_is_so_here(
    store: Store, groups: Sequence[int]
) -> None:
    a, b = groups
    store.questions.replace([Draft(b, QuestionKind.STRATEGY, 0.0, {})], QuestionKind.STRATEGY)
    refusals = [
        Refusal(a, "ann", QuestionState.SKIPPED, NOON),
        Refusal(b, "bob", QuestionState.FLAGGED, NOON, QuestionKind.AUDIT, "two in one"),
        Refusal(a, "ann", QuestionState.SKIPPED, NOON),
    ]

    assert [store.annotations.refuse(refusals), store.annotations.refuse(refusals), store.annotations.refuse([])] == [
        2,
        0,
        0,
    ]

    group = store.pool.group(b)
    assert group is not None
    assert group.state == GroupState.FLAGGED
    assert store.questions.lease("ann", 9, 60) == []
    assert [question.group_id for question in store.questions.lease("eve", 9, 60)] == [a]
    left = store.annotations.left().select("group_id", "annotator", "state", "kind", "comment", "closed_at")
    assert left.rows() == [
        (a, "ann", "skipped", "strategy", None, NOON),
        (b, "bob", "flagged", "audit", "two in one", NOON),
    ]


def test_refuse_when_a_group_is_gone_then_nothing_is_written(store: Store, groups: Sequence[int]) -> None:
    refusals = [Refusal(group_id, "ann", QuestionState.SKIPPED, NOON) for group_id in (groups[0], 999)]

    with pytest.raises(QuestionError):
        store.annotations.refuse(refusals)

    assert store.annotations.left().is_empty()


def test_undo_when_the_newest_step_was_made_elsewhere_then_it_can_be_taken_back(
    store: Store, groups: Sequence[int]
) -> None:
    store.annotations.refuse([Refusal(groups[0], "ann", QuestionState.SKIPPED, NOON)])

    undone = store.questions.undo("ann")

    assert undone is not None
    assert (undone.action, undone.question.group_id) == ("skipped", groups[0])


def test_add_when_a_question_was_taken_back_and_its_lease_ran_out_then_it_is_open_no_more(
    store: Store, clock: SettableClock
) -> None:
    store.record("kafka", a_labelled_batch("disk full"))
    question = store.questions.lease("ann", 1, 60)[0]
    store.questions.answer(question.id, "ann", {"severity": "info"})
    store.questions.undo("ann")
    clock.forward(3600)
    store.questions.lease("bob", 0, 60)

    store.annotations.add([Annotation(question.group_id, "severity", "error", "bob", Purpose.TRAIN, NOON)])

    assert store.questions.counts()["open"] == 0
