from datetime import datetime, timedelta

import polars as pl
import pytest

from builders import NOON
from vigie.exchange.incoming import Findings
from vigie.exchange.ledger import Ledger
from vigie.labels import Annotation, Purpose

HOUR = timedelta(hours=1)
SCHEMA = {
    "group_id": pl.Int64,
    "dimension": pl.String,
    "annotator": pl.String,
    "label": pl.String,
    "created_at": pl.Datetime("us", "UTC"),
    "answer_id": pl.String,
}


def a_ledger(*there: tuple[str | None, datetime, str | None]) -> tuple[Ledger, Findings]:
    found = Findings()
    rows = [(1, "severity", "ann", label, time, name) for label, time, name in there]
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

    assert not ledger.enter(an_annotation(time=time), name, dated=dated)
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

    assert ledger.enter(an_annotation(label, time), name, dated=dated)
    assert (found.n_known, found.n_labels) == (0, 1)
    assert not ledger.enter(an_annotation(label, time), name, dated=dated)


def test_enter_when_the_person_said_otherwise_later_then_it_is_outdated() -> None:
    ledger, found = a_ledger(("info", NOON, None), ("error", NOON + HOUR, None))

    assert not ledger.enter(an_annotation("warning", NOON + HOUR / 2), None, dated=True)
    assert ledger.enter(an_annotation("warning", NOON + HOUR / 2, group_id=2), None, dated=True)
    assert (found.n_outdated, found.n_labels) == (1, 1)


def test_enter_when_a_label_takes_the_place_of_another_then_it_is_counted() -> None:
    ledger, found = a_ledger(("info", NOON, None))

    for hours, label in enumerate(("error", "error", None, "info"), 1):
        assert ledger.enter(an_annotation(label, NOON + hours * HOUR), None, dated=True)

    assert found.n_replaced == 2  # info by error, and error by nothing; what follows was taken back already
