import numpy as np
import polars as pl
import pytest

from vigie.strategies import Candidates, Strategy
from vigie.strategies.cold_start import WeightedKMeans
from vigie.strategies.contested import URGENCY, Contested
from vigie.strategies.uncertainty import Margin, Random

LABELS = {"severity": ("info", "error"), "topic": ("disk", "net")}


def groups(**proba: np.ndarray) -> Candidates:
    """Return groups of one size."""
    return Candidates(pl.Series([f"t{row}" for row in range(5)]), np.full(5, 9), proba)


def saying(**labels: list[str | None]) -> Strategy:
    """Return margin with rules that give these labels."""

    def said(templates: pl.Series) -> pl.DataFrame:
        assert templates.to_list() == ["t0", "t1", "t2", "t3", "t4"]
        silent = {f"label:{name}": pl.repeat(None, 5, dtype=pl.String, eager=True) for name in LABELS}
        return pl.DataFrame(
            silent | {f"label:{name}": pl.Series(some, dtype=pl.String) for name, some in labels.items()}
        )

    return Contested(Margin(), said, LABELS)


UNSURE = np.tile([0.6, 0.4], (5, 1))


def test_query_when_a_rule_contradicts_the_model_then_the_group_comes_first_and_the_reason_says_where() -> None:
    first, *others = saying(severity=[None, "info", "error", None, None]).query(
        groups(severity=UNSURE), 5, np.random.default_rng(0)
    )

    assert first.row == 2
    assert first.reason["contested"] == "severity"
    assert first.score == pytest.approx(URGENCY * others[0].score)
    assert all("contested" not in choice.reason for choice in others)


def test_query_when_rules_agree_or_are_silent_then_as_without_rules() -> None:
    some = groups(severity=UNSURE, topic=UNSURE)
    silent = saying(severity=[None, "info", "info", None, None]).query(some, 5, np.random.default_rng(0))

    assert silent == Margin().query(some, 5, np.random.default_rng(0))


def test_query_when_two_dimensions_are_contested_then_the_first_is_named() -> None:
    strategy = saying(topic=[None, "net", "net", "net", "net"], severity=[None, "error", None, None, None])
    choices = strategy.query(groups(severity=UNSURE, topic=UNSURE), 5, np.random.default_rng(0))

    named = {choice.row: choice.reason.get("contested") for choice in choices}
    assert named == {0: None, 1: "severity", 2: "topic", 3: "topic", 4: "topic"}
    assert choices[-1].row == 0


def test_query_when_groups_are_urgent_already_then_both_count() -> None:
    some = groups(severity=UNSURE)
    urgent = Candidates(some.templates, some.sizes, some.proba, urgency=np.array([1.0, 1.0, 1.2, 1.0, 2.0]))

    assert [
        choice.row
        for choice in saying(severity=[None, None, "error", None, None]).query(urgent, 2, np.random.default_rng(0))
    ] == [4, 2]


def test_query_when_labels_changed_since_the_model_learned_then_the_dimension_is_left_alone() -> None:
    some = groups(severity=np.tile([0.4, 0.3, 0.3], (5, 1)), gone=UNSURE)
    choices = saying(severity=["error"] * 5).query(some, 5, np.random.default_rng(0))

    assert all("contested" not in choice.reason for choice in choices)


def test_query_when_there_is_no_model_then_rules_are_not_asked() -> None:
    def said(_: pl.Series) -> pl.DataFrame:
        raise AssertionError

    assert len(Contested(Margin(), said, LABELS).query(groups(), 2, np.random.default_rng(0))) == 2


@pytest.mark.parametrize("strategy", [Random(), WeightedKMeans()])
def test_contested_when_made_then_it_passes_for_the_strategy(strategy: Strategy) -> None:
    made = Contested(strategy, lambda _: pl.DataFrame(), LABELS)

    assert made.name == strategy.name
    assert made.starts_cold == getattr(strategy, "starts_cold", False)
