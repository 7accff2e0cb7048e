"""Where enriched messages go; parts are found by name through the entry points `vigie.sinks`.

A sink keeps the positions of its source together with the output, so that both move in one step:

1. `open` undoes what an interrupted worker left half written and says where the source resumes;
2. `write` takes a batch; nobody sees it yet, or it can still be undone;
3. `commit` makes output, dead letters and positions visible together; or `abort` makes as if 2 had never been.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import polars as pl

from vigie.messages import Position


class Checkpoints(Protocol):
    """Durable checkpoints for sinks that have no transactions of their own; the store offers them.

    A checkpoint is where a source resumes, and how long each output file was at that moment. A length belongs to the
    file, since several sources may write to it.
    """

    def load(self, source: str) -> list[Position]:
        """Return where a source resumes; empty when nothing was saved."""

    def lengths(self, paths: Sequence[str]) -> dict[str, int]:
        """Return the lengths saved last, in bytes by path, of those files that have one."""

    def save(self, source: str, positions: Sequence[Position], output_bytes: Mapping[str, int]) -> None:
        """Replace the positions of a source and the lengths of these files, durably, in one step."""


class Sink(Protocol):
    """What takes enriched messages and dead letters."""

    def open(self, source: str) -> list[Position]:
        """Get ready to write for `source` (its name in the settings) and return where it resumes; empty: from the start."""

    def write(self, messages: pl.DataFrame, dead_letters: pl.DataFrame) -> None:
        """Take one batch.

        Parameters
        ----------
        messages
            Columns of `messages.SCHEMA` and ``output`` (Binary), the enriched message.
        dead_letters
            Columns of `messages.SCHEMA`, ``stage`` and ``error`` (String).

        Raises
        ------
        UnavailableError
            The other side does not answer now; abort, rewind and try again.
        """

    def commit(self, positions: Sequence[Position], membership: object | None) -> None:
        """Make everything written since the last commit visible, together with `positions`.

        Raises
        ------
        UnavailableError
            Nothing was committed; abort, rewind and try again.
        FencedError
            Another worker took over.
        """

    def abort(self) -> None:
        """Undo everything written since the last commit."""

    def close(self) -> None:
        """Let go of everything, uncommitted output undone; may be called twice."""
