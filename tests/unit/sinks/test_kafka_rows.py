from datetime import datetime

import polars as pl
import pytest
from confluent_kafka import KafkaError
from hypothesis import given
from hypothesis import strategies as st

from builders import NOON, a_batch
from kafka_fakes import a_message
from vigie.messages import SCHEMA
from vigie.sinks.dead_letters import PREFIX
from vigie.sinks.kafka_refused import Refused
from vigie.sinks.kafka_rows import CUT_HEADER, FRAMING_BYTES, Row, _size, dead_letter_rows, fit, rows, sizes
from vigie.sinks.kafka_topics import Topic

NOW = NOON.timestamp()
OUT = Topic("out", 4)
A_HEADER = [{"name": "trace", "value": b"12"}, {"name": "none", "value": None}]


def messages(*payloads: bytes | None, **columns: object) -> pl.DataFrame:
    """Return messages whose output is their payload, with a column or two set to one value."""
    frame = a_batch(*payloads).with_columns(pl.lit(value, SCHEMA[name]).alias(name) for name, value in columns.items())
    return frame.with_columns(output="payload")


def dead(*payloads: bytes | None, **columns: object) -> pl.DataFrame:
    return messages(*payloads, **columns).with_columns(stage=pl.lit("decode"), error=pl.lit("it is bad"))


def test_rows_when_messages_have_everything_then_rows_have_it() -> None:
    frame = messages(b"a", None, key=b"k", partition=3).with_columns(headers=pl.Series([A_HEADER, None]))

    first, second = (Row(*row) for row in rows(frame, "output", OUT, keep_partitions=True))

    assert first == Row(b"a", b"k", 3, int(NOW * 1000), [("trace", b"12"), ("none", None)])
    assert (second.value, second.headers) == (None, None)


@given(st.lists(st.lists(st.tuples(st.text(max_size=3), st.none() | st.binary(max_size=3)), max_size=3), max_size=8))
def test_rows_when_headers_differ_then_each_message_keeps_its_own(
    headers: list[list[tuple[str, bytes | None]]],
) -> None:
    structs = [[{"name": name, "value": value} for name, value in pairs] for pairs in headers]
    frame = messages(*[b"x"] * len(headers)).with_columns(headers=pl.Series(structs, dtype=SCHEMA["headers"]))

    found = [row[4] for row in rows(frame, "output", OUT, keep_partitions=True)]

    assert found == [pairs or None for pairs in headers]


@pytest.mark.parametrize(("partition", "keep", "expected"), [(3, True, 3), (4, True, -1), (3, False, -1)])
def test_rows_when_the_topic_lacks_a_partition_or_it_is_not_kept_then_keys_decide(
    partition: int, keep: bool, expected: int
) -> None:
    (row,) = rows(messages(b"a", partition=partition), "output", OUT, keep_partitions=keep)

    assert row[2] == expected


@pytest.mark.parametrize("time", [None, datetime(1960, 1, 1)])  # noqa: DTZ001  Polars adds the zone of the column
def test_rows_when_there_is_no_time_that_kafka_knows_then_it_is_now(time: datetime | None) -> None:
    (row,) = rows(messages(b"a", timestamp=time), "output", OUT, keep_partitions=True)

    assert row[3] == 0


@given(st.none() | st.binary(max_size=50), st.none() | st.binary(max_size=50), st.booleans())
def test_sizes_when_computed_over_columns_then_they_are_those_of_the_rows(
    value: bytes | None, key: bytes | None, with_headers: bool
) -> None:
    headers = A_HEADER if with_headers else None
    frame = messages(value, key=key).with_columns(headers=pl.Series([headers], dtype=SCHEMA["headers"]))

    (row,) = rows(frame, "output", OUT, keep_partitions=True)

    assert sizes(frame, "output").to_list() == [_size(Row(*row))]


def test_dead_letters_when_they_fit_then_nothing_of_them_is_changed() -> None:
    (row,) = dead_letter_rows(dead(b"\xff", key=b"k", partition=2), OUT, keep_partitions=True, now=NOW)

    assert row[:4] == (b"\xff", b"k", 2, int(NOW * 1000))
    assert (f"{PREFIX}exception.message", b"it is bad") in (row.headers or [])


def test_dead_letters_when_the_topic_wants_keys_then_those_without_get_their_position() -> None:
    compacted = Topic("dlq", 4, wants_keys=True)

    with_key, without = (
        next(dead_letter_rows(dead(b"a", key=key), compacted, keep_partitions=True, now=NOW)) for key in (b"k", None)
    )

    assert (with_key.key, without.key) == (b"k", b"logs/0/0")


def test_dead_letters_when_their_time_is_out_of_bounds_then_it_is_now() -> None:
    strict = Topic("dlq", 4, before_max_ms=1_000)

    (row,) = dead_letter_rows(dead(b"a"), strict, keep_partitions=True, now=NOW + 2)

    assert row.milliseconds == 0


def test_fit_when_the_value_is_too_long_then_it_is_cut_and_its_length_told() -> None:
    row = fit(Row(b"x" * 10_000, b"k", 0, 0, [("trace", b"1")]), 1_000)

    assert _size(row) == 1_000
    assert row.headers == [("trace", b"1"), (CUT_HEADER, b"10000")]
    assert row.key == b"k"


