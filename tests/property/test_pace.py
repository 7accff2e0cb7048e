"""What is learned in small steps is what is learned at once."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from vigie.classifiers.logistic import Problem, inner_products, solve


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 15), min_size=1, max_size=5), st.integers(2, 4), st.integers(0, 1000))
def test_solve_when_answers_come_in_any_portions_then_as_if_all_at_once(
    portions: list[int], n_labels: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    n = sum(portions)
    rows = rng.random((n, 12)) * (rng.random((n, 12)) < 0.4)
    targets = rng.integers(n_labels, size=n)
    dual, known = np.zeros((0, n_labels)), 0
    for portion in portions:
        known += portion
        start = np.concatenate([dual, np.zeros((portion, n_labels))])
        (found,) = solved(rows[:known], targets[:known], n_labels, start)
        dual = found.dual

    (at_once,) = solved(rows, targets, n_labels, None)

    np.testing.assert_allclose(found.scores, at_once.scores, atol=1e-3)


def solved(rows: np.ndarray, targets: np.ndarray, n_labels: int, start: np.ndarray | None) -> list:
    product = inner_products(csr_matrix(rows.astype(np.float32)))
    problem = Problem(targets, np.ones(len(targets)), n_labels, start)
    return solve(product, [problem], penalty=0.1, tolerance=1e-6, max_iterations=1000)
