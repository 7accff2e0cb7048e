"""A file that only grows by whole commits, whatever stops the writer and whatever the user does to the file."""

import fcntl
import os
import time
from pathlib import Path
from typing import Protocol

from vigie.errors import SettingsError, UnavailableError
from vigie.sinks.source_lock import is_at

RETRY_AFTER_SECONDS = 5.0
LOCK_SECONDS = 10.0
LOCK_RETRY_SECONDS = 0.002
STANDARD_OUTPUT = 1


class Output(Protocol):
    """Where lines go: locked, cut back to what is committed, appended, and perhaps undone."""

    path: str

    def lock(self) -> None:
        """Get ready, and keep other writers out until `unlock`."""

    def cut(self, size: int | None) -> int:
        """Undo what follows `size` bytes (None: nothing), and return how long the output is now."""

    def append(self, lines: bytes) -> int:
        """Add whole lines, durably, and return how long the output is now."""

    def undo(self) -> None:
        """Take back what was appended since the last `cut`."""

    def in_place(self) -> bool:
        """Return whether what was locked still has its name."""

    def unlock(self) -> None:
        """Let other writers in; may be called twice."""

    def close(self) -> None:
        """Let go; may be called twice."""


class AppendedFile:
    """A file on disk for any number of writers, one at a time: `lock`, `cut`, `append`, `unlock`.

    Its user may rename, truncate or delete it at any time, as logrotate does: the next `lock` takes a new file of
    that name, or what is left. Only Vigie may write to it.

    Parameters
    ----------
    path
        The file; missing folders are made.
    patience_seconds
        How long to wait for another writer.
    """

    def __init__(self, path: str | Path, *, patience_seconds: float = LOCK_SECONDS) -> None:
        # One name for one file, however its folder was reached.
        self.path = str(Path(path).parent.resolve() / Path(path).name)
        self._patience_seconds = patience_seconds
        self._descriptor: int | None = None
        self._start = 0

    def lock(self) -> None:
        """Open what has the name now, and wait until no other writer has it.

        Raises
        ------
        UnavailableError
            Another process keeps it locked.
        SettingsError
            It may not be written.
        """
        deadline = time.monotonic() + self._patience_seconds
        while not self._is_locked():
            if time.monotonic() > deadline:
                raise UnavailableError(
                    f"{self.path} has been locked by another process for {self._patience_seconds:g} s; "
                    "see which one, with: fuser -v",
                    retry_after_seconds=RETRY_AFTER_SECONDS,
                )
            time.sleep(LOCK_RETRY_SECONDS)

    def cut(self, size: int | None) -> int:
        """Cut the file back to `size` bytes if it is longer, and return how long it is."""
        if size is not None and size < self._length():
            os.ftruncate(self._opened(), size)
        self._start = self._length()
        return self._start

    def append(self, lines: bytes) -> int:
        """Write at the end of the file, flush to the disk, and return how long it is.

        Raises
        ------
        UnavailableError
            The disk is full or broken; nothing of `lines` is left in the file.
        """
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

    def undo(self) -> None:
        """Cut off what was appended since the last `cut`."""
        if self._start < self._length():
            os.ftruncate(self._opened(), self._start)

    def in_place(self) -> bool:
        """Return whether the file still has its name: its user did not rename or delete it."""
        return is_at(self._opened(), self.path)

    def unlock(self) -> None:
        """Let another writer in; the file stays open."""
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file, which unlocks it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _is_locked(self) -> bool:
        """Try to lock what has the name now."""
        if self._descriptor is None or not self.in_place():
            self.close()
            self._descriptor = self._open()
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return self.in_place()  # else it was renamed just now; the next try opens the new one

    def _open(self) -> int:
        try:
            Path(self.path).parent.mkdir(parents=True, exist_ok=True)
            return os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise SettingsError(f"cannot write to {self.path}: {error.strerror}; choose another path") from error

    def _write(self, lines: bytes) -> None:
        descriptor = self._opened()
        if self._start and os.pread(descriptor, 1, self._start - 1) != b"\n":
            lines = b"\n" + lines  # the user cut the file within a line
        rest = memoryview(lines)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)

    def _length(self) -> int:
        return os.fstat(self._opened()).st_size

    def _opened(self) -> int:
        if self._descriptor is None:
            raise ValueError(f"{self.path} is not open")
        return self._descriptor


class StandardOutput:
    """Standard output; what was written cannot be undone, so an interrupted worker may write lines again."""

    path = "-"

    def lock(self) -> None:
        """Do nothing: whoever reads it decides who writes."""

    def cut(self, size: int | None) -> int:  # noqa: ARG002 - there is nothing to cut
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

    def undo(self) -> None:
        """Do nothing: it is written."""

    def in_place(self) -> bool:
        """Return True: it has no other name."""
        return True

    def unlock(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing: it belongs to the process."""
