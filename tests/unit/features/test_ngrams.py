from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer

from vigie.features.ngrams import MAX_CHARACTERS, Ngrams, character_ngrams, code_points, word_ngrams

TEXTS = ["Disk sda1 is full", "user <USER> logged in", "été à Nîmes 😀😀 !", "a", "", "x_1=42"]


def spelled(texts: list[str], grams: list[Ngrams]) -> list[tuple[int, str]]:
    """Return (row, text) of every n-gram, read from where it says that it lies."""
    points = code_points(pl.Series(texts, dtype=pl.String))
    letters = "".join(map(chr, points.codes.tolist()))
    return [
        (int(points.rows[start]), letters[start:end])
        for some in grams
        for start, end in zip(some.starts, some.ends, strict=True)
    ]


def test_code_points_when_texts_are_joined_then_lower_case_with_blanks_between() -> None:
    points = code_points(pl.Series(["Ab\tÉ", "", "İ"]))

    assert "".join(map(chr, points.codes.tolist())) == " ab é  İ "
    assert points.rows.tolist() == [0, 0, 0, 0, 0, 1, 2, 2, 2]


def test_code_points_when_column_is_empty_then_nothing() -> None:
    points = code_points(pl.Series([], dtype=pl.String))

    assert len(points.codes) == len(points.rows) == 0
    assert spelled([], [*word_ngrams(points), *character_ngrams(points)]) == []


def test_code_points_when_text_is_huge_then_cut() -> None:
    points = code_points(pl.Series(["x" * 5_000_000, "y"]))

    assert len(points.codes) == MAX_CHARACTERS + 1 + 1 + 1 + 1


def test_character_ngrams_when_compared_with_scikit_learn_then_the_same_but_those_shorter_than_their_size() -> None:
    reference = CountVectorizer(analyzer="char_wb", ngram_range=(2, 5)).build_analyzer()
    points = code_points(pl.Series(TEXTS))
    found = Counter(spelled(TEXTS, list(character_ngrams(points))))

    for row, text in enumerate(TEXTS):
        whole = {f" {word} " for word in text.lower().split()}
        expected = Counter(gram for gram in reference(text.lower()) if gram not in whole)
        mine = Counter({gram: n for (at, gram), n in found.items() if at == row and gram not in whole})
        assert mine == expected


def test_word_ngrams_when_compared_with_scikit_learn_then_the_same() -> None:
    reference = CountVectorizer(ngram_range=(1, 2), token_pattern=r"(?u)\w+").build_analyzer()
    texts = [text for text in TEXTS if "😀" not in text]
    points = code_points(pl.Series(texts))
    found = spelled(texts, list(word_ngrams(points)))

    for row, text in enumerate(texts):
        assert sorted(gram.replace("=", " ") for at, gram in found if at == row) == sorted(
            gram
            if "user <" not in text
            else gram.replace("user user", "user <user").replace("user logged", "user> logged")
            for gram in reference(text)
        )


def test_word_ngrams_when_emoji_stand_together_then_one_word() -> None:
    points = code_points(pl.Series(["so 😀😀!"]))

    assert [gram for _, gram in spelled(["so 😀😀!"], list(word_ngrams(points)))] == ["so", "😀😀", "so 😀😀"]


@pytest.mark.parametrize("texts", [["ab", "cd"], ["", "", "a"], [" ", "  a ", ""]])
def test_ngrams_when_texts_meet_then_none_reaches_over(texts: list[str]) -> None:
    points = code_points(pl.Series(texts))

    for row, gram in spelled(texts, [*word_ngrams(points), *character_ngrams(points)]):
        assert gram in f" {texts[row]} "


@given(st.lists(st.text(alphabet="ab é\t-😀İ", max_size=30), min_size=1, max_size=5))
def test_ngrams_when_any_texts_then_hashes_tell_them_apart(texts: list[str]) -> None:
    points = code_points(pl.Series(texts))
    for grams in (next(iter(word_ngrams(points))), *character_ngrams(points)):
        named = [gram for _, gram in spelled(texts, [grams])]
        assert len(set(zip(named, grams.hashes.tolist(), strict=True))) == len(set(named))
        assert len(np.unique(grams.hashes)) == len(set(named))


def test_hashes_when_computed_anywhere_then_these() -> None:
    points = code_points(pl.Series(["Disk full é"]))
    (words, pairs), (bigrams, *_) = word_ngrams(points), character_ngrams(points)

    assert words.hashes.tolist() == [3719515870, 199353806, 4220628193]
    assert pairs.hashes.tolist() == [2638845389, 188800035]
    assert bigrams.hashes[:3].tolist() == [688665018, 1963967206, 4291161069]


def test_hashes_when_many_different_words_then_collide_no_more_than_chance() -> None:
    words = [f"word{i}" for i in range(200_000)]
    points = code_points(pl.Series(words))
    single = next(iter(word_ngrams(points))).hashes
    *_, fives = character_ngrams(points)

    assert len(np.unique(single)) > 200_000 - 2 * 200_000**2 / 2**33 - 30
    assert len(np.unique(single >> np.uint32(12))) > 0.985 * 2**20 * (1 - np.exp(-200_000 / 2**20))
    assert len(np.unique(fives.hashes)) > 0.99 * len(set(spelled_fives(words)))


def spelled_fives(words: list[str]) -> list[str]:
    return [f" {word} "[i : i + 5] for word in words for i in range(len(word) - 2)]
