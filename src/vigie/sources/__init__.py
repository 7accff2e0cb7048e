"""Where messages come from; parts are found by name through the entry points `vigie.sources`."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import polars as pl

from vigie.messages import Position


class Source(Protocol):
    """A stream of messages that can be read again from a position.

    A source never blocks longer than it was told to, returns whole batches in order, and treats a bad message as a
    value: it is handed on byte for byte, and decoding finds out.
    """

    @property
    def exhausted(self) -> bool:
        """Whether everything there is was polled and no more will come; always False for a followed source."""

    def open(self, positions: Sequence[Position]) -> None:
        """Connect, and resume at `positions`; a stream or partition not named there starts at its beginning.

        Raises
        ------
        UnavailableError
            The other side does not answer now.
        SettingsError
            It never will with these settings.
        """

    def poll(self, max_messages: int, timeout_seconds: float) -> pl.DataFrame:
        """Return the next messages with the columns of `messages.SCHEMA`.

        At most `max_messages` rows, after at most `timeout_seconds`, as soon as there is something to do; perhaps none.
        """

    def positions(self) -> list[Position]:
        """Return where reading resumes after everything polled so far."""

    def membership(self) -> object | None:
        """Return what a sink needs to commit positions for this source: Kafka's consumer group metadata, else None."""

    def rewind(self, positions: Sequence[Position]) -> None:
        """Go back to `positions`, the last that were committed; the next poll returns what followed them again."""

    def lag(self) -> dict[tuple[str, int], int]:
        """Return how many messages (bytes for files) are waiting, by stream and partition; empty when unknown."""

    def close(self) -> None:
        """Let go of everything; may be called twice."""


@runtime_checkable
class CommitListener(Protocol):
    """A source that keeps what it polled until it was committed; the worker tells it, after each commit of the sink."""

    def committed(self, positions: Sequence[Position]) -> None:
        """Let go of everything before `positions`; rewinding never goes further back."""
