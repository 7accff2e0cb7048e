from datetime import timedelta

import polars as pl
import pytest

from builders import NOON, a_labelled_batch
from store_fixtures import SettableClock
from vigie.store import Store
from vigie.store.traffic import BINS


def test_totals_when_messages_came_then_counts_routes_labels_bins_and_dead_letters(store: Store) -> None:
    batch = a_labelled_batch("a", "b", "c", None).with_columns(
        pl.Series("route", ["auto", "review", "auto", None]),
        pl.Series("label:severity", ["info", "error", None, None]),
        pl.Series("confidence:severity", [0.04, 1.0, None, None]),
    )
    store.record("kafka", batch)

    totals = store.traffic.totals()

    assert totals.schema == {
        "source": pl.String,
        "kind": pl.String,
        "dimension": pl.String,
        "value": pl.String,
        "count": pl.Int64,
    }
    assert totals.rows() == [
        ("kafka", "confidence", "severity", "0", 1),
        ("kafka", "confidence", "severity", "19", 1),
        ("kafka", "dead_letter", "", "parse", 1),
        ("kafka", "label", "severity", "error", 1),
        ("kafka", "label", "severity", "info", 1),
        ("kafka", "route", "", "auto", 2),
        ("kafka", "route", "", "review", 1),
    ]


def test_totals_when_more_comes_then_they_only_grow_and_sources_are_apart(store: Store, clock: SettableClock) -> None:
    store.record("kafka", a_labelled_batch("a"))
    clock.forward(3 * 24 * 3600)
    store.record("kafka", a_labelled_batch("a", "a", offset=1))
    store.record("files", a_labelled_batch("a"))

    routes = store.traffic.totals().filter(pl.col("kind") == "route")

    assert routes.select("source", "count").rows() == [("files", 1), ("kafka", 3)]


@pytest.mark.parametrize(
    ("confidence", "expected"), [(0.0, 0), (0.049, 0), (0.05, 1), (0.95, 19), (1.0, 19), (-0.1, 0), (1.1, 19)]
)
def test_totals_when_confidence_is_anywhere_then_it_has_a_bin(store: Store, confidence: float, expected: int) -> None:
    store.record("kafka", a_labelled_batch("a", confidence=confidence))

    bins = store.traffic.totals().filter(pl.col("kind") == "confidence")["value"].to_list()

    assert bins == [str(expected)]
    assert 0 <= expected < BINS


def test_totals_when_confidence_is_no_number_then_it_is_not_counted(store: Store) -> None:
    store.record("kafka", a_labelled_batch("a", confidence=float("nan")))

    assert "confidence" not in set(store.traffic.totals()["kind"])


def test_totals_when_there_is_no_stage_then_dead_letters_still_count(store: Store) -> None:
    store.record("kafka", a_labelled_batch(None).drop("stage"))

    assert store.traffic.totals().rows() == [("kafka", "dead_letter", "", "", 1)]


def test_totals_when_names_hold_odd_characters_then_counts_them(store: Store) -> None:
    batch = a_labelled_batch("a").rename({"label:severity": "label:a:b\x00"})
    store.record("kafka", batch.with_columns(pl.lit("x\x00").alias("label:a:b\x00")))

    labels = store.traffic.totals().filter(pl.col("kind") == "label")

    assert labels.select("dimension", "value").rows() == [("a:b\N{SYMBOL FOR NULL}", "x\N{SYMBOL FOR NULL}")]


def test_series_when_time_passes_then_counts_by_step(store: Store, clock: SettableClock) -> None:
    store.record("kafka", a_labelled_batch("a", "b", None))
    clock.forward(19)
    store.record("files", a_labelled_batch("a"))
    clock.forward(60)
    store.record("kafka", a_labelled_batch("a", offset=3))

    by_ten = store.traffic.series(10, NOON)
    by_minute = store.traffic.series(60, NOON)

    assert by_ten.messages.rows() == [
        (NOON, "auto", 2),
        (NOON + timedelta(seconds=10), "auto", 1),
        (NOON + timedelta(seconds=70), "auto", 1),
    ]
    assert by_minute.messages.rows() == [(NOON, "auto", 3), (NOON + timedelta(minutes=1), "auto", 1)]
    assert by_minute.labels.rows() == [
        (NOON, "severity", "info", 3),
        (NOON + timedelta(minutes=1), "severity", "info", 1),
    ]
    assert by_minute.confidence.rows() == [("severity", 18, 4)]
    assert by_minute.dead_letters.rows() == [(NOON, "parse", 1)]
    assert by_minute.messages.schema["time"] == pl.Datetime("us", "UTC")


def test_series_when_since_is_later_then_older_counts_are_left_out(store: Store, clock: SettableClock) -> None:
    store.record("kafka", a_labelled_batch("a"))
    clock.forward(60)
    store.record("kafka", a_labelled_batch("a", offset=1))

    assert store.traffic.series(10, NOON + timedelta(seconds=30)).messages["count"].to_list() == [1]


def test_series_when_nothing_came_then_frames_are_empty_with_their_columns(store: Store) -> None:
    series = store.traffic.series(10, NOON)

    assert series.messages.columns == ["time", "route", "count"]
    assert series.labels.columns == ["time", "dimension", "label", "count"]
    assert series.confidence.columns == ["dimension", "bin", "count"]
    assert series.dead_letters.columns == ["time", "stage", "count"]
    assert series.messages.height == series.confidence.height == 0


def test_series_when_a_day_has_passed_then_old_counts_are_gone(store: Store, clock: SettableClock) -> None:
    store.record("kafka", a_labelled_batch("a"))
    clock.forward(24 * 3600 + 20)
    store.record("kafka", a_labelled_batch("a", offset=1))

    assert store.traffic.series(10, NOON).messages["count"].to_list() == [1]
