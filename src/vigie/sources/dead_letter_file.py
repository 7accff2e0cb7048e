"""Dead letters from the file that a sink keeps them in."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from vigie.messages import Position
from vigie.sources.dead_letters import from_line, letters

logger = logging.getLogger(__name__)


class DeadLetterFile:
    """What stands in the file when it is opened, and not yet was replayed; what is appended later is left for later.

    Parameters
    ----------
    path
        The file; where there is none, there are no dead letters.
    source
        Whose dead letters are wanted, by the name in the settings.
    committed_bytes
        Tells how long a file, named by its path, was when a sink committed last: what follows may still be undone.
    """

    def __init__(
        self, path: str | Path, source: str, *, committed_bytes: Callable[[str], int | None] = lambda _path: None
    ) -> None:
        self._path = str(Path(path).absolute())
        self._committed_bytes = committed_bytes
        self._source = source
        self._place = 0
        self._end: int | None = None

    @property
    def exhausted(self) -> bool:
        """Whether everything that stood there was polled."""
        return self._end is not None and self._place >= self._end

    def open(self, positions: Sequence[Position]) -> None:
        """Find the end, and resume at `positions`; a file that became shorter is a new one."""
        path = Path(self._path)
        size = path.stat().st_size if path.exists() else 0
        committed = self._committed_bytes(self._path)
        self._end = size if committed is None else min(size, committed)
        self.rewind(positions)

    def poll(self, max_messages: int, timeout_seconds: float) -> pl.DataFrame:  # noqa: ARG002 - a file never waits
        """Return the next dead letters of this source, from at most so many lines."""
        rows: list[dict[str, Any]] = []
        if self.exhausted or self._end is None:
            return letters(rows)
        with Path(self._path).open("rb") as file:
            file.seek(self._place)
            for _ in range(max_messages):
                line = file.readline()
                if not line.endswith(b"\n") or self._place + len(line) > self._end:
                    self._end = self._place  # nobody finished this line
                    break
                rows += self._read(line)
                self._place += len(line)
                if self.exhausted:
                    break
        return letters(rows)

    def positions(self) -> list[Position]:
        """Return the byte that follows the last line polled."""
        return [Position(self._path, 0, self._place)]

    def membership(self) -> None:
        """Return None: one reader reads a file."""

    def rewind(self, positions: Sequence[Position]) -> None:
        """Go back to `positions`."""
        place = next((position.offset for position in positions if position.stream == self._path), 0)
        self._place = place if place <= (self._end or 0) else 0

    def lag(self) -> dict[tuple[str, int], int]:
        """Return how many bytes were not polled yet."""
        return {(self._path, 0): max(0, (self._end or 0) - self._place)}

    def close(self) -> None:
        """Do nothing: the file is open only while it is read."""

    def _read(self, line: bytes) -> list[dict[str, Any]]:
        try:
            found = from_line(orjson.loads(line), self._source)
        except (ValueError, TypeError, AttributeError):
            logger.warning("%s, byte %d: this is no dead letter; it is left out", self._path, self._place)
            return []
        if found is None:
            return []
        return [{**found, "letter:stream": self._path, "letter:partition": 0, "letter:offset": self._place}]
