"""`vigie export`: what people answered, as a file."""

import json
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vigie.cli import logs
from vigie.cli.counts import ANSWERS, QUESTIONS, counted
from vigie.cli.options import HERE, DebugOption, JsonOption, ProjectOption
from vigie.cli.progress import waiting
from vigie.errors import SettingsError

if TYPE_CHECKING:
    from vigie.app import Project
    from vigie.exchange import Format

FileArgument = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="Where to write; a name that ends in .gz is compressed.", show_default=False),
]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="csv, jsonl, parquet, label_studio, prodigy, doccano or argilla.  "
        "[default: csv, jsonl or parquet by the name of FILE]",
    ),
]
HistoryOption = Annotated[
    bool, typer.Option("--history", help="Also what was said otherwise or taken back since, not only what holds.")
]
QuestionsOption = Annotated[
    bool,
    typer.Option(
        "--questions",
        help="Write what is asked, not what was answered: how the tool that is named with --format must be set up.",
    ),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Overwrite FILE where it exists.")]


def export_file(
    file: FileArgument,
    format: FormatOption = None,  # noqa: A002 - the name of the option
    history: HistoryOption = False,
    questions: QuestionsOption = False,
    force: ForceOption = False,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Write what people answered to a file, for `vigie import` or another tool.

    An answer keeps its annotator, time and id wherever the format has a place for them; what it has no place for is
    said. Each answer stands beside one real message of its group.

    Example: `vigie export answers.csv`

    Example: `vigie export tasks.json --format label_studio`

    Example: `vigie export config.xml --format label_studio --questions`
    """
    logs.set_up(debug=debug)
    refuse_place(file, force=force)
    if questions:
        export_questions(file, format, project, as_json=as_json)
        return
    from vigie.app import Project  # noqa: PLC0415 — takes a second, and `vigie --help` should not
    from vigie.exchange import format_named, format_of  # noqa: PLC0415 — the same

    kind = format_named(format) if format else format_of(file, to_write=True)
    if history and not kind.has_history:
        raise SettingsError(f"{kind.name} has one answer of a person about a message; leave --history out")
    opened = Project.open(project)
    try:
        with waiting("writing answers"):
            written, left = export(opened, file, kind, history=history)
    finally:
        opened.close()
    figures = {"format": kind.name, "answers": written, "left_out": left}
    print(json.dumps(figures) if as_json else told(file, kind.name, written, left))


def refuse_place(file: Path, *, force: bool) -> None:
    """Refuse a file that cannot be written where it is to be, or that is there already.

    Raises
    ------
    SettingsError
        That is so.
    """
    try:
        if file.is_dir():
            raise SettingsError(f"{file} is a folder; name a file in it, such as {file / 'answers.csv'}")
        if not file.absolute().parent.is_dir():
            raise SettingsError(f"{file} cannot be written: there is no folder {file.absolute().parent}")
        if file.exists() and not file.is_file():
            raise SettingsError(f"{file} is no plain file; name one, since it is put in place when it is whole")
        if file.exists() and not force:
            raise SettingsError(f"{file} exists; choose another name, or say --force")
    except OSError as error:
        raise SettingsError(f"{file} cannot be written: {error.strerror or error}") from error


def export_questions(file: Path, kind: str | None, project: Path, *, as_json: bool) -> None:
    """Write how another tool must be set up to ask what this project asks.

    Raises
    ------
    SettingsError
        The tool is not named, needs no such file, or the file cannot be written.
    """
    from vigie.exchange import TEMPLATES  # noqa: PLC0415 — takes a second to import
    from vigie.settings import load  # noqa: PLC0415 — the same

    if kind is None or kind not in TEMPLATES:
        raise SettingsError(f"--questions needs --format {'|'.join(TEMPLATES)}; the other formats need no such file")
    dimensions = load(project).as_dimensions()
    try:
        file.write_text(TEMPLATES[kind](dimensions), encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{file} cannot be written: {error.strerror or error}") from error
    figures = {"format": kind, "questions": len(dimensions)}
    print(json.dumps(figures) if as_json else f"{counted(len(dimensions), *QUESTIONS)} written to {file} ({kind}).")


def export(project: "Project", file: Path, kind: "Format", *, history: bool) -> tuple[int, dict[str, int]]:
    """Write the answers of a project, whole or not at all; return how many, and how many were left out by what they are.

    Raises
    ------
    SettingsError
        The file cannot be written.
    """
    from vigie.exchange import Status, dimensions_of, given, sift  # noqa: PLC0415 — takes a second to import

    answers = given(project.store.annotations, history=history)
    left: Counter[Status] = Counter()
    carried = list(sift(answers, kind, left))
    place = file.resolve()  # of a link, what it points to
    unfinished = place.with_name(f".unfinished-{place.name}")
    try:
        kind.write(carried, unfinished, dimensions_of(answers, project.dimensions))
        unfinished.replace(place)
    except OSError as error:
        raise SettingsError(f"{file} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):  # said already, where it could not be written
            unfinished.unlink()
    return len(carried), {status.value: n for status, n in left.items()}


def told(file: Path, kind: str, written: int, left: Mapping[str, int]) -> str:
    """Return what was written and what was not, for people."""
    lines = [f"{counted(written, *ANSWERS)} written to {file} ({kind})."]
    lines += [f"{n:,} {status} left out: {kind} has no place for them." for status, n in left.items()]
    return "\n".join(lines)
