"""Writes the reference pages from the code: `python -m docs.reference`; a test fails while they differ."""

import inspect
import re
import sys
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import polars as pl
import typer
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from vigie import errors, plugins
from vigie.api import application
from vigie.cli import app
from vigie.labels import Dimension, Label
from vigie.monitoring import Metrics, Snapshot
from vigie.parameters import flat, is_bundle
from vigie.settings import Settings, models

if TYPE_CHECKING:
    from vigie.app import Services

FOLDER = Path(__file__).parent
NOTE = "<!-- written by `make docs`; change the docstrings in the code instead -->\n"
REFUSED = "400"
OFFERED = {
    "name",
    "owner",
    "inbox",
    "checkpoints",
    "until_end",
    "instance",
    "max_message_bytes",
    "transactional_id",
    "folder",
    "self",
    "clock",
}


def pages() -> dict[str, str]:
    """Return every generated page by file name."""
    return {
        "settings.md": "\n".join(_settings()),
        "commands.md": "\n".join(_commands()),
        "metrics.md": "\n".join(_metrics()),
        "errors.md": "\n".join(_errors()),
        "rest.md": "\n".join(_rest()),
    }


def _settings() -> Iterator[str]:
    yield f"{NOTE}# Settings\n"
    yield "`vigie.toml`, section by section. Every key can be set in the environment as `VIGIE_SECTION__KEY`.\n"
    for name, field in Settings.model_fields.items():
        section = _section(field.annotation)
        if section is not None:
            yield from _section_lines(name, section)
    for family in ("sources", "sinks"):
        for name in plugins.names(family):
            yield from _part_lines(family, name)


def _section(annotation: Any) -> type[BaseModel] | None:
    found = [kind for kind in (annotation, *typing.get_args(annotation)) if inspect.isclass(kind)]
    return next((kind for kind in found if issubclass(kind, models.Section)), None)


def _section_lines(name: str, section: type[BaseModel]) -> Iterator[str]:
    text = inspect.cleandoc(section.__doc__ or "").replace("``", "`")
    yield f"## {name}\n\n{text}\n\n| key | type | default |\n|---|---|---|"
    for key, field in section.model_fields.items():
        default = "required" if field.default is PydanticUndefined and not field.default_factory else _default(field)
        yield f"| `{key}` | {_kind(field.annotation)} | {default} |"
    yield ""


def _default(field: Any) -> str:
    value = field.get_default(call_default_factory=True)
    return f"`{list(value) if isinstance(value, tuple) else value!r}`" if value not in ("", None) else ""


def _part_lines(family: str, name: str) -> Iterator[str]:
    part = plugins.load(family, name)
    yield f"## {family} of type `{name}`\n\n{_first_paragraph(part)}\n\n| key | type | default |\n|---|---|---|"
    for key, parameter in flat(part).items():
        if key not in OFFERED:
            empty = parameter.default is inspect.Parameter.empty
            default = "required" if empty else f"`{parameter.default!r}`" if parameter.default is not None else ""
            yield f"| `{key}` | {_kind(parameter.annotation)} | {default} |"
    yield f"\n{_parameters(part)}\n"


def _first_paragraph(part: Any) -> str:
    return inspect.cleandoc(part.__doc__ or "").split("\n\n")[0].replace("\n", " ").replace("``", "`")


def _parameters(part: Any) -> str:
    """Return the part's own words about its parameters as a list; instead of a bundle those about its fields."""
    places = {name: place for place, name in enumerate(flat(part))}
    lines = [line.replace("``", "`") for line in _words(part)]
    return "\n".join(sorted(lines, key=lambda line: places[re.findall(r"\w+", line)[0]]))


def _words(part: Any) -> Iterator[str]:
    bundles = [parameter for parameter in inspect.signature(part).parameters.values() if is_bundle(parameter)]
    for bundle in bundles:
        yield from _words(bundle.annotation)
    unwanted = OFFERED | {bundle.name for bundle in bundles}
    _, _, rest = inspect.cleandoc(part.__doc__ or "").partition("Parameters\n----------\n")
    lines: list[str] = []
    for line in rest.partition("\n\n")[0].splitlines():
        if line.startswith(" "):
            lines[-1] += f" {line.strip()}"
        elif not set(line.split(", ")) <= unwanted:
            lines.append(f"- **{line.strip()}**:")
        else:
            lines.append("")
    yield from (line for line in lines if line.startswith("-"))


def _kind(annotation: Any) -> str:
    name = annotation.__name__ if inspect.isclass(annotation) else str(annotation)
    for old, new in (("typing.", ""), ("collections.abc.", ""), ("vigie.settings.models.", ""), ("|", "or")):
        name = name.replace(old, new)
    return f"`{name}`" if "Annotated" not in name else "`str`"


