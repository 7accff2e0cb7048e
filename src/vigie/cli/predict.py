"""`vigie predict`: labels for a file, as JSONL."""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from vigie.cli import logs
from vigie.cli.exits import FAILURE, OK
from vigie.cli.options import HERE, DebugOption, OnlyLogJsonOption, ProjectOption
from vigie.cli.progress import progress
from vigie.errors import SettingsError

if TYPE_CHECKING:
    import polars as pl

    from vigie.app import Project

MAX_BATCH = 20_000
POLL_SECONDS = 0.2
_NAMED = 5

logger = logging.getLogger(__name__)

FileArgument = Annotated[
    str, typer.Argument(metavar="[FILE|-]", help="Lines, JSONL, CSV or Parquet, also .gz; - is standard input.")
]
TextOption = Annotated[
    list[str] | None,
    typer.Option(
        "--text", metavar="FIELD", help="Where the text is in JSON, CSV and Parquet.  [default: message, log, text]"
    ),
]


def predict(
    file: FileArgument = "-",
    text: TextOption = None,
    project: ProjectOption = HERE,
    debug: DebugOption = False,
    log_json: OnlyLogJsonOption = False,
) -> None:
    """Label the messages of a file with the champion and the rules; write them as JSONL, in their order.

    Messages that cannot be read are left out and named on standard error; the exit code is 1 then.

    Example: `vigie predict app.log --project my-logs > labelled.jsonl`
    """
    logs.set_up(as_json=log_json, debug=debug)
    from vigie.app import Project, Watcher  # noqa: PLC0415 — takes a second, and `vigie --help` should not

    opened = Project.open(project)
    try:
        Watcher(opened).look()
        with progress("messages", to_terminal=True) as advance:
            n_dead = 0
            for output, dead_letters in labelled(opened, file, text):
                write(output, sys.stdout.buffer)
                complain(dead_letters, n_before=n_dead)
                n_dead += dead_letters.height
                advance(output.len() + dead_letters.height)
    finally:
        opened.close()
    raise typer.Exit(FAILURE if n_dead else OK)


def labelled(project: "Project", file: str, text: list[str] | None) -> Iterator[tuple["pl.Series", "pl.DataFrame"]]:
    """Return the enriched messages of a file and its dead letters, batch by batch.

    Raises
    ------
    SettingsError
        The file does not exist or is of no known kind.
    """
    from vigie.app.parts import build  # noqa: PLC0415 — with Project
    from vigie.settings.models import TEXT_FIELDS  # noqa: PLC0415
    from vigie.stream.dead_letters import split  # noqa: PLC0415
    from vigie.stream.decode import decode  # noqa: PLC0415
    from vigie.stream.enrich import enrich  # noqa: PLC0415

    if file != "-" and not Path(file).exists():
        raise SettingsError(f"there is no file {file}")
    limit = project.settings.stream.max_message_bytes
    offered = {"name": "predict", "until_end": True, "max_message_bytes": limit}
    source = build("sources", "files", "predict", {"path": file}, offered)
    source.open([])
    try:
        while not source.exhausted:
            batch = source.poll(MAX_BATCH, POLL_SECONDS)
            decoded = decode(batch, text_fields=text or TEXT_FIELDS, max_message_bytes=limit, format="auto")
            messages, dead_letters = split(decoded)
            frame, dimensions = project.labeller.label(messages)
            yield enrich(frame, dimensions)["output"], dead_letters
    finally:
        source.close()


def write(output: "pl.Series", to: BinaryIO) -> None:
    """Write messages, one a line."""
    for line in output:
        to.write(line)
        to.write(b"\n")
    to.flush()


def complain(dead_letters: "pl.DataFrame", *, n_before: int) -> None:
    """Name the first messages that could not be read, and say that there are more."""
    for n, (offset, error) in enumerate(dead_letters.select("offset", "error").iter_rows(), start=n_before):
        if n < _NAMED:
            logger.warning("the message at %d cannot be read: %s", offset, error)
        elif n == _NAMED:
            logger.warning("there are more that cannot be read; the others are labelled")
