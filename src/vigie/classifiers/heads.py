"""Learning all dimensions from the same rows of features, whatever made these."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Self

import numpy as np
import polars as pl

from vigie.classifiers import FloatArray
from vigie.classifiers.calibration import IntArray, balanced, fit_temperature, folds, softmax, widened
from vigie.classifiers.logistic import Problem, Solution
from vigie.errors import ModelError
from vigie.labels import Dimension

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]

_MAX_FOLDS = 5
_HELD_OUT = 2000  # texts that one temperature needs at most; more of them, fewer folds
_GROWTH = 1.1  # so many times the answers, and a temperature that was handed on is found anew


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
    n_calibrated
        How many answers there were when the temperature was found; 0 when none was.
    held_out
        Rows with their scores, shape (n_held_out, len(seen)), of regressions that did not learn from them, divided likewise; None
        where no fold was held out.
    """

    seen: tuple[int, ...]
    n_answers: int
    temperature: float
    dual: FloatArray
    n_calibrated: int = 0
    held_out: tuple[IntArray, FloatArray] | None = None

    def at(self, rows: IntArray) -> Self:
        """Return this with other rows: those at `rows` among its own, shape (m,); zeros where that is -1."""
        there = (rows >= 0)[:, None]
        dual = np.where(there, self.dual[rows], 0.0) if len(self.dual) else self.dual
        return replace(self, dual=dual, held_out=None)


_NOTHING = Head((), 0, 1.0, np.zeros((0, 0)))


class Heads:
    """What was learned about all dimensions, their scores side by side: the columns of the first, then those of the second.

    Parameters
    ----------
    dimensions
        In the order of the scores.
    heads
        By dimension; one that is missing has learned nothing.
    """

    def __init__(self, dimensions: Sequence[Dimension], heads: Mapping[str, Head]) -> None:
        self._labels = {dimension.name: dimension.label_names for dimension in dimensions}
        self._heads = {name: heads.get(name, _NOTHING) for name in self._labels}
        widths = [len(head.seen) if len(head.seen) > 1 else 0 for head in self._heads.values()]
        self._ends = np.cumsum([0, *widths]).tolist()

    @property
    def n_columns(self) -> int:
        """How many scores a text has."""
        return int(self._ends[-1])

    @property
    def dual(self) -> FloatArray:
        """The weights of all scores over the rows learned from, shape (n, n_columns)."""
        return np.concatenate([head.dual for head in self._heads.values()], axis=1)

    def at(self, rows: IntArray) -> dict[str, Head]:
        """Return each `Head.at` other rows, by dimension, for `learn` to begin with."""
        return {name: head.at(rows) for name, head in self._heads.items()}

    @property
    def temperatures(self) -> dict[str, float]:
        """What scores were divided by, by dimension."""
        return {name: head.temperature for name, head in self._heads.items()}

    def proba(self, scores: FloatArray) -> dict[str, FloatArray]:
        """Return probabilities by dimension, each of shape (n, n_labels), from scores of shape (n, n_columns)."""
        spans = zip(self._heads.items(), pairwise(self._ends), strict=True)
        return {
            name: widened(_proba(head, scores[:, start:end]), head.seen, head.n_answers, len(self._labels[name]))
            for (name, head), (start, end) in spans
        }

    def held_out(self) -> dict[str, tuple[IntArray, FloatArray]]:
        """Return, by dimension, rows with calibrated probabilities, shape (n, n_labels), of folds that held them out.

        With more than some hundred answers not all rows were held out. A dimension that was not calibrated is missing.
        """
        return {
            name: (rows, widened(softmax(scores), head.seen, head.n_answers, len(self._labels[name])))
            for name, head in self._heads.items()
            if head.held_out is not None
            for rows, scores in [head.held_out]
        }

    def column(self, dimension: str, label: str) -> int | None:
        """Return the place of one label's score; None when the label was never told apart from another."""
        place = list(self._heads).index(dimension)
        code, seen = self._labels[dimension].index(label), self._heads[dimension].seen
        start, end = self._ends[place : place + 2]
        return None if start == end or code not in seen else int(start + seen.index(code))

    def described(self) -> dict[str, dict[str, object]]:
        """Return all but the weights, to be stored as JSON."""
        return {
            name: {"seen": list(head.seen), "n_answers": head.n_answers, "temperature": head.temperature}
            for name, head in self._heads.items()
        }

    @classmethod
    def restored(cls, dimensions: Sequence[Dimension], described: Mapping[str, Mapping[str, Any]]) -> Self:
        """Rebuild what `described` returned.

        Raises
        ------
        KeyError, TypeError, ValueError
            It describes something else.
        """
        if set(described) != {dimension.name for dimension in dimensions}:
            raise ValueError(f"heads of {', '.join(described) or 'no dimension'} do not fit the dimensions")
        heads = {
            name: Head(tuple(head["seen"]), head["n_answers"], head["temperature"], np.zeros((0, 0)))
            for name, head in described.items()
        }
        return cls(dimensions, heads)


def encoded(labels: pl.DataFrame, dimension: Dimension) -> IntArray:
    """Return the labels of one dimension as places in its list, shape (n,), -1 where there is none.

    Raises
    ------
    ModelError
        A label is unknown.
    """
    if dimension.name not in labels.columns:
        return np.full(len(labels), -1, dtype=np.int64)
    names = labels[dimension.name].cast(pl.String)
    known = pl.Series(dimension.label_names, dtype=pl.String)
    if not (unknown := names.drop_nulls().filter(~names.drop_nulls().is_in(known.implode()))).is_empty():
        expected = ", ".join(dimension.label_names)
        raise ModelError(f"{dimension.name} {unknown[0]!r} is unknown; expected one of {expected}")
    places = names.replace_strict(known, pl.Series(range(len(known)), dtype=pl.Int64), default=-1)
    codes: IntArray = places.fill_null(-1).to_numpy()
    return codes


