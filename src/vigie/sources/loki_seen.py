"""What was read of Loki already: in memory, and on disk for the next start."""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from vigie.errors import SettingsError
from vigie.loki import NANOSECONDS

SLACK_RECORDS = 10_000
_RECORD = struct.Struct("<qqq16s")


class Seen:
    """A set of entries that forgets from its old end; about 100 bytes each."""

    def __init__(self) -> None:
        self._seconds: dict[int, set[bytes]] = {}
        self._n = 0

    def __len__(self) -> int:
        return self._n

    def add(self, nanosecond: int, digest: bytes) -> bool:
        """Put an entry in, and return whether it is new."""
        digests = self._seconds.setdefault(nanosecond // NANOSECONDS, set())
        if digest in digests:
            return False
        digests.add(digest)
        self._n += 1
        return True

    def forget(self, before: int) -> None:
        """Forget the whole seconds before a nanosecond."""
        limit = before // NANOSECONDS
        for second in [second for second in self._seconds if second < limit]:
            self._n -= len(self._seconds.pop(second))


class Record(NamedTuple):
    """That an entry was polled as the message `offset`; everything from `low` on may hold entries not polled yet."""

    offset: int
    nanosecond: int
    low: int
    digest: bytes


class Journal:
    """The records of what was polled, in a file, in the order of their offsets.

    It is on disk before the messages leave, and cut back to the position that was committed when reading resumes. So
    position and journal always agree, whatever the sink is.

    Parameters
    ----------
    path
        The file; None keeps nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._n = 0

    def open(self, offset: int) -> list[Record]:
        """Cut off what was polled as `offset` or later, and return the rest.

        Raises
        ------
        SettingsError
            The file cannot be written.
        """
        self.close()
        if self._path is None:
            return []
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SettingsError(
                f"cannot write to {self._path}: {error.strerror}; the source keeps its place there"
            ) from error
        self.cut(offset)
        return list(self._records())

    def append(self, records: list[Record]) -> None:
        """Add records, durably."""
        if self._descriptor is not None and records:
            self._write(self._descriptor, self._n, records)
            self._n += len(records)

    def cut(self, offset: int) -> None:
        """Forget what was polled as `offset` or later."""
        if self._descriptor is None:
            return
        low, high = 0, os.fstat(self._descriptor).st_size // _RECORD.size
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self._at(middle).offset < offset else (low, middle)
        os.ftruncate(self._descriptor, low * _RECORD.size)
        self._n = low

    def trim(self, n_live: int, before: int, offset: int) -> None:
        """Forget what is below the nanosecond `before`, when the file holds far more than `n_live` records.

        What was polled just before `offset`, and later, stays in any case.
        """
        if self._descriptor is None or self._path is None or self._n <= 2 * n_live + SLACK_RECORDS:
            return
        kept = [record for record in self._records() if record.nanosecond >= before or record.offset >= offset - 1]
        fresh = self._path.with_name(f"{self._path.name}.new")
        descriptor = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self._write(descriptor, 0, kept)
        fresh.replace(self._path)
        os.close(self._descriptor)
        self._descriptor, self._n = descriptor, len(kept)

    def close(self) -> None:
        """Let go of the file; may be called twice."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _at(self, index: int) -> Record:
        assert self._descriptor is not None
        return Record(*_RECORD.unpack(os.pread(self._descriptor, _RECORD.size, index * _RECORD.size)))

    def _records(self) -> Iterator[Record]:
        assert self._descriptor is not None
        whole = b""
        while len(whole) < self._n * _RECORD.size:
            whole += os.pread(self._descriptor, self._n * _RECORD.size - len(whole), len(whole))
        return map(Record._make, _RECORD.iter_unpack(whole))

    @staticmethod
    def _write(descriptor: int, index: int, records: list[Record]) -> None:
        rest = memoryview(b"".join(_RECORD.pack(*record) for record in records))
        at = index * _RECORD.size
        while rest:
            written = os.pwrite(descriptor, rest, at)
            rest, at = rest[written:], at + written
        os.fdatasync(descriptor)
