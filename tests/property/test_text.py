import re
from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import a_dimension
from generators import any_texts, log_texts, social_texts
from vigie.rules import Rule, Rules
from vigie.text import NORMALISERS, Normaliser, normaliser
from vigie.text.logs import _follow
from vigie.text.masks import ROUNDS
from vigie.text.refining import Refinement, placeholders
from vigie.text.trace import Trace

TEXTS = any_texts() | log_texts() | social_texts()
unhurried = settings(deadline=None, max_examples=40)
RESERVED = re.compile("[\U000f0000-\U000f01ff]")
"""Private characters that masks use between steps; they are dropped from texts, which hold none."""

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
def test_unmasked_when_a_text_is_a_template_then_it_stays(kind: str, text: str) -> None:
    template = pl.Series([one(normaliser(kind), text)])

    assert normaliser(kind).unmasked(template).to_list() == template.to_list()


@st.composite
def split_texts(draw: st.DrawFn, kind: str) -> tuple[list[str], Refinement]:
    """Return texts, and a refinement that shows slots of the template of one of them."""
    texts = draw(st.lists(TEXTS, min_size=1, max_size=5))
    template = one(normaliser(kind), texts[0])
    slots = range(len(placeholders(template)))
    shown = draw(st.sets(st.sampled_from(slots), max_size=2)) if slots else set()
    return texts, Refinement(normaliser(kind), {template: sorted(shown)})


@kinds
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_refinement_when_done_again_then_changes_nothing_and_no_batch_matters(kind: str, data: st.DataObject) -> None:
    texts, refinement = data.draw(split_texts(kind))

    refined = refinement.templates(pl.Series("text", texts))

    assert refinement.templates(refined).to_list() == refined.to_list()
    assert refined.to_list() == [refinement.templates(pl.Series([text]))[0] for text in texts]
    assert normaliser(kind).normalise(refined).to_list() == normaliser(kind).normalise(pl.Series(texts)).to_list()


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
        seen = RESERVED.sub("", text)
        assert "".join(one(logs, text).split()) == "".join(seen.split())


@unhurried
@given(text=log_texts() | any_texts())
def test_trace_when_it_followed_the_steps_then_holds_the_template(text: str) -> None:
    trace = Trace(text)
    for _ in range(ROUNDS):
        _follow(trace)

    assert trace.text == one(normaliser("logs"), text)


VALUES = {
    "time": st.datetimes().map(lambda t: t.isoformat(" ", "milliseconds")),
    "host": st.sampled_from(["node-1", "node-22", "node-333"]),
    "ip": st.ip_addresses(v=4).map(str) | st.ip_addresses(v=6).map(lambda ip: ip.exploded.replace("0000", "2a0f")),
    "uuid": st.uuids().map(str),
    "number": st.integers(-(10**15), 10**15),
    "duration": st.floats(0.001, 10_000, allow_nan=False).map(lambda x: f"{x:.3f} ms"),
    "size": st.tuples(st.integers(1, 9999), st.sampled_from(["B", "KB", "MiB", "GB"])).map(lambda x: f"{x[0]}{x[1]}"),
    "hex": st.integers(0, 2**64 - 1).map(hex),
    "path": st.lists(st.text("abcdefg123._-", min_size=1), min_size=2, max_size=5).map(lambda x: "/" + "/".join(x)),
    "day": st.dates(date(1990, 1, 1), date(2060, 1, 1)).map(lambda d: f"{d:%b} {d.day:>2} 10:11:12"),
}
LINES = (
    "{time} INFO worker[{number}]: moved {path} to {ip} in {duration}",
    "{time} WARN request {uuid} from {ip} is slow: {duration}, {size} sent, id={number}",
    "{day} {host} kernel: [{number}] fault at {hex} of {size}",
    "job {number} of {number} done at {time} with status=0 by {uuid}",
)


@unhurried
@pytest.mark.parametrize("line", LINES)
@given(data=st.data())
def test_normalise_when_only_variable_parts_differ_then_the_template_is_the_same(
    line: str, data: st.DataObject
) -> None:
    first, second = (line.format(**data.draw(st.fixed_dictionaries(VALUES))) for _ in range(2))
    logs = normaliser("logs")

    assert one(logs, first) == one(logs, second)


@unhurried
@given(codes=st.lists(st.integers(100, 599), min_size=2, max_size=2, unique=True), path=VALUES["path"])
def test_normalise_when_status_codes_differ_then_so_do_the_templates(codes: list[int], path: str) -> None:
    lines = [f'10.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET {path} HTTP/1.1" {code} 2326' for code in codes]
    templates = normaliser("logs").normalise(pl.Series(lines))

    assert templates.n_unique() == 2


@unhurried
@given(texts=st.lists(TEXTS | st.none(), max_size=8))
def test_rules_when_given_a_batch_then_equal_one_by_one(texts: list[str | None]) -> None:
    labels = ("network", "security")
    some = Rules(
        (
            Rule("colon", ":", {"kind": "network"}),
            Rule("code", r"(?:code|status)\W+[0-9]", {"kind": "security"}, priority=1),
            Rule("a", "^a|é", {"severity": "info"}, ignore_case=True),
        ),
        (a_dimension(), a_dimension("kind", labels=labels)),
    )

    batch = some.apply(pl.Series(texts, dtype=pl.String)).rows()

    assert batch == [some.apply(pl.Series([text], dtype=pl.String)).row(0) for text in texts]
