from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from vigie.strategies import Candidates
from vigie.strategies.uncertainty import (
    Entropy,
    LeastConfidence,
    Margin,
    Random,
    Uncertainty,
    entropy,
    least_confidence,
    margin,
)

Measure = Callable[[np.ndarray], np.ndarray]

PROBA = np.array([[0.4, 0.35, 0.25], [0.9, 0.05, 0.05], [0.5, 0.5, 0.0], [1 / 3, 1 / 3, 1 / 3]])


def candidates(sizes: tuple[int, ...] = (5, 5, 5, 5), **proba: np.ndarray) -> Candidates:
    return Candidates(pl.Series([f"t{i}" for i in range(len(sizes))]), np.array(sizes), proba)


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        (least_confidence, [0.9, 0.15, 0.75, 1.0]),
        (margin, [0.95, 0.15, 1.0, 1.0]),
        (entropy, [0.983, 0.359, 0.631, 1.0]),
    ],
)
def test_measure_when_labels_are_more_or_less_sure_then_these(measure: Measure, expected: list[float]) -> None:
    np.testing.assert_allclose(measure(PROBA), expected, atol=1e-3)


@pytest.mark.parametrize("measure", [least_confidence, margin, entropy])
def test_measure_when_sure_or_single_label_then_zero_and_never_outside_of_range(measure: Measure) -> None:
    proba = np.random.default_rng(0).dirichlet(np.ones(4) * 0.2, 1000)

    assert measure(np.array([[1.0, 0.0]])).tolist() == [0.0]
    assert measure(np.ones((2, 1))).tolist() == [0.0, 0.0]
    assert measure(proba).min() >= 0
    assert measure(proba).max() <= 1
    assert np.all(np.copysign(1, measure(np.array([[1.0, 0.0]]))) == 1)


@pytest.mark.parametrize(
    ("strategy", "figure"),
    [(LeastConfidence(), ("confidence", 0.5)), (Margin(), ("margin", 0.0)), (Entropy(), ("entropy", 0.6309))],
)
def test_query_when_model_is_unsure_then_reason_names_dimension_and_figure(
    strategy: Uncertainty, figure: tuple[str, float]
) -> None:
    (choice,) = strategy.query(
        candidates((40,), severity=PROBA[2:3], category=np.array([[0.99, 0.01]])), 1, np.random.default_rng(0)
    )

    name, value = figure
    assert choice.reason == {"why": "uncertain", "dimension": "severity", name: value, "size": 40}


def test_query_when_groups_are_equally_unsure_then_the_larger_first() -> None:
    proba = np.full((4, 2), 0.5)
    rows = [
        choice.row for choice in Margin().query(candidates((1, 100, 10, 1000), d=proba), 4, np.random.default_rng(0))
    ]

    assert rows == [3, 1, 2, 0]


def test_query_when_a_huge_group_is_sure_then_small_unsure_ones_come_first() -> None:
    proba = np.array([[0.999, 0.001], [0.5, 0.5]])
    rows = [choice.row for choice in Margin().query(candidates((100_000, 3), d=proba), 2, np.random.default_rng(0))]

    assert rows == [1, 0]


def test_query_when_several_dimensions_then_all_count_by_weight() -> None:
    one, other = np.array([[0.5, 0.5], [0.8, 0.2]]), np.array([[0.9, 0.1], [0.75, 0.25]])
    some = candidates((5, 5), one=one, other=other)
    rng = np.random.default_rng(0)

    assert Margin().query(some, 1, rng)[0].row == 0
    assert Margin(weights={"other": 3}).query(some, 1, rng)[0].row == 1
    assert Margin(weights={"other": 3}).query(some, 1, rng)[0].reason["dimension"] == "other"


def test_query_when_there_is_no_model_then_largest_groups_first() -> None:
    choices = Entropy().query(candidates((5, 50, 7)), 2, np.random.default_rng(0))

    assert [choice.row for choice in choices] == [1, 2]
    assert choices[0].reason == {"why": "frequent", "size": 50}


def test_random_when_asked_often_then_every_group_as_likely_whatever_its_size() -> None:
    rng = np.random.default_rng(0)
    some = candidates((1, 10, 1000, 5), d=PROBA)
    drawn = [choice.row for _ in range(400) for choice in Random().query(some, 2, rng)]

    assert np.bincount(drawn).min() > 160
    assert Random().query(some, 1, rng)[0].reason["why"] == "random"
