import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigie.strategies.joint import best, by_traffic, joint


def test_joint_when_no_weights_are_given_then_the_mean() -> None:
    assert joint({"a": np.array([1.0, 0.0]), "b": np.array([0.0, 0.0])}).tolist() == [0.5, 0.0]


def test_joint_when_a_dimension_weighs_nothing_then_it_does_not_count() -> None:
    assert joint({"a": np.array([1.0, 0.0]), "b": np.array([0.3, 0.6])}, {"a": 0.0}).tolist() == [0.3, 0.6]


def test_by_traffic_when_groups_are_larger_then_asked_sooner_with_diminishing_returns() -> None:
    scores = by_traffic(np.full(3, 0.5), np.array([1, 10, 100]))

    assert scores[0] < scores[1] < scores[2] < 10 * scores[1]


@given(st.lists(st.integers(0, 5), max_size=40), st.integers(-1, 50), st.integers(0, 99))
def test_best_when_scores_tie_then_still_the_highest_and_each_once(scores: list[int], n: int, seed: int) -> None:
    array = np.array(scores, dtype=np.float64)
    rows = best(array, n, np.random.default_rng(seed)).tolist()

    assert len(rows) == len(set(rows)) == min(max(n, 0), len(scores))
    assert [array[row] for row in rows] == sorted(scores, reverse=True)[: len(rows)]


def test_best_when_all_tie_then_chance_decides() -> None:
    rng = np.random.default_rng(0)
    drawn = [best(np.zeros(5), 1, rng)[0] for _ in range(500)]

    assert np.bincount(drawn, minlength=5).min() > 60


def test_best_when_seed_is_the_same_then_the_same_rows() -> None:
    scores = np.random.default_rng(0).integers(3, size=1000).astype(np.float64)

    assert (best(scores, 50, np.random.default_rng(1)) == best(scores, 50, np.random.default_rng(1))).all()
    assert not np.array_equal(best(scores, 50, np.random.default_rng(1)), best(scores, 50, np.random.default_rng(2)))


@pytest.mark.parametrize("n", [0, -3])
def test_best_when_none_is_wanted_then_none(n: int) -> None:
    assert best(np.ones(3), n, np.random.default_rng(0)).tolist() == []
