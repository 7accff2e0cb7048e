"""`vigie stream`: sources to sinks, each message with its labels."""

import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vigie.cli import logs
from vigie.cli.exits import FAILURE, RESTART, code_of
from vigie.cli.options import HERE, DebugOption, JsonOption, LogJsonOption, ProjectOption
from vigie.cli.progress import progress
from vigie.cli.running import Ending, ending, kept_up_to_date, on_signals, present
from vigie.errors import SettingsError, VigieError
from vigie.supervisor import Role, Supervisor, is_supervised

if TYPE_CHECKING:
    from vigie.app import Project, Watcher
    from vigie.stream.worker import BatchReport, Worker

RESTART_FOR = frozenset({"project", "sources", "sinks", "stream", "pool", "registry", "store"})

_LOOK_SECONDS = 0.2

logger = logging.getLogger(__name__)

SourceOption = Annotated[
    list[str] | None,
    typer.Option("--source", metavar="NAME", help="Only this source of vigie.toml; may be given several times."),
]
UntilEndOption = Annotated[bool, typer.Option("--until-end", help="Stop when the sources are exhausted.")]
InstanceOption = Annotated[
    int,
    typer.Option("--instance", metavar="N", min=0, help="Tells workers of one Kafka consumer group apart: 0, 1, 2 …"),
]
WorkersOption = Annotated[
    int,
    typer.Option(
        "--workers",
        metavar="N",
        min=1,
        help="Run N processes, instances 0 to N-1, which share the partitions of Kafka sources.",
    ),
]


def stream(
    project: ProjectOption = HERE,
    source: SourceOption = None,
    until_end: UntilEndOption = False,
    instance: InstanceOption = 0,
    workers: WorkersOption = 1,
    as_json: JsonOption = False,
    debug: DebugOption = False,
    log_json: LogJsonOption = False,
) -> None:
    """Label messages as they come: from the sources of vigie.toml to its sinks.

    Example: `vigie stream --project my-logs --until-end`
    """
    logs.set_up("stream", as_json=log_json, debug=debug)
    if workers > 1:
        from vigie.settings import load  # noqa: PLC0415 — as below

        load(project)  # what is wrong there is said once, not by each process
        flags = {"--until-end": until_end, "--json": as_json, "--debug": debug, "--log-json": log_json}
        options = [*(f"--source={name}" for name in source or ()), *(flag for flag, given in flags.items() if given)]
        raise typer.Exit(several(project, range(instance, instance + workers), options))
    idle_allowed = is_supervised()
    with ending() as wished:
        with progress("messages") as advance:
            crew = Crew(wished, advance)
            _work(project, crew, source, instance=instance, until_end=until_end, idle_allowed=idle_allowed)
        crew.report(as_json=as_json)


def several(project: Path, instances: Sequence[int], options: Sequence[str]) -> int:
    """Run one process per instance until a signal comes or all are done; return the exit code.

    Parameters
    ----------
    project
        The project directory.
    instances
        Their numbers; one that ends by a fault is started again.
    options
        Further arguments of `vigie stream` for each.
    """
    wished = Ending()
    command = (sys.executable, "-m", "vigie", "stream", "--project", str(project), *options)
    roles = [Role(f"stream-{number}", (*command, "--instance", str(number))) for number in instances]
    supervisor = Supervisor(roles, collect=_tell)
    wished.on_ask = supervisor.stop
    with on_signals(wished):
        code = supervisor.run()
    return code if wished.code is None else wished.code


def _tell(role: str, line: str) -> None:
    """Hand a line of a worker on: results to standard output, the rest to standard error."""
    if line.startswith('{"messages"'):
        print(line)
    else:
        print(f"{role} {line}", file=sys.stderr)


def _work(
    folder: Path, crew: "Crew", asked: Sequence[str] | None, *, instance: int, until_end: bool, idle_allowed: bool
) -> None:
    from vigie.app import Project, Watcher, corrections_worker  # noqa: PLC0415 — takes a second, and `vigie --help` should not

    project = Project.open(folder)
    names = chosen(project, asked, idle_allowed=idle_allowed)
    watcher = Watcher(project, restart_for=RESTART_FOR, on_restart=lambda: crew.wished.ask(RESTART))
    with kept_up_to_date(project, watcher), present(project.store.presence, "stream", crew.details):
        for name in names:
            crew.hire(name, project.worker(name, until_end=until_end, instance=instance, on_batch=crew.note))
            if project.settings.sources[name].corrections and instance == 0:  # one worker reads the answers
                corrects = corrections_worker(project, name, until_end=until_end, on_batch=crew.note)
                crew.hire(f"{name}.corrections", corrects)
        if await_registry(watcher, crew.wished):
            crew.work(until_end=until_end)


