"""`vigie demo`: everything at once, with log lines made up on the spot, in a temporary folder."""

import random
import shutil
import tempfile
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vigie.cli import logs
from vigie.cli.options import DebugOption, OnlyLogJsonOption, PortOption
from vigie.errors import SettingsError

if TYPE_CHECKING:
    from vigie.cli.board import Board

HOST = "127.0.0.1"
PORT = 8080
LINES = "demo.log"
LABELLED = "labelled.jsonl"

_HTTP = 'type = "http"\nsink = "files"\n'

NoBrowserOption = Annotated[bool, typer.Option("--no-browser", help="Do not open the label page in a browser.")]
FileOption = Annotated[
    Path | None,
    typer.Option("--source", metavar="FILE", help="Stream a file of yours instead: lines, JSONL, CSV or Parquet."),
]
KeepOption = Annotated[
    Path | None,
    typer.Option("--keep", metavar="DIR", help="Make the project there, and leave it; a temporary folder otherwise."),
]
SeedOption = Annotated[int, typer.Option("--seed", help="Another number, other log lines.")]
ProjectOption = Annotated[
    Path | None, typer.Option("--project", metavar="DIR", help="The same as --keep.", show_default=False)
]


def demo(
    port: PortOption = None,
    no_browser: NoBrowserOption = False,
    source: FileOption = None,
    keep: KeepOption = None,
    project: ProjectOption = None,
    seed: SeedOption = 0,
    debug: DebugOption = False,
    log_json: OnlyLogJsonOption = False,
) -> None:
    """Try Vigie: log lines of a small company stream by, and you teach it to label them.

    Example: `vigie demo --port 8081`
    """
    logs.set_up("demo", as_json=log_json, debug=debug)
    from vigie.cli.board import Board  # noqa: PLC0415 — Rich takes a while to import
    from vigie.cli.up import supervise  # noqa: PLC0415

    kept = keep or project
    with demo_folder(kept) as folder, writer(folder / LINES, seed=seed, wanted=source is None) as begin:
        make_project(folder, source)
        with Board(host=HOST, port=a_port(port), as_json=log_json) as board:
            board.show("[bold]Vigie demo[/]", instructions(board, folder, source, kept=kept is not None))
            if not no_browser:
                _open_when_served(board)
            code = supervise(folder, board, debug=debug, log_json=log_json, begin=begin)
    raise typer.Exit(code)


@contextmanager
def demo_folder(kept: Path | None) -> Iterator[Path]:
    """Make the project directory; at the end a temporary one is removed."""
    if kept is not None:
        yield kept
        return
    folder = Path(tempfile.mkdtemp(prefix="vigie-demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def a_port(asked: int | None) -> int:
    """Return the port asked for; where none was, the usual one, or a free one while that is in use.

    Raises
    ------
    SettingsError
        The port asked for is in use.
    """
    from vigie.cli.up import free_port  # noqa: PLC0415

    if asked is not None:
        return free_port(HOST, asked)
    try:
        return free_port(HOST, PORT)
    except SettingsError:
        return free_port(HOST, 0)


def make_project(folder: Path, source: Path | None) -> None:
    """Write a project that follows the demo's lines, or streams a file; one that is there is kept as it is.

    Raises
    ------
    SettingsError
        The file does not exist, the folder cannot be written, or it holds another project.
    """
    from vigie.cli.init import SETTINGS, Template, template_texts, write  # noqa: PLC0415

    if source is not None and not source.exists():
        raise SettingsError(f"there is no {source}; expected a file to stream")
    if (folder / SETTINGS).exists():
        if "[sources.demo]" not in (folder / SETTINGS).read_text(encoding="utf-8"):
            raise SettingsError(f"{folder} holds a project that no demo made; choose another folder for --keep")
        return
    path = LINES if source is None else str(source.resolve())
    texts = template_texts(Template.LOGS)
    write(folder, {**texts, SETTINGS: with_source(texts[SETTINGS], path)})


def with_source(settings: str, path: str) -> str:
    """Return the `vigie.toml` of a template that also follows a file; its comments stay."""
    import tomlkit  # noqa: PLC0415 — needed only here

    source = {"type": "files", "path": path, "follow": True, "sink": "files"}
    named = settings.replace('name = "logs"', 'name = "demo"', 1)
    return named.replace(_HTTP, f"{_HTTP}\n[sources.demo]\n{tomlkit.dumps(source)}", 1)


@contextmanager
def writer(path: Path, *, seed: int, wanted: bool) -> Iterator[Callable[[], None]]:
    """Append made-up log lines to a file as long as the block lasts; yields what begins it.

    Parameters
    ----------
    path
        The file.
    seed
        The same seed, the same lines.
    wanted
        Whether to write at all.
    """
    from vigie.cli.demo_lines import LineGenerator, stream  # noqa: PLC0415

    stopped = threading.Event()

    def write_lines() -> None:
        """Append lines to the file as they would come from real services, until stopped."""
        # Any sequence of log lines will do; nothing secret hangs on it.
        generator = LineGenerator(rng=random.Random(seed), start=datetime.now(UTC))  # noqa: S311
        with path.open("ab", buffering=0) as file:
            stream(generator, write=file.write, wait=stopped.wait, clock=time.monotonic)

    thread = threading.Thread(target=write_lines, name="vigie-demo-lines", daemon=True)
    try:
        yield thread.start if wanted else lambda: None
    finally:
        stopped.set()
        if thread.is_alive():
            thread.join()


def instructions(board: "Board", folder: Path, source: Path | None, *, kept: bool) -> list[str]:
    """Return what to do next, as lines of console markup."""
    lines = "Log lines of a small shop stream by." if source is None else f"{source} streams by."
    return [
        f"{lines} Teach Vigie to label them:",
        "",
        board.link(),
        "",
        "[bold]1[/]  Answer questions with the keys shown there: [bold]Enter[/] takes the suggestion, [bold]u[/] undoes.",
        "[bold]2[/]  After ten answers a model has learned from them; see [bold]Overview[/] grow surer.",
        "[bold]3[/]  Try any text of your own under [bold]Try[/].",
        "",
        f"Labelled lines:  [green]tail -f {folder / LABELLED}[/]",
        f"Settings:        {folder / 'vigie.toml'}, read again when changed",
        f"To stop:         [bold]Ctrl-C[/]{'' if kept else '; the folder is removed then (--keep DIR keeps it)'}",
    ]


def _open_when_served(board: "Board") -> None:
    def wait_and_open() -> None:
        """Open the browser once the pages are served; not at all when that takes over a minute."""
        if board.served.wait(timeout=60):
            webbrowser.open(board.url)

    threading.Thread(target=wait_and_open, name="vigie-browser", daemon=True).start()
