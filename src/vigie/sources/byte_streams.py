"""The bytes of files, compressed or not, read in order and again from any place."""

import os
import zlib
from pathlib import Path
from typing import Protocol

CHUNK_BYTES = 1 << 20
GZIP_MAGIC = b"\x1f\x8b"
GZIP_WINDOW = 31


class ByteStream(Protocol):
    """Bytes in order; places count uncompressed bytes."""

    def read(self, n_bytes: int) -> bytes:
        """Return the next bytes, at most so many; none when there are none now.

        Raises
        ------
        ValueError
            The file is broken here; the message says how.
        """

    def seek(self, place: int) -> None:
        """Go to a place.

        Raises
        ------
        ValueError
            It cannot be reached any more.
        """

    def forget(self, place: int) -> None:
        """Let go of what is before a place: `seek` never goes back there."""

    def waiting_bytes(self) -> int:
        """Return how many bytes of the file were not read yet."""

    def is_intact(self, head: bytes) -> bool:
        """Return whether the file still begins like that, and was not cut before the place that was read."""

    def check_end(self) -> None:
        """Raise ValueError when the file ends in the middle of something."""

    def close(self) -> None:
        """Let go; may be called twice."""


class PlainBytes:
    """A file as it is; what is appended later is read later.

    Parameters
    ----------
    path
        The file, which may be renamed while it is read.
    """

    def __init__(self, path: Path) -> None:
        self.file = path.open("rb", buffering=0)

    def read(self, n_bytes: int) -> bytes:
        """Return the next bytes."""
        return self.file.read(n_bytes)

    def seek(self, place: int) -> None:
        """Go to a place."""
        self.file.seek(place)

    def forget(self, place: int) -> None:
        """Do nothing: the file is kept by its owner."""

    def waiting_bytes(self) -> int:
        """Return how many bytes follow."""
        return max(0, os.fstat(self.file.fileno()).st_size - self.file.tell())

    def is_intact(self, head: bytes) -> bool:
        """Return whether the file was not truncated, nor truncated and written anew."""
        descriptor = self.file.fileno()
        return os.fstat(descriptor).st_size >= self.file.tell() and os.pread(descriptor, len(head), 0) == head

    def check_end(self) -> None:
        """Do nothing: a file may end anywhere."""

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class GzipBytes:
    """A file compressed by gzip, one member or many.

    Parameters
    ----------
    path
        The file. Reading again from a place costs decompressing everything before it.
    """

    def __init__(self, path: Path) -> None:
        self.file = path.open("rb", buffering=0)
        self._place = 0
        self._rest = b""
        self._decompressor = zlib.decompressobj(GZIP_WINDOW)

    def read(self, n_bytes: int) -> bytes:
        """Return the next uncompressed bytes."""
        content = b""
        while not content and (compressed := self._rest or self.file.read(CHUNK_BYTES)):
            self._rest = b""
            if self._decompressor.eof:
                compressed = compressed.lstrip(b"\0")  # tapes and disks pad with zeros
                if not compressed:
                    continue
                self._decompressor = zlib.decompressobj(GZIP_WINDOW)
            content = self._decompress(compressed, n_bytes)
        self._place += len(content)
        return content

    def seek(self, place: int) -> None:
        """Go to a place, from the start of the file when it lies behind."""
        if place < self._place:
            self._restart()
        while self._place < place and self.read(min(CHUNK_BYTES, place - self._place)):
            pass

    def forget(self, place: int) -> None:
        """Do nothing: the file is kept by its owner."""

    def waiting_bytes(self) -> int:
        """Return how many compressed bytes follow."""
        return max(0, os.fstat(self.file.fileno()).st_size - self.file.tell()) + len(self._rest)

    def is_intact(self, head: bytes) -> bool:  # noqa: ARG002 - nobody writes compressed files twice
        """Return True."""
        return True

    def check_end(self) -> None:
        """Raise ValueError when the last member is not complete."""
        if not self._decompressor.eof:
            raise ValueError(f"its gzip data ends too early, after {self._place} uncompressed bytes; it was cut off")

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def _restart(self) -> None:
        self.file.seek(0)
        self._decompressor = zlib.decompressobj(GZIP_WINDOW)
        self._rest = b""
        self._place = 0

    def _decompress(self, compressed: bytes, n_bytes: int) -> bytes:
        try:
            content = self._decompressor.decompress(compressed, n_bytes)
        except zlib.error as error:
            raise ValueError(f"its gzip data is broken after {self._place} uncompressed bytes ({error})") from error
        self._rest = self._decompressor.unconsumed_tail or self._decompressor.unused_data
        return content


class NoBytes:
    """What is left of a file whose content was replaced."""

    def read(self, n_bytes: int) -> bytes:  # noqa: ARG002 - there are none
        """Return nothing."""
        return b""

    def seek(self, place: int) -> None:
        """Raise ValueError: the content is gone."""
        raise ValueError(f"it was truncated; what followed byte {place} is gone")

    def forget(self, place: int) -> None:
        """Do nothing."""

    def waiting_bytes(self) -> int:
        """Return 0."""
        return 0

    def is_intact(self, head: bytes) -> bool:  # noqa: ARG002 - that is known
        """Return True: it cannot get worse."""
        return True

    def check_end(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def open_bytes(path: Path) -> PlainBytes | GzipBytes:
    """Open a file, decompressing it when its first bytes are those of gzip."""
    plain = PlainBytes(path)
    if plain.read(len(GZIP_MAGIC)) == GZIP_MAGIC:
        plain.close()
        return GzipBytes(path)
    plain.seek(0)
    return plain
