from dataclasses import replace
from datetime import datetime, timedelta

import polars as pl
import pytest

from builders import NOON
from vigie.exchange.incoming import Findings
from vigie.exchange.ledger import Ledger
from vigie.labels import Annotation, Purpose
from vigie.store.elsewhere import Note

HOUR = timedelta(hours=1)
SCHEMA = {
    "group_id": pl.Int64,
    "dimension": pl.String,
    "annotator": pl.String,
    "label": pl.String,
    "created_at": pl.Datetime("us", "UTC"),
    "answer_id": pl.String,
    "message": pl.String,
    "is_exception": pl.Boolean,
}


def a_ledger(*there: tuple[str | None, datetime, str | None]) -> tuple[Ledger, Findings]:
    found = Findings()
    rows = [(1, "severity", "ann", label, time, name, "disk 1 full", False) for label, time, name in there]
    return Ledger(pl.DataFrame(rows, SCHEMA, orient="row"), found), found


def an_annotation(label: str | None = "info", time: datetime = NOON, group_id: int = 1) -> Annotation:
    return Annotation(group_id, "severity", label, "ann", Purpose.TRAIN, time)


@pytest.mark.parametrize(
    ("time", "name", "dated"),
    [
        (NOON, None, True),  # the same time
        (NOON, "other", True),
        (NOON + HOUR, "17", True),  # the same id
        (NOON + HOUR, "17", False),
        (NOON + HOUR, None, False),  # neither time nor id
    ],
)
def test_enter_when_it_was_said_before_then_it_is_known(time: datetime, name: str | None, dated: bool) -> None:
    ledger, found = a_ledger(("info", NOON, "17"))

    assert not ledger.enter(an_annotation(time=time), Note(name), dated=dated)
    assert (found.n_known, found.n_labels) == (1, 0)


@pytest.mark.parametrize(
    ("label", "time", "name", "dated"),
    [
        ("info", NOON + HOUR, None, True),
        ("info", NOON + HOUR, "18", True),
        ("info", NOON + HOUR, "18", False),
        ("error", NOON, "17", True),
        (None, NOON + HOUR, "17", True),
    ],
)
def test_enter_when_anything_is_new_then_it_is_written(
    label: str | None, time: datetime, name: str | None, dated: bool
) -> None:
    ledger, found = a_ledger(("info", NOON, "17"))

    assert ledger.enter(an_annotation(label, time), Note(name), dated=dated)
    assert (found.n_known, found.n_labels) == (0, 1)
    assert not ledger.enter(an_annotation(label, time), Note(name), dated=dated)


def test_enter_when_the_person_said_otherwise_later_then_it_is_outdated() -> None:
    ledger, found = a_ledger(("info", NOON, None), ("error", NOON + HOUR, None))

    assert not ledger.enter(an_annotation("warning", NOON + HOUR / 2), Note(), dated=True)
    assert ledger.enter(an_annotation("warning", NOON + HOUR / 2, group_id=2), Note(), dated=True)
    assert (found.n_outdated, found.n_labels) == (1, 1)


def test_enter_when_a_label_takes_the_place_of_another_then_it_is_counted() -> None:
    ledger, found = a_ledger(("info", NOON, None))

    for hours, label in enumerate(("error", "error", None, "info"), 1):
        assert ledger.enter(an_annotation(label, NOON + hours * HOUR), Note(), dated=True)

    assert found.n_replaced == 2  # info by error, and error by nothing; what follows was taken back already


def test_enter_when_it_is_about_an_exception_then_it_is_another_thing_than_the_rest() -> None:
    ledger, found = a_ledger(("info", NOON, None))
    exception = replace(an_annotation("info"), message="disk 2 full")

    assert ledger.enter(exception, Note(is_exception=True), dated=True)
    assert not ledger.enter(exception, Note(is_exception=True), dated=True)
    assert ledger.enter(replace(exception, message="disk 3 full"), Note(is_exception=True), dated=True)
    assert (found.n_labels, found.n_known, found.n_replaced) == (2, 1, 0)


def test_enter_when_the_whole_group_was_spoken_of_since_then_an_exception_is_outdated() -> None:
    ledger, found = a_ledger()
    assert ledger.enter(an_annotation("error", NOON + HOUR), Note(), dated=True)

    exception = replace(an_annotation("info"), message="disk 2 full")

    assert not ledger.enter(exception, Note(is_exception=True), dated=True)
    assert found.n_outdated == 1
