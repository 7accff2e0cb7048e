import numpy as np
import polars as pl
import pytest

from vigie.features.sketch import MAX_WORDS, N_COLUMNS, sketches

TEXTS = pl.Series(["disk full on <host>", "user logged in", "", "disk full on <host>", "one"])


def test_sketches_when_texts_have_words_then_rows_of_length_one_and_zeros_without_any() -> None:
    rows = sketches(TEXTS)

    assert rows.shape == (5, N_COLUMNS)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.ravel(rows.power(2).sum(axis=1)), [1, 1, 0, 1, 1], rtol=1e-6)
    assert rows.getnnz(axis=1).tolist() == [7, 5, 0, 7, 1]


def test_sketches_when_a_text_stands_elsewhere_then_the_same_row() -> None:
    many = pl.concat([TEXTS] * 500)

    alone = [sketches(pl.Series([text])) for text in TEXTS]

    assert (sketches(TEXTS)[[0]] != sketches(TEXTS)[[3]]).nnz == 0
    assert all((sketches(many)[[2000 + row]] != one).nnz == 0 for row, one in enumerate(alone))


def test_sketches_when_a_text_is_long_then_its_first_words_count() -> None:
    words = [f"w{number}" for number in range(1000)]

    rows = sketches(pl.Series([" ".join(words), " ".join(words[:30])]))

    assert rows.getnnz(axis=1).tolist() == [MAX_WORDS, MAX_WORDS]


@pytest.mark.parametrize("texts", [[], ["\x00", "…", "\u200b \n"]])
def test_sketches_when_there_is_nothing_to_read_then_rows_all_the_same(texts: list[str]) -> None:
    assert sketches(pl.Series(texts, dtype=pl.String)).shape == (len(texts), N_COLUMNS)
