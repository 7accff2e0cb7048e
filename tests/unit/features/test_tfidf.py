import time

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.pipeline import FeatureUnion

from vigie.features.tfidf import HashedTfidf, _tallies

TEXTS = pl.Series(["disk full on <HOST>", "Disk failure, disk gone", "user logged in", "user logged out", ""])


def many_texts(n: int, seed: int = 0) -> pl.Series:
    rng = np.random.default_rng(seed)
    words = ["".join(map(chr, rng.integers(97, 123, size))) for size in rng.integers(2, 10, 3000)]
    return pl.Series([" ".join(rng.choice(words, 16)) for _ in range(n)])


def test_transform_when_fitted_then_two_blocks_of_length_one() -> None:
    features = HashedTfidf().fit(TEXTS)
    rows = features.transform(TEXTS)
    words = rows[:, : features.n_words].power(2).sum(axis=1)
    characters = rows[:, features.n_words :].power(2).sum(axis=1)

    assert rows.shape == (5, features.n_columns)
    assert rows.dtype == np.float32
    assert rows.has_canonical_format
    np.testing.assert_allclose(np.ravel(words), [1, 1, 1, 1, 0], rtol=1e-6)
    np.testing.assert_allclose(np.ravel(characters), [1, 1, 1, 1, 0], rtol=1e-6)


def test_transform_when_a_word_is_repeated_and_rare_then_weighs_more() -> None:
    features = HashedTfidf().fit(TEXTS)
    columns = {word: features.occurrences(word).columns[0] for word in ("disk", "failure", "gone")}
    row = features.transform(TEXTS).toarray()[1]

    assert row[columns["failure"]] == pytest.approx(row[columns["gone"]])
    rarity = np.sqrt((np.log(6 / 2) + 1) / (np.log(6 / 3) + 1))
    assert row[columns["disk"]] / row[columns["gone"]] == pytest.approx((1 + np.log(2)) / rarity, rel=1e-5)


def test_transform_when_ngrams_are_unknown_then_ignored() -> None:
    features = HashedTfidf().fit(TEXTS)

    known = features.transform(pl.Series(["disk"])).toarray()
    more = features.transform(pl.Series(["disk ☃☃☃☃"])).toarray()

    np.testing.assert_array_equal(known.nonzero(), more.nonzero())


def test_transform_when_not_fitted_or_without_texts_then_empty() -> None:
    none = pl.Series([], dtype=pl.String)

    assert HashedTfidf().transform(TEXTS).shape == (5, 0)
    assert HashedTfidf().fit(TEXTS).transform(none).shape[0] == 0
    assert HashedTfidf().fit(none).n_columns == 0


@given(st.lists(st.text(max_size=40), min_size=1, max_size=8), st.integers(0, 7))
def test_transform_when_batch_is_cut_anywhere_then_the_same_to_the_last_bit(texts: list[str], cut: int) -> None:
    features = HashedTfidf().fit(pl.Series([*texts[::2], "disk full"]))
    column = pl.Series(texts)
    whole = features.transform(column).toarray()
    pieces = [features.transform(part).toarray() for part in (column[:cut], column[cut:])]

    np.testing.assert_array_equal(whole, np.concatenate(pieces))


def test_transform_when_column_needs_many_chunks_then_as_one_by_one() -> None:
    texts = many_texts(3000)
    features = HashedTfidf().fit(texts)
    whole = features.transform(texts)

    for row in (0, 1, 577, 2999):
        np.testing.assert_array_equal(whole[row].toarray(), features.transform(texts[row : row + 1]).toarray())


def test_fit_when_seen_in_another_order_then_the_same_columns() -> None:
    texts = many_texts(300)
    one, other = HashedTfidf().fit(texts), HashedTfidf().fit(texts.reverse())

    for name, array in one.arrays().items():
        np.testing.assert_array_equal(array, other.arrays()[name])


