import math
from datetime import UTC, datetime

import pytest

from vigie.learner.random_asking import Needed
from vigie.learner.savings import TAG, USUAL_RATIO, Savings, latest, saving
from vigie.registry import VersionInfo


def a_need(needed: float = 150.0, *, level: float = 0.97, most: int = 400, deviation: float = 0.05) -> Needed:
    return Needed(100, needed, deviation, level, most)


def a_version(number: int, **tags: str) -> VersionInfo:
    return VersionInfo(str(number), datetime(2026, 11, 21, tzinfo=UTC), {}, (), tags)


def some_savings(version: str = "3", **needed: Needed) -> Savings:
    return Savings.of(version, {"": a_need(), **(needed or {"severity": a_need()})}, n_groups=5_000)


def test_saving_when_the_model_is_mostly_right_then_the_worlds_are_believed() -> None:
    found = saving(a_need(), 5_000)

    assert found.random_needed.value == 150
    assert found.estimate == 50
    assert found.low is not None
    assert found.high is not None
    assert found.low < 50 < found.high


def test_saving_when_the_model_is_often_wrong_then_the_usual_ratio_goes_and_the_interval_is_wide() -> None:
    sure, unsure = saving(a_need(), 5_000), saving(a_need(400, level=0.6), 5_000)

    assert unsure.random_needed.value == pytest.approx(100 * USUAL_RATIO)
    assert unsure.low is not None
    assert unsure.low < 0
    assert _width(unsure) > 1.5 * _width(sure)


def test_saving_when_no_number_tried_was_enough_then_only_a_lower_bound_is_known() -> None:
    found = saving(a_need(math.inf), 5_000)

    assert (found.estimate, found.high, found.random_needed.value) == (None, None, None)
    assert found.low is not None
    assert 100 < found.low < 300


def test_saving_when_the_pool_is_small_then_random_asking_ends_with_it() -> None:
    found = saving(a_need(390, most=400), 400)

    assert found.random_needed.high == 400


def test_savings_when_written_then_read_the_same() -> None:
    found = some_savings(severity=a_need(), category=a_need(math.inf))

    assert Savings.read(found.written()) == found


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '{"version": 1}', '{"dimensions": {"a": 3}}', "no JSON"])
def test_read_when_it_is_rubbish_then_nothing_is_known(text: str) -> None:
    assert Savings.read(text) is None


def test_latest_when_there_are_several_then_the_newest_about_these_dimensions_counts() -> None:
    old, other = some_savings("1"), some_savings("2", topic=a_need())
    versions = [
        a_version(4),
        a_version(3, **{TAG: "rubbish"}),
        a_version(2, **{TAG: other.written()}),
        a_version(1, **{TAG: old.written()}),
    ]

    assert latest(versions, ["severity"]) == old
    assert latest(versions, ["topic"]) == other
    assert latest(versions, ["severity", "topic"]) is None


def _width(found: object) -> float:
    return math.log(found.random_needed.high / found.random_needed.low)  # type: ignore[attr-defined]
