"""Keeps a second worker from writing what one source says to one output."""

import fcntl
import os
from pathlib import Path
from urllib.parse import quote

from vigie.errors import SettingsError


class SourceLock:
    """A lock for one source and one output; the system frees it when the process ends, however that happens.

    It is a small hidden file beside the output, there as long as a worker runs.

    Parameters
    ----------
    beside
        The output.
    """

    def __init__(self, beside: str) -> None:
        self._output = Path(beside)
        self._path = self._output
        self._descriptor: int | None = None

    def take(self, source: str) -> None:
        """Keep other workers of `source` away until `release`.

        Raises
        ------
        SettingsError
            Another worker writes what this source says to the output, or the folder cannot be written.
        """
        self.release()
        self._path = self._output.with_name(f".{self._output.name}.{quote(source, safe='')}.lock")
        while self._descriptor is None:
            self._descriptor = self._locked(source)

    def release(self) -> None:
        """Let another worker in; may be called twice."""
        if self._descriptor is not None:
            if is_at(self._descriptor, self._path):
                self._path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None

    def _locked(self, source: str) -> int | None:
        """Return the descriptor; None when its last owner removed the file meanwhile."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise SettingsError(f"cannot write to {self._path}: {error.strerror}; choose another path") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise SettingsError(
                f"{self._output} is being written by another worker of the source {source}; stop that one"
            ) from error
        if is_at(descriptor, self._path):
            return descriptor
        os.close(descriptor)
        return None


def is_at(descriptor: int, path: str | Path) -> bool:
    """Return whether an open file still has its name: nobody renamed or deleted it."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))  # noqa: PTH116 - beside its fstat
    except FileNotFoundError:
        return False
