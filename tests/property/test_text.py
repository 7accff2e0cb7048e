import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generators import any_texts, log_texts, social_texts
from vigie.text import NORMALISERS, Normaliser, normaliser
from vigie.text.logs import _follow
from vigie.text.masks import ROUNDS
from vigie.text.trace import Trace

TEXTS = any_texts() | log_texts() | social_texts()
unhurried = settings(deadline=None, max_examples=40)
kinds = pytest.mark.parametrize("kind", list(NORMALISERS))


def one(normaliser: Normaliser, text: str) -> str:
    return normaliser.normalise(pl.Series([text]))[0]


@kinds
@unhurried
@given(text=TEXTS)
def test_normalise_when_done_again_then_changes_nothing(kind: str, text: str) -> None:
    template = one(normaliser(kind), text)

    assert one(normaliser(kind), template) == template


@kinds
@unhurried
@given(texts=st.lists(TEXTS | st.none(), max_size=5))
def test_normalise_when_given_a_batch_then_equals_one_by_one(kind: str, texts: list[str | None]) -> None:
    batch = normaliser(kind).normalise(pl.Series("text", texts, dtype=pl.String))

    assert batch.name == "text"
    assert batch.to_list() == [None if text is None else one(normaliser(kind), text) for text in texts]


@kinds
@unhurried
@given(text=TEXTS.filter(bool))
def test_normalise_when_text_is_not_empty_then_neither_is_its_template(kind: str, text: str) -> None:
    assert one(normaliser(kind), text)


@kinds
@unhurried
@given(text=TEXTS)
def test_variable_parts_when_merged_then_are_sorted_spans_of_the_text(kind: str, text: str) -> None:
    spans = normaliser(kind).variable_parts(text)

    ends = [0, *(end for _, end in spans)]
    assert all(start < end <= len(text) for start, end in spans)
    assert all(before < start or (before == start == 0) for before, (start, _) in zip(ends, spans, strict=False))


@unhurried
@given(text=log_texts() | any_texts())
def test_variable_parts_when_logs_hide_nothing_then_template_differs_in_white_space_only(text: str) -> None:
    logs = normaliser("logs")

    if not logs.variable_parts(text):
        assert "".join(one(logs, text).split()) == "".join(text.split())


@unhurried
@given(text=log_texts() | any_texts())
def test_trace_when_it_followed_the_steps_then_holds_the_template(text: str) -> None:
    trace = Trace(text)
    for _ in range(ROUNDS):
        _follow(trace)

    assert trace.text == one(normaliser("logs"), text)
