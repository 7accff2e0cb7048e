from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import a_dimension
from vigie.labels import Origin, Prediction, Route, WordWeight
from vigie.web.try_views import Highlight, heaviest, highlights, known_labels, place, verdicts
from vigie.web.words import words_in

EN = words_in("en")


def a_weight(word: str, start: int, weight: float = 1.0) -> WordWeight:
    return WordWeight(word, start, start + len(word), weight)


def test_place_when_the_template_is_lower_case_then_words_are_found_as_typed() -> None:
    assert place([a_weight("refused", 11, 2.0)], "Connection REFUSED") == [(11, 18, 2.0)]


def test_place_when_a_mask_made_the_template_longer_then_words_are_still_found() -> None:
    weights = [a_weight("took", 9), a_weight("slow", 20)]

    assert place(weights, "req 7 took 8s slow") == [(6, 10, 1.0), (14, 18, 1.0)]


def test_place_when_a_word_comes_twice_then_each_weight_has_its_own() -> None:
    weights = [a_weight("no", 0, 1.0), a_weight("no", 3, 2.0)]

    assert place(weights, "no no") == [(0, 2, 1.0), (3, 5, 2.0)]


def test_place_when_the_text_lacks_a_word_then_it_is_left_out() -> None:
    assert place([a_weight("<num>", 0), a_weight("ok", 6)], "42 ok") == [(3, 5, 1.0)]


def test_place_when_lower_case_is_longer_then_offsets_stay_right() -> None:
    text = "İ down"

    assert [text[start:end] for start, end, _ in place([a_weight("down", 2)], text)] == ["down"]


@given(st.text(max_size=30), st.lists(st.tuples(st.text(max_size=5), st.integers(0, 30), st.floats(-9, 9)), max_size=6))
def test_highlights_when_weights_are_arbitrary_then_the_text_is_whole(text: str, weights: Any) -> None:
    pieces = highlights([a_weight(word, start, weight) for word, start, weight in weights], text)

    assert "".join(piece.text for piece in pieces) == text
    assert all(-1 <= piece.weight <= 1 for piece in pieces)


def test_highlights_when_words_weigh_then_the_heaviest_is_one() -> None:
    pieces = highlights([a_weight("disk", 0, 2.0), a_weight("full", 5, -4.0)], "disk full")

    assert pieces == [Highlight("disk", 0.5), Highlight(" ", 0.0), Highlight("full", -1.0)]


def test_heaviest_when_there_are_many_then_the_first_six_come_by_size() -> None:
    found = heaviest([a_weight(f"w{n}", n, (-1) ** n * n) for n in range(10)])

    assert [word for word, _ in found] == ["w9", "w8", "w7", "w6", "w5", "w4"]
    assert found[0] == ("w9", -1.0)


def test_heaviest_when_a_word_stands_twice_then_it_is_listed_once_with_both_weights() -> None:
    assert heaviest([a_weight("retry", 0, 2.0), a_weight("disk", 6, 4.0), a_weight("retry", 11, 2.0)]) == [
        ("retry", 1.0),
        ("disk", 1.0),
    ]


@pytest.mark.parametrize("weights", [[], [a_weight("a", 0, 0.0)]])
def test_heaviest_when_nothing_weighs_then_there_is_none(weights: Any) -> None:
    assert heaviest(weights) == []


def test_verdicts_when_a_dimension_is_unknown_then_it_says_nothing() -> None:
    prediction = Prediction(Route.REVIEW, {"severity": None}, {}, {"severity": Origin.DEFAULT}, "t", None)

    assert verdicts(prediction, [a_dimension()], EN) == [
        {"dimension": "severity", "label": None, "confidence": 0.0, "text": ""}
    ]
    assert known_labels(prediction) == {}
