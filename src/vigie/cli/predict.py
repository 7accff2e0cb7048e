"""`vigie predict`: labels for a file, as JSONL."""

import json
import logging
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from vigie.cli import logs
from vigie.cli.exits import FAILURE, OK
from vigie.cli.options import HERE, DebugOption, OnlyLogJsonOption, ProjectOption
from vigie.cli.progress import progress
from vigie.errors import MessageError, SettingsError

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

    Messages that cannot be read are left out and named on standard error; the exit code is 1 then. Nothing is labelled while the
    registry does not answer, since there may be a champion.

    Example: `vigie predict app.log --project my-logs > labelled.jsonl`
    """
    logs.set_up(as_json=log_json, debug=debug)
    from vigie.app import Project  # noqa: PLC0415 — takes a second, and `vigie --help` should not

    opened = Project.open(project)
    try:
        opened.use_champion()
        with progress("messages", to_terminal=True) as advance:
            n_dead = 0
            for output, dead_letters in labelled(opened, file, text):
                write(output, sys.stdout.buffer)
                complain(dead_letters, n_before=n_dead)
                n_dead += dead_letters.height
                advance(output.len() + dead_letters.height)
    finally:
        opened.close()
    if n_dead > _NAMED:
        logger.warning("%s messages in all cannot be read; the others are labelled", f"{n_dead:,}")
    raise typer.Exit(FAILURE if n_dead else OK)


def labelled(project: "Project", file: str, text: list[str] | None) -> Iterator[tuple["pl.Series", "pl.DataFrame"]]:
    """Return the enriched messages of a file and its dead letters, batch by batch.

    Raises
    ------
    SettingsError
        The file does not exist or is of no known kind, or no message of its first batch has a text field.
    MessageError
        The file is broken; what comes before was returned.

    Returns
    -------
    Beside the columns of the dead letters ``line``: which message of its file each is, from 1.
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
    read: Counter[str] = Counter()
    try:
        while not source.exhausted:
            batch = _numbered(source.poll(MAX_BATCH, POLL_SECONDS), read)
            decoded = decode(batch, text_fields=text or TEXT_FIELDS, max_message_bytes=limit, format="auto")
            messages, dead_letters = split(decoded)
            dead_letters = dead_letters.with_columns(decoded.filter(decoded["error"].is_not_null())["line"])
            if batch.height and read.total() == batch.height:
                refuse_unnamed(messages, dead_letters, file, text or TEXT_FIELDS)
                _warn_without_model(project)
            frame, dimensions = project.labeller.label(messages)
            yield enrich(frame, dimensions)["output"], dead_letters
        if source.problems:  # in the log already
            raise MessageError(f"{file} was not read to its end; what comes before is labelled")
    finally:
        source.close()


def write(output: "pl.Series", to: BinaryIO) -> None:
    """Write messages, one a line."""
    for line in output:
        to.write(line)
        to.write(b"\n")
    to.flush()


def refuse_unnamed(
    messages: "pl.DataFrame", dead_letters: "pl.DataFrame", file: str, text_fields: Sequence[str]
) -> None:
    """Refuse a file in whose first messages no text was found because the field with the text has another name.

    Raises
    ------
    SettingsError
        That is so; says how the fields are called.
    """
    from vigie.stream.decode import NO_FIELD  # noqa: PLC0415 — Polars takes a while to import

    if messages.height or dead_letters.is_empty() or not dead_letters["error"].str.starts_with(NO_FIELD).all():
        return
    there = ", ".join(map(str, json.loads(dead_letters["payload"][0]))) or "nothing"
    what = "standard input" if file == "-" else file
    wanted = " or ".join(map(repr, text_fields))
    raise SettingsError(
        f"no message of {what} has a field {wanted}; say what holds the text with --text; it has: {there}"
    )


def complain(dead_letters: "pl.DataFrame", *, n_before: int) -> None:
    """Name the first messages that could not be read, and say that there are more."""
    from vigie.sources.generations import kind_of  # noqa: PLC0415 — Polars takes a while to import

    rows = dead_letters.select("stream", "line", "error").iter_rows()
    for n, (stream, line, error) in enumerate(rows, start=n_before):
        if n < _NAMED:
            place = f"{'line' if kind_of(Path(stream)) == 'lines' else 'row'} {line} of {stream}"
            logger.warning("%s cannot be read: %s", place, error.replace("in text_fields", "with --text"))
        elif n == _NAMED:
            logger.warning("there are more that cannot be read")


def _warn_without_model(project: "Project") -> None:
    if project.labeller.model is None:
        logger.warning(
            "there is no model yet: labels are those of rules, else the defaults; answer questions (vigie web) or "
            "import labels (vigie import), and train one (vigie train)"
        )


def _numbered(batch: "pl.DataFrame", read: Counter[str]) -> "pl.DataFrame":
    """Return a batch with ``line``, and count its messages by their file."""
    import polars as pl  # noqa: PLC0415 — takes a while to import

    before = pl.col("stream").replace_strict(dict(read), default=0, return_dtype=pl.Int64) if read else pl.lit(0)
    numbered = batch.with_columns(line=before + pl.int_range(1, pl.len() + 1).over("stream"))
    read.update(dict(batch["stream"].value_counts().iter_rows()))
    return numbered
