"""The formats by name, and which of them a file is in."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vigie.errors import SettingsError
from vigie.exchange import argilla, doccano, label_studio, prodigy, table
from vigie.exchange.answers import Answer, Status
from vigie.exchange.questions import Reading
from vigie.exchange.reading import rows
from vigie.labels import Dimension

_DONE = frozenset({Status.ANSWERED, Status.SKIPPED, Status.FLAGGED})


@dataclass(frozen=True, slots=True)
class Format:
    """A format of files.

    Parameters
    ----------
    name
        What people call it on the command line.
    read
        Returns the answers of a file, lazily.
    write
        Writes answers to a file; those about one message stand together.
    carries
        What it has a place for; the rest is left out.
    has_history
        Whether it can hold several answers of one person about one message.
    """

    name: str
    read: Callable[[Path, Reading], Iterator[Answer]]
    write: Callable[[Iterable[Answer], Path, Sequence[Dimension]], None]
    carries: frozenset[Status] = _DONE
    has_history: bool = True


FORMATS: Mapping[str, Format] = {
    one.name: one
    for one in (
        Format("csv", table.read_csv, table.write_csv, frozenset({*_DONE, Status.WITHDRAWN})),
        Format("jsonl", table.read_jsonl, table.write_jsonl, frozenset({*_DONE, Status.WITHDRAWN})),
        Format("parquet", table.read_parquet, table.write_parquet, frozenset({*_DONE, Status.WITHDRAWN})),
        Format("label_studio", label_studio.read, label_studio.write),
        Format("prodigy", prodigy.read, prodigy.write),
        Format("doccano", doccano.read, doccano.write, frozenset({Status.ANSWERED})),
        Format("argilla", argilla.read, argilla.write, frozenset({Status.ANSWERED}), has_history=False),
    )
}
"""By name."""

_TABLES = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
_RECOGNISED = (
    ("argilla", argilla.recognises),
    ("label_studio", label_studio.recognises),
    ("prodigy", prodigy.recognises),
    ("doccano", doccano.recognises),
)
_LOOKED_AT = 100
"""Rows: the first ones of a tool's file may have nothing of that tool in it."""


def format_named(name: str) -> Format:
    """Return a format by its name.

    Raises
    ------
    SettingsError
        There is none.
    """
    if name not in FORMATS:
        raise SettingsError(f"--format is {name!r}; expected one of {', '.join(FORMATS)}")
    return FORMATS[name]


def format_of(file: Path, *, to_write: bool = False) -> Format:
    """Return the format of a file: by what its name ends in, and for JSON by what is in it.

    Parameters
    ----------
    file
        CSV, JSON, JSONL or Parquet; all but the last also as ``.gz``.
    to_write
        Whether it is to be written, so that only its name counts.

    Raises
    ------
    SettingsError
        It cannot be told, or the file cannot be read.
    """
    ending = next((suffix for suffix in reversed(file.suffixes) if suffix != ".gz"), "")
    if to_write or ending not in {".json", ".jsonl", ".ndjson"}:
        if ending not in _TABLES:
            raise SettingsError(f"the format of {file.name} cannot be told; say --format {'|'.join(FORMATS)}")
        return FORMATS[_TABLES[ending]]
    return _recognised(file)


def _recognised(file: Path) -> Format:
    for row, _ in zip(rows(file), range(_LOOKED_AT), strict=False):
        for name, recognises in _RECOGNISED:
            if recognises(row):
                return FORMATS[name]
    return FORMATS["jsonl"]
