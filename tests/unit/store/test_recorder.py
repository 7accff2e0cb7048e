from datetime import timedelta

import polars as pl
import pytest

from builders import NOON, a_labelled_batch
from store_fixtures import SettableClock, StoreMaker
from vigie.store import Store


def counts(store: Store) -> dict[str, int]:
    return dict(store.pool.counts().select("template", "count").iter_rows())


def totals(store: Store, kind: str) -> dict[str, int]:
    rows = store.traffic.totals().filter(pl.col("kind") == kind)
    return dict(rows.select("value", "count").iter_rows())


def test_record_when_templates_repeat_then_counts_them_by_group(store: Store) -> None:
    assert store.record("kafka", a_labelled_batch("a", "b", "a")) == 3
    assert store.record("kafka", a_labelled_batch("b", "c", offset=3)) == 2

    assert counts(store) == {"a": 2, "b": 2, "c": 1}
    assert store.pool.size() == 3


def test_record_when_batch_is_empty_then_counts_nothing(store: Store) -> None:
    assert store.record("kafka", a_labelled_batch()) == 0
    assert store.pool.size() == 0


def test_record_when_batch_comes_again_then_counts_nothing_twice(store: Store) -> None:
    batch = a_labelled_batch("a", "b", None)

    assert store.record("kafka", batch) == 3
    assert store.record("kafka", batch) == 0

    assert counts(store) == {"a": 1, "b": 1}
    assert totals(store, "route") == {"auto": 2}
    assert totals(store, "dead_letter") == {"parse": 1}


def test_record_when_batches_overlap_then_counts_what_is_new(store: Store) -> None:
    store.record("kafka", a_labelled_batch("a", "a"))

    assert store.record("kafka", a_labelled_batch("a", "b", "c", offset=1)) == 2
    assert counts(store) == {"a": 2, "b": 1, "c": 1}


@pytest.mark.parametrize(
    ("source", "place"),
    [("other", {}), ("kafka", {"stream": "other"}), ("kafka", {"partition": 1})],
)
def test_record_when_source_stream_or_partition_differs_then_counts_both(
    store: Store, source: str, place: dict[str, object]
) -> None:
    store.record("kafka", a_labelled_batch("a"))

    assert store.record(source, a_labelled_batch("a", **place)) == 1
    assert counts(store) == {"a": 2}


def test_record_when_batch_mixes_partitions_then_each_keeps_its_own_mark(store: Store) -> None:
    store.record("kafka", a_labelled_batch("a", "a", "a", partition=1))
    mixed = pl.concat([a_labelled_batch("b", "b"), a_labelled_batch("a", "c", partition=1, offset=2)])

    assert store.record("kafka", mixed) == 3
    assert counts(store) == {"a": 3, "b": 2, "c": 1}
    assert store.record("kafka", a_labelled_batch("d", "d", partition=1, offset=3)) == 1


def test_record_when_all_are_dead_letters_then_counts_them_without_groups(store: Store) -> None:
    assert store.record("kafka", a_labelled_batch(None, None)) == 2

    assert store.pool.size() == 0
    assert totals(store, "dead_letter") == {"parse": 2}
    assert totals(store, "route") == {}


def test_record_when_an_error_comes_with_a_template_then_it_is_a_dead_letter(store: Store) -> None:
    batch = a_labelled_batch("a", "b").with_columns(error=pl.Series([None, "too long"]))

    assert store.record("kafka", batch) == 2
    assert counts(store) == {"a": 1}


def test_record_when_opened_again_then_the_marks_and_groups_are_still_there(open_store: StoreMaker) -> None:
    with open_store() as first:
        first.record("kafka", a_labelled_batch("a"))

    again = open_store()

    assert again.record("kafka", a_labelled_batch("a")) == 0
    assert again.record("kafka", a_labelled_batch("a", offset=1)) == 1
    assert counts(again) == {"a": 2}


def test_record_when_seen_again_then_first_and_last_seen_span_all(store: Store) -> None:
    hour = timedelta(hours=1)
    batch = a_labelled_batch("a", "a", "a").with_columns(timestamp=pl.Series([NOON, NOON - hour, NOON + hour]))
    store.record("kafka", batch.with_columns(pl.col("timestamp").dt.cast_time_unit("ns")))
    store.record("kafka", a_labelled_batch("a", offset=3))

    group = store.pool.find("a")

    assert group is not None
    assert (group.first_seen, group.last_seen, group.count) == (NOON - hour, NOON + hour, 4)


def test_record_when_a_message_has_no_time_then_it_was_seen_now(store: Store, clock: SettableClock) -> None:
    clock.forward(60)
    batch = a_labelled_batch("a").with_columns(timestamp=pl.lit(None, dtype=pl.Datetime("ns", "UTC")))
    store.record("kafka", batch)

    group = store.pool.find("a")

    assert group is not None
    assert group.first_seen == clock.now


def test_record_when_two_stores_write_in_turn_then_groups_stay_one(open_store: StoreMaker) -> None:
    first, second = open_store(), open_store()

    first.record("kafka", a_labelled_batch("a"))
    second.record("kafka", a_labelled_batch("a", "b", partition=1))
    first.record("kafka", a_labelled_batch("b", offset=1))

    assert counts(first) == {"a": 2, "b": 2}


def test_record_when_text_has_characters_no_database_takes_then_it_is_kept_without_them(store: Store) -> None:
    batch = a_labelled_batch("a\x00b", "a\N{SYMBOL FOR NULL}b", "plain", texts=["x\x00", "y", "z"], stream="s\x00")

    assert store.record("ka\x00fka", batch) == 3
    assert store.record("ka\x00fka", batch) == 0

    group = store.pool.find("a\x00b")
    assert group is not None
    assert group.count == 2
    assert {sample.text for sample in store.pool.samples(group.id)} == {"x\N{SYMBOL FOR NULL}", "y"}


def test_record_when_template_is_larger_than_any_index_then_it_is_kept(store: Store) -> None:
    long = "word " * 200_000

    store.record("kafka", a_labelled_batch(long))

    group = store.pool.find(long)
    assert group is not None
    assert group.template == long


def test_record_when_it_fails_in_the_middle_then_nothing_is_written(store: Store) -> None:
    store.record("kafka", a_labelled_batch("a"))
    broken = a_labelled_batch("b", offset=1).with_columns(pl.lit("x").alias("confidence:severity"))

    with pytest.raises(TypeError):
        store.record("kafka", broken)

    assert counts(store) == {"a": 1}
    assert store.record("kafka", a_labelled_batch("b", offset=1)) == 1
    assert counts(store) == {"a": 1, "b": 1}
