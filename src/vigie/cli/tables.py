"""Columns of a labelled table, whatever program wrote it, in batches."""

import codecs
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING

from vigie.errors import SettingsError

if TYPE_CHECKING:
    import polars as pl

BATCH = 50_000
_LISTED, _LONGEST = 20, 60


def batches(file: Path, columns: Sequence[str]) -> Iterator["pl.DataFrame"]:
    """Return some columns of a file in batches, as texts.

    Raises
    ------
    SettingsError
        The file cannot be read, or has no such column.
    """
    import polars as pl  # noqa: PLC0415 — takes a while to import
    from polars.exceptions import PolarsError  # noqa: PLC0415

    # With the other columns left out before the rows are cut into cells, a row with too many of them would pass: its
    # cells do not stand where the header says.
    whole_rows = pl.QueryOptFlags(projection_pushdown=_kind(file) != ".csv")
    try:
        with ExitStack() as streams:
            frame = _scan(file, streams)
            _check(frame.collect_schema(), file, columns)
            chosen = frame.select(pl.col(list(dict.fromkeys(columns))).cast(pl.String))
            yield from chosen.collect_batches(chunk_size=BATCH, maintain_order=True, optimizations=whole_rows)
    except (OSError, EOFError, zlib.error, PolarsError) as error:
        raise SettingsError(_where(file) or f"{file} cannot be read: {error}") from error


def _kind(file: Path) -> str:
    return next((suffix for suffix in reversed(file.suffixes) if suffix != ".gz"), "")


def _scan(file: Path, streams: ExitStack) -> "pl.LazyFrame":
    import polars as pl  # noqa: PLC0415 — takes a while to import

    from vigie.exchange.table import delimiter_of  # noqa: PLC0415 — takes a second to import

    if not file.is_file():
        raise SettingsError(f"{file} is a folder; name a file" if file.is_dir() else f"there is no file {file}")
    kind = _kind(file)
    if kind == ".csv":
        return pl.scan_csv(file, infer_schema=False, separator=delimiter_of(file))
    if kind in {".jsonl", ".ndjson"}:
        return pl.scan_ndjson(_after_mark(file, streams), infer_schema_length=None)
    if kind == ".parquet":
        return pl.scan_parquet(file)
    raise SettingsError(f"{file.name} is of no known kind; expected .csv, .jsonl, .ndjson (also .gz) or .parquet")


def _after_mark(file: Path, streams: ExitStack) -> "Path | IO[bytes]":
    """Return where JSON starts: some programs for Windows write a byte-order mark first, which Polars does not take."""
    from vigie.exchange.reading import opened  # noqa: PLC0415 — takes a second to import

    stream = streams.enter_context(opened(file))
    return stream if stream.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8 else file


def _check(schema: "pl.Schema", file: Path, columns: Sequence[str]) -> None:
    for column in columns:
        if column not in schema:
            undecodable = any("\N{REPLACEMENT CHARACTER}" in name for name in schema)
            reason = f"{file} has no column {column!r}; it has: {_listed(schema.names())}"
            raise SettingsError((_where(file) if undecodable else "") or reason)
        if schema[column].is_nested():
            raise SettingsError(
                f"column {column!r} of {file} holds {schema[column]}; expected a text, a number or true and false"
            )


def _listed(names: Sequence[str]) -> str:
    short = [name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…" for name in names[:_LISTED]]
    return ", ".join(short) + (f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else "")


def _where(file: Path) -> str:
    """Return what is wrong with a text file, with its name and the line; empty when it is something else."""
    from vigie.exchange.reading import rows  # noqa: PLC0415 — takes a second to import
    from vigie.exchange.table import csv_rows  # noqa: PLC0415 — the same

    reader = {".csv": csv_rows, ".jsonl": rows, ".ndjson": rows}.get(_kind(file))
    try:
        for _ in reader(file) if reader else ():
            pass
    except SettingsError as error:
        return str(error)
    return ""
