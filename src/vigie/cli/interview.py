"""What `vigie init` asks in a terminal, and the `vigie.toml` that the answers make."""

from collections.abc import Mapping, Sequence

import tomlkit
import typer

from vigie.labels import Dimension, Label
from vigie.settings import parse

KINDS = ("logs", "social")
RESERVED = "vigie"

_FIRST_DIMENSION = "[[dimensions]]"
_AFTER_DIMENSIONS = "# Where messages come from."


def ask_goal() -> str:
    """Ask what the project is for."""
    typer.secho("\nA new project. Everything can be changed later in vigie.toml.", bold=True)
    return str(typer.prompt("\nWhat do you want to know of your messages?", prompt_suffix="\n> ")).strip()


def ask_kind() -> str:
    """Ask how messages are to be made comparable: ``logs`` or ``social``."""
    typer.echo("\nAre the messages written by machines (logs) or by people (social)?")
    while (answer := str(typer.prompt("kind", default=KINDS[0])).strip().lower()) not in KINDS:
        typer.secho(f"{answer!r} is none of {', '.join(KINDS)}.", fg="yellow")
    return answer


def ask_dimensions() -> list[Dimension]:
    """Ask what is asked of each message: at least one dimension, each with at least two labels."""
    typer.echo("\nA dimension is one thing asked of each message, such as severity, topic or sentiment.")
    dimensions = [_ask_dimension(taken=())]
    while typer.confirm("\nAsk something else of each message?", default=False):
        dimensions.append(_ask_dimension(taken=[dimension.name for dimension in dimensions]))
    return dimensions


def settings_text(template: str, *, name: str, goal: str, dimensions: Sequence[Dimension]) -> str:
    """Return the `vigie.toml` of a template with another name, goal and dimensions; its comments stay.

    Parameters
    ----------
    template
        The text of a `vigie.toml` that comes with Vigie.
    name, goal
        For ``[project]``.
    dimensions
        At least one.

    Raises
    ------
    SettingsError
        The answers make no project.
    """
    head, _, rest = template.partition(_FIRST_DIMENSION)
    tail = rest[rest.index(_AFTER_DIMENSIONS) :]
    document = tomlkit.parse(head)
    project = document["project"]
    assert isinstance(project, Mapping)
    project.update({"name": name, "goal": goal})  # type: ignore[attr-defined]  # a tomlkit table can be changed
    blocks = [_block(dimension) for dimension in dimensions]
    text = "\n".join([tomlkit.dumps(document).rstrip("\n"), *blocks, tail])
    parse(text)
    return text


def rules_text(dimension: Dimension) -> str:
    """Return a rules file that only shows how a rule is written."""
    rule = tomlkit.table()
    rule.update({"name": "an-example", "pattern": "(?i)some words"})
    labels = tomlkit.inline_table()
    labels.update({dimension.name: dimension.label_names[0]})
    rule["labels"] = labels
    shown = "".join(f"# {line}\n" for line in ("[[rules]]", *tomlkit.dumps(rule).strip().splitlines()))
    return f"# Rules set labels where the model is not sure; see [rules] in vigie.toml. For instance:\n#\n{shown}"


def _ask_dimension(taken: Sequence[str]) -> Dimension:
    name = _ask_name("name of the dimension", taken=[*taken, RESERVED])
    question = str(typer.prompt("what people are asked", default=f"What {name} is it?")).strip()
    typer.echo("Its labels, one a line, as `label: when to choose it`; an empty line ends the list.")
    labels: list[Label] = []
    while True:
        line = str(typer.prompt(f"label {len(labels) + 1}", default="", show_default=False)).strip()
        label, _, guideline = (part.strip() for part in line.partition(":"))
        if problem := _problem_with(label, labels):
            typer.secho(problem, fg="yellow")
        elif label:
            labels.append(Label(label, guideline))
        else:
            break
    return Dimension(name=name, labels=tuple(labels), question=question)


def _problem_with(label: str, labels: Sequence[Label]) -> str | None:
    if not label:
        return None if len(labels) > 1 else f"At least two labels are needed; there are {len(labels)}."
    return f"{label} is there already." if label in {known.name for known in labels} else None


def _ask_name(what: str, taken: Sequence[str]) -> str:
    while True:
        name = str(typer.prompt(what)).strip()
        if name and name not in taken:
            return name
        typer.secho(f"{name!r} cannot be used; expected a name other than {', '.join(taken)}.", fg="yellow")


def _block(dimension: Dimension) -> str:
    labels = tomlkit.array().multiline(multiline=True)
    for label in dimension.labels:
        entry = tomlkit.inline_table()
        entry.update({"name": label.name} | ({"guideline": label.guideline} if label.guideline else {}))
        labels.append(entry)
    table = tomlkit.table()
    table.update({"name": dimension.name, "question": dimension.question})
    table["labels"] = labels
    return f"{_FIRST_DIMENSION}\n{tomlkit.dumps(table)}"
