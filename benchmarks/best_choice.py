"""How few answers any choice of questions could need: `python -m benchmarks.best_choice`.

Somebody who knows the labels of all groups asks, one at a time, about the group that brings the most macro-F1 once it is put
right, and the model learns after each answer. No strategy can know as much, so what this one needs tells how far the others may
get with the same model. It speaks of streams whose templates can be asked about; of new templates nobody can put one right.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from benchmarks.label_efficiency import ALONE, CASES, DATA, FOLDER, SEEDS, SHARE, alone, load
from vigie.classifiers import Classifier
from vigie.cli.simulate import ours, read
from vigie.evaluation.curves import About, Run, Trial, runs
from vigie.evaluation.simulate import Plan, Vigie, replay
from vigie.evaluation.simulate_data import split
from vigie.labels import Dimension
from vigie.messages import label_column

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
IntArray = np.ndarray[Any, np.dtype[np.int64]]

CASE = "logs-stream"
NAME = "knows all labels"
GOAL = 0.4  # of what the best peer needs


def main(arguments: list[str] | None = None) -> int:
    """Replay the stream of log lines for somebody who knows all labels, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--budget", type=int, default=80)
    chosen = parser.parse_args(arguments)
    if not DATA.is_dir():
        print(f"left out: there is no {DATA}")
        return 0
    found: dict[tuple[About, str], list[Trial]] = {}
    for about, trials in [*_knowing(chosen.seeds, chosen.budget), *_kept(chosen.seeds)]:
        for dimension, trial in trials.items():
            found.setdefault((about, dimension), []).append(trial)
    print("\n".join(table(runs(found))))
    return 0


def knowing(
    left: pl.DataFrame, model: Classifier | None, answered: pl.DataFrame, n: int, rng: np.random.Generator
) -> list[int]:
    """Return the groups that bring most macro-F1 over the pool when they alone are put right, as `evaluation.simulate.Rank`."""
    assert model is not None, "this one asks a model that predicts before it is answered"
    groups = pl.concat([left, answered])
    said, sizes = model.predict_proba(groups["template"]), groups["count"].to_numpy().astype(np.float64)
    gains = np.zeros(left.height)
    for dimension in model.dimensions:
        true = _codes(groups, dimension)
        ours = np.where(np.arange(groups.height) < left.height, said[dimension.name].argmax(axis=1), true)
        gains += gain(true, ours.astype(np.int64), sizes, len(dimension.labels))[: left.height]
    best = np.lexsort((rng.random(left.height), -gains))[:n]
    return [int(row) for row in left["group_id"].to_numpy()[best]]


def gain(true: IntArray, ours: IntArray, sizes: FloatArray, n_labels: int) -> FloatArray:
    """Return by how much macro-F1 grows when one group is put right and the others stay, shape (n_groups,).

    Parameters
    ----------
    true, ours
        Labels as numbers, shape (n_groups,); `true` is -1 where there is none.
    sizes
        Messages in each group, shape (n_groups,).
    n_labels
        How many labels there are.

    Examples
    --------
    >>> gain(np.array([0, 1, 1]), np.array([0, 0, 1]), np.array([1.0, 2.0, 2.0]), 2).round(3)
    array([0.   , 0.417, 0.   ])
    """
    known = true >= 0
    is_wrong, gains = known & (true != ours), np.zeros(len(true))
    for label in range(n_labels):
        is_true, is_ours = known & (true == label), known & (ours == label)
        right, all_of_it = sizes[is_true & is_ours].sum(), sizes[is_true].sum() + sizes[is_ours].sum()
        now = 2 * right / max(all_of_it, 1.0)
        missed, claimed = is_wrong & is_true, is_wrong & is_ours
        gains[missed] += 2 * (right + sizes[missed]) / (all_of_it + sizes[missed]) - now
        gains[claimed] += 2 * right / np.maximum(all_of_it - sizes[claimed], 1.0) - now
    return gains / n_labels


def table(curves: Sequence[Run]) -> list[str]:
    """Return what each needs for 90 % of full supervision, a row per dimension, alone and together."""
    rows = [
        "| | Vigie | knows all labels | best peer | 0.4 of it |",
        "|---|---|---|---|---|",
    ]
    for dimension in dict.fromkeys(run.dimension for run in curves):
        here = [run for run in curves if run.dimension == dimension]
        peers = [run.answers_to_90 for run in here if run.system not in {"vigie", NAME} and run.answers_to_90]
        best = min(peers, default=None)
        for way in (ALONE, ""):
            mine, knows = (_needed(here, system, way) for system in ("vigie", NAME))
            goal = "-" if best is None else f"{GOAL * best:.0f}"
            rows.append(
                f"| {dimension}{way or ', together'} | {mine or '-'} | {knows or '-'} | {best or '-'} | {goal} |"
            )
    return rows


def _needed(here: Sequence[Run], system: str, way: str) -> int | None:
    """Return the answers that the usual Vigie, or who knows all labels, needs."""
    usual = ours(None, None)[0].about
    return next(
        run.answers_to_90
        for run in here
        if (run.system, run.model, run.strategy) == (system, usual.model, usual.strategy + way)
    )


def _knowing(n_seeds: int, budget: int) -> Iterator[tuple[About, Mapping[str, Trial]]]:
    case, usual = CASES[CASE], ours(None, None)[0]
    assert isinstance(usual, Vigie)
    system = replace(usual, rank=knowing)
    messages, _ = read(DATA / case.file, case.text, case.columns, kind=case.kind, once=case.once)
    plan = Plan(budget, batch=1, n_seeds=n_seeds, held=case.held, test_share=SHARE)
    for seed in range(n_seeds):
        given = split(messages, np.random.default_rng([seed, 0]), held=case.held, share=SHARE)
        for way in (ALONE, ""):
            about = replace(usual.about, system=NAME, strategy=usual.strategy + way)
            if way:
                yield about, alone(system, given, messages.dimensions, plan, seed=seed)
            else:
                yield about, replay(system, given, messages.dimensions, plan, seed=seed)


def _kept(n_seeds: int) -> Iterator[tuple[About, Mapping[str, Trial]]]:
    for one in load(FOLDER):
        if one.case == CASE and one.seed < n_seeds:
            yield one.about, one.trials


def _codes(groups: pl.DataFrame, dimension: Dimension) -> IntArray:
    places = {label: place for place, label in enumerate(dimension.label_names)}
    labels = groups[label_column(dimension.name)].to_list()
    return np.array([-1 if label is None else places[label] for label in labels], dtype=np.int64)


if __name__ == "__main__":
    sys.exit(main())
