from typing import Any

import pytest

from vigie.cli.status_quality import quality

KAPPA = {"value": 0.8123, "low": 0.7, "high": 0.9, "n_groups": 1200, "n_annotators": 3}
ALPHA = {"value": 0.79, "low": 0.68, "high": 0.88, "n_groups": 1200, "n_annotators": 3}
GOLD = {"value": 0.9, "low": 0.596, "high": 0.982, "n": 1010}


def lines(**given: Any) -> list[tuple[str, str]]:
    nothing = {"agreement": {}, "gold": {"accuracy": None}, "disagreements": 0, "doubts": 0, "too_fast": 0}
    return list(quality(nothing | given))


def test_quality_when_nothing_is_known_then_nothing_is_said() -> None:
    assert lines() == []
    assert lines(agreement={"severity": {"kappa": None, "alpha": None}}) == []


@pytest.mark.parametrize(
    ("kappa", "alpha", "expected"),
    [
        (
            KAPPA,
            ALPHA,
            "Cohen's kappa 0.81 (0.70 to 0.90); Krippendorff's alpha 0.79 (0.68 to 0.88); groups answered twice: 1,200",
        ),
        (KAPPA, None, "Cohen's kappa 0.81 (0.70 to 0.90); groups answered twice: 1,200"),
        (None, ALPHA, "Krippendorff's alpha 0.79 (0.68 to 0.88); groups answered twice: 1,200"),
    ],
)
def test_quality_when_one_measure_is_not_defined_then_the_other_is_told(
    kappa: dict[str, float] | None, alpha: dict[str, float] | None, expected: str
) -> None:
    assert lines(agreement={"severity": {"kappa": kappa, "alpha": alpha}}) == [("severity agreed", expected)]


def test_quality_when_gold_was_answered_then_its_share_has_an_interval() -> None:
    assert lines(gold={"accuracy": GOLD}) == [("gold questions", "90.0% right (59.6% to 98.2%; answers: 1,010)")]


@pytest.mark.parametrize(
    ("waiting", "expected"),
    [
        ({"disagreements": 1200}, "1,200 people disagree"),
        ({"doubts": 2, "too_fast": 3}, "2 doubted, 3 too fast"),
        ({"disagreements": 1, "doubts": 2, "too_fast": 3}, "1 people disagree, 2 doubted, 3 too fast"),
    ],
)
def test_quality_when_something_waits_for_a_reviewer_then_only_that_is_told(
    waiting: dict[str, int], expected: str
) -> None:
    assert lines(**waiting) == [("to review", expected)]


def test_quality_when_all_is_known_then_dimensions_come_in_their_order() -> None:
    both = {"kappa": KAPPA, "alpha": ALPHA}

    found = lines(agreement={"b": both, "a": both}, gold={"accuracy": GOLD}, doubts=1)

    assert [name for name, _ in found] == ["b agreed", "a agreed", "gold questions", "to review"]
