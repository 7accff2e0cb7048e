"""The figures of `docs/explanation/label-efficiency.md`, from trials that are done."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
from scipy.stats import t

from vigie.cli.simulate_report import figure, score
from vigie.evaluation.curves import About, Run, Trial, runs

BUDGETS = (0, 50, 100, 200, 300)
FRAME = "# How many answers it takes\n\n<!-- figures -->\n<!-- end of figures -->\n"


def results(cases: Mapping[str, Any], kept: Sequence[Any], *, n_seeds: int) -> str:
    """Return a section per case: the command, a table per dimension, and what it says.

    Parameters
    ----------
    cases
        By name.
    kept
        Trials that are done.
    n_seeds
        How many a finished system has.
    """
    lines: list[str] = []
    for name, case in cases.items():
        here = [one for one in kept if one.case == name]
        if here:
            lines += ["", f"### {name}", "", "```", case.command(), "```", *_tables(here, n_seeds)]
    left = [name for name in cases if not any(one.case == name for one in kept)]
    if left:
        lines += ["", f"Not run yet: {', '.join(left)}."]
    return "\n".join([*lines, "", ""])


def _tables(kept: Sequence[Any], n_seeds: int) -> Iterator[str]:
    """Compare over the seeds that every system has, so that none has easier tests than another."""
    seeds_of = [{one.seed for one in kept if one.about == about} for about in {one.about for one in kept}]
    shared = set.intersection(*seeds_of)
    kept = [one for one in kept if one.seed in shared]
    if not kept:
        yield from ("", "No seed has every system yet.")
        return
    found: dict[tuple[About, str], dict[int, Trial]] = {}
    for one in sorted(kept, key=lambda one: (one.about.system != "vigie", one.about.system)):
        for dimension, trial in one.trials.items():
            found.setdefault((one.about, dimension), {})[one.seed] = trial
    curves = runs({key: list(trials.values()) for key, trials in found.items()})
    for dimension in dict.fromkeys(run.dimension for run in curves):
        here = [run for run in curves if run.dimension == dimension]
        shown = [n for n in BUDGETS if any(n in run.answers for run in here)]
        yield from ("", _seeds(len(shared), n_seeds), "") if dimension == curves[0].dimension else ("",)
        yield f"| **{dimension}** | {' | '.join(map(str, shown))} | all | 90 % | 95 % | 98 % | s/step |"
        yield "|---" * (len(shown) + 6) + "|"
        for run in here:
            yield _row(run, shown)
        yield ""
        yield from _verdicts(here)
        yield from _below({about: trials for (about, name), trials in found.items() if name == dimension})


def _seeds(n: int, n_seeds: int) -> str:
    what = f"{n} {'seed' if n == 1 else 'seeds'}"
    return f"{what}." if n >= n_seeds else f"{what} of {n_seeds}: **unfinished**."


def _row(run: Run, shown: Sequence[int]) -> str:
    goals = (run.answers_to_90, run.answers_to_95, run.answers_to_98)
    cells = [
        _called(run),
        *(score(run, n) for n in shown),
        figure(run.full_supervision),
        *("-" if goal is None else str(goal) for goal in goals),
        figure(run.seconds_per_step),
    ]
    return f"| {' | '.join(cells)} |"


def _called(run: About | Run) -> str:
    return f"{run.system}: {run.model}, {run.strategy}"


def _verdicts(curves: Sequence[Run]) -> Iterator[str]:
    """Say how many of the best peer's answers Vigie needs for 90 %."""
    peers = [run.answers_to_90 for run in curves if run.system != "vigie" and run.answers_to_90 is not None]
    best = min(peers, default=None)
    most = max((run.answers[-1] for run in curves if run.system != "vigie"), default=0)
    theirs = f"the best peer {best}" if best else f"no peer in {most}"
    for run in curves:
        if run.system == "vigie" and most:
            ours = run.answers_to_90
            share = f", {ours / best:.2f} times as many" if best and ours is not None else ""
            yield f"- {_called(run)}: to 90 % {'not' if ours is None else f'in {ours}'}; {theirs}{share}"


def _below(found: Mapping[About, Mapping[int, Trial]]) -> Iterator[str]:
    """Say where a peer was above Vigie beyond noise: the 95 % interval of the difference over the same seeds excludes 0."""
    for ours, theirs, n in product(found, found, BUDGETS[1:]):
        if ours.system != "vigie" or theirs.system == "vigie":
            continue
        pairs = [(found[ours][seed], found[theirs][seed]) for seed in found[ours] if seed in found[theirs]]
        gaps = np.array([_at(two, n) - _at(one, n) for one, two in pairs if n in one.answers and n in two.answers])
        if len(gaps) > 1:
            half = float(t.ppf(0.975, len(gaps) - 1) * gaps.std(ddof=1) / np.sqrt(len(gaps)))
            if gaps.mean() > half:
                yield f"- {_called(ours)}: at {n} below {_called(theirs)} by {gaps.mean():.2f} ±{half:.2f}"


def _at(trial: Trial, n: int) -> float:
    return trial.macro_f1[trial.answers.index(n)]
