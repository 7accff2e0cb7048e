"""Progress of long work on standard error: a bar in a terminal, nothing elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(what: str, total: int | None = None, *, to_terminal: bool = False) -> Iterator[Callable[[int], None]]:
    """Show how far some work is, as long as the block lasts; yields what to call with each number done.

    Parameters
    ----------
    what
        What is counted: messages, rows.
    total
        How many there are; None when nobody knows.
    to_terminal
        Whether the work itself writes to standard output: in a terminal there is no room for both.
    """
    if not sys.stderr.isatty() or (to_terminal and sys.stdout.isatty()):
        yield lambda _n: None
        return
    from rich.console import Console  # noqa: PLC0415 — Rich takes a while to import
    from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    known = [BarColumn(), TaskProgressColumn()] if total is not None else []
    columns = [
        SpinnerColumn(),
        TextColumn("{task.completed:>12,}"),
        TextColumn(what),
        *known,
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
    ]
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total, rate="")

        def advance(n: int) -> None:
            """Move the bar on by so many, and show the speed once there is one."""
            bar.advance(task, n)
            speed = bar.tasks[0].speed
            bar.update(task, rate=f"{speed:,.0f}/s" if speed else "")

        yield advance


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show that something takes a while, as long as the block lasts.

    Parameters
    ----------
    what
        What is being done.
    """
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console  # noqa: PLC0415 — Rich takes a while to import

    with Console(stderr=True).status(f"{what} …"):
        yield