def _commands() -> Iterator[str]:
    yield f"{NOTE}# Commands\n"
    group: Any = typer.main.get_command(app)
    context = typer.Context(group, info_name="vigie")
    for name, command in _named(group, context):
        text = inspect.cleandoc(command.help or "").replace("``", "`")
        yield f"## vigie {name}\n\n{text}\n\n| option | what it does |\n|---|---|"
        for parameter in command.params:
            label = ", ".join(f"`{option}`" for option in parameter.opts) or f"`{parameter.name}`"
            yield f"| {label} | {_one_line(getattr(parameter, 'help', None))} |"
        yield ""


def _named(group: Any, context: typer.Context, before: str = "") -> Iterator[tuple[str, Any]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if hasattr(command, "list_commands"):
            yield from _named(command, context, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def _metrics() -> Iterator[str]:
    yield f"{NOTE}# Metrics\n\n`GET /metrics`, in Prometheus's text format. No message text and no id is ever a label.\n"
    yield "| metric | type | labels | what it tells |\n|---|---|---|---|"
    for family in text_string_to_metric_families(Metrics().render(_example()).decode()):
        names = sorted({name for sample in family.samples for name in sample.labels} - {"le"})
        suffix = "_total" if family.type == "counter" else ""
        if not family.name.endswith("_created"):
            yield f"| `{family.name}{suffix}` | {family.type} | {', '.join(names)} | {family.documentation} |"


def _example() -> Snapshot:
    rows = [
        ("s", "route", "", "auto", 1),
        ("s", "label", "d", "l", 1),
        ("s", "confidence", "d", "1", 1),
        ("s", "dead_letter", "", "", 1),
    ]
    totals = pl.DataFrame(rows, schema=["source", "kind", "dimension", "value", "count"], orient="row")
    lag: Mapping[tuple[str, str, int], int] = {("s", "t", 0): 1}
    return Snapshot(
        totals,
        {"open": 1},
        aliases={"champion": "1"},
        lag=lag,
        accuracy={"d": 1.0},
        agreement={("d", "kappa"): 0.8},
        gold_accuracy=1.0,
        review={"disagreements": 1},
    )


def _errors() -> Iterator[str]:
    yield f"{NOTE}# Errors\n\n```\n{inspect.cleandoc(errors.__doc__ or '').partition('::')[2].strip()}\n```\n"
    for name, kind in vars(errors).items():
        if inspect.isclass(kind) and issubclass(kind, errors.VigieError):
            yield f"- `{name}`: {_first_paragraph(kind)}"
    yield ""


def _rest() -> Iterator[str]:
    services = SimpleNamespace(dimensions=(Dimension("severity", (Label("info"),)),))
    schema = application(cast("Services", services)).openapi()
    yield f"{NOTE}# REST interface\n"
    yield "A running `vigie up` or `vigie web` serves it beside the pages, by default on <http://127.0.0.1:8080>; `/docs` there shows every"
    yield "field with examples, to be tried out, and `/openapi.json` is the same for machines. Bodies are JSON (`/send` takes forms as well).\n"
    operations = [(path, *one) for path, methods in schema["paths"].items() for one in methods.items()]
    yield from _refusals([operation["responses"] for *_, operation in operations])
    for path, method, operation in operations:
        yield f"## `{method.upper()} {path}`\n\n{inspect.cleandoc(operation['description'])}\n"
        yield from (f"- `{one['name']}`{_meaning(one)}" for one in operation.get("parameters", []))
        answers = operation["responses"].items()
        said = [f"{code} ({one['description'].rstrip('.').lower()})" for code, one in answers if code < REFUSED]
        refused = [code for code, _ in answers if code >= REFUSED]
        yield f"- answers {', '.join(said)}{'; refuses with ' if refused else ''}{', '.join(refused)}\n"


def _refusals(answers: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield 'What is refused is answered with `{"detail": reason}`, and nothing of it is stored.\n'
    yield "| status | why |\n|---|---|"
    meanings = {
        code: one["description"].rstrip(".") for some in answers for code, one in some.items() if code >= REFUSED
    }
    yield from (f"| {code} | {meanings[code]} |" for code in sorted(meanings))
    yield ""


def _meaning(parameter: Mapping[str, Any]) -> str:
    text = parameter.get("description") or parameter["schema"].get("description", "")
    default = parameter["schema"].get("default")
    return (f": {text[0].lower()}{text[1:].rstrip('.')}" if text else "") + (
        f" (`{default}` if left out)" if default is not None else ""
    )


if __name__ == "__main__":
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    sys.exit(0)
