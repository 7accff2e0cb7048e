"""Texts that a database may refuse, numbers at their ends, and nothing at all: over both databases."""

from typing import Any

import polars as pl
import pytest

from builders import NOON, a_labelled_batch
from vigie.labels import Annotation, Purpose, QuestionKind
from vigie.messages import Position
from vigie.store import Store

ODD = [
    "a\x00b",
    "\x00",
    "\U0001f600",
    "é" * 300,
    "it's; DROP TABLE groups; --",
    "%s %(a)s ?",
    "\n\t\r",
    "\ufeffa",
    "\u202e",
]
IDS = [f"odd {n}" for n in range(len(ODD))]
MOST = 2**63 - 1


def added(store: Store, text: str, template: str | None = None) -> int:
    frame = pl.DataFrame({"text": [text], "template": [template or text]})
    return int(store.pool.add(frame)["group_id"][0])


@pytest.mark.parametrize("odd", ODD, ids=IDS)
def test_pool_when_a_text_is_odd_then_its_group_is_found_by_it_and_by_its_id(store: Store, odd: str) -> None:
    group_id = added(store, odd)

    found = store.pool.find(odd)

    assert found is not None
    assert found.id == group_id
    assert added(store, odd) == group_id
    assert len(store.pool.samples(group_id)) >= 1


@pytest.mark.parametrize("odd", ODD, ids=IDS)
def test_pool_when_a_text_is_like_an_odd_one_then_it_is_another(store: Store, odd: str) -> None:
    group_id = added(store, odd)

    assert added(store, f"{odd}!") != group_id
    assert store.pool.find(f"{odd}?") is None


@pytest.mark.parametrize("odd", ODD, ids=IDS)
def test_annotations_when_names_are_odd_then_the_answer_holds(store: Store, odd: str) -> None:
    group_id = added(store, "disk failed")

    store.annotations.add([Annotation(group_id, "severity", odd, f"ann{odd}", Purpose.TRAIN, NOON, message=odd)])

    (row,) = store.annotations.effective().iter_rows(named=True)
    assert (row["group_id"], row["dimension"]) == (group_id, "severity")
    # PostgreSQL has no NUL, so both databases write its picture.
    assert row["label"] == odd.replace("\x00", "\N{SYMBOL FOR NULL}")
    assert row["annotator"] == f"ann{row['label']}"


@pytest.mark.parametrize("odd", ODD, ids=IDS)
def test_questions_when_the_annotator_and_the_comment_are_odd_then_it_is_theirs(store: Store, odd: str) -> None:
    from vigie.store import Draft

    group_id = added(store, "disk failed")
    store.questions.replace([Draft(group_id, QuestionKind.STRATEGY, 1.0, {"why": odd})], QuestionKind.STRATEGY)
    (question,) = store.questions.lease(f"ann{odd}", 1, 60)
    assert store.questions.lease("bob", 1, 60) == []

    store.questions.flag(question.id, f"ann{odd}", odd)

    assert store.questions.undo(f"ann{odd}", 60) is not None


@pytest.mark.parametrize("odd", ODD, ids=IDS)
def test_checkpoints_when_names_are_odd_then_they_come_back(store: Store, odd: str) -> None:
    places = [Position("logs", 0, 0), Position("logs", 2**31 - 1, MOST)]

    store.checkpoints.save(odd, places, {odd: MOST})

    assert store.checkpoints.load(odd) == places
    assert store.checkpoints.lengths([odd, "other"]) == {odd: MOST}
    assert store.checkpoints.load(f"{odd}!") == []


def test_checkpoints_when_a_source_is_saved_again_then_what_it_had_before_is_gone(store: Store) -> None:
    store.checkpoints.save("in", [Position("a", 0, 5), Position("b", 0, 6)], {"x": 1, "y": 2})

    store.checkpoints.save("in", [Position("a", 0, 7)], {"x": 3})

    assert store.checkpoints.load("in") == [Position("a", 0, 7)]
    assert store.checkpoints.lengths(["x", "y"]) == {"x": 3, "y": 2}


def test_checkpoints_when_nothing_is_asked_for_then_nothing_comes(store: Store) -> None:
    store.checkpoints.save("in", [], {})

    assert store.checkpoints.load("in") == []
    assert store.checkpoints.lengths([]) == {}


DETAILS: list[dict[str, Any]] = [
    {},
    {"problem": "a\x00b"},
    {"é": {"nested": [1, None, True, 0.5]}},
    {"n": MOST},
    {"text": "x" * 100_000},
]


@pytest.mark.parametrize("details", DETAILS, ids=range(len(DETAILS)))
def test_presence_when_details_are_odd_then_the_role_is_alive(store: Store, details: dict[str, Any]) -> None:
    store.presence.beat("web", "host-1", details)

    (one,) = store.presence.alive(10)
    assert one.details == details


@pytest.mark.parametrize("odd", ODD, ids=IDS)
def test_presence_when_names_are_odd_then_the_role_comes_and_goes(store: Store, odd: str) -> None:
    store.presence.beat("web", odd, {})
    store.presence.beat("web", odd, {})
    assert len(store.presence.alive(10)) == 1

    store.presence.leave("web", odd)
    assert store.presence.alive(10) == []


@pytest.mark.parametrize("odd", ODD, ids=IDS)
def test_record_when_the_stream_has_an_odd_name_then_messages_are_counted_once(store: Store, odd: str) -> None:
    batch = a_labelled_batch("disk failed", "link up", stream=odd, offset=5)

    store.record("in", batch)
    store.record("in", batch)  # a worker that was killed before its commit labels them again

    found = store.pool.find("disk failed")
    assert found is not None
    assert found.count == 1


@pytest.mark.parametrize("offset", [0, 1, MOST - 2])
def test_record_when_offsets_are_at_their_ends_then_messages_are_counted_once(store: Store, offset: int) -> None:
    batch = a_labelled_batch("disk failed", "disk failed", offset=offset)

    store.record("in", batch)
    store.record("in", batch)

    found = store.pool.find("disk failed")
    assert found is not None
    assert found.count == 2


def test_record_when_there_is_nothing_then_nothing_changes(store: Store) -> None:
    store.record("in", a_labelled_batch())

    assert (store.pool.size(), store.pool.messages()) == (0, 0)


def test_pool_when_there_is_nothing_to_add_then_nothing_changes(store: Store) -> None:
    added_rows = store.pool.add(pl.DataFrame(schema={"text": pl.String, "template": pl.String}))

    assert added_rows.is_empty()
    assert store.pool.size() == 0
