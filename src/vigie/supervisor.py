"""Running the roles as programs of their own: start, collect their logs, restart with back-off, stop together.

A role tells the supervisor what to do by how it exits: 0 it is done, `RESTART` start me again now, `USAGE` before it
ever ran well: nothing will help, give up; anything else: start again, after a pause that doubles each time.

A role must not outlive its supervisor, however that one ends. Each child gets the reading end of a pipe whose other end
only the supervisor holds; `follow_parent` waits for it to close, and asks the kernel for a signal on top.
"""

import ctypes
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

RESTART = 75  # EX_TEMPFAIL of sysexits.h: "try again"
USAGE = 2
PARENT_PIPE = "_VIGIE_PARENT_PIPE"  # settings claim every name that begins with VIGIE_

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_MOMENT_SECONDS = 1.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Role:
    """A program to keep running.

    Parameters
    ----------
    name
        What its log lines are marked with.
    command
        Program and arguments.
    environment
        Variables on top of the supervisor's own.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before a restart: `first_seconds`, doubled each time, at most `most_seconds`.

    A role that ran for `healthy_seconds` starts over with the shortest pause.

    Examples
    --------
    >>> [Backoff(0.5, 4.0).pause_seconds(failures) for failures in (1, 2, 3, 4, 5)]
    [0.5, 1.0, 2.0, 4.0, 4.0]
    """

    first_seconds: float = 0.5
    most_seconds: float = 30.0
    healthy_seconds: float = 30.0

    def pause_seconds(self, failures: int) -> float:
        """Return the pause after so many failures in a row (at least 1)."""
        return min(self.first_seconds * 2.0 ** min(failures - 1, 32), self.most_seconds)


