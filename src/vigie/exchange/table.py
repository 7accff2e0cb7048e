"""CSV, JSONL and Parquet with one row an answer, one column a dimension."""

import csv
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl
from polars.exceptions import PolarsError

from vigie.errors import SettingsError
from vigie.exchange.answers import Answer, Status
from vigie.exchange.fields import Row
from vigie.exchange.notes import member
from vigie.exchange.questions import Reading
from vigie.exchange.reading import LONGEST, decoded, opened, rows
from vigie.exchange.writing import text_file
from vigie.labels import Dimension, Purpose

COLUMNS = pl.Schema(
    {
        "id": pl.String(),
        "text": pl.String(),
        "annotator": pl.String(),
        "created_at": pl.Datetime("us", "UTC"),
        "status": pl.String(),
        "purpose": pl.String(),
        "comment": pl.String(),
        "model_version": pl.String(),
        "duration_seconds": pl.Float64(),
        "is_exception": pl.Boolean(),
        "settled": pl.Boolean(),
    }
)
"""What stands beside the columns of the dimensions."""

_PREFIX = "label:"
_BATCH = 10_000
_BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"


def read_csv(file: Path, reading: Reading) -> Iterator[Answer]:
    """Return the answers of a CSV file, lazily; columns that are neither known nor a dimension are left out.

    Raises
    ------
    SettingsError
        The file cannot be read, or a row is not as it should be; says in which line.
    """
    return (_answer(row, reading) for row in csv_rows(file))


def read_jsonl(file: Path, reading: Reading) -> Iterator[Answer]:
    """Return the answers of a JSON file, likewise."""
    return (_answer(row, reading) for row in rows(file))


def read_parquet(file: Path, reading: Reading) -> Iterator[Answer]:
    """Return the answers of a Parquet file, likewise; a line is a row."""
    return (_answer(row, reading) for row in _parquet_rows(file))


def write_csv(answers: Iterable[Answer], file: Path, dimensions: Sequence[Dimension]) -> None:
    """Write answers as CSV: UTF-8, commas, quotes where needed."""
    with text_file(file) as stream:
        writer = csv.writer(stream, lineterminator="\r\n")  # RFC 4180; so a lone carriage return is quoted, too
        writer.writerow(_columns(dimensions))
        writer.writerows(map(_cell, _plain(answer, dimensions).values()) for answer in answers)


def write_jsonl(answers: Iterable[Answer], file: Path, dimensions: Sequence[Dimension]) -> None:
    """Write answers as one JSON object a line."""
    with text_file(file) as stream:
        for answer in answers:
            stream.write(json.dumps(_plain(answer, dimensions), ensure_ascii=False) + "\n")


def write_parquet(answers: Iterable[Answer], file: Path, dimensions: Sequence[Dimension]) -> None:
    """Write answers as Parquet; all are held in memory meanwhile."""
    values = [{**_plain(answer, dimensions), "created_at": answer.created_at} for answer in answers]
    schema = {name: COLUMNS.get(name, pl.String()) for name in _columns(dimensions)}
    pl.DataFrame(values, schema=schema).write_parquet(file)


def _columns(dimensions: Sequence[Dimension]) -> list[str]:
    first, *rest = (name for name in COLUMNS if name != "text")
    return [first, "text", *(_column(one.name) for one in dimensions), *rest]


def _column(dimension: str) -> str:
    return _PREFIX + dimension if dimension in COLUMNS else dimension


def _plain(answer: Answer, dimensions: Sequence[Dimension]) -> dict[str, Any]:
    values = {
        "id": answer.id,
        "text": answer.text,
        "annotator": answer.annotator,
        "created_at": answer.created_at.isoformat() if answer.created_at else None,
        "status": answer.status.value,
        "purpose": answer.purpose.value,
        "comment": answer.comment or None,
        "model_version": answer.model_version,
        "duration_seconds": answer.duration_seconds,
        "is_exception": answer.is_exception,
        "settled": answer.settled,
    }
    labels = {_column(one.name): answer.labels.get(one.name) for one in dimensions}
    return {name: values[name] if name in values else labels[name] for name in _columns(dimensions)}


