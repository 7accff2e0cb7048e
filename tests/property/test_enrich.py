import json
from collections import Counter

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from builders import a_batch, a_dimension
from generators import json_objects
from vigie.stream.dead_letters import split
from vigie.stream.decode import decode
from vigie.stream.enrich import enrich

DIMENSIONS = [a_dimension("severity"), a_dimension("category")]
TEXTS = st.text().map(lambda text: text.encode("utf-8", "replace"))
OBJECTS = (
    json_objects().map(lambda text: ('{"text": "x",' + text[1:]) if ":" in text else '{"text": "x"}').map(str.encode)
)


def labelled(payloads: list[bytes]) -> pl.DataFrame:
    """Return payloads with labels that depend on nothing but the text."""
    frame, _ = split(decode(a_batch(*payloads), text_fields=["text"], max_message_bytes=100_000))
    text = pl.col("text")
    marks = [
        column
        for dimension in DIMENSIONS
        for column in (
            pl.when(text.str.len_chars() % 2 == 0).then(pl.lit("error")).alias(f"label:{dimension.name}"),
            (text.str.len_chars() / 1000).alias(f"confidence:{dimension.name}"),
            pl.lit("rule").alias(f"origin:{dimension.name}"),
        )
    ]
    return frame.with_columns(*marks, text.alias("template"), pl.lit("auto").alias("route"), pl.lit("1").alias("model"))


def outputs(payloads: list[bytes]) -> list[bytes]:
    return enrich(labelled(payloads), DIMENSIONS)["output"].to_list()


def exactly(payload: bytes) -> list[tuple[str, object]]:
    """Return an object's fields with numbers as they are spelt, repeated names repeated."""
    return json.loads(payload, object_pairs_hook=list, parse_int=str, parse_float=str)


@given(OBJECTS)
def test_output_when_payload_is_any_object_then_all_its_fields_are_unchanged(payload: bytes) -> None:
    [written] = outputs([payload])
    before, after = exactly(payload), exactly(written)
    assert after[: len(before)] == before
    ours = [name for name, _ in after[len(before) :]]
    assert [name.rpartition("vigie_")[2] for name in ours] == ["severity", "category", "vigie"]


@given(OBJECTS)
def test_output_when_payload_is_any_object_then_no_name_of_ours_stands_twice(payload: bytes) -> None:
    [written] = outputs([payload])
    before, after = exactly(payload), exactly(written)
    counts = Counter(name for name, _ in after)
    assert all(counts[name] == 1 for name, _ in after[len(before) :])


@given(st.lists(OBJECTS | TEXTS, max_size=6))
def test_output_when_batches_are_cut_differently_then_it_is_the_same(payloads: list[bytes]) -> None:
    alone = [written for payload in payloads for written in outputs([payload])]
    assert outputs(payloads) == alone


@given(st.lists(st.binary() | OBJECTS | TEXTS, max_size=6))
def test_split_when_payloads_are_any_bytes_then_none_is_lost(payloads: list[bytes]) -> None:
    messages, dead_letters = split(decode(a_batch(*payloads), text_fields=["text"], max_message_bytes=50))
    assert sorted([*messages["offset"], *dead_letters["offset"]]) == list(range(len(payloads)))
    assert not messages["text"].is_null().any()
    assert not dead_letters["error"].is_null().any()


@given(TEXTS.filter(lambda text: text.strip()[:1] not in {b"", b"{"} and text.decode().strip()))
def test_output_when_payload_is_any_text_then_it_reads_back(payload: bytes) -> None:
    [written] = outputs([payload])
    assert json.loads(written)["message"] == payload.decode()
