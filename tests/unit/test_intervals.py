import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigie.intervals import wilson, wilson_bounds


@pytest.mark.parametrize(("successes", "n"), [(0, 1), (0, 10), (5, 10), (10, 10), (980, 1000)])
def test_wilson_when_compared_with_scipy_then_the_same(successes: int, n: int) -> None:
    from scipy.stats import binomtest

    expected = binomtest(successes, n).proportion_ci(0.95, method="wilson")
    interval = wilson(successes, n)

    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))


def test_wilson_when_there_are_no_trials_then_anything_is_possible() -> None:
    interval = wilson(0, 0)

    assert math.isnan(interval.value)
    assert (interval.low, interval.high) == (0, 1)


@given(st.floats(0, 1), st.floats(0.1, 1e6), st.floats(0.5, 0.999))
def test_wilson_when_given_any_share_then_within_its_interval(share: float, n: float, level: float) -> None:
    interval = wilson(share * n, n, level=level)

    assert 0 <= interval.low <= interval.value + 1e-9
    assert interval.value - 1e-9 <= interval.high <= 1


def test_wilson_when_sampled_often_then_contains_the_truth_as_promised() -> None:
    rng = np.random.default_rng(0)
    hits = rng.binomial(40, 0.9, 4000)
    inside = [interval.low <= 0.9 <= interval.high for interval in (wilson(int(hit), 40) for hit in hits)]

    assert np.mean(inside) > 0.93


def test_wilson_bounds_when_taken_together_then_as_one_by_one() -> None:
    shares, n = np.array([0.0, 0.3, 1.0, 0.5]), np.array([4.0, 10.0, 200.0, 1.0])

    low, high = wilson_bounds(shares, n)

    each = [wilson(share * trials, trials) for share, trials in zip(shares, n, strict=True)]
    assert low == pytest.approx([one.low for one in each])
    assert high == pytest.approx([one.high for one in each])


def test_wilson_bounds_when_there_are_no_trials_then_nothing_is_known() -> None:
    low, high = wilson_bounds(np.array([float("nan"), 0.2]), np.zeros(2))

    assert low == pytest.approx([0, 0])
    assert high == pytest.approx([1, 1])
