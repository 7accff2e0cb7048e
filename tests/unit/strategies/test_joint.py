import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigie.strategies import Candidates
from vigie.strategies.joint import Doubt, best, choices, evened, joint, others, rarity
from vigie.strategies.uncertainty import margin


def test_joint_when_no_weights_are_given_then_the_mean() -> None:
    assert joint({"a": np.array([1.0, 0.0]), "b": np.array([0.0, 0.0])}).tolist() == [0.5, 0.0]


def test_joint_when_a_dimension_weighs_nothing_then_it_does_not_count() -> None:
    assert joint({"a": np.array([1.0, 0.0]), "b": np.array([0.3, 0.6])}, {"a": 0.0}).tolist() == [0.3, 0.6]


def test_weights_when_groups_are_larger_then_they_count_more_with_diminishing_returns() -> None:
    weights = Candidates(pl.Series(list("abc")), np.array([1, 10, 100]), {}).weights

    assert weights[0] < weights[1] < weights[2] < 10 * weights[1]


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


def test_evened_when_dimensions_are_unsure_to_different_degrees_then_they_count_alike() -> None:
    rng = np.random.default_rng(0)
    found = evened({"many": rng.uniform(0.8, 1.0, 1000), "few": rng.uniform(0.0, 0.5, 1000)})

    assert found["many"].max() == pytest.approx(found["few"].max(), rel=0.1)


def test_evened_when_a_dimension_is_sure_everywhere_then_it_stays_small() -> None:
    found = evened({"settled": np.full(100, 0.01), "open": np.linspace(0, 1, 100)})

    assert found["settled"].max() == pytest.approx(0.05)
    assert found["open"].max() > 1


def test_evened_when_a_sure_dimension_has_a_few_doubts_then_these_count_most() -> None:
    values = np.full(1000, 0.01)
    values[:5] = 0.9
    found = evened({"nearly": values, "open": np.random.default_rng(0).uniform(0.5, 1, 1000)})

    assert found["nearly"][:5].min() > found["open"].max()
    assert found["nearly"][5:].max() < 0.1


def test_evened_when_nothing_is_unsure_then_zeros() -> None:
    assert evened({"alone": np.zeros(3)})["alone"].tolist() == [0, 0, 0]


def test_others_when_some_are_chosen_then_the_best_of_the_rest() -> None:
    scores = np.array([5.0, 1.0, 4.0, 3.0])

    assert others([0, 3], scores, 3, np.random.default_rng(0)).tolist() == [2]
    assert others([0], scores, 9, np.random.default_rng(0)).tolist() == [2, 3, 1]
    assert others([], scores, 1, np.random.default_rng(0)).tolist() == [0]


def test_choices_when_a_later_score_is_higher_then_scores_fall_and_the_order_stays() -> None:
    found = choices([4, 2, 9], np.array([1.0, 3.0, 0.5]), lambda row: {"why": "test", "size": row})

    assert [(choice.row, choice.score) for choice in found] == [(4, 1.0), (2, 1.0), (9, 0.5)]
    assert found[1].reason == {"why": "test", "size": 2}


def test_doubt_when_a_settled_dimension_is_beside_an_open_one_then_the_open_one_drives() -> None:
    rng = np.random.default_rng(0)
    settled, unsettled = np.tile([0.99, 0.01], (100, 1)), rng.dirichlet([1, 1, 1], 100)
    some = Candidates(pl.Series(["t"] * 100), np.full(100, 3), {"settled": settled, "open": unsettled})
    doubt = Doubt.of(some, margin, {})
    top = int(np.argmax(doubt.scores))

    assert doubt.driver(top) == "open"
    assert margin(unsettled)[top] > 0.95
    assert doubt.reason(top)["dimension"] == "open"


def test_doubt_when_there_is_no_model_then_the_weight_alone() -> None:
    doubt = Doubt.of(Candidates(pl.Series(["a", "b"]), np.array([1, 9]), {}), margin, {})

    assert doubt.scores.tolist() == np.log1p([1, 9]).tolist()
    assert doubt.reason(1) == {"why": "frequent", "size": 9}


def test_doubt_when_a_dimension_has_one_label_then_its_gap_is_whole() -> None:
    doubt = Doubt.of(Candidates(pl.Series(["a"]), np.array([1]), {"alone": np.ones((1, 1))}), margin, {})

    assert doubt.scores.tolist() == [0]
    assert doubt.reason(0)["margin"] == 1.0


def test_weights_when_groups_are_urgent_then_they_count_more() -> None:
    some = Candidates(pl.Series(["a", "b"]), np.array([9, 9]), {}, urgency=np.array([1.0, 2.0]))

    assert some.weights.tolist() == pytest.approx([np.log(10), 2 * np.log(10)])


def test_rarity_when_labels_are_as_frequent_as_each_other_then_one() -> None:
    proba = np.array([[0.9, 0.1], [0.1, 0.9], [0.5, 0.5]])

    np.testing.assert_allclose(rarity(proba, np.array([4, 4, 2])), 1.0)


def test_rarity_when_a_group_may_have_a_rare_label_then_more_by_traffic_and_bounded() -> None:
    proba = np.array([[1.0, 0.0], [0.7, 0.3], [0.0, 1.0]])
    some, fewer = rarity(proba, np.array([90, 5, 5])), rarity(proba, np.array([1_000_000, 5, 5]))

    assert some[0] < 1 < some[1] < some[2]
    assert fewer[2] > some[2]
    assert fewer.max() < 32


def test_rarity_when_a_label_was_answered_often_then_it_counts_less() -> None:
    proba, sizes = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([98, 2])
    few, many = (rarity(proba, sizes, np.array([1] * n + [-1])) for n in (1, 100))

    assert rarity(proba, sizes)[1] > few[1] > many[1] > 1


def test_doubt_when_two_groups_are_as_unsure_then_the_one_with_the_rare_label_first() -> None:
    proba = np.array([[0.98, 0.01, 0.01]] * 50 + [[0.5, 0.49, 0.01], [0.5, 0.01, 0.49]])
    sizes = np.array([100] * 25 + [1] * 25 + [10, 10])
    proba[:25] = [0.01, 0.98, 0.01]
    doubt = Doubt.of(Candidates(pl.Series(["t"] * 52), sizes, {"severity": proba}), margin, {})

    assert int(np.argmax(doubt.scores)) == 51
    assert int(np.argmax(doubt.each["severity"])) == 51
