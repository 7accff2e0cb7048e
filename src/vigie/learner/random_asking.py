"""Answers saved against random asking: how many groups drawn at random would have made a model as good as the one in use.

Nobody knows the labels of the groups that were not answered. So labels are drawn for all groups from the probabilities of the
model, and in each such world the same learner is taught twice: by the groups that people answered, and by groups drawn at
random, more and more of them, until it is as good. What people answered counts as right both times.
"""

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vigie.classifiers.calibration import balanced
from vigie.classifiers.logistic import Problem, inner_products, solve
from vigie.features.tfidf import HashedTfidf
from vigie.learner.audit import BoolArray, FloatArray, IntArray
from vigie.learner.worlds import World

N_WORLDS = 5
GROWTH = 1.35
"""Ratio of two numbers of random answers that are tried one after the other."""

MOST_TIMES = 8.0
"""More than so many times the answers given are not tried."""

_BITS = 18
_PENALTY = 1 / 30
_STEPS = 30

Features = tuple[Any, FloatArray | None]
Codes = Mapping[str, IntArray]


@dataclass(frozen=True, slots=True)
class Needed:
    """How many random answers it took in drawn worlds, for all dimensions together or one of them.

    Parameters
    ----------
    n_answers
        Given by people.
    needed
        At random, for the same accuracy; infinite when not even `most` were enough.
    deviation
        Standard deviation of its logarithm from world to world.
    level
        The accuracy that was to be reached, in [0, 1].
    most
        At random, that were tried.
    """

    n_answers: int
    needed: float
    deviation: float
    level: float
    most: int


class RandomAsking:
    """Random asking in drawn worlds, fit by fit.

    Parameters
    ----------
    world
        The groups.
    truths
        Per world, the label of each row by dimension, as `drawn_worlds` returns them.
    rng
        Draws the order of random asking in each.
    dense
        What the model sees in texts besides n-grams, shape (n, d); left out, nothing.
    """

    def __init__(
        self,
        world: World,
        truths: Sequence[Codes],
        rng: np.random.Generator,
        dense: FloatArray | None = None,
    ) -> None:
        self._world = world
        self._rows = HashedTfidf(bits=_BITS).fit(world.templates).transform(world.templates)
        self._dense = None if dense is None else dense.astype(np.float32)
        self._truths = truths
        self._orders = [world.order(rng) for _ in truths]
        self._tried: dict[int, FloatArray] = {}

    def run(
        self, is_enough: Callable[[], bool], goals: FloatArray | None = None
    ) -> Generator[None, None, dict[str, Needed]]:
        """Yield after each fit; return by dimension what was found, that of all together under the empty name.

        Parameters
        ----------
        is_enough
            Asked before each number of answers; once it is, no other one is tried.
        goals
            The accuracy to be reached, shape (n_worlds, 1 + n_dimensions), all dimensions together first; left out, that of
            the learner who was told the labels of the groups people answered.
        """
        world, n_answers = self._world, int(self._world.is_answered.sum())
        trained = np.flatnonzero(world.is_trained)
        if goals is None:
            goals = yield from self._taught([trained] * len(self._truths), world.is_answered)
        most = min(world.most, int(MOST_TIMES * n_answers))
        at = min(n_answers, most)
        yield from self._try(at)
        while at < most and not is_enough() and (self._mean(at) < goals.mean(axis=0)).any():
            at = min(most, math.ceil(at * GROWTH))
            yield from self._try(at)
        at = min(self._tried)
        while at > 1 and not is_enough() and (self._mean(at) >= goals.mean(axis=0)).any():
            at = int(at / GROWTH)
            yield from self._try(at)
        names = ["", *self._truths[0]]
        return {name: self._found(goals[:, place], place, n_answers) for place, name in enumerate(names)}

    def _mean(self, at: int) -> FloatArray:
        return np.asarray(self._tried[at].mean(axis=0), dtype=np.float64)

    def _try(self, n: int) -> Generator[None, None, None]:
        self._tried[n] = yield from self._taught([order[:n] for order in self._orders], None)

    def _taught(self, rows: Sequence[IntArray], done: BoolArray | None) -> Generator[None, None, FloatArray]:
        """Return the accuracy in each world, all dimensions together first, shape (n_worlds, 1 + n_dimensions)."""
        found = []
        for truth, some in zip(self._truths, rows, strict=True):
            answered = done
            if answered is None:
                answered = np.zeros(len(self._world.sizes), dtype=np.bool_)
                answered[some] = True
            said = self._said(some, {name: codes[some] for name, codes in truth.items()})
            each = [self._world.accuracy(said[name] == codes, answered) for name, codes in truth.items()]
            found.append([float(np.mean(each)), *each])
            yield
        return np.array(found)

    def _said(self, rows: IntArray, answers: Codes) -> dict[str, IntArray]:
        """Return what the learner says about all rows when it was told the labels of some."""
        dense = None if self._dense is None else self._dense[rows]
        seen = {name: np.unique(codes) for name, codes in answers.items()}
        problems = {name: _problem(seen[name], codes) for name, codes in answers.items() if len(seen[name]) > 1}
        product = inner_products(self._rows[rows], dense)
        solutions = solve(product, list(problems.values()), penalty=_PENALTY, max_iterations=_STEPS) if problems else []
        duals = {name: one.dual for name, one in zip(problems, solutions, strict=True)}
        return {
            name: seen[name][self._scores(rows, duals[name]).argmax(axis=1)]
            if name in duals
            else np.full(len(self._world.sizes), seen[name][0])
            for name in answers
        }

    def _scores(self, rows: IntArray, dual: FloatArray) -> FloatArray:
        scores = self._rows @ (self._rows[rows].T @ dual.astype(np.float32)) + dual.sum(axis=0)
        if self._dense is not None:
            scores = scores + self._dense @ (self._dense[rows].T @ dual)
        return np.asarray(scores)

    def _found(self, goals: FloatArray, place: int, n_answers: int) -> Needed:
        n = np.array(sorted(self._tried))
        reached = np.stack([self._tried[one][:, place] for one in n])
        each = np.log([min(crossing(n, reached[:, row], goals[row]), n[-1]) for row in range(len(goals))])
        deviation = float(each.std(ddof=1))  # of one world: the real one is no mean of many
        needed = crossing(n, reached.mean(axis=1), float(goals.mean()))
        return Needed(n_answers, needed, deviation, float(goals.mean()), int(n[-1]))


