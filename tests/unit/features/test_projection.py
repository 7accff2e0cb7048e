import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_matrix, random_array

from vigie.features.projection import project, unit, vectors

TEXTS = pl.Series(["disk sda1 is full", "disk sdb2 is full", "user root logged in", "user eve logged in", ""])


def some_rows(n: int, *, seed: int = 0) -> csr_matrix:
    """Return sparse rows of 5,000 columns."""
    return csr_matrix(random_array((n, 5_000), density=0.02, rng=np.random.default_rng(seed)))


def test_vectors_when_texts_are_alike_then_they_lie_closer_than_others() -> None:
    found = vectors(TEXTS)
    likeness = found @ found.T

    assert found.shape == (5, 128)
    assert likeness[0, 1] > 2 * abs(likeness[0, 2])
    assert likeness[2, 3] > 2 * abs(likeness[1, 3])


def test_vectors_when_texts_have_ngrams_then_length_is_one_else_zero() -> None:
    np.testing.assert_allclose(np.linalg.norm(vectors(TEXTS), axis=1), [1, 1, 1, 1, 0])


@pytest.mark.parametrize("texts", [pl.Series([], dtype=pl.String), pl.Series([""])])
def test_vectors_when_there_is_nothing_to_see_then_zeros(texts: pl.Series) -> None:
    assert vectors(texts).shape == (len(texts), 128)
    assert not vectors(texts).any()


def test_vectors_when_called_again_then_the_same() -> None:
    np.testing.assert_array_equal(vectors(TEXTS), vectors(TEXTS.clone()))


def test_project_when_rows_are_many_then_angles_are_about_what_they_were() -> None:
    rows = some_rows(200)
    exact = unit(rows.toarray())
    found = project(rows, np.arange(5_000))

    error = (found @ found.T) - (exact @ exact.T)
    assert np.sqrt((error**2).mean()) < 0.12


def test_project_when_columns_stand_elsewhere_then_their_buckets_decide() -> None:
    rows, order = some_rows(5), np.random.default_rng(1).permutation(5_000)

    np.testing.assert_allclose(project(csr_matrix(rows[:, order]), order), project(rows, np.arange(5_000)))


def test_project_when_batch_or_one_by_one_then_equal_to_the_last_bit() -> None:
    rows = some_rows(50)
    single = [project(csr_matrix(rows[[place]]), np.arange(5_000)) for place in range(50)]

    np.testing.assert_array_equal(project(rows, np.arange(5_000)), np.concatenate(single))


def test_unit_when_a_row_is_zero_then_it_stays_zero() -> None:
    np.testing.assert_allclose(unit(np.array([[3.0, 4.0], [0.0, 0.0]])), [[0.6, 0.8], [0.0, 0.0]])
