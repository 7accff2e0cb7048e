"""Lines of text as messages."""

from typing import Protocol

import polars as pl

from vigie.sources.byte_streams import CHUNK_BYTES, ByteStream, NoBytes

MARK = b"\xef\xbb\xbf"
"""What some editors put before UTF-8 text."""

EMPTY = pl.DataFrame(schema={"payload": pl.Binary, "offset": pl.Int64, "end": pl.Int64})


class Reader(Protocol):
    """What turns one file into messages."""

    offset: int

    def read(self, n: int, *, complete: bool) -> pl.DataFrame:
        """Return the next messages, at most `n`: ``payload`` (Binary) and ``offset`` (Int64); perhaps none now.

        Parameters
        ----------
        n
            At most so many; fewer do not mean that there are no more.
        complete
            Whether nothing will be appended any more, so that what looks unfinished is finished.

        Raises
        ------
        ValueError
            The file is broken after what was returned so far; the message says how.
        """

    def seek(self, offset: int) -> None:
        """Go to the message at an offset."""

    def forget(self, offset: int) -> None:
        """Let go of what is before an offset: `seek` never goes back there."""

    def is_intact(self, head: bytes) -> bool:
        """Return whether the file still begins like that, and was not cut before the place that was read."""

    def waiting_bytes(self) -> int:
        """Return how many bytes of the file were not read yet."""

    def close(self) -> None:
        """Let go; may be called twice."""


class LineReader:
    """Reads lines, ended by LF or CR LF, which are left out; ``offset`` is the byte at which a line starts.

    Memory is bounded: of a line longer than `max_line_bytes` only that much is kept, and the rest of it is skipped.
    Cost: about 0.2 µs a line.

    Parameters
    ----------
    stream
        Where the bytes come from.
    max_line_bytes
        More than any message may have, so that a cut line is still refused for its length.
    """

    def __init__(self, stream: ByteStream, max_line_bytes: int) -> None:
        self.offset = 0
        self._stream = stream
        self._max_line_bytes = max_line_bytes
        self._start = 0
        self._unfinished: list[bytes] = []
        self._skipped_bytes = 0
        self._lines = EMPTY

    def read(self, n: int, *, complete: bool) -> pl.DataFrame:
        """Return the next lines; an unfinished last one only when the file is complete."""
        while self._lines.is_empty() and (chunk := self._stream.read(CHUNK_BYTES)):
            self._lines = self._split(chunk)
        if self._lines.is_empty() and complete:
            self._lines = self._finish(0)
            if self._lines.is_empty():
                self._stream.check_end()
        taken, self._lines = self._lines.head(n), self._lines.slice(n)
        if taken.height:
            self.offset = int(taken["end"][-1])
        return taken.drop("end")

    def seek(self, offset: int) -> None:
        """Go to the line that starts at a byte."""
        self._stream.seek(offset)
        self._restart(offset)

    def forget(self, offset: int) -> None:
        """Let go of the lines before a byte."""
        self._stream.forget(offset)

    def is_intact(self, head: bytes) -> bool:
        """Return whether the file was neither truncated nor written anew."""
        return self._stream.is_intact(head)

    def waiting_bytes(self) -> int:
        """Return how many bytes were not handed on yet."""
        return self._stream.waiting_bytes() + self._unfinished_bytes() + self._held_bytes()

    def taken_bytes(self) -> int:
        """Return up to which byte the file was read, lines not handed on yet included."""
        return self._start + self._unfinished_bytes()

    def cut(self) -> None:
        """Let go of a file whose content was replaced; what was read of it already is still handed on."""
        self._stream.close()
        self._stream = NoBytes()

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def _restart(self, offset: int) -> None:
        self.offset = self._start = offset
        self._unfinished = []
        self._skipped_bytes = 0
        self._lines = EMPTY

    def _unfinished_bytes(self) -> int:
        return sum(map(len, self._unfinished)) + self._skipped_bytes

    def _held_bytes(self) -> int:
        return int(self._lines["end"][-1] - self._lines["offset"][0]) if self._lines.height else 0

    def _split(self, chunk: bytes) -> pl.DataFrame:
        """Return the lines that end in a chunk, and keep what follows the last of them."""
        cut = chunk.find(b"\n")
        if cut < 0:
            self._keep(chunk)
            return EMPTY
        self._keep(chunk[:cut])
        first = self._finish(1)
        whole, _, rest = chunk[cut + 1 :].rpartition(b"\n")
        lines = self._frame(whole.split(b"\n")) if len(rest) < len(chunk) - cut - 1 else EMPTY
        self._keep(rest)
        return pl.concat([first, lines])

    def _keep(self, part: bytes) -> None:
        room = self._max_line_bytes - sum(map(len, self._unfinished))
        if part[:room]:
            self._unfinished.append(part[:room])
        self._skipped_bytes += max(0, len(part) - room)

    def _finish(self, n_ending_bytes: int) -> pl.DataFrame:
        """Return the line that was unfinished so far."""
        end = self._start + self._unfinished_bytes() + n_ending_bytes
        if end == self._start:
            return EMPTY
        line = b"".join(self._unfinished).removesuffix(b"\r" if n_ending_bytes else b"")
        frame = pl.DataFrame(
            {"payload": [self._unmarked(line)], "offset": self._start, "end": end}, schema=EMPTY.schema
        )
        self._start, self._unfinished, self._skipped_bytes = end, [], 0
        return frame

    def _frame(self, lines: list[bytes]) -> pl.DataFrame:
        payload = pl.Series("payload", lines, dtype=pl.Binary)
        size = payload.bin.size().cast(pl.Int64)
        end = (size + 1).cum_sum() + self._start
        kept = (
            pl.when(pl.col("payload").bin.ends_with(b"\r")).then(size - 1).otherwise(size).clip(0, self._max_line_bytes)
        )
        frame = pl.DataFrame({"payload": payload, "offset": end - size - 1, "end": end})
        self._start = int(end[-1])
        return frame.with_columns(pl.col("payload").bin.slice(0, kept))

    def _unmarked(self, line: bytes) -> bytes:
        return line.removeprefix(MARK) if self._start == 0 else line
