"""Whether "answers saved" keeps its word: `python -m benchmarks.answers_saved`.

Files whose labels are known are replayed: Vigie asks, every tenth question measures, and after 50, 100, 200 and 300 answers its
own code estimates how many answers drawn at random in proportion to traffic would have done as well. The same classifier is
then taught by such draws, with the real labels, and the number that it really takes, on average over some draws, is compared
with the interval.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from benchmarks.label_efficiency import CASES, DATA, Case
from vigie import plugins
from vigie.classifiers import Classifier
from vigie.cli.simulate import read
from vigie.evaluation.simulate_data import Messages, groups_of
from vigie.labels import Dimension
from vigie.learner.answers import Answers
from vigie.learner.audit import draw
from vigie.learner.random_asking import GROWTH, RandomAsking, crossing, drawn_worlds, result
from vigie.learner.ranking import knowing, rank
from vigie.learner.savings import Saving, saving
from vigie.learner.worlds import World
from vigie.messages import label_column

Array = np.ndarray[Any, np.dtype[Any]]

CHECKPOINTS = (50, 100, 200, 300)
AUDIT_EVERY = 10
MIN_TRIED = 5
N_MESSAGES = {"logs": 6_000, "social": 1_500}
SAVED_CASES = {
    "logs": CASES["logs-stream"],
    "severity": Case("logs_labelled.csv.gz", "raw", {"severity": "severity"}, "logs"),
    "event_type": Case("logs_labelled.csv.gz", "raw", {"event_type": "event_type"}, "logs"),
    "category": Case("logs_labelled.csv.gz", "raw", {"category": "category"}, "logs"),
    "tweets": CASES["tweets"],
    "sentiment140": Case("sentiment140_sample.csv.gz", "text", {"sentiment": "sentiment"}, "social"),
    "reasons": CASES["reasons"],
}


@dataclass(frozen=True, slots=True)
class Judged:
    """One estimate beside the truth; ``needed`` is None where not even ``tried`` answers were enough."""

    case: str
    model: str
    seed: int
    n_answers: int
    needed: float | None
    tried: int
    estimate: float | None
    low: float
    high: float | None

    @property
    def holds(self) -> bool:
        """Whether the interval contains the truth."""
        if self.needed is None:
            return self.high is None or self.high >= self.tried
        return self.low <= self.needed and (self.high is None or self.needed <= self.high)


class Project:
    """A file as a pool, with all that people would say.

    Parameters
    ----------
    messages
        The file.
    kind
        Of text.
    model
        Name of the classifier.
    seed
        Draws the messages that come, and all else.
    """

    def __init__(self, messages: Messages, kind: str, model: str, seed: int) -> None:
        self.rng = np.random.default_rng([seed, 3])
        rows = messages.rows
        kept = np.sort(self.rng.permutation(rows.height)[: N_MESSAGES[kind]])
        self.groups = groups_of(rows[kept], messages.dimensions)
        self.dimensions = messages.dimensions
        self.sizes = self.groups["count"].to_numpy()
        self._make = plugins.load("classifiers", model)
        self._names = {label_column(one.name): one.name for one in self.dimensions}

    def fit(self, rows: Sequence[int] | Array) -> Classifier:
        """Teach the classifier the labels of some groups."""
        given = self.groups[np.sort(np.asarray(rows))].sort("template")
        fitted: Classifier = self._make(self.dimensions).fit(
            given["template"], given.select(list(self._names)).rename(self._names)
        )
        return fitted

    def accuracy(self, model: Classifier, answered: Sequence[int] | Array) -> float:
        """Return the mean over dimensions of the share of messages that are right, those of answered groups for sure."""
        proba, done = model.predict_proba(self.groups["template"]), np.zeros(len(self.sizes), dtype=np.bool_)
        done[np.asarray(answered)] = True
        return float(np.mean([self._right(one, proba[one.name], done) for one in self.dimensions]))

    def _right(self, dimension: Dimension, proba: Array, done: Array) -> float:
        truth = self.groups[label_column(dimension.name)]
        said = pl.Series(dimension.label_names, dtype=pl.String).gather(proba.argmax(axis=1))
        right, known = (said == truth).fill_null(value=False).to_numpy(), truth.is_not_null().to_numpy()
        return float(np.average((right | done)[known], weights=self.sizes[known]))

    def asked(self, checkpoints: Sequence[int]) -> Iterator[tuple[list[int], list[int], Classifier]]:
        """Yield at each checkpoint which groups taught, which measured, and the model."""
        strategy, n = plugins.load("strategies", "cluster_margin.v1")(), len(self.sizes)
        drawn = draw(self.sizes, n, self.rng).tolist()
        trained: list[int] = []
        audited: list[int] = []
        model: Classifier | None = None
        while len(trained) + len(audited) < max(checkpoints):
            taken = {*trained, *audited}
            audited.append(next(row for row in drawn if row not in taken))
            left = np.setdiff1d(np.arange(n), [*trained, *audited])
            drafts = rank(
                self.groups[left],
                model,
                strategy,
                dimensions=list(self._names.values()),
                n=AUDIT_EVERY - 1,
                rng=self.rng,
                answered=self.groups[sorted(trained)],
            )
            trained += [draft.group_id for draft in drafts]
            model = self.fit(trained)
            if len(trained) + len(audited) in checkpoints:
                yield list(trained), list(audited), model

    def needed(self, goal: float, n_answers: int, n_draws: int) -> tuple[float, int]:
        """Return how many groups drawn at random it takes this classifier to be as accurate, on average over some draws; and how many were tried."""
        orders = [draw(self.sizes, len(self.sizes), self.rng) for _ in range(n_draws)]
        found: dict[int, float] = {}

        def reached(n: int) -> bool:
            found[n] = float(np.mean([self.accuracy(self.fit(order[:n]), order[:n]) for order in orders]))
            return found[n] >= goal

        at, most = n_answers, int(0.9 * len(self.sizes))
        while not reached(at) and at < most:
            at = min(math.ceil(at * GROWTH), most)
        at = min(found)
        while found[at] >= goal and at > MIN_TRIED:
            at = int(at / GROWTH)
            reached(at)
        n = np.array(sorted(found))
        return crossing(n, np.array([found[one] for one in n]), goal), int(n[-1])

    def needed_soon(self, goal: float, answers: Answers, n_draws: int) -> tuple[float, int]:
        """Return the same, for the learner that Vigie's estimate uses: twenty times faster, as it does not calibrate."""
        world = World.of(self.groups, answers, self.rng, self.groups.height)
        truth = {
            one.name: self.groups[label_column(one.name)]
            .replace_strict(pl.Series(one.label_names), pl.Series(range(len(one.labels)), dtype=pl.Int64))
            .to_numpy()
            for one in self.dimensions
        }
        asking = RandomAsking(world, [truth] * n_draws, self.rng)
        goals = np.full((n_draws, 1 + len(truth)), goal)
        goals[:, 1:] = 0.0  # of no interest
        found = result(asking.run(lambda: False, goals))[""]
        return found.needed, found.most

    def answers(self, trained: Sequence[int], audited: Sequence[int]) -> Answers:
        """Return what people said, as the learner sorts it."""
        return Answers(self.groups[sorted(trained)], self.groups[list(audited)], {})

    def estimate(self, answers: Answers, model: Classifier) -> Saving:
        """Return what Vigie says."""
        world = World.of(self.groups, answers, self.rng)
        meanings = knowing(model)
        dense = None if meanings is None else meanings.vectors(world.templates) * 2.5
        asking = RandomAsking(world, drawn_worlds(model.predict_proba(world.templates), self.rng), self.rng, dense)
        return saving(result(asking.run(lambda: False))[""], world.n_groups)


