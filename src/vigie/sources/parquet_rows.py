"""Rows of Parquet files as messages: each row becomes a JSON object."""

import base64
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from vigie.sources.byte_streams import CHUNK_BYTES, GzipBytes, open_bytes

BATCH_ROWS = 10_000
NO_ROWS = pl.DataFrame(schema={"payload": pl.Binary, "offset": pl.Int64})


class ParquetReader:
    """Reads the rows of a Parquet file, perhaps compressed as a whole by gzip; ``offset`` is the number of the row.

    Binary values become text when they are UTF-8, otherwise base64. Memory holds one row group at a time.

    Parameters
    ----------
    path
        The file, whole: Parquet cannot be appended to.

    Raises
    ------
    ValueError
        It is no Parquet file, or was cut off.
    """

    def __init__(self, path: Path) -> None:
        self.offset = 0
        self._at = 0
        self._rows = NO_ROWS
        self._content = _uncompressed(path)
        try:
            self._file = pq.ParquetFile(self._content, page_checksum_verification=True)
        except (pa.ArrowException, OSError) as error:
            self._content.close()
            raise ValueError(f"it is no complete Parquet file ({_first_line(error)})") from error
        self.seek(0)

    def read(self, n: int, *, complete: bool) -> pl.DataFrame:  # noqa: ARG002 - a Parquet file is always complete
        """Return the next rows."""
        if self._rows.is_empty():
            self._rows = self._next()
        taken, self._rows = self._rows.head(n), self._rows.slice(n)
        self.offset += taken.height
        return taken

    def seek(self, offset: int) -> None:
        """Go to a row, skipping whole row groups."""
        group, start = 0, 0
        while group < self._file.num_row_groups and start + self._group_rows(group) <= offset:
            start += self._group_rows(group)
            group += 1
        self._batches = self._read_from(group)
        self._at = start
        self._rows = NO_ROWS
        self.offset = start
        while self.offset < offset and self.read(offset - self.offset, complete=True).height:
            pass

    def forget(self, offset: int) -> None:
        """Do nothing: the file is kept by its owner."""

    def is_intact(self, head: bytes) -> bool:  # noqa: ARG002 - Parquet has no head that stays
        """Return True: a file that is written anew is found by its end."""
        return True

    def waiting_bytes(self) -> int:
        """Return about how many bytes of the file follow."""
        metadata = self._file.metadata
        share = (metadata.num_rows - self.offset) / max(1, metadata.num_rows)
        size = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
        return max(0, round(share * size))

    def close(self) -> None:
        """Close the file."""
        self._content.close()

    def _group_rows(self, group: int) -> int:
        return int(self._file.metadata.row_group(group).num_rows)

    def _read_from(self, group: int) -> Iterator[pa.RecordBatch]:
        # Group by group: batches that span groups would lose a good one for the sake of a broken one.
        for number in range(group, self._file.num_row_groups):
            yield from self._file.iter_batches(batch_size=BATCH_ROWS, row_groups=[number], use_threads=False)

    def _next(self) -> pl.DataFrame:
        try:
            rows = next(self._batches, None)
        except (pa.ArrowException, OSError) as error:
            raise ValueError(f"its Parquet data is broken after row {self._at} ({_first_line(error)})") from error
        if rows is None:
            return NO_ROWS
        offsets = pl.int_range(self._at, self._at + rows.num_rows, dtype=pl.Int64, eager=True)
        self._at += rows.num_rows
        return pl.DataFrame({"payload": _as_objects(rows), "offset": offsets})


def _uncompressed(path: Path) -> Any:
    stream = open_bytes(path)
    if not isinstance(stream, GzipBytes):
        return stream.file
    content = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the reader
    try:
        while chunk := stream.read(CHUNK_BYTES):
            content.write(chunk)
        stream.check_end()
    except ValueError:
        content.close()
        raise
    finally:
        stream.close()
    content.seek(0)
    return content


def _as_objects(rows: pa.RecordBatch) -> pl.Series:
    frame = pl.from_arrow(rows)
    assert isinstance(frame, pl.DataFrame)
    if "Binary" in str(frame.schema) or "Object" in str(frame.schema):  # Polars cannot write these as JSON
        objects = [orjson.dumps(row, default=_plain) for row in frame.iter_rows(named=True)]
        return pl.Series(objects, dtype=pl.Binary)
    return frame.select(pl.struct(pl.all()).struct.json_encode().cast(pl.Binary)).to_series()


def _plain(value: object) -> str:
    if not isinstance(value, bytes):
        return str(value)
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")
