"""`vigie dead-letters`: looking at what could not be labelled, and putting it through once more."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vigie.cli import logs
from vigie.cli.counts import MESSAGES, counted
from vigie.cli.options import HERE, DebugOption, JsonOption, ProjectOption
from vigie.cli.progress import progress
from vigie.errors import SettingsError

if TYPE_CHECKING:
    import polars as pl

    from vigie.app import DeadLetters, Project
    from vigie.stream.worker import BatchReport

app = typer.Typer(
    help="Show the messages that could not be labelled, or put them through once more after a fix.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

SourceOption = Annotated[
    str | None, typer.Option("--source", metavar="NAME", help="Whose dead letters.  [default: the only source]")
]
LimitOption = Annotated[int, typer.Option("--limit", metavar="N", min=0, help="Show at most so many; all are counted.")]
PayloadOption = Annotated[bool, typer.Option("--show-payload", help="Show the messages themselves, too.")]
ReasonOption = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Only those whose reason has this in it; the others stay.")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only say what would become of them.")]


@app.command("list")
def list_them(
    project: ProjectOption = HERE,
    source: SourceOption = None,
    limit: LimitOption = 20,
    show_payload: PayloadOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show the dead letters that wait: where they stood, why they failed, and how many for each reason.

    Example: `vigie dead-letters list --project my-logs --limit 5`
    """
    logs.set_up(debug=debug)
    with _opened(project) as opened:
        letters = _of(opened, source)
        with progress("dead letters") as advance:
            found = summary(_counted(letters.waiting(), advance), limit=limit, show_payload=show_payload)
    print(json.dumps(found, ensure_ascii=False) if as_json else told(found))


@app.command()
def replay(
    project: ProjectOption = HERE,
    source: SourceOption = None,
    reason: ReasonOption = "",
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Put dead letters through once more: what is labelled now goes to the output, the rest is a dead letter again.

    Each is replayed once, also when this command is killed and run again.

    Example: `vigie dead-letters replay --project my-logs --reason "none of the fields" --dry-run`
    """
    logs.set_up(debug=debug)
    with _opened(project) as opened:
        opened.use_champion()
        letters = _of(opened, source)
        done = _tried(letters, reason) if dry_run else _replayed(letters, reason)
    if as_json:
        print(json.dumps({"labelled": done[0], "dead_letters": done[1], "dry_run": dry_run}))
        return
    now = "To be labelled" if dry_run else "Labelled"
    print(f"{now}: {counted(done[0], *MESSAGES)}; dead letters as before: {done[1]:,}.")


@contextmanager
def _opened(folder: Path) -> Iterator["Project"]:
    from vigie.app import Project  # noqa: PLC0415 — takes a second, and `vigie --help` should not

    project = Project.open(folder)
    try:
        yield project
    finally:
        project.close()


def _of(project: "Project", source: str | None) -> "DeadLetters":
    from vigie.app import DeadLetters  # noqa: PLC0415 — takes a second, and `vigie --help` should not

    names = list(project.settings.sources)
    if source is None and len(names) != 1:
        raise SettingsError(f"say whose dead letters with --source; the sources are: {', '.join(names) or 'none'}")
    return DeadLetters(project, source or names[0])


def _counted(batches: Iterable["pl.DataFrame"], advance: Callable[[int], None]) -> Iterator["pl.DataFrame"]:
    for batch in batches:
        yield batch
        advance(batch.height)


def _tried(letters: "DeadLetters", reason: str) -> tuple[int, int]:
    n_labelled = n_dead = 0
    with progress("dead letters") as advance:
        for labelled, dead in letters.tried(reason):
            n_labelled, n_dead = n_labelled + labelled, n_dead + dead
            advance(labelled + dead)
    return n_labelled, n_dead


def _replayed(letters: "DeadLetters", reason: str) -> tuple[int, int]:
    reports: list[BatchReport] = []
    with progress("dead letters") as advance:

        def note(report: "BatchReport") -> None:
            """Keep the report of a batch, and move the bar on by its messages."""
            reports.append(report)
            advance(report.n_messages + report.n_dead_letters)

        letters.worker(reason=reason, on_batch=note).run(threading.Event())
    return sum(report.n_messages for report in reports), sum(report.n_dead_letters for report in reports)


def summary(batches: Iterator["pl.DataFrame"], *, limit: int, show_payload: bool) -> dict[str, Any]:
    """Return how many dead letters there are, in all and by reason, and the first of them.

    Parameters
    ----------
    batches
        With the columns of `sources.dead_letters`.
    limit
        How many are returned themselves.
    show_payload
        Whether their messages are; otherwise nothing of a message is.
    """
    reasons: Counter[str] = Counter()
    first: list[dict[str, Any]] = []
    for batch in batches:
        reasons.update(error or "unknown" for error in batch["letter:error"])
        first += [
            _plain(row, show_payload=show_payload) for row in batch.head(limit - len(first)).iter_rows(named=True)
        ]
    return {"count": reasons.total(), "reasons": dict(reasons.most_common()), "dead_letters": first}


def _plain(row: Mapping[str, Any], *, show_payload: bool) -> dict[str, Any]:
    place = {name: row[name] for name in ("stream", "partition", "offset")}
    why = {name: row[f"letter:{name}"] for name in ("stage", "error", "attempt")}
    if not show_payload:
        return {**place, **why}
    payload = row["payload"]
    return {**place, **why, "payload": None if payload is None else payload.decode(errors="replace")}


def told(found: Mapping[str, Any]) -> str:
    """Return a summary in lines for people."""
    if not found["count"]:
        return "There are no dead letters."
    lines = [f"{found['count']:,} dead letters", *(f"{n:>9,}  {reason}" for reason, n in found["reasons"].items()), ""]
    for letter in found["dead_letters"]:
        again = f", tried {letter['attempt']} times" if letter["attempt"] > 1 else ""
        place = f"{letter['stream']} [{letter['partition']}] {letter['offset']}"
        lines.append(f"{place}  {letter['stage']}: {letter['error']}{again}")
        if "payload" in letter:
            lines.append(f"    {letter['payload']!r}")
    if left := found["count"] - len(found["dead_letters"]):
        lines.append(f"… and {left:,} more (--limit)")
    return "\n".join(lines)