def test_occurrences_when_added_up_then_the_row() -> None:
    text = "Disk failure,  disk\tgone"
    features = HashedTfidf().fit(TEXTS)
    found = features.occurrences(text)
    added = np.bincount(found.columns, weights=found.values, minlength=features.n_columns)

    np.testing.assert_allclose(added, features.transform(pl.Series([text])).toarray()[0], atol=1e-7)
    assert found.starts.min() == 0
    assert found.ends.max() == len(text)
    assert np.all(found.starts < found.ends)


def test_arrays_when_stored_and_rebuilt_then_the_same_features() -> None:
    features = HashedTfidf(bits=16).fit(TEXTS)
    again = HashedTfidf.from_arrays(features.arrays(), bits=16)

    assert (again.transform(TEXTS) != features.transform(TEXTS)).nnz == 0


@pytest.mark.parametrize(
    ("buckets", "idf"), [([1, 2], [1.0]), ([2, 1], [1.0, 1.0]), ([1 << 18], [1.0]), ([[1]], [[1.0]])]
)
def test_from_arrays_when_they_do_not_fit_then_error(buckets: list[int], idf: list[float]) -> None:
    with pytest.raises(ValueError, match="bucket"):
        HashedTfidf.from_arrays({"buckets": np.array(buckets), "idf": np.array(idf)}, bits=16)


@pytest.mark.parametrize("bits", [7, 23])
def test_bits_when_out_of_range_then_error(bits: int) -> None:
    with pytest.raises(ValueError, match="expected 8 to 22"):
        HashedTfidf(bits=bits)


def test_transform_when_raced_against_scikit_learn_then_three_times_as_fast() -> None:
    texts = many_texts(2000)
    features = HashedTfidf().fit(texts)
    reference = FeatureUnion(
        [
            ("words", HashingVectorizer(ngram_range=(1, 2))),
            ("characters", HashingVectorizer(analyzer="char_wb", ngram_range=(2, 5))),
        ]
    )
    listed = texts.to_list()

    def seconds(work: object, *arguments: object) -> float:
        start = time.perf_counter()
        work(*arguments)  # type: ignore[operator]
        return time.perf_counter() - start

    mine = min(seconds(features.transform, texts) for _ in range(3))
    assert seconds(reference.transform, listed) > 3 * mine


@pytest.mark.parametrize("bits", [8, 20])
def test_fit_transform_when_compared_with_fit_and_transform_then_the_same(bits: int) -> None:
    texts = pl.concat([many_texts(700), TEXTS])
    two, one = HashedTfidf(bits=bits), HashedTfidf(bits=bits)

    expected, found = two.fit(texts).transform(texts), one.fit_transform(texts)

    assert (expected != found).nnz == 0
    assert expected.shape == found.shape
    np.testing.assert_array_equal(one.arrays()["buckets"], two.arrays()["buckets"])


@pytest.mark.parametrize("bits", [8, 20])
def test_transform_when_texts_were_learned_from_then_as_if_they_had_not_been(bits: int) -> None:
    texts, others = pl.concat([many_texts(700), TEXTS]), many_texts(50, seed=1)
    features = [HashedTfidf(bits=bits).fit(learned) for learned in (texts, others, pl.concat([others, texts]))]
    _tallies.cache_clear()
    expected = [one.transform(texts) for one in features]
    HashedTfidf(bits=bits).fit_transform(texts)

    found = [one.transform(texts) for one in features]

    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one.indptr, other.indptr)
        np.testing.assert_array_equal(one.indices, other.indices)
        np.testing.assert_array_equal(one.data, other.data)
        assert other.has_canonical_format


@given(st.lists(st.text(max_size=40), min_size=1, max_size=8), st.lists(st.text(max_size=40), max_size=8))
def test_fit_transform_when_some_texts_were_counted_before_then_the_same_to_the_last_bit(
    before: list[str], texts: list[str]
) -> None:
    column = pl.Series([*texts, *before[::2]], dtype=pl.String)
    _tallies.cache_clear()
    expected = HashedTfidf(bits=12).fit(column).transform(column).toarray()
    HashedTfidf(bits=12).fit_transform(pl.Series(before))

    np.testing.assert_array_equal(HashedTfidf(bits=12).fit_transform(column).toarray(), expected)