def await_registry(watcher: "Watcher", wished: Ending) -> bool:
    """Wait until the registry has said which model is in charge, since labels without it would be final; False after a wish."""
    if not watcher.has_reached_registry:
        logger.warning(
            "waiting for the registry, to label nothing without the champion: %s",
            watcher.model_problem,
            extra={"action": "registry_awaited"},
        )
    while not watcher.has_reached_registry and not wished.wait(_LOOK_SECONDS):
        pass
    return watcher.has_reached_registry


def chosen(project: "Project", asked: Sequence[str] | None, *, idle_allowed: bool) -> list[str]:
    """Return the names of the sources to read.

    Raises
    ------
    SettingsError
        There is none, and nobody would start the role again once there is.
    """
    names = list(asked or project.settings.sources)
    if not names and not idle_allowed:
        raise SettingsError("vigie.toml has no source; add a table such as [sources.files] to it")
    return names


@dataclass
class Crew:
    """One worker per source, each in a thread of its own.

    Parameters
    ----------
    wished
        Ends all of them; a worker that fails wishes it.
    advance
        Called with each number of messages done.
    """

    wished: Ending
    advance: Callable[[int], None] = lambda _n: None
    _workers: dict[str, "Worker"] = field(default_factory=dict)
    _reports: dict[str, "BatchReport"] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _started: float = field(default_factory=time.monotonic)
    _has_failed: bool = False
    n_messages: int = 0
    n_dead_letters: int = 0

    def hire(self, name: str, worker: "Worker") -> None:
        """Add the worker of a source."""
        self._workers[name] = worker

    def work(self, *, until_end: bool) -> None:
        """Work until it is wished to end or, if told so, until all sources are exhausted."""
        threads = [
            threading.Thread(target=self._run, args=item, name=f"vigie-stream-{item[0]}", daemon=True)
            for item in self._workers.items()
        ]
        for thread in threads:
            thread.start()
        while not self.wished.wait(0.1 if until_end else None):
            if not any(thread.is_alive() for thread in threads):
                break
        self._stop.set()
        for thread in threads:
            thread.join()

    def note(self, report: "BatchReport") -> None:
        """Count what became of a batch."""
        with self._lock:
            self._reports[report.source] = report
            self.n_messages += report.n_messages
            self.n_dead_letters += report.n_dead_letters
        self.advance(report.n_messages + report.n_dead_letters)

    def details(self) -> Mapping[str, Any]:
        """Return what the role says about itself while it runs."""
        with self._lock:
            reports = list(self._reports.values())
        return {
            "messages": self.n_messages,
            "dead_letters": self.n_dead_letters,
            "lag": {r.source: [[stream, part, n] for (stream, part), n in r.lag.items()] for r in reports},
            "problems": {name: worker.problem for name, worker in self._workers.items() if worker.problem},
        }

    def report(self, *, as_json: bool) -> None:
        """Say how much was done."""
        seconds = round(time.monotonic() - self._started, 3)
        done = {"messages": self.n_messages, "dead_letters": self.n_dead_letters, "seconds": seconds}
        if as_json:
            print(json.dumps(done))
        if self._has_failed and not self.n_messages + self.n_dead_letters:
            return  # why nothing was done was said
        logger.info(
            "%d messages labelled, %d dead letters, in %.1f s", *done.values(), extra={"action": "stream_ended", **done}
        )

    def _run(self, name: str, worker: "Worker") -> None:
        try:
            worker.run(self._stop)
        except VigieError as error:
            self._has_failed = True
            logger.error("source %s: %s", name, error, extra={"action": "worker_failed"})  # noqa: TRY400 — the message says it all
            self.wished.ask(code_of(error))
        except Exception:
            # The outermost loop of the role: the other workers finish their batch, and the supervisor starts anew.
            self._has_failed = True
            logger.exception("source %s ended by a fault in Vigie", name, extra={"action": "worker_failed"})
            self.wished.ask(FAILURE)
