"""Waiting for messages without waiting too long."""

import time
from collections.abc import Callable

import polars as pl


def first_batch(
    read: Callable[[], pl.DataFrame],
    timeout_seconds: float,
    *,
    ended: Callable[[], bool] = lambda: False,
    pause_seconds: float = 0.02,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> pl.DataFrame:
    """Return what `read` gives as soon as it is not empty, or the last empty frame when the time is up.

    Parameters
    ----------
    read
        Called at once, then after each pause; must not block.
    timeout_seconds
        How long to go on; 0 reads once.
    ended
        Whether nothing will come any more, so that waiting is no use.
    pause_seconds
        How long to rest between two reads.
    clock, sleep
        The passing of time, in seconds.
    """
    deadline = clock() + timeout_seconds
    frame = read()
    while frame.is_empty() and not ended() and (left := deadline - clock()) > 0:
        sleep(min(pause_seconds, left))
        frame = read()
    return frame
