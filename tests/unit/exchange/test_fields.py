from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from vigie.errors import SettingsError
from vigie.exchange.fields import Row

FILE = Path("answers.jsonl")


def a_row(**values: Any) -> Row:
    return Row(values, FILE, 7)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("2026-11-21T12:00:00Z", 0.0),
        ("2026-11-21T13:00:00.5+01:00", 0.5),
        ("2026-11-21 12:00:00", 0.0),
        (1795262400, 0.0),
        (1795262400.25, 0.25),
        ("1795262400", 0.0),
        (1795262400123, 0.123),
    ],
)
def test_time_when_written_in_a_usual_way_then_is_aware_utc(written: Any, seconds: float) -> None:
    noon = datetime(2026, 11, 21, 12, tzinfo=UTC)

    time = a_row(t=written).time("t")

    assert time is not None
    assert time.tzinfo is UTC
    assert (time - noon).total_seconds() == seconds


@pytest.mark.parametrize("written", ["yesterday", "2026-13-01", "1e300", "nan", "inf", "99999-01-01"])
def test_time_when_it_is_none_then_the_error_names_file_and_line(written: str) -> None:
    with pytest.raises(SettingsError, match=r"answers.jsonl, line 7: 't' is '.*expected a time such as"):
        a_row(t=written).time("t")


@pytest.mark.parametrize("name", ["word", "number", "time"])
@pytest.mark.parametrize("values", [{}, {"a": None}, {"a": ""}])
def test_value_when_there_is_none_then_none(name: str, values: dict[str, Any]) -> None:
    assert getattr(Row(values, FILE, 1), name)("a") is None


@pytest.mark.parametrize(("value", "kind"), [(True, "true or false"), ([1], "a list"), ({"b": 1}, "an object")])
def test_word_when_it_is_of_another_kind_then_says_which(value: Any, kind: str) -> None:
    with pytest.raises(SettingsError, match=f"'a' is {kind}; expected a text; nothing was written"):
        a_row(a=value).word("a")


def test_word_when_it_is_a_number_then_is_a_text() -> None:
    assert a_row(a=4).word("a") == "4"


def test_word_when_no_database_would_keep_it_then_is_made_storable() -> None:
    assert a_row(a="x\ud800y\x00").word("a") == "x?y\N{SYMBOL FOR NULL}"


@pytest.mark.parametrize("value", ["four", "nan", "1e999"])
def test_number_when_it_is_none_then_says_so(value: str) -> None:
    with pytest.raises(SettingsError, match="expected a number"):
        a_row(a=value).number("a")


def test_text_when_it_is_missing_then_lists_what_there_is_and_null_is_empty() -> None:
    with pytest.raises(SettingsError, match="it has no 'text'; it has: 'body', 'x'"):
        a_row(body="secret", x=1).text("text")
    with pytest.raises(SettingsError, match="it has: nothing"):
        a_row().text("text")
    assert a_row(text=None).text("text") == ""


def test_list_when_it_holds_something_else_then_says_so() -> None:
    assert a_row(a=None).list("a") == a_row().list("a") == []
    with pytest.raises(SettingsError, match="'a' is a text; expected a list"):
        a_row(a="x").list("a")
    with pytest.raises(SettingsError, match="an entry of 'a' is null; expected an object"):
        a_row(a=[None]).objects("a")
