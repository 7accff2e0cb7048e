"""`vigie init`: a new project directory."""

import json
import re
import sys
from collections.abc import Mapping
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from vigie.cli.options import HERE, JsonOption
from vigie.errors import SettingsError

SETTINGS = "vigie.toml"
RULES = "rules.toml"
MAX_NAME = 80
_NOT_IN_NAMES = re.compile(r"[^\w .-]")  # MLflow takes no / and : in the name of a model

_WORDS = """classifier = "linear.v1"     # or hybrid.v1, which also knows meanings: pip install 'vigie[embeddings]'"""
_MEANINGS = """classifier = "hybrid.v1"     # knows words and meanings; linear.v1 knows words and needs no encoder"""


class Template(StrEnum):
    """What a project can start from."""

    LOGS = "logs"
    SOCIAL = "social"


def init(
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="Where to make it.", show_default="this directory")
    ] = None,
    template: Annotated[
        Template | None,
        typer.Option("--template", help="Start from the labels for log lines, or those for social text."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over the files that are there.")] = False,
    project: Annotated[
        Path | None,
        typer.Option("--project", metavar="DIR", envvar="VIGIE_PROJECT", help="The same as DIR.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a project: a commented vigie.toml and rules.toml.

    Without --template it asks, in a terminal, what you want to know of your messages.

    Example: `vigie init my-logs --template logs`
    """
    where = folder or project or HERE
    _refuse_to_overwrite(where, force=force)
    texts = _named(template_texts(template), template, _name(where, template)) if template else _ask(where)
    write(where, texts)
    if as_json:
        typer.echo(json.dumps({"folder": str(where), "files": list(texts)}))
        return
    typer.echo(f"Made {where / SETTINGS} and {where / RULES}. Look at [sources] and [sinks] in the first; then:\n")
    option = "" if where == HERE else f" --project {where}"
    typer.echo(f"  vigie up{option}")


def template_texts(template: Template) -> dict[str, str]:
    """Return the files of a template by name; the classifier knows meanings where the extra ``embeddings`` is installed."""
    from vigie.features.encoder_files import is_installed  # noqa: PLC0415 — with what fetches an encoder

    folder = files("vigie").joinpath("templates", template)
    settings, rules = (folder.joinpath(name).read_text(encoding="utf-8") for name in (SETTINGS, RULES))
    return {SETTINGS: settings.replace(_WORDS, _MEANINGS) if is_installed() else settings, RULES: rules}


def write(folder: Path, texts: Mapping[str, str]) -> None:
    """Write the files of a project.

    Raises
    ------
    SettingsError
        They cannot be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{folder} cannot be made a project: {error.strerror} ({error.filename})") from error


def _refuse_to_overwrite(folder: Path, *, force: bool) -> None:
    there = [name for name in (SETTINGS, RULES) if (folder / name).exists()]
    if there and not force:
        raise SettingsError(f"{folder / there[0]} is there already; choose another directory, or --force to replace it")


def _name(folder: Path, template: Template) -> str:
    """Return what to call a project: its directory's name, so that two of them do not meet in one MLflow server or Kafka cluster."""
    return _NOT_IN_NAMES.sub("-", folder.resolve().name).strip()[:MAX_NAME] or template.value


def _named(texts: Mapping[str, str], template: Template, name: str) -> dict[str, str]:
    was, becomes = (f"[project]\nname = {json.dumps(one, ensure_ascii=False)}" for one in (template.value, name))
    return {**texts, SETTINGS: texts[SETTINGS].replace(was, becomes)}


def _ask(folder: Path) -> dict[str, str]:
    if not _is_terminal():
        known = " or ".join(f"--template {template}" for template in Template)
        raise SettingsError(f"no template is given and there is no terminal to ask in; say {known}")
    from vigie.cli import interview  # noqa: PLC0415 — tomlkit is needed only here

    goal = interview.ask_goal()
    kind = Template(interview.ask_kind())
    dimensions = interview.ask_dimensions()
    settings = interview.settings_text(
        template_texts(kind)[SETTINGS], name=_name(folder, kind), goal=goal, dimensions=dimensions
    )
    return {SETTINGS: settings, RULES: interview.rules_text(dimensions[0])}


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()
