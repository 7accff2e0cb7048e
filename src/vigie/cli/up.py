"""`vigie up`: all roles on one machine."""

import fcntl
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from vigie.cli import logs
from vigie.cli.exits import INTERRUPTED, OK
from vigie.cli.options import HERE, DebugOption, OnlyLogJsonOption, PortOption, ProjectOption
from vigie.errors import SettingsError
from vigie.supervisor import Role, Supervisor

if TYPE_CHECKING:
    from vigie.cli.board import Board

ROLES = ("web", "stream", "learner")


def up(
    project: ProjectOption = HERE,
    port: PortOption = None,
    debug: DebugOption = False,
    log_json: OnlyLogJsonOption = False,
) -> None:
    """Start all roles on this machine: stream, learner and web; a role that ends is started again.

    Example: `vigie up --project my-logs`
    """
    logs.set_up("up", as_json=log_json, debug=debug)
    from vigie.cli.board import Board  # noqa: PLC0415 — Rich takes a while to import
    from vigie.settings import load  # noqa: PLC0415 — pydantic likewise

    settings = load(project, flags={} if port is None else {"web.port": port})
    with Board(host=settings.web.host, port=free_port(settings.web.host, settings.web.port), as_json=log_json) as board:
        board.show(f"[bold]{settings.project.name}[/]", ["Label messages and see how they are labelled:", board.link()])
        code = supervise(project, board, debug=debug, log_json=log_json)
    raise typer.Exit(code)


def supervise(
    project: Path,
    board: "Board",
    *,
    debug: bool = False,
    log_json: bool = False,
    begin: Callable[[], None] = lambda: None,
) -> int:
    """Run all roles of a project until a signal comes; return the exit code.

    Parameters
    ----------
    project
        The project directory.
    board
        Shows what they write.
    debug, log_json
        Handed on to the roles.
    begin
        Called when signals are taken care of, before the roles start.
    """
    with only_one(project):
        return _supervise(project, board, debug=debug, log_json=log_json, begin=begin)


@contextmanager
def only_one(project: Path) -> Iterator[None]:
    """Keep a second supervisor out of a project as long as the block lasts.

    Raises
    ------
    SettingsError
        There is one already, or the project directory cannot be written.
    """
    path = project / ".vigie" / "up.lock"
    try:
        path.parent.mkdir(exist_ok=True)
        file = path.open("w")
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be kept: {error.strerror}; the project directory must be writable"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SettingsError(
                f"vigie up runs already in {project.resolve()}; stop it first, or use its pages"
            ) from error
        yield


def _supervise(project: Path, board: "Board", *, debug: bool, log_json: bool, begin: Callable[[], None]) -> int:
    from vigie.cli.running import Ending, on_signals  # noqa: PLC0415

    wished = Ending()
    roles = [_role(name, project, board.port, debug=debug, log_json=log_json) for name in ROLES]
    supervisor = Supervisor(roles, collect=board.collect)
    wished.on_ask = supervisor.stop
    with on_signals(wished):
        begin()
        code = supervisor.run()
    return code if wished.code is None or wished.code == OK else INTERRUPTED


def free_port(host: str, port: int) -> int:
    """Return `port`, or a free one where it is 0; the roles and the board must agree on it.

    Raises
    ------
    SettingsError
        Somebody listens there, or the address is not the loopback's.
    """
    from vigie.cli.web import listen  # noqa: PLC0415

    with listen(host, port) as listening:
        return int(listening.getsockname()[1])


def _role(name: str, project: Path, port: int, *, debug: bool, log_json: bool) -> Role:
    options = [*(["--debug"] if debug else []), *(["--log-json"] if log_json else [])]
    if name == "web":
        options += ["--port", str(port)]
    return Role(name, (sys.executable, "-m", "vigie", name, "--project", str(project), *options))
