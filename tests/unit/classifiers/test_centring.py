import numpy as np
import pytest

from vigie.classifiers.centring import Centring

GIVEN = np.array([True, True, False, False, False, True])


def rows(n: int = 6) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, 4))


def centred(given: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the differences from the middles, and the middle of the messages, step by step."""
    all_rows, names = rows(len(given)), rows(len(given))[given].mean(axis=0)
    n = int((~given).sum())
    messages = all_rows[~given].sum(axis=0) / (n + 3) + names * 3 / (n + 3) / 2
    return all_rows - np.where(given[:, None], names, messages), messages


@pytest.mark.parametrize("given", [GIVEN, np.ones(6, dtype=bool)])
def test_product_when_vectors_are_multiplied_then_as_with_the_differences(given: np.ndarray) -> None:
    differences, _ = centred(given)
    vectors = np.random.default_rng(1).normal(size=(6, 3))
    product = Centring(given).product(lambda some: (rows() @ rows().T + 1) @ some)

    np.testing.assert_allclose(product(vectors), (differences @ differences.T + 1) @ vectors, atol=1e-12)


@pytest.mark.parametrize("given", [GIVEN, np.ones(6, dtype=bool)])
def test_dual_when_applied_to_rows_then_messages_score_as_their_differences(given: np.ndarray) -> None:
    differences, middle = centred(given)
    vectors = np.random.default_rng(1).normal(size=(6, 3))
    centring = Centring(given)
    intercepts = centring.intercepts(lambda some: (rows() @ rows().T + 1) @ some, vectors)
    weights = rows().T @ centring.dual(vectors)
    new = np.random.default_rng(2).normal(size=(5, 4))

    np.testing.assert_allclose(weights, differences.T @ vectors, atol=1e-12)
    np.testing.assert_allclose(new @ weights + intercepts, (new - middle) @ weights + vectors.sum(axis=0), atol=1e-12)
