"""What `vigie up` and `vigie demo` show: where to go, the log lines of the roles, and a line of figures that moves."""

import json
import logging
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from vigie.cli.figures import Figures
from vigie.cli.logs import Plain

REFRESH_SECONDS = 1.0
_PATIENCE_SECONDS = 2.0
_COLOURS = {"web": "cyan", "stream": "green", "learner": "magenta", "demo": "blue"}
_LOUD = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "bold red"}


class Board:
    """Writes to standard error from several threads; in a terminal its last line shows live figures.

    Parameters
    ----------
    host, port
        Where the web role listens.
    as_json
        Whether the roles log JSON: then nothing but their lines is written.
    console
        Where to write.
    """

    def __init__(self, *, host: str, port: int, as_json: bool = False, console: Console | None = None) -> None:
        self.host = host
        self.port = port
        self._as_json = as_json
        self._console = console or Console(stderr=True, highlight=False)
        self._figures = Figures()
        self._live: Live | None = None
        self._handlers: list[logging.Handler] = []
        self._closed = threading.Event()
        self.served = threading.Event()
        """Set once the pages answer."""

    @property
    def url(self) -> str:
        """Where the pages are."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def link(self) -> str:
        """Return the address as console markup that stands out and can be clicked."""
        return f"  [bold cyan][link={self.url}]{self.url}[/link][/]"

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._as_json:
            self._live = Live(console=self._console, get_renderable=self._line, refresh_per_second=4, transient=True)
            self._live.start()
        threading.Thread(target=self._watch, name="vigie-board", daemon=True).start()
        if not self._as_json:
            self._handlers = logging.getLogger().handlers[:]
            logging.getLogger().handlers[:] = [_Lines(self)]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closed.set()
        if not self._as_json:
            logging.getLogger().handlers[:] = self._handlers
        if self._live is not None:
            self._live.stop()

    def show(self, title: str, lines: Sequence[str]) -> None:
        """Show a box with some lines of console markup."""
        if self._as_json:
            return
        if self._console.is_terminal:
            self._console.print(
                Panel.fit("\n".join(lines), title=title, title_align="left", border_style="cyan", padding=(1, 2))
            )
            return
        for line in lines:
            self._console.print(line, soft_wrap=True)

    def collect(self, role: str, line: str) -> None:
        """Show a line that a role wrote."""
        if self._as_json:
            print(_as_json(role, line), file=sys.stderr, flush=True)
            return
        level = next((word for word in line.split(maxsplit=2)[1:2] if word in _LOUD), "")
        text = Text(f"{role:>8} ", style=_COLOURS.get(role, "white"))
        text.append(line, style=_LOUD.get(level, "default"))
        self._console.print(text, soft_wrap=True)

    def _line(self) -> Text:
        if not self.served.is_set():
            return Text("  starting …", style="dim")
        return self._figures.line(self.url)

    def _watch(self) -> None:
        while not self._closed.wait(REFRESH_SECONDS if self.served.is_set() else 0.2):
            path = "/metrics" if self._live is not None and self.served.is_set() else "/healthz"
            if (body := _fetch(f"{self.url}{path}")) is None:
                continue
            self.served.set()
            if path == "/metrics":
                self._figures.read(body, at=datetime.now().astimezone())


class _Lines(logging.Handler):
    """Shows what this process logs itself like the lines of a role."""

    def __init__(self, board: Board) -> None:
        super().__init__()
        self.setFormatter(Plain())
        self._board = board

    def emit(self, record: logging.LogRecord) -> None:
        """Write a log record above the board."""
        self._board.collect("vigie", self.format(record))


def _fetch(url: str) -> str | None:
    try:
        with urllib.request.urlopen(url, timeout=_PATIENCE_SECONDS) as response:  # noqa: S310 — our own address
            return str(response.read().decode())
    except (urllib.error.URLError, OSError):
        return None


def _as_json(role: str, line: str) -> str:
    """Return a role's line as JSON; what a crashing interpreter writes is none."""
    return line if line.startswith("{") else json.dumps({"role": role, "level": "error", "message": line})
