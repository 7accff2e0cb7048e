"""`vigie import` of answers that other tools, or `vigie export`, wrote down with annotator, time and id."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from vigie.cli.counts import ANSWERS, LABELS, MESSAGES, ROWS, counted
from vigie.cli.progress import progress
from vigie.errors import SettingsError

if TYPE_CHECKING:
    from vigie.app import Project
    from vigie.exchange import Answer, Expected, Findings

_TABLES = frozenset({"csv", "jsonl", "parquet"})


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says about a file.

    Parameters
    ----------
    file, format
        What to read, and how; None to look.
    text
        What the message is called in it; None for what is usual.
    questions
        What dimensions are called in it, by dimension.
    annotator
        Whose answers these are where it does not say.
    """

    file: Path
    format: str | None
    text: str | None
    questions: Mapping[str, str]
    annotator: str


def refuse_name(annotator: str) -> None:
    """Refuse what cannot be the name of an annotator.

    Raises
    ------
    SettingsError
        It is blank, too long, or has characters that nobody sees.
    """
    from vigie.exchange.answers import MAX_ANNOTATOR_CHARACTERS  # noqa: PLC0415 — takes a second to import

    if not annotator.strip() or not annotator.isprintable() or len(annotator) > MAX_ANNOTATOR_CHARACTERS:
        raise SettingsError(
            f"--annotator is {annotator!r:.60}; expected a name of at most {MAX_ANNOTATOR_CHARACTERS} visible characters"
        )


def expected(
    project: "Project", renames: Mapping[tuple[str, str], str], annotator: str, *, skip_unknown: bool
) -> "Expected":
    """Return what the answers of a file are measured against."""
    from vigie.exchange import Expected  # noqa: PLC0415 — takes a second, and `vigie --help` should not

    return Expected(project.dimensions, renames, skip_unknown=skip_unknown, annotator=annotator)


def run(asked: Asked, expected: "Expected", project: "Project", *, as_json: bool) -> None:
    """Check a file, bring in what it holds, and say what that was.

    Raises
    ------
    SettingsError
        The file cannot be read, or its labels would be left behind; nothing was written.
    LabelError
        Labels or dimensions are unknown; nothing was written.
    """
    from vigie.exchange import bring_in, examine, format_named, format_of  # noqa: PLC0415 — takes a second to import

    kind = format_named(asked.format) if asked.format else format_of(asked.file)
    with progress("rows checked") as advance:
        found = examine(answers(asked, kind.name, project), expected, advance)
    if kind.name in _TABLES:
        refuse_unread(asked, kind.name, found, project)
    with progress("rows imported", found.n_rows) as advance:
        bring_in(
            answers(asked, kind.name, project),
            expected,
            found,
            store=project.store,
            normalise=project.text.normalise,
            now=datetime.now(UTC),
            on_row=advance,
        )
    print(json.dumps(figures(found, kind.name)) if as_json else told(found, kind.name))


def refuse_unread(asked: Asked, kind: str, found: "Findings", project: "Project") -> None:
    """Refuse a table whose labels would be left behind, since no column is called like a dimension.

    Raises
    ------
    SettingsError
        It has columns that may hold labels, and none that is read; or none that `--label` names.
    """
    from vigie.exchange import Status  # noqa: PLC0415 — takes a second to import
    from vigie.exchange.table import COLUMNS  # noqa: PLC0415 — the same

    nothing = found.n_rows > 0 and found.statuses[Status.OPEN] == found.n_rows and not found.unknown
    if not nothing and not asked.questions:
        return
    there = _columns(asked.file, kind)
    for column in asked.questions.values():
        if there and column not in there:
            raise SettingsError(f"{asked.file} has no column {column!r}; it has: {', '.join(there)}")
    names = [one.name for one in project.dimensions]
    read = {"status", *names, *(f"label:{name}" for name in names), *asked.questions.values()}
    others = there.keys() - COLUMNS.keys() - {asked.text}
    if nothing and others and not there.keys() & read:
        raise SettingsError(
            f"no column of {asked.file} is called {' or '.join(names)}, and nothing was written; "
            f"say --label {names[0]}=COLUMN, or --text {asked.text or 'text'} for messages without labels; "
            f"columns are {', '.join(there)}"
        )


def _columns(file: Path, kind: str) -> dict[str, None]:
    """Return the names of a table's columns, in order."""
    import polars as pl  # noqa: PLC0415 — takes a while to import

    from vigie.exchange.reading import rows  # noqa: PLC0415 — takes a second to import
    from vigie.exchange.table import csv_rows  # noqa: PLC0415 — the same

    if kind == "parquet":
        return dict.fromkeys(pl.scan_parquet(file).collect_schema().names())
    if kind == "csv":
        return dict.fromkeys(name for row in islice(csv_rows(file), 1) for name in row.values)
    return dict.fromkeys(name for row in rows(file) for name in row.values)


def answers(asked: Asked, kind: str, project: "Project") -> Iterator["Answer"]:
    """Return the answers of a file, lazily; may be called again."""
    from vigie.exchange import Reading, format_named  # noqa: PLC0415 — takes a second to import

    questions = {question: dimension for dimension, question in asked.questions.items()}
    return format_named(kind).read(asked.file, Reading(project.dimensions, asked.text, questions))


def figures(found: "Findings", kind: str) -> dict[str, int | str]:
    """Return what a file held and what became of it, for programs."""
    from vigie.exchange import Status  # noqa: PLC0415 — takes a second to import

    return {
        "format": kind,
        "rows": found.n_rows,
        "answers": found.n_answers,
        "labels": found.n_labels,
        "known": found.n_known,
        "outdated": found.n_outdated,
        "replaced": found.n_replaced,
        "skipped": found.statuses[Status.SKIPPED],
        "flagged": found.statuses[Status.FLAGGED],
        "new_skips_and_flags": found.n_refusals,
        "blank": found.n_blank,
        "unknown": sum(counts.total() for counts in found.unknown.values()),
    }


def told(found: "Findings", kind: str) -> str:
    """Return what a file held and what became of it, for people."""
    counts = figures(found, kind)
    brought = f"{counted(found.n_answers, *ANSWERS)} with {counted(found.n_labels, *LABELS)} brought in"
    lines = [f"{counted(found.n_rows, *ROWS)} read ({kind}); {brought}."]
    for name, things, what in (
        ("known", LABELS, "here already"),
        ("outdated", LABELS, "left out: the same person said otherwise later"),
        ("replaced", LABELS, "put in place of what the same person had said about the group"),
        ("skipped", MESSAGES, "skipped by their annotator, who is not asked about them again"),
        ("flagged", MESSAGES, "flagged; nobody is asked about them"),
        ("blank", ROWS, "without a text"),
        ("unknown", LABELS, "unknown and left out"),
    ):
        if counts[name]:
            lines.append(f"{counted(int(counts[name]), *things)} {what}.")
    return "\n".join(lines)