def places(texts: pl.Series, among: pl.Series) -> IntArray:
    """Return the first row of each text among others, shape (n,); -1 for those that are not there."""
    rows = {text: row for row, text in zip(range(len(among) - 1, -1, -1), among.reverse(), strict=True)}
    return np.array([rows.get(text, -1) for text in texts], dtype=np.int64)


def _proba(head: Head, scores: FloatArray) -> FloatArray:
    """Return probabilities of the labels seen; with a single one there is nothing to tell apart."""
    return softmax(np.ascontiguousarray(scores)) if len(head.seen) > 1 else np.ones((len(scores), len(head.seen)))


def learn(
    answers: Mapping[str, IntArray],
    weights: FloatArray,
    groups: IntArray,
    fit: Callable[[Sequence[Problem]], list[Solution]],
    *,
    seed: int,
    given: BoolArray | None = None,
    before: Mapping[str, Head] | None = None,
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
    given
        Rows that nobody answered, shape (n,): they only teach, and neither calibrate nor count as answers.
    before
        What was learned of nearly these rows, to begin with. Its temperature holds until there are a tenth more answers.
    """
    known = before or {}
    asked = np.ones(len(weights), dtype=np.bool_) if given is None else ~given
    lessons = {
        name: _Lesson(
            codes, weights, groups, asked, np.random.default_rng([seed, place]), before=known.get(name, _NOTHING)
        )
        for place, (name, codes) in enumerate(answers.items())
    }
    problems = [problem for lesson in lessons.values() for problem in lesson.problems]
    solutions = iter(fit(problems) if problems else [])
    return {name: lesson.head([next(solutions) for _ in lesson.problems]) for name, lesson in lessons.items()}


class _Lesson:
    """The answers in one dimension, and the regressions they take: the real one, and one per fold held out."""

    def __init__(
        self,
        codes: IntArray,
        weights: FloatArray,
        groups: IntArray,
        asked: BoolArray,
        rng: np.random.Generator,
        *,
        before: Head,
    ) -> None:
        self._answered = np.flatnonzero((codes >= 0) & asked)
        self._seen = np.unique(codes[codes >= 0])
        self._targets = np.searchsorted(self._seen, codes) * (codes >= 0)
        self._weights = np.where(codes >= 0, weights, 0.0)
        self._before, self._start = before, self._starting(before)
        self._held_out: list[IntArray] = []
        self.problems: list[Problem] = []
        if len(self._seen) > 1:
            self._held_out = self._split(groups, rng) if len(self._answered) and not self._is_calibrated else []
            self.problems = [self._problem(np.empty(0, dtype=np.int64)), *map(self._problem, self._held_out)]

    def head(self, solutions: list[Solution]) -> Head:
        """Put together what was learned; `solutions` are those of `problems`."""
        seen, n_answers = tuple(self._seen.tolist()), len(self._answered)
        if not solutions:
            return Head(seen, n_answers, 1.0, np.zeros((len(self._targets), 0)))
        if self._is_calibrated:
            temperature = self._before.temperature
            return Head(seen, n_answers, temperature, solutions[0].dual / temperature, self._before.n_calibrated)
        if not self._held_out:
            return Head(seen, n_answers, 1.0, solutions[0].dual)
        rows = np.concatenate(self._held_out)
        scores = [part.scores[held] for part, held in zip(solutions[1:], self._held_out, strict=True)]
        unseen = np.concatenate(scores)
        temperature = fit_temperature(unseen, self._targets[rows], self._weights[rows])
        held_out = (rows, unseen / temperature)
        return Head(seen, n_answers, temperature, solutions[0].dual / temperature, n_answers, held_out)

    @property
    def _is_calibrated(self) -> bool:
        """Whether the temperature of before holds still."""
        same = self._before.seen == tuple(self._seen.tolist())
        return same and len(self._answered) <= _GROWTH * self._before.n_calibrated

    def _starting(self, before: Head) -> FloatArray | None:
        if before.dual.shape != (len(self._targets), len(before.seen)) or len(before.seen) <= 1:
            return None
        start = np.zeros((len(self._targets), len(self._seen)))
        kept = [place for place, code in enumerate(before.seen) if code in self._seen]
        start[:, np.searchsorted(self._seen, np.array(before.seen)[kept])] = before.dual[:, kept] * before.temperature
        return start

    def _split(self, groups: IntArray, rng: np.random.Generator) -> list[IntArray]:
        rows = self._answered
        n_used = int(np.clip(_HELD_OUT // len(rows), 1, _MAX_FOLDS))
        fold = folds(groups[rows], self._targets[rows], _MAX_FOLDS, rng)
        return [rows[fold == number] for number in range(n_used) if (fold == number).any()]

    def _problem(self, held_out: IntArray) -> Problem:
        weights = self._weights.copy()
        weights[held_out] = 0
        n_labels = len(self._seen)
        start = self._start
        if start is not None and len(held_out):
            start = start.copy()
            start[held_out] = 0
        return Problem(self._targets, balanced(self._targets, weights, n_labels), n_labels, start)
