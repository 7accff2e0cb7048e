import numpy as np
import polars as pl
import pytest

from vigie.classifiers.words import shared, without, words
from vigie.features.tfidf import HashedTfidf


def test_words_when_blanks_differ_then_what_stands_between_them() -> None:
    assert words(" a  bc\td ") == [(1, 2), (4, 6), (7, 8)]


def test_shared_when_weights_are_ones_then_they_add_up_to_the_row() -> None:
    text = "disk failed on été"
    features = HashedTfidf(bits=12).fit(pl.Series([text, "socket failed"]))
    weights = np.arange(features.n_columns, dtype=np.float64)
    found = shared(text, features.occurrences(text), weights)

    assert [word.word for word in found] == text.split()
    score = float((features.transform(pl.Series([text])) @ weights)[0])
    assert sum(word.weight for word in found) == pytest.approx(score, rel=1e-5)


def test_without_when_text_is_short_then_each_word_is_cut_once() -> None:
    cuts, owners = without("disk  failed on")

    assert cuts == ["failed on", "disk on", "disk failed"]
    assert owners.tolist() == [0, 1, 2]


def test_without_when_text_is_long_then_neighbours_are_cut_together() -> None:
    text = " ".join(map(str, range(100)))
    cuts, owners = without(text)

    assert len(cuts) == 32
    assert np.all(np.diff(owners) >= 0)
    assert all(str(place) not in cuts[owner].split() for place, owner in enumerate(owners))
    assert sum(len(cut.split()) for cut in cuts) == 31 * 100


@pytest.mark.parametrize("text", ["", "  "])
def test_without_when_there_is_no_word_then_no_cut(text: str) -> None:
    cuts, owners = without(text)

    assert (cuts, len(owners)) == ([], 0)
