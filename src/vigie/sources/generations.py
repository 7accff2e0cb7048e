"""Telling the lives of a file apart: what has the name `app.log` today may be `app.log.1` tomorrow.

Between two rotations a file is one *generation*. Its number is made of its first kilobytes, so that it is known again
under any name, as a copy, compressed, after a restart, and on another machine.
"""

import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vigie.sources.byte_streams import GZIP_MAGIC, open_bytes
from vigie.sources.csv_rows import CsvReader
from vigie.sources.lines import LineReader, Reader
from vigie.sources.parquet_rows import ParquetReader

HEAD_BYTES = 4096
MASK = 0x7FFFFFFF
"""Numbers are partitions, which are positive 32-bit integers."""

ROTATED = re.compile(r"(?i)([.-](\d{1,4}|\d{4}-?\d\d-?\d\d([-T_.]?\d{1,6})*|old|bak|prev))+$")

Kind = Literal["lines", "csv", "parquet"]
SUFFIXES: dict[str, Kind] = {".csv": "csv", ".tsv": "csv", ".parquet": "parquet", ".pq": "parquet"}

Identity = tuple[int, int]
"""Device and inode."""


Key = tuple[str, int]
"""Stream and partition: the path under which a generation was found first, and its number."""


@dataclass(slots=True)
class Generation:
    """One life of a file, and how far it was read.

    Parameters
    ----------
    key
        Stream and partition of its messages.
    path
        Where it is now, as far as is known.
    identity
        What it keeps when it is renamed.
    head
        Its first bytes, which change when the file is truncated and written anew.
    reader
        What reads it.
    changed_ns, size
        When it was changed last, in nanoseconds, and how long it was then, in bytes.
    quiet_since
        When its last message was read, in seconds of the source's clock.
    rotated
        Whether the name now belongs to another generation.
    done
        Whether everything was read and nothing more is expected.
    """

    key: Key
    path: Path
    identity: Identity
    head: bytes
    reader: Reader
    changed_ns: int
    size: int
    quiet_since: float
    rotated: bool = False
    done: bool = False


def kind_of(path: Path) -> Kind:
    """Return what a file holds, by the extension before `.gz`; lines unless it is known to be something else.

    Examples
    --------
    >>> kind_of(Path("a.csv.gz")), kind_of(Path("app.log.1")), kind_of(Path("a.jsonl"))
    ('csv', 'lines', 'lines')
    """
    name = path.name.lower().removesuffix(".gz")
    return SUFFIXES.get(Path(name).suffix, "lines")


def open_reader(path: Path, kind: Kind, max_message_bytes: int) -> Reader:
    """Open a file at its first message.

    Raises
    ------
    ValueError
        It is broken from the start.
    """
    if kind == "parquet":
        return ParquetReader(path)
    stream = open_bytes(path)
    return CsvReader(stream, max_message_bytes) if kind == "csv" else LineReader(stream, max_message_bytes)


def read_head(path: Path, kind: Kind) -> bytes:
    """Return the bytes that number a generation: its first whole lines up to 4 KiB, or 4 KiB of the first.

    A file that has no whole line yet gives what there is. Parquet, which is never appended to, gives its end.
    """
    if kind == "parquet":
        with path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - HEAD_BYTES))
            return file.read(HEAD_BYTES)
    stream = open_bytes(path)
    try:
        content = b""
        while len(content) < HEAD_BYTES and (part := stream.read(HEAD_BYTES - len(content))):
            content += part
    except ValueError:
        pass  # broken, which reading will say
    finally:
        stream.close()
    return content[: content.rfind(b"\n") + 1] or content


def is_whole(head: bytes) -> bool:
    """Return whether a head has its first line, so that the number it gives stays."""
    return head.endswith(b"\n") or len(head) >= HEAD_BYTES


def number_of(head: bytes) -> int:
    """Return the number of a generation that begins like that."""
    return zlib.crc32(head) & MASK


def possible_numbers(head: bytes) -> Iterator[int]:
    """Yield the numbers this file may have been given when it was shorter, the likeliest first."""
    yield number_of(head)
    cut = head.rfind(b"\n", 0, max(0, len(head) - 1))
    while cut >= 0:
        yield number_of(head[: cut + 1])
        cut = head.rfind(b"\n", 0, cut)


def family(path: Path) -> Path:
    """Return the name a file had before it was rotated and compressed.

    Examples
    --------
    >>> [family(Path(name)).name for name in ("app.log.2.gz", "app-20261121.log", "app.log.2026-11-21", "app.log")]
    ['app.log', 'app.log', 'app.log', 'app.log']
    """
    name = ROTATED.sub("", path.name.removesuffix(".gz"))
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 - the stem is no path
    return path.with_name(ROTATED.sub("", stem) + suffix)


def siblings(path: Path) -> list[Path]:
    """Return the other files of a family, those changed last first."""
    others = [other for other in path.parent.glob("*") if other != path and family(other) == family(path)]
    found = [(other.stat().st_mtime_ns, other) for other in others if other.is_file()]
    return [other for _, other in sorted(found, reverse=True)]


def content_bytes(path: Path) -> int:
    """Return how long a file is, uncompressed (modulo 4 GiB when it is compressed, as gzip notes it)."""
    with path.open("rb") as file:
        if file.read(len(GZIP_MAGIC)) != GZIP_MAGIC:
            return os.fstat(file.fileno()).st_size
        file.seek(-min(4, os.fstat(file.fileno()).st_size), os.SEEK_END)
        return int.from_bytes(file.read(4), "little")


def is_copy(path: Path, original: Path) -> bool:
    """Return whether a file begins like another and ends like it in the same place."""
    with path.open("rb") as first, original.open("rb") as second:
        size = os.fstat(first.fileno()).st_size
        for place in (0, max(0, size - HEAD_BYTES)):
            first.seek(place)
            second.seek(place)
            part = first.read(HEAD_BYTES)
            if part != second.read(len(part)):
                return False
    return True


def identity(status: os.stat_result) -> Identity:
    """Return what a file keeps when it is renamed."""
    return status.st_dev, status.st_ino