class Supervisor:
    """Keeps roles running until it is told to stop.

    Parameters
    ----------
    roles
        What to run; names are unique.
    collect
        Called with a role's name and each line it writes (without its end), from one thread per role.
    backoff
        The pauses between restarts.
    stop_seconds
        How long roles have to stop on SIGTERM before they are killed.
    clock
        Seconds that never go back.
    """

    def __init__(
        self,
        roles: Sequence[Role],
        *,
        collect: Callable[[str, str], None],
        backoff: Backoff | None = None,
        stop_seconds: float = 7.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        backoff = backoff or Backoff()
        self._children = [_Child(role, collect, backoff, clock) for role in roles]
        self._stop_seconds = stop_seconds
        self._clock = clock
        # put() may be called by a signal handler while get() waits, which is not true of threading.Event.
        self._bell: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def stop(self) -> None:
        """Ask `run` to stop all roles and return; safe in a signal handler and from any thread."""
        self._bell.put(True)

    def run(self) -> int:
        """Run the roles until `stop`, until all are done or until one cannot start; return the exit code.

        Call it in a thread that lives as long as the roles: the kernel tells them when the thread that started them ends.
        """
        keeper, kept = os.pipe()
        try:
            return self._loop(kept_pipe=keeper)
        finally:
            self._stop_children()
            os.close(keeper)
            os.close(kept)

    def pids(self) -> dict[str, int]:
        """Return the process ids of the roles that run now, by name."""
        return {child.role.name: child.pid for child in self._children if child.pid is not None}

    def _loop(self, *, kept_pipe: int) -> int:
        while True:
            for child in self._children:
                child.tend(kept_pipe, ring=lambda: self._bell.put(False))
            if any(child.hopeless for child in self._children):
                return USAGE
            if all(child.done for child in self._children):
                return 0
            if self._wait():
                return 0

    def _wait(self) -> bool:
        due = [child.due - self._clock() for child in self._children if child.due is not None]
        # A role's own child may hold its output open after it ended, and then no bell rings: look every second.
        try:
            return self._bell.get(timeout=max(0.0, min([*due, _MOMENT_SECONDS])))
        except queue.Empty:
            return False

    def _stop_children(self) -> None:
        for child in self._children:
            child.signal(signal.SIGTERM)
        deadline = time.monotonic() + self._stop_seconds
        for child in self._children:
            child.wait(deadline)


class _Child:
    """One role's process, and what became of those before it."""

    def __init__(
        self, role: Role, collect: Callable[[str, str], None], backoff: Backoff, clock: Callable[[], float]
    ) -> None:
        self.role = role
        self.done = False
        self.hopeless = False
        self.due: float | None = clock()
        self._collect = collect
        self._backoff = backoff
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._started = 0.0
        self._failures = 0
        self._was_healthy = False

    @property
    def pid(self) -> int | None:
        """The id of the process; None while there is none."""
        return None if self._process is None else self._process.pid

    def tend(self, kept_pipe: int, *, ring: Callable[[], None]) -> None:
        """Note that the process ended, and start it again when that is due."""
        if self._process is not None and (code := self._process.poll()) is not None:
            self._process = None
            self._plan(code)
        if self.due is not None and self.due <= self._clock():
            self._start(kept_pipe, ring)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process if it still runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def wait(self, deadline: float) -> None:
        """Wait until the process ended and its last lines were read; kill it at the deadline (monotonic seconds)."""
        if self._process is None or self._reader is None:
            return
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            logger.warning("%s did not stop in time and was killed", self.role.name, extra={"action": "kill"})
            self._process.kill()
            self._process.wait()
        self._reader.join(_MOMENT_SECONDS)

    def _start(self, kept_pipe: int, ring: Callable[[], None]) -> None:
        self.due = None
        self._started = self._clock()
        self._process = subprocess.Popen(
            self.role.command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(kept_pipe,),
            process_group=0,  # Ctrl-C reaches the supervisor only, which stops the roles in order
            env={**os.environ, **self.role.environment, PARENT_PIPE: str(kept_pipe)},
        )
        logger.info("%s started", self.role.name, extra={"action": "start", "pid": self._process.pid})
        self._reader = threading.Thread(target=self._read, args=(self._process, ring), daemon=True)
        self._reader.start()

    def _read(self, process: subprocess.Popen[bytes], ring: Callable[[], None]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                self._collect(self.role.name, line.decode("utf-8", "replace").rstrip())
        process.wait()
        ring()

    def _plan(self, code: int) -> None:
        ran = self._clock() - self._started
        healthy = ran >= self._backoff.healthy_seconds
        self._was_healthy = self._was_healthy or healthy
        self.done = code == 0
        self.hopeless = code == USAGE and not self._was_healthy
        if self.done or self.hopeless:
            return
        self._failures = 1 if healthy else self._failures + 1
        wanted = code == RESTART and ran >= _MOMENT_SECONDS
        pause = 0.0 if wanted else self._backoff.pause_seconds(self._failures)
        self.due = self._clock() + pause
        _tell(self.role.name, code, pause)


def _tell(name: str, code: int, pause: float) -> None:
    if code == RESTART:
        logger.info("%s asked to be restarted", name, extra={"action": "restart"})
        return
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    logger.warning("%s %s; starting it again in %.1f s", name, how, pause, extra={"action": "restart"})


def is_supervised() -> bool:
    """Say whether a supervisor started this process; ask before `follow_parent`."""
    return PARENT_PIPE in os.environ


def follow_parent(*, stop: Callable[[], None], grace_seconds: float = 10.0) -> None:
    """Call `stop` when the supervisor that started this process is gone; end the process if that does not help.

    Does nothing in a process that no supervisor started. Call it once, in the main thread.

    Parameters
    ----------
    stop
        What asks this role to stop; called from a thread of its own.
    grace_seconds
        How long that may take.
    """
    number = os.environ.pop(PARENT_PIPE, "")
    if not number.isdigit():
        return
    pipe = int(number)
    os.set_inheritable(pipe, False)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    threading.Thread(target=_watch, args=(pipe, stop, grace_seconds), daemon=True).start()


def _watch(pipe: int, stop: Callable[[], None], grace_seconds: float) -> None:
    while os.read(pipe, 1):
        pass  # nothing is ever written: reading ends when the supervisor does
    stop()
    time.sleep(grace_seconds)
    os._exit(1)
