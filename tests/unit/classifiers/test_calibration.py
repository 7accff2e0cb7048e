import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss

from vigie.classifiers.calibration import balanced, fit_temperature, folds, softmax, widened


def drawn(temperature: float, n: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Return scores whose labels were drawn with probabilities softmax(scores / temperature)."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(n, 3)) * 3
    targets = (softmax(scores / temperature).cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return scores, targets


def test_softmax_when_scores_are_huge_then_finite_and_sums_to_one() -> None:
    proba = softmax(np.array([[1e4, 0.0], [-1e4, -1e4], [0.0, 0.0]]))

    np.testing.assert_allclose(proba, [[1, 0], [0.5, 0.5], [0.5, 0.5]])


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_fit_temperature_when_labels_were_drawn_with_one_then_found(temperature: float) -> None:
    assert fit_temperature(*drawn(temperature)) == pytest.approx(temperature, rel=0.1)


def test_fit_temperature_when_used_then_log_loss_falls() -> None:
    scores, targets = drawn(3.0)

    assert log_loss(targets, softmax(scores / fit_temperature(scores, targets))) < log_loss(targets, softmax(scores))


def test_fit_temperature_when_rows_are_doubled_or_weigh_double_then_the_same() -> None:
    scores, targets = drawn(2.0, n=50)
    doubled = fit_temperature(np.tile(scores, (2, 1)), np.tile(targets, 2))

    assert fit_temperature(scores, targets, np.full(50, 2.0)) == pytest.approx(doubled, rel=1e-3)


def test_fit_temperature_when_answers_are_few_then_near_one() -> None:
    sure, wrong = np.array([[5.0, 0.0]]), np.array([1])

    assert fit_temperature(np.empty((0, 2)), np.empty(0, dtype=np.int64)) == 1.0
    assert 1 < fit_temperature(sure, wrong) < 4


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 4)), min_size=1), st.integers(2, 5), st.integers(0, 9))
def test_folds_when_groups_repeat_then_never_on_both_sides(pairs: list[tuple[int, int]], n: int, seed: int) -> None:
    groups, targets = np.array(pairs).T
    fold = folds(groups, targets, n, np.random.default_rng(seed))

    assert all(len(set(fold[groups == group].tolist())) == 1 for group in set(groups.tolist()))
    assert set(fold.tolist()) <= set(range(n))
    assert len(set(fold.tolist())) == min(n, len(set(groups.tolist())))


def test_folds_when_labels_are_rare_then_dealt_evenly() -> None:
    targets = np.repeat([0, 1], [45, 5])
    fold = folds(np.arange(50), targets, 5, np.random.default_rng(0))

    assert np.bincount(fold[targets == 1]).tolist() == [1] * 5
    assert np.bincount(fold[targets == 0]).tolist() == [9] * 5


def test_balanced_when_a_label_is_rare_then_all_weigh_the_same_in_sum() -> None:
    weights = balanced(np.array([0, 0, 0, 2, 2]), np.array([1.0, 1.0, 1.0, 1.0, 0.0]), 3)

    np.testing.assert_allclose(weights, [2 / 3, 2 / 3, 2 / 3, 2, 0])
    assert balanced(np.array([0]), np.array([0.0]), 2).tolist() == [0.0]


def test_widened_when_labels_were_never_seen_then_keep_a_share_by_laplaces_rule() -> None:
    wide = widened(np.array([[0.75, 0.25]]), (0, 2), 6, 4)

    np.testing.assert_allclose(wide, [[0.75 * 0.8, 0.1, 0.25 * 0.8, 0.1]])
    np.testing.assert_allclose(widened(np.ones((2, 1)), (1,), 8, 2), [[0.1, 0.9]] * 2)
    np.testing.assert_allclose(widened(np.ones((1, 0)), (), 0, 4), [[0.25] * 4])
