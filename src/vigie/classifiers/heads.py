"""Learning all dimensions from the same rows of features, whatever made these."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vigie.classifiers import FloatArray
from vigie.classifiers.calibration import IntArray, balanced, fit_temperature, folds
from vigie.classifiers.logistic import Problem, Solution

_MAX_FOLDS = 5
_HELD_OUT = 2000  # texts that one temperature needs at most; more of them, fewer folds


@dataclass(frozen=True, slots=True)
class Head:
    """What was learned about one dimension.

    Parameters
    ----------
    seen
        The labels given so far, as places in the dimension's list.
    n_answers
        How many answers that took.
    temperature
        What scores were divided by to be calibrated.
    dual
        ``W = Xᵀ dual``, shape (n, len(seen)), already divided by the temperature; no columns when there are not two labels.
    """

    seen: tuple[int, ...]
    n_answers: int
    temperature: float
    dual: FloatArray


def learn(
    answers: Mapping[str, IntArray],
    weights: FloatArray,
    groups: IntArray,
    fit: Callable[[Sequence[Problem]], list[Solution]],
    seed: int,
) -> dict[str, Head]:
    """Fit and calibrate one regression per dimension, all in one optimisation.

    Parameters
    ----------
    answers
        By dimension the label of each row, shape (n,), as a place in the dimension's list; -1 where there is none.
    weights
        How much each row counts, shape (n,).
    groups
        Rows of one group are never on both sides of a split, shape (n,).
    fit
        Solves regressions over these rows.
    seed
        Decides which rows are held out.
    """
    lessons = {
        name: _Lesson(codes, weights, groups, np.random.default_rng([seed, place]))
        for place, (name, codes) in enumerate(answers.items())
    }
    problems = [problem for lesson in lessons.values() for problem in lesson.problems]
    solutions = iter(fit(problems) if problems else [])
    return {name: lesson.head([next(solutions) for _ in lesson.problems]) for name, lesson in lessons.items()}


class _Lesson:
    """The answers in one dimension, and the regressions they take: the real one, and one per fold held out."""

    def __init__(self, codes: IntArray, weights: FloatArray, groups: IntArray, rng: np.random.Generator) -> None:
        self._answered = np.flatnonzero(codes >= 0)
        self._seen = np.unique(codes[self._answered])
        self._targets = np.searchsorted(self._seen, codes) * (codes >= 0)
        self._weights = np.where(codes >= 0, weights, 0.0)
        self._held_out: list[IntArray] = []
        self.problems: list[Problem] = []
        if len(self._seen) > 1:
            self._held_out = self._split(groups, rng)
            self.problems = [self._problem(np.empty(0, dtype=np.int64)), *map(self._problem, self._held_out)]

    def head(self, solutions: list[Solution]) -> Head:
        """Put together what was learned; `solutions` are those of `problems`."""
        seen, n_answers = tuple(self._seen.tolist()), len(self._answered)
        if not solutions:
            return Head(seen, n_answers, 1.0, np.zeros((len(self._targets), 0)))
        rows = np.concatenate(self._held_out)
        scores = [part.scores[held] for part, held in zip(solutions[1:], self._held_out, strict=True)]
        temperature = fit_temperature(np.concatenate(scores), self._targets[rows], self._weights[rows])
        return Head(seen, n_answers, temperature, solutions[0].dual / temperature)

    def _split(self, groups: IntArray, rng: np.random.Generator) -> list[IntArray]:
        rows = self._answered
        n_used = int(np.clip(_HELD_OUT // len(rows), 1, _MAX_FOLDS))
        fold = folds(groups[rows], self._targets[rows], _MAX_FOLDS, rng)
        return [rows[fold == number] for number in range(n_used) if (fold == number).any()]

    def _problem(self, held_out: IntArray) -> Problem:
        weights = self._weights.copy()
        weights[held_out] = 0
        n_labels = len(self._seen)
        return Problem(self._targets, balanced(self._targets, weights, n_labels), n_labels)
