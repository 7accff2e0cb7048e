"""`vigie train`: one training, now."""

import json
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

from vigie.cli import logs
from vigie.cli.options import HERE, DebugOption, JsonOption, ProjectOption
from vigie.cli.progress import progress, waiting

if TYPE_CHECKING:
    from vigie.learner.trainer import Trained


def train(project: ProjectOption = HERE, as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """Train a model from all answers now, register it, and make it champion unless it is worse.

    Example: `vigie train --project my-logs`
    """
    logs.set_up(debug=debug)
    from vigie.app import Project  # noqa: PLC0415 — takes a second, and `vigie --help` should not

    opened = Project.open(project)
    try:
        learner = opened.learner()
        show(learner.encode())
        with waiting("training"):
            trained = learner.train()
    finally:
        opened.close()
    print(json.dumps(as_plain(trained)) if as_json else told(trained))


def show(steps: Iterator[tuple[int, int]]) -> None:
    """Do work to its end and show how far it is; after each step it says how much is done, of how much."""
    first = next(steps, None)
    if first is None:
        return
    with progress("groups encoded", first[1]) as advance:
        before = 0
        for done, _ in chain([first], steps):
            advance(done - before)
            before = done


def as_plain(trained: "Trained") -> dict[str, Any]:
    """Return what came of a training as JSON shows it."""
    return {
        "version": trained.version,
        "promoted": trained.verdict.promote,
        "reason": trained.verdict.reason,
        "groups": trained.n_examples,
        "accuracy": {name: None if found is None else found.value for name, found in trained.accuracy.items()},
        "seconds": round(trained.seconds, 2),
    }


def told(trained: "Trained") -> str:
    """Return what came of a training in a few lines."""
    champion = "It is the new champion" if trained.verdict.promote else "The champion stays"
    lines = [
        f"Version {trained.version} learned from {trained.n_examples:,} groups in {trained.seconds:.1f} s.",
        f"{champion}: {trained.verdict.reason}",
    ]
    for name, found in trained.accuracy.items():
        if found is not None:
            lines.append(f"{name}: {found.value:.1%} of all messages right (95 %: {found.low:.1%} to {found.high:.1%})")
    return "\n".join(lines)
