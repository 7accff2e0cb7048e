"""Rows of CSV files as messages: each row becomes a JSON object."""

import csv
import json
from collections import Counter, deque
from collections.abc import Iterator, Sequence

import orjson
import polars as pl

from vigie.sources.byte_streams import CHUNK_BYTES, ByteStream
from vigie.sources.lines import MARK

DELIMITERS = ",;\t|"


class StarvedError(Exception):
    """There are no more complete lines now; the row they began is read again later."""


class CsvReader:
    """Reads the rows of a CSV file; ``offset`` is the number of the row, 0 for the first after the header.

    The header names the fields. All values stay text, so nothing is changed by guessing. The delimiter is the one of
    comma, semicolon, tab and bar that cuts the header into most fields. A value without a name is called
    ``column_<number>``; a row that is too short lacks its last fields. Cost: about 3 µs for a row of nine fields.

    Parameters
    ----------
    stream
        Where the bytes come from.
    max_field_bytes
        A longer field is an error: mostly a quote that is never closed.
    """

    def __init__(self, stream: ByteStream, max_field_bytes: int) -> None:
        self._stream = stream
        self._max_field_bytes = max_field_bytes
        # The limit belongs to Python's csv module as a whole; 128 KiB, its default, is less than a message may have.
        csv.field_size_limit(max(csv.field_size_limit(), max_field_bytes))
        self.offset = 0
        self._names: list[str] = []
        self._lines: deque[str] = deque()
        self._begun: list[str] = []
        self._unfinished = b""
        self._rows: Iterator[list[str]] | None = None

    def read(self, n: int, *, complete: bool) -> pl.DataFrame:
        """Return the next rows; an unfinished last one only when the file is complete."""
        rows: list[list[str]] = []
        while len(rows) < n:
            row = self._row(complete=complete, alone=not rows)
            if row is None:
                break
            rows.append(row)
        payloads = [self._payload(row) for row in rows]
        offsets = pl.int_range(self.offset, self.offset + len(rows), dtype=pl.Int64, eager=True)
        self.offset += len(rows)
        return pl.DataFrame({"payload": pl.Series(payloads, dtype=pl.Binary), "offset": offsets})

    def seek(self, offset: int) -> None:
        """Go to a row; reads the file from its start."""
        self._stream.seek(0)
        self._restart()
        while self.offset < offset and self._row(complete=True, alone=True) is not None:
            self.offset += 1

    def forget(self, offset: int) -> None:
        """Do nothing: the next `seek` starts at the first row."""

    def is_intact(self, head: bytes) -> bool:
        """Return whether the file was neither truncated nor written anew."""
        return self._stream.is_intact(head)

    def waiting_bytes(self) -> int:
        """Return how many bytes were not handed on yet."""
        return self._stream.waiting_bytes() + sum(map(len, self._lines)) + len(self._unfinished)

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def __iter__(self) -> Iterator[str]:
        """Return this reader: it is what Python's csv module takes its lines from."""
        return self

    def __next__(self) -> str:
        """Return the next line, with its end.

        Raises
        ------
        StarvedError
            There is none now.
        """
        if not self._lines:
            raise StarvedError
        line = self._lines.popleft()
        self._begun.append(line)
        return line

    def _restart(self) -> None:
        self.offset = 0
        self._names = []
        self._lines.clear()
        self._begun.clear()
        self._unfinished = b""
        self._rows = None

    def _row(self, *, complete: bool, alone: bool) -> list[str] | None:
        """Return the next row that is not blank, after the header; None when there is none now."""
        while True:
            try:
                row = self._parsed()
            except StarvedError:
                self._lines.extendleft(reversed(self._begun))
                if not self._refill(complete=complete):
                    self._check_end(complete=complete, alone=alone)
                    return None
                continue
            if not row:
                continue
            if self._names:
                return row
            self._names = _names(row)

    def _parsed(self) -> list[str]:
        self._begun.clear()
        if self._rows is None:
            if not self._lines:
                raise StarvedError
            self._rows = csv.reader(self, delimiter=_delimiter(self._lines[0]))
        try:
            return next(self._rows)
        except csv.Error as error:
            raise ValueError(f"its row {self.offset + 1} cannot be read ({error}); is a quote never closed?") from error

    def _refill(self, *, complete: bool) -> bool:
        chunk = self._stream.read(CHUNK_BYTES)
        if not chunk and not (complete and self._unfinished):
            return False
        whole, line_end, self._unfinished = (self._unfinished + chunk).rpartition(b"\n")
        if not chunk:
            whole, line_end, self._unfinished = self._unfinished, b"", b""
        if len(self._unfinished) > self._max_field_bytes:
            raise ValueError(f"a line of its row {self.offset + 1} is longer than {self._max_field_bytes} bytes")
        if self._rows is None:
            whole = whole.removeprefix(MARK)
        self._lines.extend(
            line.decode("utf-8", "surrogateescape") for line in (whole + line_end).splitlines(keepends=True)
        )
        return True

    def _check_end(self, *, complete: bool, alone: bool) -> None:
        if not complete or not alone:
            return
        self._stream.check_end()
        if self._lines:
            raise ValueError(
                f"a quote in its row {self.offset + 1} is never closed; {len(self._lines)} lines were left out"
            )

    def _payload(self, row: list[str]) -> bytes:
        names = (
            self._names if len(row) <= len(self._names) else _names(self._names + [""] * (len(row) - len(self._names)))
        )
        fields = dict(zip(names, row, strict=False))
        try:
            return orjson.dumps(fields)
        except orjson.JSONEncodeError:  # bytes that are no UTF-8: kept, for decoding to find
            return json.dumps(fields, ensure_ascii=False).encode("utf-8", "surrogateescape")


def _delimiter(header: str) -> str:
    counts = {delimiter: len(next(csv.reader([header], delimiter=delimiter))) for delimiter in DELIMITERS}
    return max(DELIMITERS, key=lambda delimiter: counts[delimiter])


def _names(header: Sequence[str]) -> list[str]:
    """Return a name for each column, none of them twice."""
    names = [name.strip() or f"column_{number}" for number, name in enumerate(header, 1)]
    seen: Counter[str] = Counter()
    for place, name in enumerate(names):
        seen[name] += 1
        if seen[name] > 1:
            names[place] = f"{name}_{place + 1}"
    return names
