"""What every query strategy promises, run over all that are installed by their plug-in names."""

import time
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from vigie.plugins import load, names
from vigie.strategies import Candidates

pytestmark = pytest.mark.parametrize("name", names("strategies"))


def candidates(n: int, *, seed: int = 0, dimensions: int = 2) -> Candidates:
    """Return groups that a model was asked about, with nothing known of where they lie."""
    rng = np.random.default_rng(seed)
    proba = {f"dimension{i}": rng.dirichlet(np.ones(3 + i), n) for i in range(dimensions)}
    return Candidates(pl.Series([f"template {i}" for i in range(n)], dtype=pl.String), rng.integers(1, 1000, n), proba)


def placed(n: int, *, seed: int = 0, answered: int = 12, dimensions: int = 2) -> Candidates:
    """Return groups of which everything is known: where they lie, and what was answered."""
    some, rng = candidates(n, seed=seed, dimensions=dimensions), np.random.default_rng(seed)
    rows = rng.normal(size=(n + answered, 16))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    answers = {dimension: rng.integers(-1, 3, answered) for dimension in some.proba}
    return replace(some, vectors=rows[:n], answered=rows[n:], answers=answers, urgency=rng.uniform(1, 2, n))


def query(name: str, some: Candidates, n: int, seed: int = 0) -> list[Any]:
    return load("strategies", name)().query(some, n, np.random.default_rng(seed))


def assert_valid(choices: list[Any], size: int, n: int) -> None:
    rows = [choice.row for choice in choices]
    scores = [choice.score for choice in choices]

    assert len(set(rows)) == len(rows) == min(size, max(n, 0))
    assert set(rows) <= set(range(size))
    assert scores == sorted(scores, reverse=True)
    assert np.isfinite(scores).all()
    for choice in choices:
        assert type(choice.row) is int
        assert isinstance(choice.reason["why"], str)
        assert choice.reason["size"] >= 1
        for value in choice.reason.values():
            assert type(value) in {str, int, float}
            assert value == value  # noqa: PLR0124 — nothing else shows that a value is no NaN


def test_name_when_loaded_as_plug_in_then_the_same_with_a_version(name: str) -> None:
    assert load("strategies", name).name == name
    assert name.rpartition(".v")[2].isdigit()


@pytest.mark.parametrize("kind", [candidates, placed])
@pytest.mark.parametrize(("size", "n"), [(0, 5), (1, 5), (20, 0), (20, 7), (20, 20), (20, 50), (300, 60)])
def test_query_when_asked_for_n_then_unique_members_best_first(name: str, kind: Any, size: int, n: int) -> None:
    assert_valid(query(name, kind(size), n), size, n)


@pytest.mark.parametrize("kind", [candidates, placed])
def test_query_when_seed_is_the_same_then_the_same_answer(name: str, kind: Any) -> None:
    assert query(name, kind(200), 30, seed=3) == query(name, kind(200), 30, seed=3)


@pytest.mark.parametrize("vectors", [None, np.tile([0.6, 0.8], (50, 1)), np.zeros((50, 2))])
def test_query_when_candidates_tie_then_chance_decides(name: str, vectors: np.ndarray | None) -> None:
    proba = {"severity": np.full((50, 2), 0.5)}
    some = Candidates(pl.Series([str(i) for i in range(50)]), np.full(50, 3), proba, vectors)

    assert len({query(name, some, 1, seed)[0].row for seed in range(20)}) > 5
    assert_valid(query(name, some, 30), 50, 30)


def test_query_when_done_then_candidates_are_as_before(name: str) -> None:
    some, before = placed(50), placed(50)
    query(name, some, 10)

    assert some.templates.equals(before.templates)
    for one, other in [
        (some.sizes, before.sizes),
        (some.vectors, before.vectors),
        (some.answered, before.answered),
        (some.urgency, before.urgency),
        *((some.proba[dimension], before.proba[dimension]) for dimension in before.proba),
        *((some.answers[dimension], before.answers[dimension]) for dimension in before.proba),  # type: ignore[index]
    ]:
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "proba",
    [
        {},
        {"severity": np.tile([1.0, 0.0], (15, 1))},
        {"alone": np.ones((15, 1))},
        {"alone": np.ones((15, 1)), "severity": np.tile([0.0, 0.3, 0.7], (15, 1))},
        {f"dimension{i}": np.full((15, 2 + i), 1 / (2 + i)) for i in range(12)},
    ],
    ids=["no model", "certain", "one label", "one label of two dimensions", "many dimensions"],
)
def test_query_when_probabilities_are_odd_then_still_answers(name: str, proba: dict[str, np.ndarray]) -> None:
    full = placed(15, dimensions=0)
    plain = Candidates(full.templates, full.sizes, proba)

    assert_valid(query(name, plain, 6), 15, 6)
    assert_valid(query(name, replace(plain, vectors=full.vectors), 6), 15, 6)
    answers = {dimension: np.zeros(12, dtype=np.int64) for dimension in proba}
    assert_valid(query(name, replace(full, proba=proba, answers=answers), 6), 15, 6)


@pytest.mark.parametrize("n_answered", [0, 1])
def test_query_when_next_to_nothing_was_answered_then_still_answers(name: str, n_answered: int) -> None:
    assert_valid(query(name, placed(15, answered=n_answered), 6), 15, 6)


def test_query_when_vectors_are_copies_or_empty_then_each_row_once(name: str) -> None:
    some = placed(40)
    copies = np.repeat(some.vectors[:4], 10, axis=0)  # type: ignore[index]
    copies[5] = 0.0

    assert_valid(query(name, replace(some, vectors=copies), 40), 40, 40)
    assert_valid(query(name, replace(some, vectors=copies, answered=copies[:12]), 25), 40, 25)


def test_query_when_there_are_a_million_candidates_then_not_one_by_one(name: str) -> None:
    few, many = candidates(1_000, dimensions=1), candidates(1_000_000, dimensions=1)
    start = time.process_time()
    sum(float(some.max()) for some in few.proba["dimension0"])
    one_by_one = (time.process_time() - start) * 1000
    start = time.process_time()
    query(name, many, 200)

    assert time.process_time() - start < one_by_one / 2
