"""A storm over stream workers: what happens when, drawn from a seed, and the hands that do it."""

import sched
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from kafka_server import KafkaServer

TICK_SECONDS = 0.1
BROKER_NEEDS_SECONDS = 10.0
"""From one end of the broker to the next one: it shall be up for some of it."""
BACK_SECONDS = 1.0
"""How much later than planned a worker may be back; nothing happens to it before."""

WEIGHTS: Mapping[str, int] = {
    "freeze": 42,  # SIGSTOP, SIGCONT later: at times after the group gave its partitions away
    "kill": 26,  # SIGKILL; a supervisor starts it again
    "leave": 10,  # SIGTERM; comes back later
    "twin": 6,  # frozen, and replaced by one of the same identity; then the old one wakes up
    "join": 4,  # one more comes for a while and leaves
    "lose": 4,  # one more comes for a while and is killed for good
    "broker": 8,  # SIGKILL and restart
}


@dataclass(frozen=True, slots=True)
class Event:
    """What happens, how many seconds after the start, to which worker (-1: the broker), and for how long."""

    at: float
    kind: str
    instance: int
    seconds: float


def draw(
    rng: Random, n_events: int, *, n_workers: int, gap_seconds: float, weights: Mapping[str, int] = WEIGHTS
) -> list[Event]:
    """Return events in order of time; every kind occurs where there are enough of them.

    Parameters
    ----------
    n_workers
        They have the instances from 0 on; those that come for a while have numbers of their own.
    gap_seconds
        Between two events, on average; a fifth of them come with the one before.
    weights
        How often each kind occurs.
    """
    kinds = [*weights, *rng.choices(list(weights), list(weights.values()), k=n_events)][:n_events]
    rng.shuffle(kinds)
    events: list[Event] = []
    free = dict.fromkeys(range(-1, n_workers), 0.0)  # when a worker is back, and the broker
    at, extra = 0.0, n_workers
    for kind in kinds:
        at += rng.choice([0.0, *[1.25 * gap_seconds] * 4]) * rng.uniform(0.5, 1.5)
        at = max(at, free[-1] if kind == "broker" else min(free[instance] for instance in range(n_workers)))
        instance, seconds = rng.choice([i for i in range(n_workers) if free[i] <= at] or [0]), _length(rng, kind)
        if kind in {"join", "lose"}:
            instance, extra = extra, extra + 1
        elif kind == "broker":
            instance, free[-1] = -1, at + BROKER_NEEDS_SECONDS
        elif kind == "leave":
            free[instance] = at + seconds + BACK_SECONDS
        events.append(Event(round(at, 3), kind, instance, round(seconds, 3)))
    return events


def _length(rng: Random, kind: str) -> float:
    if kind == "freeze":
        return float(0.05 * 160 ** rng.random())  # up to 8 s; each tenth of a second as likely as each second
    shortest, longest = {"broker": (0.0, 2.0), "leave": (0.5, 6.0), "twin": (1.0, 6.0)}.get(kind, (3.0, 10.0))
    return rng.uniform(shortest, longest) if kind != "kill" else 0.0


