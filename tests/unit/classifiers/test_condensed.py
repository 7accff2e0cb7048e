import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from vigie.classifiers import condensed as module
from vigie.classifiers.condensed import condensed, products

VALUES = st.sampled_from([0.0, 0.0, 0.5, 1.0, 2.0])
MATRICES = st.integers(1, 6).flatmap(
    lambda n: st.lists(st.lists(VALUES, min_size=n, max_size=n), min_size=1, max_size=30)
)


def a_matrix(columns: list[list[float]]) -> csr_matrix:
    return csr_matrix(np.array(columns, dtype=np.float32))


@given(MATRICES)
def test_condensed_when_columns_are_equal_then_one_is_left_and_inner_products_stay(columns: list[list[float]]) -> None:
    fewer = condensed(a_matrix(columns))

    different = {tuple(column) for column in columns if any(column)}
    assert fewer.shape[0] == len(different)
    dense = np.array(columns)
    np.testing.assert_allclose((fewer.T @ fewer).toarray(), dense.T @ dense, rtol=1e-5, atol=1e-5)


def test_condensed_when_columns_hold_the_same_in_other_rows_then_they_stay_apart() -> None:
    columns = [[1, 2, 0], [2, 1, 0], [0, 1, 2], [1, 0, 2], [1, 2, 0]]

    fewer = condensed(a_matrix(columns)).toarray()

    root = np.sqrt(2)
    np.testing.assert_allclose(fewer, [[root, 2 * root, 0], [2, 1, 0], [0, 1, 2], [1, 0, 2]], rtol=1e-6)


@pytest.mark.parametrize("most_dense", [0, 3, 1_000])
def test_products_when_some_columns_are_dense_then_the_same_as_without(
    most_dense: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_DENSE", most_dense)
    rng = np.random.default_rng(0)
    dense = (rng.random((60, 40)) < np.linspace(0, 0.9, 60)[:, None]) * rng.integers(1, 3, (60, 40))
    columns, vectors = csr_matrix(dense.astype(np.float32)), rng.standard_normal((40, 5)).astype(np.float32)

    found = products(columns)(vectors)

    assert found.dtype == np.float32
    np.testing.assert_allclose(found, dense.T @ (dense @ vectors), rtol=1e-4, atol=1e-3)


def test_products_when_there_is_no_column_then_zeros() -> None:
    vectors = np.ones((3, 2), dtype=np.float32)

    np.testing.assert_array_equal(products(csr_matrix((0, 3), dtype=np.float32))(vectors), np.zeros((3, 2)))
    np.testing.assert_array_equal(products(csr_matrix((4, 3), dtype=np.float32))(vectors), np.zeros((3, 2)))
