import math

import numpy as np
import pytest
from sklearn import metrics as reference

from vigie.evaluation.metrics import (
    accuracy,
    brier,
    confusion,
    expected_calibration_error,
    log_loss,
    macro_f1,
    reliability,
)

TRUTH = ["error", "info", "info", "warning"]
PREDICTED = ["error", "info", "warning", "warning"]


def test_accuracy_when_messages_weigh_differently_then_their_share() -> None:
    assert accuracy(TRUTH, PREDICTED) == 0.75
    assert accuracy(TRUTH, PREDICTED, np.array([1.0, 1.0, 6.0, 2.0])) == 0.4


def test_macro_f1_when_a_label_is_rare_then_counts_as_much() -> None:
    assert macro_f1(TRUTH, PREDICTED) == pytest.approx((1 + 2 / 3 + 2 / 3) / 3)
    assert macro_f1(["a"] * 99 + ["b"], ["a"] * 100) == pytest.approx(0.4975, abs=1e-4)


def test_measures_when_there_is_nothing_to_measure_then_unknown() -> None:
    none = np.empty(0)

    assert math.isnan(accuracy([], []))
    assert math.isnan(macro_f1([], []))
    assert math.isnan(log_loss(np.empty((0, 2)), np.empty(0, dtype=np.int64)))
    assert math.isnan(expected_calibration_error(none, none.astype(bool)))
    assert confusion([], [], ["a", "b"]).tolist() == [[0, 0], [0, 0]]
    assert reliability(none, none.astype(bool)) == []


def test_confusion_when_labels_are_given_then_in_their_order_even_unused_ones() -> None:
    counts = confusion(TRUTH, PREDICTED, ["info", "warning", "error", "critical"])

    assert counts.tolist() == [[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]


def test_log_loss_and_brier_when_compared_with_scikit_learn_then_the_same() -> None:
    rng = np.random.default_rng(0)
    proba, targets, weights = rng.dirichlet(np.ones(3), 50), rng.integers(3, size=50), rng.random(50)
    names = [0, 1, 2]

    assert log_loss(proba, targets) == pytest.approx(reference.log_loss(targets, proba, labels=names))
    assert log_loss(proba, targets, weights) == pytest.approx(
        reference.log_loss(targets, proba, labels=names, sample_weight=weights)
    )
    assert brier(proba, targets) == pytest.approx(
        reference.brier_score_loss(targets, proba, labels=names, scale_by_half=False)
    )


def test_log_loss_when_the_truth_was_ruled_out_then_large_but_finite() -> None:
    assert 30 < log_loss(np.array([[1.0, 0.0]]), np.array([1])) < 40
    assert brier(np.array([[1.0, 0.0]]), np.array([1])) == 2.0
    assert brier(np.array([[1.0, 0.0]]), np.array([0])) == 0.0


def test_reliability_when_drawn_then_steps_hold_confidence_accuracy_and_weight() -> None:
    steps = reliability(np.array([0.55, 0.55, 0.95, 1.0]), np.array([True, False, True, True]))

    assert [(step.confidence, step.accuracy, step.weight) for step in steps] == [(0.55, 0.5, 2.0), (0.975, 1.0, 2.0)]


def test_expected_calibration_error_when_confidence_is_honest_then_small() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.random(20_000)
    right = rng.random(20_000) < confidence

    assert expected_calibration_error(confidence, right) < 0.02
    assert expected_calibration_error(np.sqrt(confidence), right) > 0.1


def test_expected_calibration_error_when_one_group_weighs_most_then_it_decides() -> None:
    confidence, right = np.array([0.9, 0.5]), np.array([True, False])

    assert expected_calibration_error(confidence, right, weights=np.array([99.0, 1.0])) == pytest.approx(0.104)