def test_fit_when_headers_are_too_long_then_only_those_that_say_why_stay() -> None:
    why = (f"{PREFIX}offset", b"7")

    row = fit(Row(b"value", b"k", 0, 0, [("trace", b"1" * 5_000), why]), 1_000)

    assert row.headers == [why, (CUT_HEADER, b"5")]
    assert (row.value, row.key) == (b"value", b"k")


def test_fit_when_the_key_is_too_long_then_it_is_cut() -> None:
    row = fit(Row(b"value", b"k" * 5_000, 0, 0, []), 1_000)

    assert _size(row) <= 1_000
    assert set(row.key or b"") == set(b"k")


@given(
    st.none() | st.binary(max_size=400),
    st.none() | st.binary(max_size=400),
    st.lists(st.tuples(st.text(max_size=20), st.none() | st.binary(max_size=100)), max_size=5),
)
def test_fit_when_anything_is_too_long_then_the_topic_takes_it(
    value: bytes | None, key: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    row = Row(value, key, 0, 0, headers)

    assert _size(fit(row, FRAMING_BYTES + 100)) <= FRAMING_BYTES + 100
    assert fit(row, 10_000) == row


def split_errors(refused: Refused, frame: pl.DataFrame, topic: Topic) -> tuple[list[bytes], list[str]]:
    good, unfit = refused.split(frame, topic)
    assert good.height + unfit.height == frame.height
    assert set(unfit["stage"]) <= {"write"}
    return good["output"].to_list(), unfit["error"].to_list()


def test_split_when_all_is_well_then_everything_goes_on() -> None:
    assert split_errors(Refused(lambda: NOW), messages(b"a", None), OUT) == ([b"a", None], [])


def test_split_when_there_is_nothing_then_there_is_nothing() -> None:
    assert split_errors(Refused(lambda: NOW), messages(), OUT) == ([], [])


def test_split_when_a_message_is_too_long_then_size_and_limit_are_told() -> None:
    topic = Topic("out", 1, max_message_bytes=200)

    good, errors = split_errors(Refused(lambda: NOW), messages(b"a", b"b" * 100), topic)

    assert good == [b"a"]
    assert errors == ["the enriched message has 228 bytes; topic out accepts 200 (max.message.bytes)"]


def test_split_when_a_compacted_topic_gets_no_key_then_that_is_told() -> None:
    good, errors = split_errors(Refused(lambda: NOW), messages(b"a"), Topic("out", 1, wants_keys=True))

    assert good == []
    assert errors == ["it has no key; topic out is compacted and takes none without"]


@pytest.mark.parametrize(("now", "n_good"), [(NOW, 1), (NOW + 2, 0), (NOW - 2, 0)])
def test_split_when_times_are_bounded_then_those_outside_are_dead_letters(now: float, n_good: int) -> None:
    topic = Topic("out", 1, before_max_ms=1_000, after_max_ms=1_000)

    good, errors = split_errors(Refused(lambda: now), messages(b"a"), topic)

    assert (len(good), len(errors)) == (n_good, 1 - n_good)


def test_split_when_there_is_no_time_then_bounds_do_not_matter() -> None:
    topic = Topic("out", 1, before_max_ms=1_000, after_max_ms=1_000)

    assert split_errors(Refused(lambda: NOW), messages(b"a", timestamp=None), topic) == ([b"a"], [])


def note(refused: Refused, *values: bytes, code: int = KafkaError.INVALID_RECORD, partition: int = 0) -> None:
    for value in values:
        refused.note(KafkaError(code), a_message(value=value, topic="out", partition=partition))


def test_refused_when_one_message_is_blamed_then_it_is_left_out() -> None:
    refused = Refused(lambda: NOW)
    note(refused, b"b")
    refused.conclude()

    good, errors = split_errors(refused, messages(b"a", b"b"), OUT)

    assert good == [b"a"]
    assert errors[0].startswith("topic out refuses it: ")
    assert not refused.one_by_one


def test_refused_when_innocents_are_told_apart_then_all_culprits_are_left_out() -> None:
    refused = Refused(lambda: NOW)
    note(refused, b"a", code=KafkaError._INVALID_DIFFERENT_RECORD)
    note(refused, b"b", b"c")
    refused.conclude()

    assert split_errors(refused, messages(b"a", b"b", b"c"), OUT)[0] == [b"a"]


def test_refused_when_a_whole_batch_is_blamed_then_messages_go_one_by_one_to_find_the_culprit() -> None:
    refused = Refused(lambda: NOW)
    note(refused, b"a", b"b", b"c")
    refused.conclude()
    assert refused.one_by_one
    assert split_errors(refused, messages(b"a", b"b", b"c"), OUT)[1] == []

    note(refused, b"b")
    refused.conclude()

    assert not refused.one_by_one
    assert split_errors(refused, messages(b"a", b"b", b"c"), OUT)[0] == [b"a", b"c"]


def test_refused_when_the_transaction_is_lost_for_another_reason_then_it_goes_on_as_before() -> None:
    refused = Refused(lambda: NOW)
    note(refused, b"a", b"b")
    refused.conclude()
    note(refused, b"a", code=KafkaError._PURGE_QUEUE)

    refused.conclude()

    assert refused.one_by_one


def test_refused_when_a_transaction_is_committed_then_all_is_forgotten() -> None:
    refused = Refused(lambda: NOW)
    note(refused, b"a")
    refused.conclude()

    refused.clear()

    assert split_errors(refused, messages(b"a"), OUT) == ([b"a"], [])
