"""`vigie status`: how a project is doing."""

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from vigie.cli import logs
from vigie.cli.options import HERE, DebugOption, JsonOption, ProjectOption
from vigie.cli.status_numbers import numbers
from vigie.cli.status_quality import quality

if TYPE_CHECKING:
    from rich.console import RenderableType


_MEASURE = "accuracy."


def status(project: ProjectOption = HERE, as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """Say how a project is doing: messages, questions, models and their accuracy, running roles, problems.

    Example: `vigie status --project my-logs --json`
    """
    logs.set_up(debug=debug)
    from vigie.app import Project, Services, Watcher  # noqa: PLC0415 — takes a second, and `vigie --help` should not

    opened = Project.open(project)
    try:
        watcher = Watcher(opened)
        watcher.settings_problem = opened.without_broken_rules()
        watcher.look()
        found = Services(opened, watcher).status()
    finally:
        opened.close()
    if as_json:
        print(json.dumps(found, ensure_ascii=False, default=str))
        return
    from rich.console import Console  # noqa: PLC0415 — Rich takes a while to import

    console = Console(highlight=False)
    for part in report(found):
        console.print(part)


def report(found: Mapping[str, Any]) -> Iterator["RenderableType"]:
    """Return the parts of a page about a project.

    Parameters
    ----------
    found
        What `Services.status` returns.
    """
    from rich.text import Text  # noqa: PLC0415 — Rich takes a while to import

    project = found["project"]
    yield Text.assemble((project["name"], "bold"), f"  {project['goal']}\n")
    yield _table(_figures(found))
    if found["model"]["versions"]:
        yield _table(_versions(found["model"]["versions"]), "version", "alias", "made", "right on the audited")
    if found["roles"]:
        yield _table(_roles(found["roles"]), "role", "instance", "process", "seen")
    else:
        yield Text("No role runs. Start them with: vigie up\n", style="yellow")
    for problem in found["problems"]:
        yield Text(f"! {problem}", style="red")


def _figures(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    messages, questions, training = found["messages"], found["questions"], found["training"]
    routes = ", ".join(f"{n:,} {route}" for route, n in messages["by_route"].items())
    yield "messages", f"{messages['total']:,} ({messages['per_second']:g} a second){': ' if routes else ''}{routes}"
    yield "dead letters", f"{messages['dead_letters']:,}"
    yield "groups", f"{found['groups']['total']:,}, {found['groups']['answered']:,} of them answered"
    yield "questions", ", ".join(f"{n:,} {state}" for state, n in questions.items()) or "none"
    yield "answers", f"{found['answers']:,}{_next_training(training, found['roles'])}"
    if training.get("to_embed"):
        yield "embeddings", f"{training['embedded']:,} of {training['to_embed']:,} groups"
    yield "champion", f"version {found['model']['champion']}" if found["model"]["champion"] else "none yet"
    yield from numbers(found)
    yield from quality(found["quality"])


def _next_training(training: Mapping[str, Any], roles: list[dict[str, Any]]) -> str:
    missing = training["retrain_after"] - training["answers_since"]
    if training["running"]:
        return "; a training runs now"
    if all(role["role"] != "learner" for role in roles):
        return "; no learner runs to train with them"
    return f"; the next training starts after {missing:,} more" if missing > 0 else "; the next training starts soon"


def _versions(versions: list[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    for version in versions:
        accuracy = "  ".join(
            f"{name.removeprefix(_MEASURE)} {value:.1%}"
            for name, value in version.get("metrics", {}).items()
            if name.startswith(_MEASURE)
        )
        alias = version.get("alias") or ", ".join(version.get("aliases") or ())
        yield str(version["version"]), alias, str(version.get("created_at", ""))[:19], accuracy


def _roles(roles: list[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    for role in roles:
        yield role["role"], role["instance"], str(role["pid"]), str(role["seen_at"])[:19]


def _table(rows: Iterator[tuple[str, ...]], *header: str) -> "RenderableType":
    from rich import box  # noqa: PLC0415 — Rich takes a while to import
    from rich.padding import Padding  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(*header, box=box.SIMPLE_HEAD if header else None, show_header=bool(header), pad_edge=False)
    if not header:
        table.add_column(style="dim")
        table.add_column()
    for row in rows:
        table.add_row(*row)
    return Padding(table, (0, 0, 0 if header else 1, 0))
