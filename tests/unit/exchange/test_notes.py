from pathlib import Path
from typing import Any

import pytest

from builders import NOON
from vigie.errors import SettingsError
from vigie.exchange.answers import Answer, Status
from vigie.exchange.fields import Row
from vigie.exchange.notes import notes, restored
from vigie.labels import Purpose

FULL = Answer(
    "a",
    {"severity": "info"},
    annotator="ann",
    created_at=NOON,
    id="17",
    purpose=Purpose.AUDIT,
    comment="why",
    model_version="3",
    duration_seconds=2.5,
)
BARE = Answer("a", {"severity": "info"}, annotator="7", id="1")


def a_row(noted: Any) -> Row:
    return Row({"vigie": noted}, Path("a.json"), 3)


def test_notes_when_little_is_known_then_say_little_and_nothing_of_the_message() -> None:
    assert notes(Answer("secret", {"x": "y"})) == {"labels": {"x": "y"}, "status": "answered", "purpose": "train"}


def test_restored_when_the_labels_are_the_same_then_all_comes_back() -> None:
    assert restored(BARE, a_row(notes(FULL))) == FULL


def test_restored_when_the_notes_say_less_then_what_the_tool_said_does_not_stay() -> None:
    noted = {"labels": {"severity": "info"}}

    assert restored(BARE, a_row(noted)) == Answer("a", {"severity": "info"})


@pytest.mark.parametrize("noted", [None, {"labels": {"severity": "error"}, "id": "17"}, {"labels": [], "id": "17"}, {}])
def test_restored_when_there_are_no_notes_that_hold_then_the_tool_is_right(noted: Any) -> None:
    assert restored(BARE, a_row(noted)) is BARE


def test_restored_when_a_skip_was_a_flag_then_it_is_one_again() -> None:
    flag = Answer("a", annotator="ann", created_at=NOON, status=Status.FLAGGED, comment="two in one")

    assert restored(Answer("a", status=Status.SKIPPED), a_row(notes(flag))) == flag


@pytest.mark.parametrize(
    ("noted", "reason"),
    [
        ("x", "vigie is a text; expected an object"),
        ({"labels": {"severity": "info"}, "status": "odd"}, "'status' is 'odd'; expected one of answered, withdrawn"),
        ({"labels": {"severity": "info"}, "created_at": "x"}, "'created_at' is 'x'; expected a time"),
    ],
)
def test_restored_when_the_notes_are_broken_then_says_where(noted: Any, reason: str) -> None:
    with pytest.raises(SettingsError, match=f"a.json, line 3: {reason}"):
        restored(BARE, a_row(noted))
