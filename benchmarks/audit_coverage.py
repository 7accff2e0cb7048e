"""Whether the numbers keep their word: `python -m benchmarks.audit_coverage`.

Projects are simulated: skewed traffic, several dimensions with common and rare labels, models of varying quality that
believe too much or too little of themselves, a strategy that asks about large groups where the model is unsure, and an
audit sample drawn in between. Vigie's own code estimates; the whole truth is known. Printed is how often the 95 %
intervals contain it, and how often a promised precision holds on the automatic part.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from vigie.labels import Dimension, Label
from vigie.learner.answers import Answers
from vigie.learner.audit import Estimate
from vigie.learner.numbers import Numbers, measure
from vigie.messages import label_column
from vigie.stream.routing import threshold

Array = np.ndarray[Any, np.dtype[Any]]

TARGETS = (0.9, 0.95, 0.98)
MIN_CASES = 20
"""With fewer cases one is too many."""


@dataclass
class Asked:
    """One dimension of a project: what is true of each group, what the model says, and how sure it is."""

    dimension: Dimension
    truth: Array
    said: Array
    confidence: Array


@dataclass
class Project:
    """A pool with answers, of which everything is known.

    ``seen`` and ``audited`` are rows, the latter in the order drawn.
    """

    sizes: Array
    asked: list[Asked]
    seen: Array
    audited: Array

    @property
    def dimensions(self) -> list[Dimension]:
        """What the model was fitted for."""
        return [one.dimension for one in self.asked]

    def predict_proba(self, templates: pl.Series) -> dict[str, Array]:
        """Return what the model says about some groups; their templates are their rows."""
        rows = templates.cast(pl.Int64).to_numpy()
        return {one.dimension.name: _proba(one, rows) for one in self.asked}

    def answers(self) -> Answers:
        """Return what people said, as the learner sorts it."""
        return Answers(self._said(np.sort(self.seen)), self._said(self.audited), {})

    def rest(self) -> pl.DataFrame:
        """Return all groups that nobody answered; Vigie itself looks at some of them."""
        rows = np.setdiff1d(np.arange(len(self.sizes)), np.concatenate([self.seen, self.audited]))
        return pl.DataFrame({"template": [str(row) for row in rows], "weight": self.sizes[rows].astype(np.float64)})

    def _said(self, rows: Array) -> pl.DataFrame:
        columns = {
            label_column(one.dimension.name): pl.Series(one.dimension.label_names).gather(one.truth[rows])
            for one in self.asked
        }
        groups = {"group_id": rows, "template": [str(row) for row in rows], "count": self.sizes[rows]}
        return pl.DataFrame({**groups, **columns})


def a_project(rng: np.random.Generator, *, alike: bool = False) -> Project:
    """Draw a project: 300 to 6000 groups, 50 to 1500 answers, of which every second to tenth measures.

    Parameters
    ----------
    rng
        Draws it.
    alike
        Whether all groups have one message, and a tenth to half of them are answered: the hardest case for intervals.
    """
    n = int(300 * 20 ** rng.random())
    sizes = np.ceil(rng.pareto(rng.uniform(0.6, 2.0), n) * rng.uniform(1, 5)).clip(1, 20_000).astype(np.int64)
    largest = rng.choice([0.0, 0.09, 0.6], p=[0.6, 0.2, 0.2])
    sizes[0] = max(sizes[0], int(sizes[1:].sum() * largest / (1 - largest)))
    answered = 50 * 30 ** rng.random()
    if alike:
        sizes, answered = np.ones(n, dtype=np.int64), n * rng.uniform(0.1, 0.5)
    easy = rng.normal(0.15 * np.log(sizes), 1.0)
    asked = [_a_dimension(rng, f"d{place}", easy) for place in range(rng.integers(1, 4))]
    unsure = np.mean([1 - one.confidence for one in asked], axis=0)
    seen, audited = _ask(sizes, unsure, rng, n_answers=int(min(answered, n * 0.6)))
    for one in asked:
        learned = seen[rng.random(len(seen)) < 0.9]  # a model is right about most of what it was told
        one.said[learned] = one.truth[learned]
        one.confidence[learned] = np.maximum(one.confidence[learned], 0.8)
    return Project(sizes, asked, seen, audited)


def _a_dimension(rng: np.random.Generator, name: str, easy: Array) -> Asked:
    n, n_labels = len(easy), int(rng.integers(2, 10))
    labels = Dimension(name, tuple(Label(f"{name} {place}") for place in range(n_labels)))
    truth = rng.choice(n_labels, n, p=rng.dirichlet(np.full(n_labels, 0.7)))
    quality, spread = rng.uniform(0.5, 4.5), rng.uniform(0.5, 2.0)
    logit = quality + spread * easy - np.where(truth == rng.integers(n_labels), 1.0, 0.0)
    right = rng.random(n) < _sigmoid(logit)
    wrong = (truth + rng.integers(1, n_labels, n)) % n_labels
    believed = rng.uniform(0.5, 2.0) * logit + rng.normal(0, 0.7, n) + rng.normal(0, 0.5)
    confidence = 1 / n_labels + (1 - 1 / n_labels) * _sigmoid(believed)
    return Asked(labels, truth, np.where(right, truth, wrong), confidence.round(4))


def _ask(sizes: Array, unsure: Array, rng: np.random.Generator, *, n_answers: int) -> tuple[Array, Array]:
    """Return the rows answered to train and to measure: the strategy's favourites, and one in a few drawn by traffic."""
    every = int(rng.choice([2, 3, 5, 10]))
    wanted = iter(np.argsort(-unsure * np.log1p(sizes) * rng.uniform(0.7, 1.3, len(sizes))).tolist())
    drawn = iter(np.argsort(rng.exponential(size=len(sizes)) / sizes).tolist())
    taken: set[int] = set()
    rows: tuple[list[int], list[int]] = ([], [])
    for place in range(n_answers):
        audits = place % every == every - 1
        row = next(row for row in (drawn if audits else wanted) if row not in taken)
        taken.add(row)
        rows[audits].append(row)
    return np.array(rows[0]), np.array(rows[1])