def result(work: Generator[None, None, dict[str, Needed]]) -> dict[str, Needed]:
    """Return what work returns, done to its end."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            return dict(done.value)


def drawn_worlds(proba: Mapping[str, FloatArray], rng: np.random.Generator) -> list[Codes]:
    """Return labels of `N_WORLDS` worlds by dimension, from probabilities by dimension, each of shape (n, n_labels)."""
    return [{name: drawn(one, rng) for name, one in proba.items()} for _ in range(N_WORLDS)]


def drawn(proba: FloatArray, rng: np.random.Generator) -> IntArray:
    """Return one label per row, drawn from its probabilities, shape (n,)."""
    return np.asarray((np.log(np.maximum(proba, 1e-12)) + rng.gumbel(size=proba.shape)).argmax(axis=1), dtype=np.int64)


def crossing(n: IntArray, values: FloatArray, goal: float) -> float:
    """Return where a curve first reaches a goal, with a logarithmic scale between its points; infinite where it does not.

    Parameters
    ----------
    n
        Rising, at least 1, shape (k,).
    values
        At each, shape (k,); a value below an earlier one counts as that.

    Examples
    --------
    >>> round(crossing(np.array([10, 40]), np.array([0.6, 0.8]), 0.7))
    20
    """
    rising = np.maximum.accumulate(values)
    place = int(np.searchsorted(rising, goal))
    if place == len(n):
        return math.inf
    if place == 0:
        return float(n[0])
    (low, high), (before, after) = np.log(n[place - 1 : place + 1]), rising[place - 1 : place + 1]
    return float(np.exp(low + (high - low) * (goal - before) / (after - before)))


def _problem(seen: IntArray, codes: IntArray) -> Problem:
    targets = np.searchsorted(seen, codes)
    return Problem(targets, balanced(targets, np.ones(len(targets)), len(seen)), len(seen))
