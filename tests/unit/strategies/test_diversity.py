from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from vigie.strategies import Candidates, Choice, Strategy
from vigie.strategies.diversity import BATCH, POOL, Badge, ClusterMargin, InformationDensity, KCentreGreedy
from vigie.strategies.uncertainty import Entropy, Margin


def heaps(n: int, kinds: int = 10, *, gap: float = 0.0, seed: int = 0) -> Candidates:
    """Return groups of as many kinds in turn, each kind in one place, all as unsure, those of one kind copies but for noise."""
    rng = np.random.default_rng(seed)
    rows = np.eye(kinds)[np.arange(n) % kinds] + rng.normal(scale=0.02, size=(n, kinds))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    proba = np.tile([0.5 + gap / 2, 0.5 - gap / 2], (n, 1))
    return Candidates(pl.Series([f"t{row}" for row in range(n)]), np.full(n, 5), {"severity": proba}, rows)


def asked(strategy: Strategy, some: Candidates, n: int, seed: int = 0) -> list[Choice]:
    return strategy.query(some, n, np.random.default_rng(seed))


def kinds_of(choices: list[Choice], kinds: int = 10) -> list[int]:
    return [choice.row % kinds for choice in choices]


@pytest.mark.parametrize("strategy", [ClusterMargin(), Badge(), KCentreGreedy()])
def test_query_when_groups_are_of_ten_kinds_then_a_batch_has_nearly_all(strategy: Strategy) -> None:
    for seed in range(5):
        assert len(set(kinds_of(asked(strategy, heaps(150), 10, seed)))) >= 9


def test_cluster_margin_when_asked_for_several_batches_then_each_is_spread() -> None:
    choices = asked(ClusterMargin(), heaps(POOL), 3 * BATCH)

    for start in range(0, 3 * BATCH, BATCH):
        assert len(set(kinds_of(choices[start : start + BATCH]))) >= 9


def test_cluster_margin_when_a_cluster_has_several_then_the_most_uncertain_is_asked() -> None:
    some = heaps(40, kinds=2, gap=0.4)
    some.proba["severity"][[7, 12]] = [0.51, 0.49]

    assert {choice.row for choice in asked(ClusterMargin(), some, 2)} == {7, 12}


def test_cluster_margin_when_groups_are_surer_than_the_pool_then_they_are_left_alone() -> None:
    some = heaps(POOL + 100)
    some.proba["severity"][POOL:] = [0.999, 0.001]

    assert all(choice.row < POOL for choice in asked(ClusterMargin(), some, BATCH))


def test_cluster_margin_when_chosen_then_the_reason_says_for_how_many_it_stands() -> None:
    choices = asked(ClusterMargin(), heaps(100, gap=0.2), 10)

    assert choices[0].reason == {"why": "uncertain", "dimension": "severity", "margin": 0.2, "size": 5, "alike": 10}


@pytest.mark.parametrize("strategy", [ClusterMargin(), Badge(), KCentreGreedy(), InformationDensity()])
def test_query_when_there_are_no_vectors_then_the_most_uncertain_and_the_reason_says_so(strategy: Strategy) -> None:
    some = replace(heaps(50, gap=0.5), vectors=None)
    some.proba["severity"][17] = [0.5, 0.5]
    (choice,) = asked(strategy, some, 1)

    assert choice.row == 17
    assert choice.reason["without"] == "vectors"


@pytest.mark.parametrize("strategy", [ClusterMargin(), Badge(), InformationDensity()])
def test_query_when_a_dimension_weighs_more_then_it_decides(strategy: Strategy) -> None:
    weighted = type(strategy)(weights={"severity": 0.0, "topic": 1.0})
    some = heaps(60, kinds=3)
    topic = np.tile([1.0, 0.0], (60, 1))
    topic[40:44] = [0.5, 0.5]

    rows = {choice.row for choice in asked(weighted, replace(some, proba={**some.proba, "topic": topic}), 3)}

    assert rows <= {40, 41, 42, 43}


def test_badge_when_the_model_is_sure_of_a_group_then_it_is_hardly_asked() -> None:
    some = heaps(100)
    some.proba["severity"][::2] = [1.0, 0.0]

    assert all(choice.row % 2 for choice in asked(Badge(), some, 20))


def test_badge_when_gradients_are_written_out_then_distances_are_the_same() -> None:
    """Two groups of one direction and label: the second adds nothing once the first is chosen."""
    rows = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    some = Candidates(pl.Series(list("abc")), np.ones(3, dtype=np.int64), {"d": np.tile([0.6, 0.4], (3, 1))}, rows)

    for seed in range(20):
        first, second, _ = asked(Badge(), some, 3, seed)
        assert {first.row, second.row} != {0, 1}


def test_k_centre_greedy_when_some_are_answered_then_those_like_them_come_last() -> None:
    some = heaps(50)
    known = replace(some, answered=np.eye(10)[:8])
    choices = asked(KCentreGreedy(), known, 50)

    assert set(kinds_of(choices[:2])) == {8, 9}
    assert choices[0].reason["why"] == "different"
    assert abs(float(str(choices[0].reason["similarity"]))) < 0.2


def test_k_centre_greedy_when_groups_are_as_far_then_the_larger_first() -> None:
    some = replace(heaps(10), sizes=np.arange(1, 11) * 100)

    assert asked(KCentreGreedy(), some, 1)[0].row == 9


def test_k_centre_greedy_when_thousands_are_answered_then_a_sample_of_them_counts() -> None:
    rng = np.random.default_rng(0)
    answered = np.eye(10)[rng.integers(0, 9, 5_000)]

    assert kinds_of(asked(KCentreGreedy(), replace(heaps(50), answered=answered), 1)) == [9]


def test_information_density_when_groups_are_as_unsure_then_the_typical_first() -> None:
    some = heaps(31, kinds=3)
    rows = np.array(some.vectors)
    rows[30], rows[:30] = [0.0, 0.0, 1.0], rows[0]

    choices = asked(InformationDensity(), replace(some, vectors=rows), 31)

    assert choices[-1].row == 30
    assert float(str(choices[0].reason["similarity"])) > float(str(choices[-1].reason["similarity"]))


@pytest.mark.parametrize("strategy", [Margin(), Entropy(), ClusterMargin(), KCentreGreedy(), InformationDensity()])
def test_query_when_a_group_is_urgent_then_it_comes_first(strategy: Strategy) -> None:
    some = heaps(30, kinds=3)
    urgency = np.ones(30)
    urgency[11] = 3.0

    assert asked(strategy, replace(some, urgency=urgency), 3)[0].row == 11
