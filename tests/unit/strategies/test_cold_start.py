from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from vigie.strategies import Candidates
from vigie.strategies.cold_start import Covering, TypiClust, WeightedKMeans

BOTH = pytest.mark.parametrize("strategy", [WeightedKMeans(), TypiClust()])


def heaps(n: int, kinds: int = 10, *, seed: int = 0, noise: float = 0.05) -> Candidates:
    """Return groups of as many kinds in turn, each kind in one place; there is no model."""
    rng = np.random.default_rng(seed)
    rows = np.eye(kinds)[np.arange(n) % kinds] + rng.normal(scale=noise, size=(n, kinds))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return Candidates(pl.Series([f"t{row}" for row in range(n)]), np.full(n, 5), {}, rows)


def rows_of(strategy: Covering, some: Candidates, n: int, seed: int = 0) -> list[int]:
    return [choice.row for choice in strategy.query(some, n, np.random.default_rng(seed))]


@BOTH
def test_query_when_groups_are_of_ten_kinds_then_ten_questions_have_nearly_all(strategy: Covering) -> None:
    for seed in range(5):
        assert len({row % 10 for row in rows_of(strategy, heaps(200), 10, seed)}) >= 9


@BOTH
def test_query_when_some_kinds_are_answered_then_the_others_come_first(strategy: Covering) -> None:
    for seed in range(5):
        kinds = [row % 10 for row in rows_of(strategy, replace(heaps(200), answered=np.eye(10)[:7]), 3, seed)]
        assert len(set(kinds) & {7, 8, 9}) >= 2


@BOTH
def test_query_when_kinds_have_more_traffic_then_they_come_first(strategy: Covering) -> None:
    sizes = np.where(np.arange(200) % 10 == 4, 100_000, 2)
    choices = strategy.query(replace(heaps(200), sizes=sizes), 5, np.random.default_rng(0))

    assert choices[0].row % 10 == 4
    assert choices[0].reason["why"] == "typical"
    assert choices[0].reason["size"] == 100_000
    assert int(str(choices[0].reason["alike"])) <= 200


@BOTH
def test_query_when_there_is_an_outlier_then_it_is_not_what_stands_for_its_cluster(strategy: Covering) -> None:
    some = heaps(40, kinds=2, noise=0.02)
    rows = np.array(some.vectors)
    rows[0] = [0.8, 0.6]

    for seed in range(10):
        assert 0 not in rows_of(strategy, replace(some, vectors=rows), 2, seed)


@BOTH
def test_query_when_there_are_no_vectors_then_the_largest_and_the_reason_says_so(strategy: Covering) -> None:
    some = replace(heaps(20), vectors=None, sizes=np.arange(1, 21))
    choices = strategy.query(some, 2, np.random.default_rng(0))

    assert [choice.row for choice in choices] == [19, 18]
    assert choices[0].reason == {"why": "frequent", "size": 20, "without": "vectors"}


def test_weighted_k_means_when_groups_are_as_near_then_the_larger_stands_for_them() -> None:
    some = heaps(20, kinds=2, noise=0.0)
    sizes = np.full(20, 3)
    sizes[[6, 13]] = 500

    assert set(rows_of(WeightedKMeans(), replace(some, sizes=sizes), 2)) == {6, 13}


def test_typiclust_when_a_cluster_has_a_dense_part_then_it_is_asked_about() -> None:
    rng = np.random.default_rng(0)
    angles = np.concatenate([rng.uniform(-0.6, 0.6, 100), rng.normal(0.4, 0.005, 40)])
    rows = np.column_stack([np.cos(angles), np.sin(angles)])
    some = Candidates(pl.Series(["t"] * 140), np.full(140, 5), {}, rows)

    assert rows_of(TypiClust(), some, 1)[0] >= 100 or abs(angles[rows_of(TypiClust(), some, 1)[0]] - 0.4) < 0.02


@BOTH
def test_query_when_groups_are_more_than_are_clustered_then_the_largest_are(
    strategy: Covering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vigie.strategies.cold_start._MOST", 30)
    some = replace(heaps(100), sizes=np.arange(1, 101))

    assert min(rows_of(strategy, some, 20)) >= 70
    assert len(rows_of(strategy, some, 60)) == 60
