"""A file that only grows by whole commits, whatever stops the writer and whatever the user does to the file."""

import fcntl
import os
from pathlib import Path
from typing import Protocol

from vigie.errors import SettingsError, UnavailableError

RETRY_AFTER_SECONDS = 5.0
STANDARD_OUTPUT = 1


class Output(Protocol):
    """Where lines go: appended, then either settled or undone."""

    path: str

    def open(self, size: int | None) -> int:
        """Get ready, undoing what follows `size` bytes (None: nothing), and return how long the output is now."""

    def append(self, lines: bytes) -> int:
        """Add whole lines, durably, and return how long the output is now."""

    def settle(self) -> None:
        """Keep what was appended."""

    def undo(self) -> None:
        """Take back what was appended since the last `settle`."""

    def close(self) -> None:
        """Let go; may be called twice."""


class AppendedFile:
    """A file on disk, locked for one writer.

    Its user may rename, truncate or delete it at any time, as logrotate does: the next `append` goes to a new file of
    that name, or to the new end.

    Parameters
    ----------
    path
        The file; missing folders are made.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(Path(path).absolute())
        self._descriptor: int | None = None
        self._settled = 0
        self._written = False

    def open(self, size: int | None) -> int:
        """Open and lock the file, and cut it back to `size` bytes if it is longer.

        Raises
        ------
        SettingsError
            Another process writes to it, or this one may not.
        """
        self.close()
        self._descriptor = self._lock()
        if size is not None and size < self._length():
            os.ftruncate(self._descriptor, size)
        self.settle()
        return self._settled

    def append(self, lines: bytes) -> int:
        """Write at the end of the file, and flush to the disk.

        Raises
        ------
        UnavailableError
            The disk is full or broken; nothing of `lines` is left in the file.
        """
        self._follow_user()
        if lines:
            try:
                self._write(lines)
            except OSError as error:
                self.undo()
                raise UnavailableError(
                    f"cannot write to {self.path}: {error.strerror}; it goes on by itself when that is mended",
                    retry_after_seconds=RETRY_AFTER_SECONDS,
                ) from error
        return self._length()

    def settle(self) -> None:
        """Remember the present end as what `undo` goes back to."""
        self._settled = self._length()
        self._written = False

    def undo(self) -> None:
        """Cut off what was appended since the last `settle`."""
        if self._written:
            os.ftruncate(self._opened(), min(self._length(), self._settled))
            self._written = False

    def close(self) -> None:
        """Undo what is not settled, and let another writer in."""
        if self._descriptor is not None:
            self.undo()
            os.close(self._descriptor)
            self._descriptor = None

    def _follow_user(self) -> None:
        self.undo()
        if not self._in_place():
            fresh = self._lock()
            os.close(self._opened())
            self._descriptor = fresh
        self.settle()

    def _in_place(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._opened()), os.stat(self.path))  # noqa: PTH116 - beside its fstat
        except FileNotFoundError:
            return False

    def _write(self, lines: bytes) -> None:
        descriptor = self._opened()
        if self._settled and os.pread(descriptor, 1, self._settled - 1) != b"\n":
            lines = b"\n" + lines  # the user cut the file within a line
        self._written = True
        rest = memoryview(lines)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)

    def _lock(self) -> int:
        try:
            Path(self.path).parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise SettingsError(f"cannot write to {self.path}: {error.strerror}; choose another path") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise SettingsError(
                f"{self.path} is being written by another worker; give each a file of its own, or stop the other one"
            ) from error
        return descriptor

    def _length(self) -> int:
        return os.fstat(self._opened()).st_size

    def _opened(self) -> int:
        if self._descriptor is None:
            raise ValueError(f"{self.path} is not open")
        return self._descriptor


class StandardOutput:
    """Standard output; what was written cannot be undone, so an interrupted worker may write lines again."""

    path = "-"

    def open(self, size: int | None) -> int:  # noqa: ARG002 - there is nothing to cut
        """Return 0: nothing is remembered."""
        return 0

    def append(self, lines: bytes) -> int:
        """Write lines, all of them.

        Raises
        ------
        BrokenPipeError
            The program that read them has ended.
        """
        rest = memoryview(lines)
        while rest:
            rest = rest[os.write(STANDARD_OUTPUT, rest) :]
        return 0

    def settle(self) -> None:
        """Do nothing."""

    def undo(self) -> None:
        """Do nothing: it is written."""

    def close(self) -> None:
        """Do nothing: it belongs to the process."""
