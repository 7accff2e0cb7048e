"""Standard input, which can be read only once, as a stream that can go back to the last commit."""

import os
import select

MAX_KEPT_BYTES = 256 << 20


class StandardInput:
    """The bytes piped into the process.

    What was read is kept in memory until it is forgotten, so that reading can go back. Of more than 256 MiB the older
    half is let go of.

    Parameters
    ----------
    descriptor
        Where to read from.
    """

    def __init__(self, descriptor: int = 0) -> None:
        self.ended = False
        self._descriptor = descriptor
        self._kept = bytearray()
        self._start = 0
        self._place = 0

    def read(self, n_bytes: int) -> bytes:
        """Return the next bytes; none when none are there now."""
        if not self.waiting_bytes():
            self._fetch(n_bytes)
        begin = self._place - self._start
        part = bytes(self._kept[begin : begin + n_bytes])
        self._place += len(part)
        return part

    def seek(self, place: int) -> None:
        """Go back to a place.

        Raises
        ------
        ValueError
            It was forgotten.
        """
        if place < self._start:
            raise ValueError(f"standard input cannot be read again from byte {place}; begin again, or read from a file")
        self._place = place

    def forget(self, place: int) -> None:
        """Let go of what is before a place."""
        if place > self._start:
            del self._kept[: place - self._start]
            self._start = place

    def waiting_bytes(self) -> int:
        """Return how many bytes are kept to be read again; what is in the pipe nobody knows."""
        return self._start + len(self._kept) - self._place

    def is_intact(self, head: bytes) -> bool:  # noqa: ARG002 - a pipe has no head
        """Return True."""
        return True

    def check_end(self) -> None:
        """Do nothing: a pipe may end anywhere."""

    def close(self) -> None:
        """Let go of what is kept; the pipe belongs to the process."""
        self.forget(self._start + len(self._kept))

    def _fetch(self, n_bytes: int) -> None:
        if self.ended or not select.select([self._descriptor], [], [], 0)[0]:
            return
        part = os.read(self._descriptor, n_bytes)
        self.ended = not part
        self._kept += part
        if len(self._kept) > MAX_KEPT_BYTES:
            self.forget(self._start + MAX_KEPT_BYTES // 2)
