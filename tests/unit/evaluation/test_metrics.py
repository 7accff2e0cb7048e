import math

import pytest

from vigie.evaluation.metrics import macro_f1


def test_macro_f1_when_a_label_is_rare_then_counts_as_much() -> None:
    truth, predicted = ["error", "info", "info", "warning"], ["error", "info", "warning", "warning"]

    assert macro_f1(truth, predicted) == pytest.approx((1 + 2 / 3 + 2 / 3) / 3)
    assert macro_f1(["a"] * 99 + ["b"], ["a"] * 100) == pytest.approx(0.4975, abs=1e-4)


def test_macro_f1_when_a_label_is_only_predicted_then_it_counts_with_nothing() -> None:
    assert macro_f1(["a", "a"], ["a", "b"]) == pytest.approx((2 / 3 + 0) / 2)


def test_macro_f1_when_there_is_nothing_to_measure_then_unknown() -> None:
    assert math.isnan(macro_f1([], []))
