"""Replaying a labelled file: ask, learn from the answer, measure, again and again, as the learner would.

Whatever asks and learns is a :class:`System`; Vigie is one, other libraries (:mod:`vigie.evaluation.peers`) are others. All see
the same splits and give the same numbers of answers.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import polars as pl

from vigie.classifiers import Classifier
from vigie.errors import SettingsError
from vigie.evaluation.curves import About, Run, Trial, runs
from vigie.evaluation.metrics import macro_f1
from vigie.evaluation.simulate_data import Held, Messages, Split, split
from vigie.labels import Dimension
from vigie.messages import label_column

Predicted = Mapping[str, pl.Series]
"""Labels (String) of the messages of a test by dimension."""

Rank = Callable[[pl.DataFrame, Classifier | None, pl.DataFrame, int, np.random.Generator], Sequence[int]]
"""Returns the `group_id` of at most n groups, best first: groups left, model or None, groups answered, n, rng."""


class Attempt(Protocol):
    """One system on one split."""

    def answer(self, n: int) -> None:
        """Ask about `n` more, take the answers, learn from them."""

    def predict(self) -> Predicted:
        """Return what it says now about the messages of the test."""

    def full(self) -> Predicted:
        """Return what its model says about them when it has every label of the pool."""


class System(Protocol):
    """What asks and learns."""

    @property
    def about(self) -> About:
        """What it is called."""

    @property
    def predicts_at_once(self) -> bool:
        """Whether it can predict before the first answer."""

    def start(self, given: Split, dimensions: Sequence[Dimension], seed: int) -> Attempt:
        """Begin anew on a split; the same seed gives the same answers."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a file is replayed.

    Parameters
    ----------
    budget
        Answers given in all, at least `batch`.
    batch
        Answers given between two trainings, at least 1.
    n_seeds
        How many splits, each with its own draw of everything random, at least 1.
    held
        What the test is drawn from.
    test_share
        Part that is held out, in (0, 1).
    """

    budget: int = 500
    batch: int = 10
    n_seeds: int = 5
    held: Held = Held.TEMPLATES
    test_share: float = 0.25

    @property
    def steps(self) -> range:
        """Numbers of answers after which is measured."""
        return range(self.batch, self.budget + 1, self.batch)

    def splits(self, messages: Messages) -> Iterator[Split]:
        """Yield one division of the messages per seed."""
        for seed in range(self.n_seeds):
            yield split(messages, np.random.default_rng([seed, 0]), held=self.held, share=self.test_share)


def fitting(messages: Messages, plan: Plan, *, most: int) -> Plan:
    """Return the plan with the largest budget that every split has groups for, whole batches, at most `most`."""
    n_groups = min(given.groups.height for given in plan.splits(messages))
    n_batches = max(min(most, n_groups) // plan.batch, 1)
    return replace(plan, budget=n_batches * plan.batch)


def simulate(
    messages: Messages,
    systems: Sequence[System],
    plan: Plan,
    *,
    advance: Callable[[int], None] = lambda _n: None,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Run]:
    """Return a learning curve for each system and dimension.

    Parameters
    ----------
    messages
        What is replayed.
    systems
        Each runs on every split.
    plan
        How many answers, seeds and so on.
    advance
        Called with the number of answers just given.
    clock
        Tells seconds.

    Raises
    ------
    SettingsError
        The budget is larger than the pool, or smaller than a batch.
    """
    found: dict[tuple[About, str], list[Trial]] = {}
    splits = list(plan.splits(messages))
    _check(plan, min(given.groups.height for given in splits))
    for seed, given in enumerate(splits):
        for system in systems:
            trials = replay(system, given, messages.dimensions, plan, seed=seed, advance=advance, clock=clock)
            for dimension, trial in trials.items():
                found.setdefault((system.about, dimension), []).append(trial)
    return runs(found)


def replay(
    system: System,
    given: Split,
    dimensions: Sequence[Dimension],
    plan: Plan,
    *,
    seed: int,
    advance: Callable[[int], None] = lambda _n: None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Trial]:
    """Return what one system makes of one split, by dimension."""
    attempt = system.start(given, dimensions, seed)
    scores = [_scores(given.test, attempt.predict(), dimensions)] if system.predicts_at_once else []
    answers = [0] if scores else []
    seconds = []
    for n in plan.steps:
        began = clock()
        attempt.answer(plan.batch)
        seconds.append(clock() - began)
        answers.append(n)
        scores.append(_scores(given.test, attempt.predict(), dimensions))
        advance(plan.batch)
    full = _scores(given.test, attempt.full(), dimensions)
    return {
        name: Trial(tuple(answers), tuple(score[name] for score in scores), full[name], tuple(seconds)) for name in full
    }


@dataclass(frozen=True, slots=True)
class Vigie:
    """Vigie itself: one question per group, one answer for all dimensions, one model.

    Parameters
    ----------
    model
        Name of the classifier.
    strategy
        Name of the query strategy.
    make
        Builds the classifier, not fitted, for dimensions and a seed.
    rank
        Chooses groups, as the learner does.
    predicts_at_once
        Whether the classifier can be fitted without an answer.
    """

    model: str
    strategy: str
    make: Callable[[Sequence[Dimension], int], Classifier]
    rank: Rank
    predicts_at_once: bool = False

    @property
    def about(self) -> About:
        """What it is called."""
        return About("vigie", self.model, self.strategy)

    def start(self, given: Split, dimensions: Sequence[Dimension], seed: int) -> "VigieAttempt":
        """Begin anew on a split; the same seed gives the same answers."""
        return VigieAttempt(self, given, dimensions, seed)


class VigieAttempt:
    """Vigie on one split.

    A message whose template was answered has that answer; the model labels the others. So it is in the stream.

    Parameters
    ----------
    system
        What asks and learns.
    given
        Pool and test.
    dimensions
        What is asked.
    seed
        For classifier and strategy.
    """

    def __init__(self, system: Vigie, given: Split, dimensions: Sequence[Dimension], seed: int) -> None:
        self._system = system
        self._groups = given.groups
        self._dimensions = tuple(dimensions)
        self._seed = seed
        self._rng = np.random.default_rng([seed, 1])
        self._answered = np.zeros(given.groups.height, dtype=np.bool_)
        self._test = given.test.select("template", "group_id")
        self._test_templates = given.test["template"].unique(maintain_order=True)
        self._model = self._fit(self._answered) if system.predicts_at_once else None

    def answer(self, n: int) -> None:
        """Ask about `n` more groups, take the answers, learn from them."""
        left, done = self._groups.filter(~self._answered), self._groups.filter(self._answered)
        chosen = self._system.rank(left, self._model, done, n, self._rng)
        self._answered[np.array(chosen, dtype=np.int64)] = True
        self._model = self._fit(self._answered)

    def predict(self) -> dict[str, pl.Series]:
        """Return what people or the model say now about the messages of the test."""
        assert self._model is not None, "answer first: this model cannot predict before"
        return self._labels(self._model, self._answered)

    def full(self) -> dict[str, pl.Series]:
        """Return the same when every group of the pool is answered."""
        everything = np.ones_like(self._answered)
        return self._labels(self._fit(everything), everything)

    def _fit(self, answered: np.ndarray[Any, np.dtype[np.bool_]]) -> Classifier:
        rows = self._groups.filter(answered).sort("template")
        names = {label_column(dimension.name): dimension.name for dimension in self._dimensions}
        model = self._system.make(self._dimensions, self._seed)
        return model.fit(rows["template"], rows.select(list(names)).rename(names))

    def _labels(self, model: Classifier, answered: np.ndarray[Any, np.dtype[np.bool_]]) -> dict[str, pl.Series]:
        proba = model.predict_proba(self._test_templates)
        names = [label_column(dimension.name) for dimension in self._dimensions]
        said = self._groups.filter(answered).select("group_id", *names)
        wide = self._test.join(said, on="group_id", how="left", maintain_order="left")
        found = {}
        for dimension, name in zip(self._dimensions, names, strict=True):
            places = pl.Series(proba[dimension.name].argmax(axis=1))
            labels = pl.Series(dimension.label_names, dtype=pl.String).gather(places)
            ours = self._test.select("template").join(
                pl.DataFrame({"template": self._test_templates, "label": labels}), on="template", maintain_order="left"
            )
            found[dimension.name] = wide[name].fill_null(ours["label"])
        return found


def _scores(test: pl.DataFrame, predicted: Predicted, dimensions: Sequence[Dimension]) -> dict[str, float]:
    """Return macro-F1 by dimension over the messages that have a label; every message counts."""
    scores = {}
    for dimension in dimensions:
        truth = test[label_column(dimension.name)]
        known = truth.is_not_null()
        said = predicted[dimension.name].filter(known)
        scores[dimension.name] = macro_f1(truth.filter(known).to_list(), said.to_list())
    return scores


def _check(plan: Plan, n_groups: int) -> None:
    if plan.budget < plan.batch:
        raise SettingsError(f"--budget is {plan.budget}; expected at least one batch, which is {plan.batch} (--batch)")
    if plan.budget > n_groups:
        raise SettingsError(
            f"--budget is {plan.budget}; besides the test there are {n_groups} groups to ask about; choose at most {n_groups}"
        )
