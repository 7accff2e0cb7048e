"""What every query strategy promises, run over all that are installed by their plug-in names."""

import time
from typing import Any

import numpy as np
import polars as pl
import pytest

from vigie.plugins import load, names
from vigie.strategies import Candidates

pytestmark = pytest.mark.parametrize("name", names("strategies"))


def candidates(n: int, *, seed: int = 0, dimensions: int = 2) -> Candidates:
    rng = np.random.default_rng(seed)
    proba = {f"dimension{i}": rng.dirichlet(np.ones(3 + i), n) for i in range(dimensions)}
    return Candidates(pl.Series([f"template {i}" for i in range(n)], dtype=pl.String), rng.integers(1, 1000, n), proba)


def query(name: str, some: Candidates, n: int, seed: int = 0) -> list[Any]:
    return load("strategies", name)().query(some, n, np.random.default_rng(seed))


def test_name_when_loaded_as_plug_in_then_the_same(name: str) -> None:
    assert load("strategies", name).name == name


@pytest.mark.parametrize(("size", "n"), [(0, 5), (1, 5), (20, 0), (20, 7), (20, 20), (20, 50)])
def test_query_when_asked_for_n_then_unique_members_best_first(name: str, size: int, n: int) -> None:
    choices = query(name, candidates(size), n)
    rows = [choice.row for choice in choices]
    scores = [choice.score for choice in choices]

    assert len(set(rows)) == len(rows) == min(size, n)
    assert set(rows) <= set(range(size))
    assert scores == sorted(scores, reverse=True)


def test_query_when_seed_is_the_same_then_the_same_answer(name: str) -> None:
    assert query(name, candidates(200), 30, seed=3) == query(name, candidates(200), 30, seed=3)


def test_query_when_candidates_tie_then_chance_decides(name: str) -> None:
    proba = {"severity": np.full((50, 2), 0.5)}
    some = Candidates(pl.Series([str(i) for i in range(50)]), np.full(50, 3), proba)

    assert len({query(name, some, 1, seed)[0].row for seed in range(20)}) > 5


def test_query_when_done_then_candidates_are_as_before(name: str) -> None:
    some, before = candidates(50), candidates(50)
    query(name, some, 10)

    assert some.templates.equals(before.templates)
    np.testing.assert_array_equal(some.sizes, before.sizes)
    for dimension, proba in before.proba.items():
        np.testing.assert_array_equal(some.proba[dimension], proba)


def test_query_when_labels_are_certain_or_there_is_no_model_then_still_answers(name: str) -> None:
    certain = {"severity": np.tile([1.0, 0.0], (5, 1))}
    templates, sizes = pl.Series(list("abcde")), np.ones(5, dtype=np.int64)

    assert len(query(name, Candidates(templates, sizes, certain), 3)) == 3
    assert len(query(name, Candidates(templates, sizes, {}), 3)) == 3


def test_reason_when_chosen_then_says_why_in_plain_values(name: str) -> None:
    for choice in query(name, candidates(30), 10):
        assert isinstance(choice.reason["why"], str)
        assert choice.reason["size"] >= 1
        assert all(isinstance(value, str | int | float) for value in choice.reason.values())
        assert isinstance(choice.row, int)


def test_query_when_there_are_a_million_candidates_then_not_one_by_one(name: str) -> None:
    few, many = candidates(1_000, dimensions=1), candidates(1_000_000, dimensions=1)
    start = time.process_time()
    sum(float(some.max()) for some in few.proba["dimension0"])
    one_by_one = (time.process_time() - start) * 1000
    start = time.process_time()
    query(name, many, 200)

    assert time.process_time() - start < one_by_one / 2
