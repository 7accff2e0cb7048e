"""Keeping the estimate of answers saved up to date, a little at a time, so that trainings never wait for it."""

import time
from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

import numpy as np
import polars as pl

from vigie.classifiers.artefact import Artefact
from vigie.labels import Dimension
from vigie.learner.answers import Answers
from vigie.learner.audit import FloatArray
from vigie.learner.random_asking import RandomAsking, drawn_worlds
from vigie.learner.ranking import knowing
from vigie.learner.savings import TAG, Savings, latest
from vigie.learner.threads import one_thread
from vigie.learner.worlds import World
from vigie.registry import Registry
from vigie.store import Store

MIN_ANSWERS = 50
"""With fewer answered groups the model knows too little to draw labels from."""

MAX_ANSWERS = 2_000
"""With more there is no new estimate: the fits would take too long."""

MORE = 1.5
"""A new estimate is made when there are so many times the answers of the last one."""

SLICE_SECONDS = 0.5
BUDGET_SECONDS = 20.0
"""Of processor time for one estimate; what is not reached by then is more than was tried."""

_CHUNK = 200  # texts that a model is asked about at one time: an encoder takes its time
_MEANING = (
    2.5  # length of a sentence embedding where the words and the characters of a text have length 1, as in hybrid.v1
)

Work = Generator[None, None, Savings | None]
Part = TypeVar("Part")


class Saver:
    """Estimates how many answers were saved and writes it to the model version it is about.

    Parameters
    ----------
    store, registry
        Where groups and answers come from, and where the estimate goes.
    seed
        For everything drawn at random.
    spent
        Tells seconds of processor time.
    """

    def __init__(
        self, store: Store, registry: Registry, *, seed: int, spent: Callable[[], float] = time.process_time
    ) -> None:
        self._store = store
        self._registry = registry
        self._seed = seed
        self._spent = spent
        self._last: Savings | None = None
        self._is_informed = False
        self._newest: str | None = None
        self._is_written = True
        self._work: Work | None = None
        self._begun_at = 0
        self._used = 0.0

    def forget(self) -> None:
        """Drop what was begun: somebody else acts."""
        self._work, self._is_informed, self._begun_at = None, False, 0

    def trained(self, version: str) -> None:
        """Note a new version: it carries the last estimate too, which so is found among the latest few."""
        self._newest, self._is_written = version, self._last is None

    def step(
        self,
        champion: Callable[[], Artefact | None],
        effective: pl.DataFrame,
        dimensions: Sequence[Dimension],
        *,
        may_begin: bool = True,
    ) -> None:
        """Do a little: begin when there are enough new answers, go on with what was begun, or write what was found.

        Parameters
        ----------
        champion
            Returns the version in use; None where there is none. Called only to begin.
        effective
            All annotations that hold.
        dimensions
            What is asked now.
        may_begin
            Whether the version in use knows the answers.

        Raises
        ------
        UnavailableError
            Store or registry do not answer.
        """
        self._look(dimensions)
        if self._work is None and may_begin and self._is_due(effective) and (model := champion()) is not None:
            self._work, self._used = self._estimate(model, effective, tuple(dimensions)), 0.0
            self._begun_at = _n_groups(effective)
        if self._work is not None:
            self._go_on(self._work)
        if self._last is not None and not self._is_written:
            self._registry.mark(self._newest or self._last.version, {TAG: self._last.written()})
            self._is_written = True

    def _look(self, dimensions: Sequence[Dimension]) -> None:
        """Find the last estimate in the registry: at the start, and when other dimensions are asked."""
        names = {dimension.name for dimension in dimensions}
        if self._last is not None and set(self._last.dimensions) != names:
            self.forget()
        if not self._is_informed:
            self._last = latest(self._registry.versions(limit=5), list(names))
            self._is_informed = True

    def _is_due(self, effective: pl.DataFrame) -> bool:
        n, before = _n_groups(effective), max(self._begun_at, self._last.n_answers if self._last else 0)
        return MIN_ANSWERS <= n <= MAX_ANSWERS and n >= MORE * before

    @one_thread
    def _go_on(self, work: Work) -> None:
        began = self._spent()
        try:
            next(work)
            while self._spent() - began < SLICE_SECONDS:
                next(work)
        except StopIteration as done:
            self._work = None
            if done.value is not None:
                self._last, self._is_written = done.value, False
        except BaseException:
            self._work, self._begun_at = None, 0
            raise
        self._used += self._spent() - began

    def _estimate(self, champion: Artefact, effective: pl.DataFrame, dimensions: Sequence[Dimension]) -> Work:
        answers = Answers.of(effective, dimensions)
        rng = np.random.default_rng([self._seed, answers.train.height, answers.audit.height])
        world = World.of(self._store.pool.counts(), answers, rng)
        if world.is_empty or not {one.name for one in dimensions} <= {one.name for one in champion.dimensions}:
            return None
        proba = yield from _proba(champion, world.templates, {dimension.name for dimension in dimensions})
        dense = yield from _meanings(champion, world.templates)
        asking = RandomAsking(world, drawn_worlds(proba, rng), rng, dense)
        needed = yield from asking.run(lambda: self._used >= BUDGET_SECONDS)
        return Savings.of(str(champion.version), needed, world.n_groups)


def _n_groups(effective: pl.DataFrame) -> int:
    return effective["group_id"].n_unique() if effective.height else 0


def _proba(champion: Artefact, templates: pl.Series, names: set[str]) -> Generator[None, None, dict[str, FloatArray]]:
    """Ask a model in small portions what it says."""
    parts = yield from _in_portions(champion.predict_proba, templates)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0] if name in names}


def _meanings(champion: Artefact, templates: pl.Series) -> Generator[None, None, FloatArray | None]:
    """Return what a model sees in texts besides n-grams; a cascade may have encoded few of them to label them."""
    knows = knowing(champion.classifier)
    if knows is None:
        return None
    parts = yield from _in_portions(knows.vectors, templates)
    return np.concatenate(parts) * _MEANING


def _in_portions(work: Callable[[pl.Series], Part], texts: pl.Series) -> Generator[None, None, list[Part]]:
    parts = []
    for start in range(0, len(texts), _CHUNK):
        parts.append(work(texts.slice(start, _CHUNK)))
        yield
    return parts