def judge(chosen: argparse.Namespace, name: str, seed: int) -> Iterator[Judged]:
    """Replay a file and yield one estimate beside the truth per checkpoint."""
    case = SAVED_CASES[name]
    messages, _ = read(DATA / case.file, case.text, case.columns, kind=case.kind, once=False)
    project = Project(messages, case.kind, chosen.model, seed)
    for trained, audited, fitted in project.asked(chosen.answers):
        n, answers = len(trained) + len(audited), project.answers(trained, audited)
        goal = project.accuracy(fitted, [*trained, *audited])
        needed, tried = (
            project.needed(goal, n, chosen.draws) if chosen.exact else project.needed_soon(goal, answers, chosen.draws)
        )
        said = project.estimate(answers, fitted).random_needed
        truth = None if math.isinf(needed) else round(needed, 1)
        yield Judged(name, chosen.model, seed, n, truth, tried, said.value, said.low or 0.0, said.high)


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay and print; fails when the intervals hold in fewer than 85 of 100 cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=[*SAVED_CASES], default=["severity", "tweets"])
    parser.add_argument("--model", default="linear.v1")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--answers", type=int, nargs="+", default=[50, 100])
    parser.add_argument("--draws", type=int, default=6, help="random orders that the truth is the mean of")
    parser.add_argument("--exact", action="store_true", help="the truth from the classifier itself, as for hybrid.v1")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    chosen = parser.parse_args(arguments)
    if not DATA.is_dir():
        print(f"left out: there is no {DATA}")
        return 0
    found = []
    for seed in range(chosen.first_seed, chosen.first_seed + chosen.seeds):
        for name in chosen.cases:
            for one in judge(chosen, name, seed):
                found.append(one)
                print(json.dumps(asdict(one)) if chosen.json else _line(one), flush=True)
    share = float(np.mean([one.holds for one in found]))
    if not chosen.json:
        print(f"the interval holds in {share:.0%} of {len(found)}")
    return int(share < 0.85)


def _line(one: Judged) -> str:
    shown = ["more" if value is None else f"{value:.0f}" for value in (one.needed, one.estimate, one.low, one.high)]
    return (
        f"{one.case:<14}{one.n_answers:>5} answers; at random {shown[0]:>5}, estimated {shown[1]:>5} "
        f"({shown[2]} to {shown[3]}){'' if one.holds else '  missed'}"
    )


if __name__ == "__main__":
    sys.exit(main())
