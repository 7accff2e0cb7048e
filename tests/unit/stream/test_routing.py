import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import a_dimension
from vigie.rules import Rules
from vigie.stream.routing import NEVER, Policy, threshold

DIMENSIONS = (a_dimension("severity"), a_dimension("mood"))
PROVEN = ((0.99, 0.985), (0.9, 0.97), (0.7, 0.91))


def a_policy(**targets: float) -> Policy:
    return Policy(DIMENSIONS, Rules.empty(DIMENSIONS), confidence=0.6, targets=targets)


@pytest.mark.parametrize(("target", "expected"), [(0.5, 0.7), (0.91, 0.9), (0.96, 0.9), (0.98, 0.99), (0.99, None)])
def test_threshold_when_bounds_are_known_then_is_the_lowest_above_the_target(
    target: float, expected: float | None
) -> None:
    assert threshold(PROVEN, target) == expected


def test_threshold_when_nothing_is_known_then_there_is_none() -> None:
    assert threshold((), 0.5) is None


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=20),
    st.floats(0.01, 0.99),
    st.floats(0.01, 0.99),
)
def test_threshold_when_more_is_promised_then_it_never_falls(
    pairs: list[tuple[float, float]], one: float, other: float
) -> None:
    low, high = (threshold(pairs, target) for target in sorted((one, other)))

    assert (NEVER if low is None else low) <= (NEVER if high is None else high)


def test_policy_when_a_dimension_has_no_target_then_the_fixed_confidence_holds() -> None:
    policy = a_policy(severity=0.98).for_evidence({"severity": PROVEN})

    assert policy.threshold("severity") == 0.99
    assert policy.threshold("mood") == 0.6


def test_policy_when_there_is_no_evidence_then_no_confidence_is_enough() -> None:
    assert a_policy(severity=0.98).threshold("severity") == NEVER
    assert a_policy(severity=0.98).for_evidence({}).threshold("severity") == NEVER


def test_policy_when_new_evidence_comes_then_the_old_is_forgotten() -> None:
    policy = a_policy(severity=0.9).for_evidence({"severity": PROVEN})

    assert policy.threshold("severity") == 0.7
    assert policy.for_evidence({}).threshold("severity") == NEVER
