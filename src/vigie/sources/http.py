"""Messages that were posted to the web API; they wait in the store's inbox until the stream takes them."""

from collections.abc import Sequence
from typing import Protocol

import polars as pl

from vigie.messages import Position, batch
from vigie.sources.patience import first_batch

STREAM = "http"
PARTITION = 0


class Inbox(Protocol):
    """Posted messages, numbered upwards from 1; the store offers it."""

    def read(self, after_id: int, n: int) -> pl.DataFrame:
        """Return the `n` oldest messages above an id: ``id``, ``payload`` (Binary), ``received_at`` (Datetime)."""

    def forget(self, up_to_id: int) -> None:
        """Delete the messages up to an id, that one included."""

    def waiting(self) -> int:
        """Return how many messages there are."""


class HttpSource:
    """What was posted to ``POST /api/messages``, in the order it came.

    A position is the id of the next message. The inbox is told to forget what was committed: by `open`, and by
    `committed`, which the worker calls after each commit.

    Parameters
    ----------
    name
        The source's name in the settings.
    inbox
        Where posted messages wait.
    until_end
        Whether an empty inbox is the end; otherwise the source is never exhausted.
    """

    def __init__(self, name: str, *, inbox: Inbox, until_end: bool = False) -> None:
        self.name = name
        self._inbox = inbox
        self._until_end = until_end
        self._last_id = 0
        self._exhausted = False

    @property
    def exhausted(self) -> bool:
        """Whether the inbox was found empty and that counts as the end."""
        return self._exhausted

    def open(self, positions: Sequence[Position]) -> None:
        """Resume at `positions`, and let the inbox forget what comes before."""
        self.rewind(positions)
        self.committed(positions)

    def poll(self, max_messages: int, timeout_seconds: float) -> pl.DataFrame:
        """Return the next messages; ``timestamp`` is when they were received."""
        frame = first_batch(
            lambda: self._inbox.read(self._last_id, max_messages), timeout_seconds, ended=lambda: self._until_end
        )
        self._exhausted = self._until_end and frame.is_empty()
        if frame.height:
            self._last_id = int(frame["id"][-1])
        columns = {"payload": frame["payload"], "offset": frame["id"]}
        polled = batch(columns, stream=STREAM, partition=PARTITION)
        received_at = frame["received_at"].dt.cast_time_unit("ns").dt.convert_time_zone("UTC")
        return polled.with_columns(received_at.alias("timestamp"))

    def positions(self) -> list[Position]:
        """Return the id that follows the last message polled; nothing before the first."""
        return [Position(STREAM, PARTITION, self._last_id + 1)] if self._last_id else []

    def membership(self) -> None:
        """Return None: one worker reads the inbox."""

    def rewind(self, positions: Sequence[Position]) -> None:
        """Go back to `positions`."""
        self._last_id = _last_id(positions)
        self._exhausted = False

    def committed(self, positions: Sequence[Position]) -> None:
        """Let the inbox forget what is before `positions`: it left Vigie for good."""
        if last_id := _last_id(positions):
            self._inbox.forget(last_id)

    def lag(self) -> dict[tuple[str, int], int]:
        """Return how many messages are in the inbox, those polled but not committed included."""
        return {(STREAM, PARTITION): self._inbox.waiting()}

    def close(self) -> None:
        """Do nothing: the inbox belongs to the store."""


def _last_id(positions: Sequence[Position]) -> int:
    return max((position.offset - 1 for position in positions if position.stream == STREAM), default=0)