class Crew:
    """Workers as programs, started again whenever they end, as a supervisor does.

    Parameters
    ----------
    command
        Starts the worker of an instance.
    folder
        Where their logs go.
    """

    def __init__(self, command: Callable[[int], list[str]], folder: Path) -> None:
        self._command = command
        self._folder = folder
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._leaving: list[subprocess.Popen[bytes]] = []
        self.ended: Counter[int] = Counter()
        """How many ended with each exit code; negative: with that signal."""

    def hire(self, instance: int) -> None:
        """Start a worker, and start it again when it ends."""
        if instance not in self._running:
            self._start(instance)

    def kill(self, instance: int) -> None:
        """End a worker without a warning."""
        self._running[instance].kill()

    def freeze(self, instance: int) -> Callable[[], None]:
        """Stop a worker where it is; what is returned lets it go on."""
        process = self._running[instance]
        process.send_signal(signal.SIGSTOP)
        return lambda: process.send_signal(signal.SIGCONT)

    def replace(self, instance: int) -> None:
        """Start another worker with the identity of one that is still there."""
        self._leaving.append(self._running.pop(instance))
        self._start(instance)

    def dismiss(self, instance: int, how: signal.Signals = signal.SIGTERM) -> None:
        """End a worker for good, unless it is hired again."""
        process = self._running.pop(instance)
        process.send_signal(how)
        self._leaving.append(process)

    def look(self) -> None:
        """Start again what has ended."""
        for process in [process for process in self._leaving if process.poll() is not None]:
            self._leaving.remove(process)
            self.ended[process.returncode] += 1
        for instance, process in list(self._running.items()):
            if process.poll() is not None:
                self.ended[process.returncode] += 1
                self._start(instance)

    def go_home(self, timeout_seconds: float = 30.0) -> None:
        """End all of them, gently at first."""
        for instance in list(self._running):
            self.dismiss(instance)
        for process in self._leaving:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        deadline = time.monotonic() + timeout_seconds
        while self._leaving and time.monotonic() < deadline:
            self.look()
            time.sleep(TICK_SECONDS)
        for process in self._leaving:
            process.kill()
            process.wait()
        self.look()

    def _start(self, instance: int) -> None:
        with (self._folder / f"worker-{instance}.log").open("ab") as log:
            self._running[instance] = subprocess.Popen(self._command(instance), stdout=log, stderr=log)


class Storm:
    """Makes events happen to a crew and its broker.

    Parameters
    ----------
    kafka
        The broker, running.
    crew
        The workers, hired.
    hands
        One thread that ends and starts the broker. It must outlive the storm: the kernel ends the broker together
        with the thread that started it.
    """

    def __init__(self, kafka: KafkaServer, crew: Crew, hands: ThreadPoolExecutor) -> None:
        self._kafka = kafka
        self._crew = crew
        self._hands = hands
        self._restarts: list[Future[None]] = []
        self._coming = sched.scheduler(time.monotonic, time.sleep)

    def rage(self, events: list[Event]) -> None:
        """Let it all happen, and return when the last consequence is over."""
        for event in events:
            self._coming.enter(event.at, 0, self._happen, (event,))
        while not self._coming.empty() or not all(restart.done() for restart in self._restarts):
            self._coming.run(blocking=False)
            self._crew.look()
            time.sleep(TICK_SECONDS / 2)
        for restart in self._restarts:
            restart.result()

    def _happen(self, event: Event) -> None:
        crew, instance = self._crew, event.instance
        if event.kind == "broker":
            self._restarts.append(self._hands.submit(self._restart_broker, event.seconds))
        elif event.kind == "kill":
            crew.kill(instance)
        elif event.kind in {"freeze", "twin"}:
            self._later(event, crew.freeze(instance))
            if event.kind == "twin":
                crew.replace(instance)
        elif event.kind == "leave":
            crew.dismiss(instance)
            self._later(event, lambda: crew.hire(instance))
        else:
            crew.hire(instance)
            how = signal.SIGTERM if event.kind == "join" else signal.SIGKILL
            self._later(event, lambda: crew.dismiss(instance, how))

    def _later(self, event: Event, action: Callable[[], None]) -> None:
        self._coming.enter(event.seconds, 0, action)

    def _restart_broker(self, seconds: float) -> None:
        self._kafka.kill()
        time.sleep(seconds)
        self._kafka.start()


@contextmanager
def a_crew(project: Path, source: str, n_workers: int) -> Iterator[Crew]:
    """Run `vigie stream` as often as wished; whatever of it is left at the end is killed."""
    stream = [sys.executable, "-m", "vigie", "stream", "--project", str(project), "--source", source]
    crew = Crew(lambda instance: [*stream, "--instance", str(instance)], project)
    try:
        for instance in range(n_workers):
            crew.hire(instance)
        yield crew
    finally:
        crew.go_home()


@contextmanager
def in_background(work: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """Run `work` in a thread during the block, which ends when it is done; yields whether it is still going on."""
    with ThreadPoolExecutor(1) as thread:
        future = thread.submit(work)
        yield lambda: not future.done()
        future.result()
