"""What all roles share: they end on a signal, with their supervisor, or to start anew; they say that they run."""

import logging
import os
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import typer

from vigie.cli.exits import INTERRUPTED, OK, RESTART
from vigie.errors import UnavailableError
from vigie.supervisor import follow_parent, is_supervised

if TYPE_CHECKING:
    from vigie.app import Project, Watcher
    from vigie.store import Roster

BEAT_SECONDS = 2.0
# Less than the supervisor waits, which waits less than the ten seconds that it has itself, on a busy machine too.
STOP_SECONDS = 5.0
# Polars takes over SIGINT's handler with SA_RESTART: the signal does not end a wait, so that waits must be short.
_LOOK_SECONDS = 0.2

logger = logging.getLogger(__name__)


class Ending:
    """Somebody's wish that this role ends, and the exit code it shall end with; the first wish counts.

    Parameters
    ----------
    on_ask
        Called with each wish, perhaps by a signal handler: it must not wait for anything.
    """

    def __init__(self, on_ask: Callable[[], None] = lambda: None) -> None:
        # put() may be called by a signal handler while get() waits, which is not true of threading.Event.
        self._wishes: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._first: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.on_ask = on_ask
        self.code: int | None = None

    def ask(self, code: int = OK) -> None:
        """Wish that the role ends; from any thread or signal handler."""
        if self.code is None:
            self.code = code
            self._first.put(code)
        self._wishes.put(code)
        self.on_ask()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for a wish; False when none came in time."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while self.code is None:
            left = _LOOK_SECONDS if deadline is None else min(_LOOK_SECONDS, deadline - time.monotonic())
            if left <= 0:
                return False
            with suppress(queue.Empty):
                self._wishes.get(timeout=left)
        return True

    def insist(self, seconds: float) -> None:
        """Wait for a wish, then end the process without further ado if it is still there after so many seconds.

        A training, a hung server or a busy machine must not keep a role from ending; a kill at any point is safe.
        """
        code = self._first.get()
        time.sleep(seconds)
        logger.warning("not everything stopped within %g s; leaving it", seconds, extra={"action": "stop"})
        os._exit(code)


@contextmanager
def on_signals(wished: Ending) -> Iterator[None]:
    """Turn SIGTERM and SIGINT into wishes, as long as the block lasts."""
    before = {
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: wished.ask(OK)),
        signal.SIGINT: signal.signal(signal.SIGINT, lambda *_: wished.ask(INTERRUPTED)),
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def ending() -> Iterator[Ending]:
    """Turn signals and the end of the supervisor into wishes; at the end of the block, exit with the code wished.

    A role that wants to start anew (`RESTART`) and has no supervisor is replaced by a new one at once.
    """
    wished = Ending()
    supervised = is_supervised()
    with on_signals(wished):
        follow_parent(stop=wished.ask)
        threading.Thread(target=wished.insist, args=(STOP_SECONDS,), name="vigie-deadline", daemon=True).start()
        yield wished
    if wished.code == RESTART and not supervised:
        os.execv(sys.executable, [sys.executable, "-m", "vigie", *sys.argv[1:]])  # noqa: S606 — our own program
    raise typer.Exit(wished.code or OK)


@contextmanager
def present(roster: "Roster", role: str, details: Callable[[], Mapping[str, Any]] = dict) -> Iterator[None]:
    """Say every few seconds that a role runs, as long as the block lasts.

    Parameters
    ----------
    roster
        Where it is said.
    role
        Which.
    details
        What the role says about itself.
    """
    instance = f"{socket.gethostname()}-{os.getpid()}"
    done = threading.Event()

    def beat() -> None:
        """Tell the roster every few seconds that this process runs; a database that is away is tried again."""
        while True:
            try:
                roster.beat(role, instance, details())
            except UnavailableError as error:
                logger.debug("cannot say that %s runs: %s", role, error)
            if done.wait(BEAT_SECONDS):
                return

    thread = threading.Thread(target=beat, name="vigie-presence", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(BEAT_SECONDS)
        try:
            roster.leave(role, instance)
        except UnavailableError as error:
            logger.debug("cannot say that %s ends: %s", role, error)


@contextmanager
def kept_up_to_date(project: "Project", watcher: "Watcher") -> Iterator[None]:
    """Keep a project up to date as long as the block lasts, then close it."""
    try:
        watcher.start()
        yield
    finally:
        watcher.stop()
        project.close()
