"""`vigie web`: pages and REST interface."""

import errno
import ipaddress
import secrets
import socket
from contextlib import nullcontext, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vigie.cli import logs
from vigie.cli.exits import RESTART
from vigie.cli.options import HERE, DebugOption, OnlyLogJsonOption, PortOption, ProjectOption
from vigie.cli.running import ending, kept_up_to_date, logger, present
from vigie.errors import SettingsError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from vigie.app import Services

RESTART_FOR = frozenset({"project", "sources", "stream", "pool", "learning", "registry", "store"})
STOP_SECONDS = 3
_BACKLOG = 512

HostOption = Annotated[
    str | None,
    typer.Option("--host", metavar="ADDRESS", help="The address to listen on.  [default: web.host, 127.0.0.1]"),
]


def web(
    project: ProjectOption = HERE,
    port: PortOption = None,
    host: HostOption = None,
    debug: DebugOption = False,
    log_json: OnlyLogJsonOption = False,
) -> None:
    """Serve the label page, the dashboards and the REST interface.

    Example: `vigie web --project my-logs --port 8081`
    """
    logs.set_up("web", as_json=log_json, debug=debug)
    flags = {name: value for name, value in {"web.port": port, "web.host": host}.items() if value is not None}
    from vigie.app import Project, Services, Watcher  # noqa: PLC0415 — takes a second, and `vigie --help` should not

    with ending() as wished:
        opened = Project.open(project, flags=flags)
        listening = listen(opened.settings.web.host, opened.settings.web.port)
        watcher = Watcher(opened, restart_for=RESTART_FOR, on_restart=lambda: wished.ask(RESTART))
        server = _server(_application(Services(opened, watcher)), debug=debug)
        wished.on_ask = lambda: setattr(server, "should_exit", True)
        with kept_up_to_date(opened, watcher), present(opened.store.presence, "web"):
            address, bound = listening.getsockname()[:2]
            logger.info("pages and API on http://%s:%d", address, bound, extra={"action": "listening"})
            if wished.code is None:
                server.run(sockets=[listening])


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; connections wait in it until someone accepts them.

    Raises
    ------
    SettingsError
        The address is not the loopback's, or somebody else listens there.
    """
    check_host(host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(
                f"port {port} of {host} is in use; stop what listens there, or take another with --port N (0: any)"
            ) from error
        raise SettingsError(
            f"cannot listen on {host} port {port}: {error.strerror}; take another with --port N"
        ) from error
    listening.listen(_BACKLOG)
    return listening


def check_host(host: str) -> None:
    """Refuse every address that other machines could reach: there are no users and passwords yet.

    Raises
    ------
    SettingsError
        The host is not an address of the loopback interface.
    """
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise SettingsError(
            f"web.host is {host!r}; expected an address only this machine can reach, such as 127.0.0.1: anybody who "
            "reaches the pages could read messages and answer questions"
        )


def cookie_secret(folder: Path) -> str:
    """Return what signs the session cookies of a project: made once, readable by its owner only.

    Raises
    ------
    SettingsError
        The project directory cannot be written.
    """
    path = folder / ".vigie" / "cookie_secret"
    try:
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            _write_once(path, secrets.token_urlsafe(32))
        return path.read_text(encoding="ascii")
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be kept: {error.strerror}; the project directory must be writable"
        ) from error


def _write_once(path: Path, text: str) -> None:
    """Write a whole file that nobody else sees half written, unless somebody was faster."""
    with NamedTemporaryFile("w", encoding="ascii", dir=path.parent, delete=True) as file:  # made with mode 0600
        file.write(text)
        file.flush()
        with suppress(FileExistsError):
            path.hardlink_to(file.name)


def _application(services: "Services") -> "ASGIApp":
    import vigie.api  # noqa: PLC0415 — FastAPI takes half a second to import
    import vigie.web  # noqa: PLC0415 — NiceGUI takes a second

    app = vigie.api.application(services)
    vigie.web.install(app, services, secret=cookie_secret(services.settings.folder))
    return app


def _server(app: "ASGIApp", *, debug: bool) -> Any:
    import uvicorn  # noqa: PLC0415 — only this role serves

    class Server(uvicorn.Server):
        """Leaves signals to the role."""

        capture_signals = nullcontext  # type: ignore[assignment]  # uvicorn would end the process before we close the store

    return Server(
        uvicorn.Config(
            app,
            log_config=None,
            log_level="debug" if debug else "warning",
            access_log=debug,
            timeout_graceful_shutdown=STOP_SECONDS,
            server_header=False,
        )
    )
