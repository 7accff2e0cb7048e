"""Rules: regular expressions that set labels, read from `rules.toml` and applied to whole columns.

Patterns run in Rust's regular-expression engine, in time linear in the text. It has no look-around and no
back-references; a pattern that asks for them is refused.
"""

import difflib
import re
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn, Self

import polars as pl
from polars.exceptions import ComputeError

from vigie.errors import SettingsError
from vigie.labels import Dimension
from vigie.messages import label_column

_HEADER = re.compile(r"^\s*\[\[\s*rules\s*\]\]")
_CARETS = re.compile(r"\n +(?P<caret>\^)[ ^]*$")
_INDENT = 4
_KEYS: Mapping[str, tuple[type, str]] = {
    "name": (str, "a name in quotes"),
    "pattern": (str, "a regular expression in single quotes"),
    "labels": (dict, 'a table such as { severity = "error" }'),
    "priority": (int, "a whole number"),
    "ignore_case": (bool, "true or false"),
}
_REQUIRED = ("name", "pattern", "labels")


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern, and the labels of the texts in which it is found.

    Parameters
    ----------
    name
        Unique; it tells people which rule set a label.
    pattern
        A regular expression; it may be found anywhere in the text.
    labels
        Label by dimension, for any of the dimensions.
    priority
        Among the rules that speak about one dimension the highest wins; among equals, the first in the file.
    ignore_case
        Whether capital and small letters are the same.
    """

    name: str
    pattern: str
    labels: Mapping[str, str]
    priority: int = 0
    ignore_case: bool = False

    @property
    def expression(self) -> str:
        """The pattern as the engine takes it."""
        return f"(?i){self.pattern}" if self.ignore_case else self.pattern


@dataclass(frozen=True)
class Rules:
    """All rules of a project.

    Parameters
    ----------
    rules
        In the order of the file.
    dimensions
        What they may speak about.
    """

    rules: tuple[Rule, ...]
    dimensions: tuple[Dimension, ...]
    _any: str | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_any", _either(rule.expression for rule in self.rules))

    def __len__(self) -> int:
        return len(self.rules)

    @classmethod
    def empty(cls, dimensions: Sequence[Dimension]) -> Self:
        """Return no rules: they never speak."""
        return cls((), tuple(dimensions))

    @classmethod
    def load(cls, path: Path, dimensions: Sequence[Dimension]) -> Self:
        """Read a rules file.

        Raises
        ------
        SettingsError
            The file cannot be read or used; the message says where and why.
        """
        try:
            text = path.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            raise SettingsError(f"there is no rules file {path}; write one, or set rules.path in vigie.toml") from None
        except (OSError, ValueError) as error:
            raise SettingsError(f"{path} cannot be read: {error}") from error
        return cls.parse(text, dimensions, file=path.name)

    @classmethod
    def parse(cls, text: str, dimensions: Sequence[Dimension], *, file: str = "rules.toml") -> Self:
        """Read rules from the text of a rules file; `file` is how errors call it.

        Raises
        ------
        SettingsError
            The text cannot be used; the message says which line, what was found, and what was expected.
        """
        return cls(_Reader(text, dimensions, file).read(), tuple(dimensions))

    def apply(self, texts: pl.Series) -> pl.DataFrame:
        """Return what the rules say about each text.

        Parameters
        ----------
        texts
            String, length n; rules say nothing about null.

        Returns
        -------
        n rows; for each dimension ``label:<d>`` and ``rule:<d>``, the name of the rule that set it. Both String, and
        null where no rule speaks. One pass finds the texts that any rule matches; only these are tried rule by rule.
        """
        texts = texts.cast(pl.String)
        rows = texts.str.contains(self._any).arg_true() if self._any else pl.arange(len(texts), eager=True)
        some = texts.gather(rows)
        ranked = sorted(self.rules, key=lambda rule: -rule.priority)
        found = pl.DataFrame({str(i): some.str.contains(rule.expression) for i, rule in enumerate(ranked)})
        silent = pl.repeat(None, len(texts), dtype=pl.String, eager=True)
        said = {}
        for dimension in self.dimensions:
            speakers = [(str(i), rule) for i, rule in enumerate(ranked) if dimension.name in rule.labels]
            labels = _first(found, [(column, rule.labels[dimension.name]) for column, rule in speakers])
            names = _first(found, [(column, rule.name) for column, rule in speakers])
            said[label_column(dimension.name)] = silent.clone().scatter(rows, labels) if speakers else silent
            said[rule_column(dimension.name)] = silent.clone().scatter(rows, names) if speakers else silent
        return pl.DataFrame(said)


def rule_column(dimension: str) -> str:
    """Name the column that holds the name of the rule that spoke in a dimension."""
    return f"rule:{dimension}"


def _first(found: pl.DataFrame, values: Sequence[tuple[str, str]]) -> pl.Series:
    """Return for each row the value of the first column that is true."""
    if not values:
        return pl.Series(dtype=pl.String)
    choices = [pl.when(pl.col(column)).then(pl.lit(value)) for column, value in values]
    return found.select(pl.coalesce(choices)).to_series()


def _either(expressions: Iterable[str]) -> str | None:
    """Return one expression that is found where any of these is, or None when the engine cannot take it."""
    pattern = "|".join(f"(?:{expression})" for expression in expressions)
    return pattern if pattern and _refusal(pattern) is None else None


def _refusal(pattern: str, n_before: int = 0) -> str | None:
    """Return why the engine does not take a pattern, and at which character if it says so; None when it does.

    The first `n_before` characters are not counted: they are not the user's.
    """
    try:
        pl.Series([""]).str.contains(pattern)
    except ComputeError as error:
        said, _, _ = str(error).partition("\n\nThis error occurred in the following expression")  # that is Polars' own
        shown, _, reason = said.rpartition("\nerror: ")
        # Under a pattern of one line, which is indented by four, stand carets.
        found = _CARETS.search(shown)
        place = f", at character {found.start('caret') - found.start() - _INDENT - n_before}" if found else ""
        return " ".join(reason.split()) + place
    return None


def _nearest(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"expected one of: {', '.join(known)}"


class _Reader:
    """Reads one rules file, and knows where in it things stand."""

    def __init__(self, text: str, dimensions: Sequence[Dimension], file: str) -> None:
        self._lines = text.splitlines()
        self._text = text
        self._labels = {dimension.name: dimension.label_names for dimension in dimensions}
        self._file = file

    def read(self) -> tuple[Rule, ...]:
        """Return the rules in order."""
        try:
            tree = tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f"{self._file} is not valid TOML: {error}") from error
        except RecursionError:
            raise SettingsError(f"{self._file} is nested too deeply") from None
        for key in tree.keys() - {"rules"}:
            self._fail(None, key, f"{key!r} is unknown; expected nothing but [[rules]] tables")
        tables = tree.get("rules", [])
        if not (isinstance(tables, list) and all(isinstance(table, dict) for table in tables)):
            self._fail(None, "rules", "'rules' is one value; expected [[rules]] tables, one for each rule")
        rules = tuple(self._rule(index, table) for index, table in enumerate(tables))
        self._refuse_doubles([rule.name for rule in rules])
        return rules

    def _rule(self, index: int, table: Mapping[str, Any]) -> Rule:
        for key in _REQUIRED:
            if key not in table:
                self._fail(index, "name", f"{key} is missing; expected {_KEYS[key][1]}")
        for key, value in table.items():
            self._check_key(index, key, value)
        self._check_pattern(index, table)
        self._check_labels(index, table["labels"])
        return Rule(**table)

    def _check_key(self, index: int, key: str, value: object) -> None:
        if key not in _KEYS:
            self._fail(index, key, f"{key!r} is unknown; {_nearest(key, _KEYS)}")
        kind, expected = _KEYS[key]
        if type(value) is not kind or value in ("", {}):
            self._fail(index, key, f"{key} is {value!r:.80}; expected {expected}")

    def _check_pattern(self, index: int, table: Mapping[str, Any]) -> None:
        pattern = Rule("", table["pattern"], {}, ignore_case=table.get("ignore_case", False)).expression
        reason = _refusal(pattern, len(pattern) - len(table["pattern"]))
        if reason:
            self._fail(index, "pattern", f"pattern {table['pattern']!r:.200} cannot be used: {reason}")
        if pl.Series([""]).str.contains(pattern)[0]:
            self._fail(
                index,
                "pattern",
                f"pattern {table['pattern']!r:.200} matches the empty text, and so may match every message; "
                "expected a pattern that needs at least one character",
            )

    def _check_labels(self, index: int, labels: Mapping[str, object]) -> None:
        for dimension, label in labels.items():
            if dimension not in self._labels:
                self._fail(index, dimension, f"dimension {dimension!r} is unknown; {_nearest(dimension, self._labels)}")
            known = self._labels[dimension]
            if label not in known:
                self._fail(index, dimension, f"{dimension} {label!r:.80} is unknown; {_nearest(str(label), known)}")

    def _refuse_doubles(self, names: Sequence[str]) -> None:
        for index, name in enumerate(names):
            first = names.index(name)
            if first < index:
                line = self._line(first, "name")
                also = f" in line {line}" if line else ""
                self._fail(index, "name", f"the name is taken by another rule{also}; expected a name of its own")

    def _fail(self, index: int | None, key: str, reason: str) -> NoReturn:
        line = self._line(index, key)
        where = self._file + (f", line {line}" if line else "")
        raise SettingsError(f"{where}{'' if index is None else f', rule {index + 1}'}: {reason}")

    def _line(self, index: int | None, key: str) -> int | None:
        """Return the line of a key in a rule, else of the rule; from 1, and None for rules not written as tables."""
        starts = [number for number, line in enumerate(self._lines) if _HEADER.match(line)]
        blocks = list(pairwise([*starts, len(self._lines)]))
        if index is None:
            block = (0, len(self._lines))
        elif index < len(blocks):
            block = blocks[index]
        else:
            return None
        found = re.compile(rf"""(?:^|[\s{{,.\["']){re.escape(key)}["']?\s*[=.\]]""")
        for number in range(*block):
            if found.search(self._lines[number]):
                return number + 1
        return None if index is None else block[0] + 1
