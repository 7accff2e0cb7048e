"""Taking values out of a row of a foreign file, with an error that says where when they are of another kind."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vigie.errors import SettingsError
from vigie.store.bulk import storable

_LAST_SECOND = 253_402_300_799
"""Of the year 9999, since 1970; larger numbers are milliseconds."""

_FLAGS = {"": False, "false": False, "0": False, "0.0": False, "true": True, "1": True, "1.0": True}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file.

    Parameters
    ----------
    values
        By name.
    file, line
        Where it stands, from line 1.
    """

    values: Mapping[str, Any]
    file: Path
    line: int

    def wrong(self, what: str) -> SettingsError:
        """Return an error about this row; it names the place, and nothing of the message."""
        return SettingsError(f"{self.file}, line {self.line}: {what}; nothing was written")

    def inner(self, values: Any, what: str) -> "Row":
        """Return an object that is part of this row.

        Raises
        ------
        SettingsError
            It is no object.
        """
        if not isinstance(values, Mapping):
            raise self.wrong(f"{what} is {_kind(values)}; expected an object")
        return Row(values, self.file, self.line)

    def objects(self, name: str) -> list["Row"]:
        """Return the objects of a list, none where it is missing or null."""
        return [self.inner(one, f"an entry of {name!r}") for one in self.list(name)]

    def list(self, name: str) -> list[Any]:
        """Return a list, empty where it is missing or null."""
        found = self.values.get(name)
        if found is None:
            return []
        if not isinstance(found, list):
            raise self.wrong(f"{name!r} is {_kind(found)}; expected a list")
        return found

    def text(self, name: str, hint: str = "") -> str:
        """Return a text that must be there; null counts as an empty one. `hint` says what to do when it is not."""
        if name not in self.values:
            raise self.wrong(f"it has no {name!r}; it has: {', '.join(map(repr, self.values)) or 'nothing'}{hint}")
        return self.word(name) or ""

    def word(self, name: str) -> str | None:
        """Return a text, or a number as a text; None where it is missing, null or empty."""
        found = self.values.get(name)
        if found is None or found == "":
            return None
        if isinstance(found, bool) or not isinstance(found, str | int | float):
            raise self.wrong(f"{name!r} is {_kind(found)}; expected a text")
        return storable(str(found))

    def number(self, name: str) -> float | None:
        """Return a finite number; None where it is missing, null or empty."""
        found = self.word(name)
        if found is None:
            return None
        try:
            number = float(found)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise self.wrong(f"{name!r} is {found[:40]!r}; expected a number")
        return number

    def flag(self, name: str) -> bool:
        """Return whether something is so: true or false, or 1 or 0; not where it is missing, null or empty."""
        found = self.values.get(name)
        word = str(found).lower() if isinstance(found, bool) else (self.word(name) or "").lower()
        if word not in _FLAGS:
            raise self.wrong(f"{name!r} is {word[:40]!r}; expected true or false")
        return _FLAGS[word]

    def time(self, name: str) -> datetime | None:
        """Return an aware time from ISO 8601 (without a zone: UTC) or seconds since 1970; None where there is none."""
        found = self.word(name)
        if found is None:
            return None
        try:
            return _time(found)
        except (ValueError, OverflowError, OSError) as error:
            raise self.wrong(f"{name!r} is {found[:40]!r}; expected a time such as 2026-11-21T12:00:00Z") from error


def _time(found: str) -> datetime:
    try:
        seconds = float(found)
    except ValueError:
        time = datetime.fromisoformat(found)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return datetime.fromtimestamp(seconds if abs(seconds) <= _LAST_SECOND else seconds / 1000, tz=UTC)


def _kind(value: Any) -> str:
    kinds = {
        bool: "true or false",
        str: "a text",
        list: "a list",
        type(None): "null",
        int: "a number",
        float: "a number",
    }
    return kinds.get(type(value), "an object")
