import numpy as np
import pytest
from scipy.sparse import csr_matrix, vstack
from sklearn.linear_model import LogisticRegression

from vigie.classifiers.logistic import Problem, inner_products, n_steps, solve


def rows_and_targets(n: int = 60, n_labels: int = 3, seed: int = 0) -> tuple[csr_matrix, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = rng.random((n, 40)) * (rng.random((n, 40)) < 0.2)
    targets = rng.integers(n_labels, size=n)
    rows[np.arange(n), targets] += 1
    return csr_matrix(rows.astype(np.float32)), targets


def with_ones(rows: csr_matrix) -> np.ndarray:
    return np.hstack([rows.toarray().astype(np.float64), np.ones((rows.shape[0], 1))])


@pytest.mark.parametrize("n_labels", [2, 3, 7])
def test_solve_when_compared_with_scikit_learn_then_the_same_optimum(n_labels: int) -> None:
    rows, targets = rows_and_targets(n_labels=n_labels)
    weights = np.random.default_rng(1).random(60) + 0.5
    strength = 20 if n_labels == 2 else 10  # one column of weights is penalised twice as much as two opposite ones
    reference = LogisticRegression(C=strength, fit_intercept=False, tol=1e-9, max_iter=10_000)
    reference.fit(with_ones(rows), targets, sample_weight=weights)

    (mine,) = solve(
        inner_products(rows),
        [Problem(targets, weights, n_labels)],
        penalty=0.1,
        tolerance=1e-6,
        max_iterations=1000,
    )

    proba = np.exp(mine.scores) / np.exp(mine.scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(proba, reference.predict_proba(with_ones(rows)), atol=1e-4)
    np.testing.assert_allclose(mine.scores, with_ones(rows) @ (with_ones(rows).T @ mine.dual), atol=1e-6)


def test_solve_when_problems_are_stacked_then_each_as_if_alone() -> None:
    rows, targets = rows_and_targets()
    _, others = rows_and_targets(n_labels=5, seed=3)
    few = np.where(np.arange(60) < 20, 1.0, 0.0)
    problems = [Problem(targets, np.ones(60), 3), Problem(others, few, 5)]

    together = solve(inner_products(rows), problems, penalty=0.1, tolerance=1e-6, max_iterations=1000)
    alone = [
        solve(inner_products(rows), [one], penalty=0.1, tolerance=1e-6, max_iterations=1000)[0] for one in problems
    ]

    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-3)


def test_solve_when_a_row_has_no_weight_then_it_teaches_nothing_and_is_scored() -> None:
    rows, targets = rows_and_targets()
    weights = np.ones(60)
    weights[:15] = 0
    (masked,) = solve(inner_products(rows), [Problem(targets, weights, 3)], penalty=0.1)
    (without,) = solve(inner_products(rows[15:]), [Problem(targets[15:], weights[15:], 3)], penalty=0.1)

    np.testing.assert_array_equal(masked.dual[:15], 0)
    np.testing.assert_allclose(masked.scores[15:], without.scores, atol=1e-6)
    assert np.mean(masked.scores[:15].argmax(axis=1) == targets[:15]) > 0.6


def test_solve_when_all_rows_are_equal_then_finite() -> None:
    rows = csr_matrix(np.ones((4, 1), dtype=np.float32))
    (mine,) = solve(inner_products(rows), [Problem(np.array([0, 1, 1, 1]), np.ones(4), 2)], penalty=0.1)

    proba = 1 / (1 + np.exp(mine.scores[0, 0] - mine.scores[0, 1]))
    assert proba == pytest.approx(0.75, abs=0.05)


@pytest.mark.parametrize("codes", [[0, 1], [0, 1, 0, 1], [0, 1, 2]])
def test_solve_when_a_problem_is_solved_at_once_beside_others_then_it_stays_where_it_is(codes: list[int]) -> None:
    rows, targets = rows_and_targets()
    rows = vstack(
        [rows[[0] * len(codes)], rows[len(codes) :]], format="csr"
    )  # texts alike, as many answers for each label
    alike, weights = np.zeros(60, dtype=np.int64), np.zeros(60)
    alike[: len(codes)], weights[: len(codes)] = codes, 1

    problems = [Problem(targets, np.ones(60), 3), Problem(alike, weights, max(codes) + 1)]
    _, mine = solve(inner_products(rows), problems, penalty=1 / 30)

    np.testing.assert_allclose(mine.scores, 0, atol=1e-6)


def test_solve_when_it_starts_at_the_solution_then_it_stays_there() -> None:
    rows = csr_matrix(np.ones((10, 3), dtype=np.float32))
    targets = np.arange(10) % 2

    (mine,) = solve(inner_products(rows), [Problem(targets, np.ones(10), 2, np.zeros((10, 2)))], penalty=1 / 30)

    np.testing.assert_allclose(mine.scores, 0, atol=1e-6)


def test_inner_products_when_too_many_rows_to_keep_then_the_same_product(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, _ = rows_and_targets()
    vectors = np.random.default_rng(0).normal(size=(60, 4))
    dense = inner_products(rows)(vectors)
    monkeypatch.setattr("vigie.classifiers.logistic._DENSE", 10)

    np.testing.assert_allclose(inner_products(rows)(vectors), dense, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(dense, with_ones(rows) @ (with_ones(rows).T @ vectors))


def test_solve_when_begun_near_the_solution_then_the_same_as_from_nothing() -> None:
    rows, targets = rows_and_targets()
    few = np.where(np.arange(60) < 55, 1.0, 0.0)
    product = inner_products(rows)
    exact = {"penalty": 0.1, "tolerance": 1e-6, "max_iterations": 1000}
    (before,) = solve(product, [Problem(targets, few, 3)], **exact)  # type: ignore[arg-type]

    (warm,) = solve(product, [Problem(targets, np.ones(60), 3, before.dual)], **exact)  # type: ignore[arg-type]
    (cold,) = solve(product, [Problem(targets, np.ones(60), 3)], **exact)  # type: ignore[arg-type]

    np.testing.assert_allclose(warm.scores, cold.scores, atol=1e-3)


def test_solve_when_new_rows_hardly_show_in_the_gradient_then_they_are_learned_all_the_same() -> None:
    rows, targets = rows_and_targets()
    product = inner_products(rows)
    (before,) = solve(product, [Problem(targets, np.ones(60), 3)], penalty=0.1, tolerance=1e-6, max_iterations=1000)
    without = before.dual.copy()
    without[-1] = 0

    (warm,) = solve(product, [Problem(targets, np.ones(60), 3, without)], penalty=0.1, tolerance=0.9)

    assert np.abs(warm.dual[-1]).max() > 0.3 * np.abs(before.dual[-1]).max()


def test_n_steps_when_rows_are_many_then_fewer_and_fewest_where_a_fit_goes_on() -> None:
    assert n_steps(1500, is_continued=False) == n_steps(1500, is_continued=True) == 60
    assert n_steps(1501, is_continued=False) == 30
    assert n_steps(1501, is_continued=True) == 10
