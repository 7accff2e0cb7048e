"""Reading JSON files of any length a row at a time: one object a line, or one array of objects."""

import codecs
import gzip
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from vigie.errors import SettingsError
from vigie.exchange.fields import Row

LONGEST = 64 << 20
"""Bytes of the longest row that is read; memory is bounded by a few times that."""

CHUNK = 1 << 20
_NEAR_THE_END = 16
"""Within so many characters of what was read so far, a mistake may be a word that goes on: `tru`, a lone backslash."""

_BLANKS = re.compile(r"[ \t\r\n]*")
_BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"


def rows(file: Path) -> Iterator[Row]:
    """Return the objects of a JSON file, lazily, with their lines; also of ``.gz``.

    Raises
    ------
    SettingsError
        The file cannot be read, is not in UTF-8, or holds something else than objects; says in which line.
    """
    try:
        with opened(file) as stream:
            array = _starts_an_array(stream)
        with opened(file) as stream:
            values = _of_array(stream, file) if array else _of_lines(stream, file)
            for line, value in values:
                if not isinstance(value, dict):
                    raise SettingsError(f"{file}, line {line}: expected an object {{…}}; nothing was written")
                yield Row(value, file, line)
    except (OSError, EOFError, zlib.error) as error:
        raise SettingsError(f"{file} cannot be read: {error}") from error


def opened(file: Path) -> IO[bytes]:
    """Open a file for reading, through gzip where its name ends in ``.gz``."""
    if not file.is_file():
        raise SettingsError(f"there is no file {file}")
    opener = gzip.open if file.suffix == ".gz" else open
    return cast("IO[bytes]", opener(file, "rb"))


def decoded(raw: bytes, file: Path, line: int) -> str:
    """Return a line as a text.

    Raises
    ------
    SettingsError
        It is not UTF-8.
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _not_utf8(file, line, error) from error


def _starts_an_array(stream: IO[bytes]) -> bool:
    start = stream.read(4096)
    return start.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"["


def _of_lines(stream: IO[bytes], file: Path) -> Iterator[tuple[int, Any]]:
    for line, raw in enumerate(iter(lambda: stream.readline(LONGEST + 1), b""), 1):
        if len(raw) > LONGEST:
            raise _too_long(file, line)
        text = decoded(raw, file, line).removeprefix(_BOM).strip()
        if text:
            yield line, _parsed(text, file, line)


def _parsed(text: str, file: Path, line: int) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = f"{error.msg}, character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise SettingsError(f"{file}, line {line}: wrong JSON: {reason}; nothing was written") from error


def _of_array(stream: IO[bytes], file: Path) -> Iterator[tuple[int, Any]]:
    window = _Window(stream, file)
    window.expect("[")
    if window.next_is("]"):
        window.end()
        return
    while True:
        yield window.value()
        if not window.next_is(","):
            break
    window.expect("]")
    window.end()


class _Window:
    """The part of a JSON text that was read and not yet used."""

    def __init__(self, stream: IO[bytes], file: Path) -> None:
        self._stream = stream
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._json = json.JSONDecoder()
        self._text = ""
        self._at = 0
        self._line = 1
        self._ended = False

    def next_is(self, character: str) -> bool:
        """Take one character if it comes next, blanks aside."""
        self._skip_blanks()
        if self._text[self._at : self._at + 1] != character:
            return False
        self._at += 1
        return True

    def expect(self, character: str) -> None:
        """Take one character that must come next."""
        if not self.next_is(character):
            raise self._wrong(f"expected {character!r}")

    def end(self) -> None:
        """Make sure that nothing comes any more."""
        self._skip_blanks()
        if self._at < len(self._text):
            raise self._wrong("expected the end of the file")

    def value(self) -> tuple[int, Any]:
        """Take one value; return it with the line where it starts."""
        self._skip_blanks()
        line = self._line
        while True:
            try:
                value, end = self._json.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if self._ended or not self._may_go_on(error):
                    self._move(error.pos)
                    raise self._wrong(error.msg) from error
            except (ValueError, RecursionError) as error:
                raise self._wrong(str(error)) from error
            else:
                # A number may go on in the next chunk; what ends in a bracket or quote does not.
                if self._ended or end < len(self._text):
                    self._move(end)
                    return line, value
            self._read(max(CHUNK, len(self._text) - self._at))

    def _may_go_on(self, error: json.JSONDecodeError) -> bool:
        return error.msg.startswith("Unterminated") or error.pos > len(self._text) - _NEAR_THE_END

    def _skip_blanks(self) -> None:
        while True:
            blanks = _BLANKS.match(self._text, self._at)
            self._move(blanks.end() if blanks else self._at)
            if self._at < len(self._text) or self._ended:
                return
            self._read(CHUNK)

    def _move(self, to: int) -> None:
        self._line += self._text.count("\n", self._at, to)
        self._at = to

    def _read(self, n_bytes: int) -> None:
        if len(self._text) - self._at > LONGEST:
            raise _too_long(self._file, self._line)
        raw = self._stream.read(n_bytes)
        self._ended = not raw
        try:
            more = self._decoder.decode(raw, final=self._ended)
        except UnicodeDecodeError as error:
            line = self._line + self._text.count("\n", self._at) + raw.count(b"\n", 0, error.start)
            raise _not_utf8(self._file, line, error) from error
        self._text, self._at = self._text[self._at :] + more, 0

    def _wrong(self, reason: str) -> SettingsError:
        return SettingsError(f"{self._file}, line {self._line}: wrong JSON: {reason}; nothing was written")


def _too_long(file: Path, line: int) -> SettingsError:
    return SettingsError(f"{file}, line {line}: a row longer than {LONGEST >> 20} MiB, or a text that never ends")


def _not_utf8(file: Path, line: int, error: UnicodeDecodeError) -> SettingsError:
    value = error.object[error.start]
    return SettingsError(
        f"{file}, line {line}: byte 0x{value:02x} is not UTF-8; save the file as UTF-8 (or convert it: iconv -t UTF-8); "
        "nothing was written"
    )