def _cell(value: Any) -> Any:
    """Return a value as CSV has it; true and false as other programs write them."""
    return str(value).lower() if isinstance(value, bool) else value


def _answer(row: Row, reading: Reading) -> Answer:
    labels = dict(_labels(row, reading))
    return Answer(
        text=reading.message(row),
        labels=labels,
        annotator=row.word("annotator"),
        created_at=row.time("created_at"),
        id=row.word("id"),
        status=member(row, "status", Status, Status.ANSWERED if labels else Status.OPEN),
        purpose=member(row, "purpose", Purpose, Purpose.TRAIN),
        comment=row.word("comment") or "",
        model_version=row.word("model_version"),
        duration_seconds=row.number("duration_seconds"),
        is_exception=row.flag("is_exception"),
        settled=row.flag("settled"),
        line=row.line,
    )


def _labels(row: Row, reading: Reading) -> Iterator[tuple[str, str]]:
    for column in row.values:
        dimension = _dimension(column, reading, is_ours="status" in row.values)
        if dimension and (label := row.word(column)):
            yield dimension, label


def _dimension(column: str, reading: Reading, *, is_ours: bool) -> str | None:
    """Return the dimension of a column; in a table of our own, one that is not of this project is a dimension, too."""
    if column in reading.questions:
        return reading.questions[column]
    if column in COLUMNS or column == reading.text:
        return None
    if any(column == one.name for one in reading.dimensions):
        return column
    return column.removeprefix(_PREFIX) if is_ours or column.startswith(_PREFIX) else None


def csv_rows(file: Path) -> Iterator[Row]:
    """Return the rows of a CSV file, lazily, with the lines where they start; also of ``.gz``.

    Raises
    ------
    SettingsError
        The file cannot be read, is not in UTF-8, or is no CSV; says in which line.
    """
    csv.field_size_limit(LONGEST)
    try:
        with opened(file) as stream:
            lines = (decoded(raw, file, line) for line, raw in enumerate(stream, 1))
            header = next(lines, "")
            reader = csv.reader(chain([header], lines), delimiter=_delimiter(header), strict=True)
            yield from _cells(reader, file)
    except (OSError, EOFError, zlib.error) as error:
        raise SettingsError(f"{file} cannot be read: {error}") from error


def delimiter_of(file: Path) -> str:
    """Return what stands between the cells of a CSV file; also of ``.gz``.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    with opened(file) as stream:
        return _delimiter(stream.readline(LONGEST).decode("utf-8", "replace"))


def _delimiter(header: str) -> str:
    """Return what stands between cells: where a comma is the decimal point, spreadsheets write semicolons."""
    return max(",;\t", key=header.count)


def _cells(reader: Any, file: Path) -> Iterator[Row]:
    header: list[str] = []
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise SettingsError(f"{file}, line {line}: wrong CSV: {error}; nothing was written") from error
        if cells is None:
            return
        if not header:
            header = [name.removeprefix(_BOM) for name in cells]
        elif cells:
            if len(cells) != len(header):
                raise SettingsError(
                    f"{file}, line {line}: {len(cells)} cells; expected {len(header)}, as in the header"
                )
            yield Row(dict(zip(header, cells, strict=True)), file, line)


def _parquet_rows(file: Path) -> Iterator[Row]:
    if not file.is_file():
        raise SettingsError(f"there is no file {file}")
    try:
        batches = pl.scan_parquet(file).collect_batches(chunk_size=_BATCH, maintain_order=True)
        line = 0
        for batch in batches:
            for values in _as_words(batch).iter_rows(named=True):
                line += 1
                yield Row(values, file, line)
    except (OSError, PolarsError) as error:
        raise SettingsError(f"{file} cannot be read: {error}") from error


def _as_words(batch: pl.DataFrame) -> pl.DataFrame:
    """Return a batch whose times and numbers are texts."""
    times = [name for name, kind in batch.schema.items() if isinstance(kind, pl.Datetime | pl.Date)]
    other = [name for name, kind in batch.schema.items() if kind.is_numeric() or kind in (pl.Categorical, pl.Enum)]
    return batch.with_columns(pl.col(times).dt.to_string("iso:strict"), pl.col(other).cast(pl.String))
