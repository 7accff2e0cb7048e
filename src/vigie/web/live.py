"""The project's state, read once for all open pages."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """The result of a slow function, computed in a thread at most once per interval however many pages ask.

    Parameters
    ----------
    compute
        The slow function.
    seconds
        How old a result may be.
    clock
        Seconds that only go forward.
    """

    def __init__(
        self, compute: Callable[[], T], *, seconds: float = 1.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._compute = compute
        self._seconds = seconds
        self._clock = clock
        self._pending: asyncio.Task[T] | None = None
        self._read_at = float("-inf")

    def latest(self) -> Awaitable[T]:
        """Return the newest result, at most `seconds` old; a failure is raised to each page that waits for it."""
        old = self._clock() - self._read_at >= self._seconds
        if self._pending is None or (self._pending.done() and (old or _failed(self._pending))):
            self._read_at = self._clock()
            self._pending = asyncio.get_running_loop().create_task(asyncio.to_thread(self._compute))
        return asyncio.shield(self._pending)


def _failed(task: asyncio.Task[T]) -> bool:
    return task.cancelled() or task.exception() is not None
