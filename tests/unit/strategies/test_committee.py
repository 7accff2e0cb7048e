from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from vigie.strategies import Candidates
from vigie.strategies.committee import (
    Committee,
    ConsensusDivergence,
    VoteEntropy,
    consensus_divergence,
    students,
    vote_entropy,
)
from vigie.strategies.uncertainty import Entropy


def circle(n: int, *, n_answered: int = 40, seed: int = 0) -> Candidates:
    """Return groups on a half circle; those answered are labelled by the side on which they lie."""
    rng = np.random.default_rng(seed)
    angles = np.concatenate([np.linspace(0, np.pi, n), rng.uniform(0, np.pi, n_answered)])
    rows = np.column_stack([np.cos(angles), np.sin(angles)])
    codes = (rows[n:, 0] > 0).astype(np.int64)
    templates = pl.Series([f"t{row}" for row in range(n)])
    proba = {"side": np.full((n, 2), 0.5)}
    return Candidates(templates, np.full(n, 5), proba, rows[:n], rows[n:], {"side": codes})


@pytest.mark.parametrize("measure", [vote_entropy, consensus_divergence])
def test_measure_when_members_agree_then_zero_and_when_they_are_split_then_one(measure: object) -> None:
    same = np.tile([[0.7, 0.2, 0.1]], (4, 2, 1))
    split = np.array([[[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]], [[0.0, 0.0, 1.0]]])

    np.testing.assert_allclose(measure(same), [0, 0], atol=1e-12)  # type: ignore[operator]
    np.testing.assert_allclose(measure(split), [1])  # type: ignore[operator]
    np.testing.assert_allclose(measure(np.ones((3, 2, 1))), [0, 0])  # type: ignore[operator]


@pytest.mark.parametrize("measure", [vote_entropy, consensus_divergence])
def test_measure_when_members_are_anything_then_between_zero_and_one(measure: object) -> None:
    members = np.random.default_rng(0).dirichlet(np.ones(5) * 0.3, (7, 500))
    found = measure(members)  # type: ignore[operator]

    assert found.shape == (500,)
    assert found.min() >= 0
    assert found.max() <= 1


def test_students_when_answers_tell_labels_apart_then_they_learn_them() -> None:
    some = circle(50)
    found = students(
        some.vectors,  # type: ignore[arg-type]
        some.answered,  # type: ignore[arg-type]
        some.answers["side"],  # type: ignore[index]
        2,
        np.random.default_rng(0),
    )

    np.testing.assert_allclose(found.sum(axis=2), 1)
    assert (found[:, :20].argmax(axis=2) == 1).mean() > 0.95
    assert (found[:, -20:].argmax(axis=2) == 0).mean() > 0.95


@pytest.mark.parametrize("strategy", [VoteEntropy(), ConsensusDivergence()])
def test_query_when_members_learned_from_other_samples_then_the_border_is_asked_about(strategy: Committee) -> None:
    far = [
        abs(choice.row - 50)
        for seed in range(10)
        for choice in strategy.query(circle(101, seed=seed), 5, np.random.default_rng(seed))
    ]

    assert np.mean(far) < 18


@pytest.mark.parametrize(("strategy", "shown"), [(VoteEntropy(), "votes"), (ConsensusDivergence(), "divergence")])
def test_query_when_members_disagree_then_the_reason_names_dimension_and_figure(
    strategy: Committee, shown: str
) -> None:
    reason = strategy.query(circle(101), 1, np.random.default_rng(0))[0].reason

    assert list(reason) == ["why", "dimension", shown, "size"]
    assert (reason["why"], reason["dimension"], reason["size"]) == ("disagreement", "side", 5)
    assert 0 < float(str(reason[shown])) <= 1


@pytest.mark.parametrize("missing", ["vectors", "answered", "answers"])
@pytest.mark.parametrize("strategy", [VoteEntropy(), ConsensusDivergence()])
def test_query_when_something_is_missing_then_by_entropy_and_the_reason_says_so(
    strategy: Committee, missing: str
) -> None:
    some = circle(30)
    some.proba["side"][:] = np.linspace([0.6, 0.4], [0.9, 0.1], 30)
    choices = strategy.query(replace(some, **{missing: None}), 10, np.random.default_rng(0))
    expected = Entropy().query(some, 10, np.random.default_rng(0))

    assert [choice.row for choice in choices] == [choice.row for choice in expected]
    assert {choice.reason["without"] for choice in choices} == {"committee"}


def test_query_when_one_dimension_has_no_answers_then_its_entropy_stands_for_it() -> None:
    some = circle(30)
    other = np.tile([1.0, 0.0], (30, 1))
    other[3] = [0.5, 0.5]
    both = replace(some, proba={**some.proba, "other": other}, answers={**some.answers, "other": np.full(40, -1)})  # type: ignore[dict-item]

    assert VoteEntropy(weights={"side": 0.0}).query(both, 1, np.random.default_rng(0))[0].row == 3
