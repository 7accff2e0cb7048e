from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from builders import NOON, a_dimension, a_labelled_batch
from store_fixtures import SettableClock
from vigie.exchange import Answer, Status, dimensions_of, format_named, given, sift
from vigie.exchange.answers import name_of
from vigie.labels import Annotation, Purpose
from vigie.store import Store
from vigie.store.elsewhere import Note

LATER = NOON + timedelta(minutes=1)


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def store(tmp_path: Path, clock: SettableClock) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path / 'vigie.db'}", clock=clock) as store:
        store.record("kafka", a_labelled_batch("a", "b", texts=["a 1", "b 1"]))
        yield store


def an_annotation(store: Store, template: str, label: str | None, **changes: object) -> Annotation:
    group = store.pool.find(template)
    assert group is not None
    first = Annotation(group.id, "severity", label, "ann", Purpose.TRAIN, NOON)
    return replace(first, **changes)  # type: ignore[arg-type]


def test_given_when_dimensions_were_answered_together_then_they_are_one_answer(store: Store) -> None:
    both = [an_annotation(store, "a", "info"), an_annotation(store, "a", "disk", dimension="kind")]
    later = an_annotation(store, "a", "red", dimension="colour", created_at=LATER, purpose=Purpose.AUDIT)
    other = an_annotation(store, "a", "error", annotator="bob", model_version="3", duration_seconds=1.5000000003726)
    store.annotations.add([*both, later, other])

    assert given(store.annotations) == [
        Answer("a 1", {"severity": "info", "kind": "disk"}, "ann", NOON, name_of("a", "ann", NOON)),
        Answer("a 1", {"colour": "red"}, "ann", LATER, name_of("a", "ann", LATER), purpose=Purpose.AUDIT),
        Answer(
            "a 1",
            {"severity": "error"},
            annotator="bob",
            created_at=NOON,
            id=name_of("a", "bob", NOON),
            model_version="3",
            duration_seconds=1.5,
        ),
    ]


def test_given_when_answers_are_about_several_groups_then_each_group_stands_together(store: Store) -> None:
    for template, annotator in (("b", "ann"), ("a", "ann"), ("b", "bob")):
        store.annotations.add([an_annotation(store, template, "info", annotator=annotator)])

    assert [answer.text for answer in given(store.annotations)] in (["a 1", "b 1", "b 1"], ["b 1", "b 1", "a 1"])


def test_given_when_minds_changed_then_what_holds_and_the_history_on_request(store: Store) -> None:
    store.annotations.add(
        [an_annotation(store, "a", "info"), an_annotation(store, "b", "info")], notes=[Note("17"), Note()]
    )
    store.annotations.add([an_annotation(store, "a", "error", created_at=LATER)])
    store.annotations.add([an_annotation(store, "b", None, created_at=LATER)])

    holds = given(store.annotations)
    history = given(store.annotations, history=True)

    assert [(answer.text, answer.labels) for answer in holds] == [("a 1", {"severity": "error"})]
    assert sorted((answer.text, answer.status, answer.labels["severity"], answer.created_at) for answer in history) == [
        ("a 1", "answered", "error", LATER),
        ("a 1", "answered", "info", NOON),
        ("b 1", "answered", "info", NOON),
        ("b 1", "withdrawn", "info", LATER),
    ]
    assert "17" in {answer.id for answer in history}


def test_given_when_minds_changed_within_a_microsecond_then_the_history_has_both(store: Store) -> None:
    store.annotations.add([an_annotation(store, "a", "info"), an_annotation(store, "a", "error")])

    assert [answer.labels for answer in given(store.annotations, history=True)] == [
        {"severity": "info"},
        {"severity": "error"},
    ]


def test_given_when_messages_were_skipped_and_flagged_then_they_are_there(store: Store, clock: SettableClock) -> None:
    first, second = store.questions.lease("ann", 2, 60)
    store.questions.skip(first.id, "ann")
    clock.forward(60)
    store.questions.flag(second.id, "ann", "two in one")

    found = {answer.status: answer for answer in given(store.annotations)}

    assert found[Status.SKIPPED].created_at == NOON
    flagged = found[Status.FLAGGED]
    assert (flagged.annotator, flagged.created_at, flagged.comment, flagged.labels) == ("ann", LATER, "two in one", {})


def test_given_when_answers_are_about_different_messages_then_each_goes_out_with_its_own(store: Store) -> None:
    store.annotations.add([an_annotation(store, "a", "info", message="a 7")])
    store.annotations.add([an_annotation(store, "a", "error", message="a 8", created_at=LATER)])
    store.annotations.add([an_annotation(store, "b", "info", message="b 7")])
    store.annotations.add([an_annotation(store, "b", None, message=None, created_at=LATER)])

    found = [(answer.text, answer.labels, answer.status) for answer in given(store.annotations)]
    assert found == [
        ("a 7", {"severity": "info"}, Status.ANSWERED),
        ("a 8", {"severity": "error"}, Status.ANSWERED),
    ]
    history = given(store.annotations, history=True)
    assert [(one.text, one.status) for one in history[2:]] == [("b 7", Status.ANSWERED), ("b 1", Status.WITHDRAWN)]
    assert history[3].labels == {"severity": "info"}


def test_given_when_there_is_nothing_then_nothing(store: Store) -> None:
    assert given(store.annotations) == given(store.annotations, history=True) == []


def test_sift_when_a_format_has_no_place_for_something_then_counts_it() -> None:
    answers = [Answer("a", {"x": "y"}), Answer("a", status=Status.SKIPPED), Answer("b", status=Status.SKIPPED)]
    left: Counter[Status] = Counter()

    assert list(sift(answers, format_named("doccano"), left)) == answers[:1]
    assert left == {Status.SKIPPED: 2}


def test_dimensions_of_when_a_dimension_is_gone_then_it_is_there_with_what_was_said() -> None:
    answers = [
        Answer("a", {"severity": "info", "mood": "sad"}),
        Answer("b", {"mood": "glad"}),
        Answer("c", {"mood": "sad"}),
    ]

    severity, mood = dimensions_of(answers, [a_dimension()])

    assert severity == a_dimension()
    assert (mood.name, mood.label_names) == ("mood", ("sad", "glad"))
