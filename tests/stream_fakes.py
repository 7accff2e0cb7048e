"""A source and a sink in memory, that crash, pause and end when they are told to."""

from collections.abc import Callable, Iterator, Sequence

import polars as pl

from builders import a_batch
from vigie.messages import Position, empty_batch

Event = pl.DataFrame | Exception | None


class ScriptedSource:
    """Gives one message after the other as offsets of one stream; `None` in its script is a pause, an error is raised.

    Errors and pauses come once; messages come again after a rewind.
    """

    def __init__(self, *script: bytes | Exception | None) -> None:
        self._payloads = [entry for entry in script if isinstance(entry, bytes)]
        self._events: dict[int, list[Exception | None]] = {}
        place = 0
        for entry in script:
            if isinstance(entry, bytes):
                place += 1
            else:
                self._events.setdefault(place, []).append(entry)
        self._next = 0
        self.calls: list[str] = []
        self.told: list[Position] = []
        self.lags: dict[tuple[str, int], int] = {}

    @property
    def exhausted(self) -> bool:
        return self._next == len(self._payloads) and not self._events.get(self._next)

    def open(self, positions: Sequence[Position]) -> None:
        self.calls.append("open")
        self._go_to(positions)

    def poll(self, max_messages: int, timeout_seconds: float) -> pl.DataFrame:
        self.calls.append("poll")
        events = self._events.get(self._next)
        if events:
            event = events.pop(0)
            if event is not None:
                raise event
            return empty_batch()
        until = min([self._next + max_messages, len(self._payloads), *self._events_after()])
        frame = a_batch(*self._payloads[self._next : until], offset=self._next)
        self._next = until
        return frame

    def positions(self) -> list[Position]:
        return [Position("logs", 0, self._next)]

    def membership(self) -> object | None:
        return f"membership at {self._next}"

    def rewind(self, positions: Sequence[Position]) -> None:
        self.calls.append("rewind")
        self._go_to(positions)

    def committed(self, positions: Sequence[Position]) -> None:
        self.told = list(positions)

    def lag(self) -> dict[tuple[str, int], int]:
        return self.lags

    def close(self) -> None:
        self.calls.append("close")

    def _go_to(self, positions: Sequence[Position]) -> None:
        self._next = positions[0].offset if positions else 0

    def _events_after(self) -> Iterator[int]:
        return (place for place, events in self._events.items() if events and place > self._next)


class ListSink:
    """Keeps what was committed; fails at the calls it is told to, before or after they took effect."""

    def __init__(self, resume: Sequence[Position] = ()) -> None:
        self.outputs: list[bytes] = []
        self.dead_letters: list[tuple[bytes, str, str]] = []
        self.resume = list(resume)
        self.memberships: list[object | None] = []
        self.calls: list[str] = []
        self.failures: dict[str, list[Exception]] = {}
        self.failures_after: dict[str, list[Exception]] = {}
        self._uncommitted: list[pl.DataFrame] = []
        self._uncommitted_dead: list[pl.DataFrame] = []

    def open(self, source: str) -> list[Position]:
        self._note("open", lambda: None)
        return self.resume

    def write(self, messages: pl.DataFrame, dead_letters: pl.DataFrame) -> None:
        def keep() -> None:
            self._uncommitted.append(messages)
            self._uncommitted_dead.append(dead_letters)

        self._note("write", keep)

    def commit(self, positions: Sequence[Position], membership: object | None) -> None:
        def keep() -> None:
            for messages in self._uncommitted:
                self.outputs += messages["output"].to_list()
            for letters in self._uncommitted_dead:
                self.dead_letters += letters.select("payload", "stage", "error").rows()
            self.resume = list(positions)
            self.memberships.append(membership)
            self._forget()

        self._note("commit", keep)

    def abort(self) -> None:
        self._note("abort", self._forget)

    def close(self) -> None:
        self._note("close", self._forget)

    def _forget(self) -> None:
        self._uncommitted.clear()
        self._uncommitted_dead.clear()

    def _note(self, call: str, effect: Callable[[], None]) -> None:
        self.calls.append(call)
        if self.failures.get(call):
            raise self.failures[call].pop(0)
        effect()
        if self.failures_after.get(call):
            raise self.failures_after[call].pop(0)