def _proba(one: Asked, rows: Array) -> Array:
    n_labels = len(one.dimension.labels)
    proba = np.repeat(((1 - one.confidence[rows]) / max(n_labels - 1, 1))[:, None], n_labels, axis=1)
    proba[np.arange(len(rows)), one.said[rows]] = one.confidence[rows]
    return proba


def _sigmoid(values: Array) -> Array:
    return 1 / (1 + np.exp(-values))


def judge(project: Project) -> dict[str, list[bool]]:
    """Return for each number of each dimension whether its interval contains the truth, and whether promises hold."""
    found: dict[str, list[bool]] = defaultdict(list)
    n_messages = int(project.sizes.sum())
    numbers = measure(project.answers(), project, project.dimensions, n_messages=n_messages, rest=project.rest())
    for one in project.asked:
        known = numbers[one.dimension.name]
        assert known is not None
        for name, estimate in (("accuracy", known.accuracy), ("macro_f1", known.macro_f1)):
            for part, holds in _contained(project, one, estimate, name).items():
                found[f"{name} {part}"].append(holds)
        known_rows = np.concatenate([project.seen, project.audited])
        right = one.said == one.truth
        right[known_rows] = True
        labelled = float(np.average(right, weights=project.sizes))
        found["accuracy labelled"].append(known.labelled.low - 1e-9 <= labelled <= known.labelled.high + 1e-9)
        for target in TARGETS:
            for what, holds in _promised(project, one, known, target).items():
                found[f"{what} {target}"].append(holds)
    return found


def _contained(project: Project, one: Asked, estimate: Estimate, name: str) -> dict[str, bool]:
    new = np.ones(len(project.sizes), dtype=np.bool_)
    new[project.seen] = False
    seen_value = estimate.seen_value if estimate.seen_value is not None else 0.0
    bounds = {
        "whole": (estimate.low, estimate.high),
        "seen": (seen_value, seen_value),
        "new": (estimate.new_low, estimate.new_high),
    }
    score = _accuracy if name == "accuracy" else _macro_f1
    rows = {"whole": np.ones_like(new), "seen": ~new, "new": new}
    return {
        part: bool(low - 1e-9 <= score(project.sizes, one, rows[part]) <= high + 1e-9)
        for part, (low, high) in bounds.items()
    }


def _accuracy(sizes: Array, one: Asked, rows: Array) -> float:
    return float(np.average((one.said == one.truth)[rows], weights=sizes[rows]))


def _macro_f1(sizes: Array, one: Asked, rows: Array) -> float:
    truth, said, weights = one.truth[rows], one.said[rows], sizes[rows]
    n_labels = len(one.dimension.labels)
    hits, given, told = (
        np.bincount(column, weights=weights * some, minlength=n_labels)
        for column, some in ((truth, truth == said), (truth, np.ones(len(truth))), (said, np.ones(len(said))))
    )
    there = given + told > 0
    return float((2 * hits[there] / (given + told)[there]).mean())


def _promised(project: Project, one: Asked, known: Numbers, target: float) -> dict[str, bool]:
    """Return whether a promise holds: on what the model decides in new groups, and on all that passes; empty without a threshold."""
    at = threshold(known.steps.evidence(), target)
    if at is None:
        return {}
    new = np.ones(len(project.sizes), dtype=np.bool_)
    new[project.seen] = False
    right, passes = one.said == one.truth, one.confidence >= at
    answered = ~new
    answered[project.audited] = True
    by_model, all_parts = new & passes, answered | passes
    return {
        "promise, model on new groups": bool(np.average(right[by_model], weights=project.sizes[by_model]) >= target),
        "promise, all that passes": bool(
            np.average((right | answered)[all_parts], weights=project.sizes[all_parts]) >= target
        ),
    }


def coverage(n_projects: int, seed: int, *, alike: bool = False) -> dict[str, tuple[float, int]]:
    """Return by name the share of cases in which an interval contains the truth or a promise holds, and their number."""
    rng = np.random.default_rng(seed)
    found: dict[str, list[bool]] = defaultdict(list)
    for _ in range(n_projects):
        for name, cases in judge(a_project(rng, alike=alike)).items():
            found[name] += cases
    return {name: (float(np.mean(cases)), len(cases)) for name, cases in found.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate and print; fails when something keeps its word in fewer than 93 of 100 cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--projects", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--alike", action="store_true", help="all groups of one message, many of them answered")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args(arguments)
    found = coverage(chosen.projects, chosen.seed, alike=chosen.alike)
    if chosen.json:
        print(json.dumps(_plain(found)))
    else:
        for name, (share, n) in sorted(found.items()):
            print(f"{name:<40} {share:7.1%} of {n}")
    return int(min(share for share, n in found.values() if n >= MIN_CASES) < 0.93)


def _plain(found: Mapping[str, tuple[float, int]]) -> dict[str, dict[str, float]]:
    return {name: {"share": round(share, 4), "cases": n} for name, (share, n) in found.items()}


if __name__ == "__main__":
    sys.exit(main())
