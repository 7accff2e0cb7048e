from itertools import combinations
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import a_dimension
from learner_fakes import Said, effective
from vigie.quality.gold import gold_answers
from vigie.quality.numbers import annotators, quality
from vigie.quality.pace import paces

LABELS = ("info", "warning", "error")
DIMENSIONS = (a_dimension(labels=LABELS), a_dimension("topic", ("disk", "network")))
NO_GOLD = pl.DataFrame(schema={"group_id": pl.Int64, "marked_by": pl.String, "marked_at": pl.Datetime("us", "UTC")})


def numbers(*said: Said, too_fast_seconds: float = 0.4) -> dict[str, Any]:
    return quality(effective(*said), NO_GOLD, DIMENSIONS, too_fast_seconds=too_fast_seconds)


def people(*said: Said) -> dict[str, Any]:
    answers = effective(*said)
    found = annotators(answers, gold_answers(answers, NO_GOLD), paces(answers, too_fast_seconds=0.4))
    return {one.name: one for one in found}


def test_quality_when_nobody_answered_then_nothing_is_known() -> None:
    assert numbers() == {
        "agreement": {"severity": {"kappa": None, "alpha": None}, "topic": {"kappa": None, "alpha": None}},
        "gold": {"groups": 0, "accuracy": None},
        "disagreements": 0,
        "too_fast": 0,
        "annotators": [],
    }


def test_quality_when_a_dimension_is_not_asked_any_more_then_its_answers_do_not_count() -> None:
    found = numbers(
        Said(1, "old", "retired", annotator="ann"),
        Said(1, "new", "retired", annotator="bob"),
        Said(1, "info", annotator="cyd"),
    )

    assert found["disagreements"] == 0
    assert [one["name"] for one in found["annotators"]] == ["cyd"]


def test_quality_when_a_label_is_not_there_any_more_then_what_was_said_with_it_does_not_count() -> None:
    found = numbers(
        Said(1, "fatal", annotator="ann"),
        Said(1, "info", annotator="bob"),
    )

    assert found["disagreements"] == 0
    assert [one["name"] for one in found["annotators"]] == ["bob"]


def test_quality_when_people_differ_in_two_dimensions_of_a_group_then_it_waits_once() -> None:
    said = [
        Said(1, label, dimension, annotator=name)
        for name, labels in (("ann", ("info", "disk")), ("bob", ("error", "network")))
        for label, dimension in zip(labels, ("severity", "topic"), strict=True)
    ]

    assert numbers(*said)["disagreements"] == 1


def test_annotators_when_several_answered_then_those_with_most_groups_are_first_and_names_break_ties() -> None:
    found = people(
        *(Said(number, "info", annotator="bob") for number in range(3)),
        *(Said(number, "info", annotator="zoe") for number in range(5)),
        *(Said(number, "info", annotator="ann") for number in range(3)),
    )

    assert [(one.name, one.n_answers) for one in found.values()] == [("zoe", 5), ("ann", 3), ("bob", 3)]


def test_annotators_when_two_dimensions_of_a_group_were_answered_then_that_is_one_answer() -> None:
    found = people(Said(1, "info", annotator="ann"), Said(1, "disk", "topic", annotator="ann"))

    assert found["ann"].n_answers == 1


def test_annotators_when_nobody_else_answered_then_agreement_is_unknown() -> None:
    one = people(Said(1, "info", annotator="ann"), Said(2, "info", annotator="bob"))["ann"]

    assert (one.agreement, one.n_compared, one.gold, one.median_seconds) == (None, 0, None, None)


def test_annotators_when_a_reviewer_settled_then_that_is_no_answer_to_be_compared_with() -> None:
    found = people(Said(1, "info", annotator="ann"), Said(1, "error", annotator="rev", settled=True, minute=3))

    assert found.keys() == {"ann"}
    assert found["ann"].n_compared == 0


def test_annotators_when_they_spoke_of_different_parts_without_a_group_of_their_own_then_that_is_no_comparison() -> (
    None
):
    said = effective(Said(1, "info", annotator="ann"), Said(1, "error", annotator="bob"))
    parts = said.with_columns(template=pl.Series(["t 200", "t 500"]))

    found = annotators(parts, gold_answers(parts, NO_GOLD), paces(parts, too_fast_seconds=0.4))

    assert [one.n_compared for one in found] == [0, 0]


@pytest.mark.parametrize(
    ("others", "agreement", "n_compared"),
    [
        (["info"], 1.0, 1),
        (["error"], 0.0, 1),
        (["info", "error"], 0.5, 2),
        (["info", "info", "info", "error"], 0.75, 4),
    ],
)
def test_annotators_when_others_answered_the_same_group_then_each_of_them_is_one_comparison(
    others: list[str], agreement: float, n_compared: int
) -> None:
    said = [Said(1, label, annotator=f"other {number}") for number, label in enumerate(others)]

    one = people(Said(1, "info", annotator="ann"), *said)["ann"]

    assert (one.agreement, one.n_compared) == (agreement, n_compared)


PEOPLE = ("ann", "bob", "cyd", "dan")
ANSWERS = st.dictionaries(st.tuples(st.integers(1, 6), st.sampled_from(PEOPLE)), st.sampled_from(LABELS), max_size=24)


@given(ANSWERS)
def test_annotators_when_anybody_says_anything_then_as_counted_one_by_one(answers: dict[tuple[int, str], str]) -> None:
    found = people(*(Said(group, label, annotator=name) for (group, name), label in answers.items()))

    assert found.keys() == {name for _, name in answers}
    for name, one in found.items():
        mine = {group: label for (group, who), label in answers.items() if who == name}
        compared = [label == mine[group] for (group, who), label in answers.items() if who != name and group in mine]
        assert one.n_answers == len(mine)
        assert one.n_compared == len(compared)
        assert one.agreement == (pytest.approx(sum(compared) / len(compared)) if compared else None)


@given(ANSWERS)
def test_quality_when_anybody_says_anything_then_those_that_differ_wait(answers: dict[tuple[int, str], str]) -> None:
    found = numbers(*(Said(group, label, annotator=name) for (group, name), label in answers.items()))

    pairs = combinations(answers.items(), 2)
    differing = {one[0] for (one, label), (other, said) in pairs if one[0] == other[0] and label != said}
    assert found["disagreements"] == len(differing)


@given(ANSWERS, st.randoms(use_true_random=False))
def test_quality_when_answers_come_in_another_order_then_the_numbers_are_the_same(
    answers: dict[tuple[int, str], str], random: Any
) -> None:
    said = [Said(group, label, annotator=name) for (group, name), label in answers.items()]
    mixed = list(said)
    random.shuffle(mixed)

    first, second = numbers(*said), numbers(*mixed)

    for one, other in zip(first["annotators"], second["annotators"], strict=True):
        assert one == pytest.approx(other)
    assert {**first, "annotators": []} == {**second, "annotators": []}
