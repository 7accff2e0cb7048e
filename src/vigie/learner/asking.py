"""Keeping questions open: a strategy's, and a few of the audit sample."""

import math
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from vigie.labels import Dimension, QuestionKind
from vigie.learner.answers import Answers
from vigie.learner.audit import Model, draw
from vigie.learner.ranking import MAX_CANDIDATES, MAX_EMBEDDED, audit_drafts, candidates, knowing, marked, rank
from vigie.store import Store
from vigie.strategies import Strategy

MIN_AUDIT_OPEN = 3
MIN_PAUSE_SECONDS = 5.0
REST = 10
"""Without a new model, ranking takes at most one part in so many of the learner's time."""

STUCK = 3
"""After so many turns of the audit without an audit answer, another group is drawn."""


class Asker:
    """Fills the queue of questions.

    Parameters
    ----------
    store
        Where groups are and questions go.
    strategy
        Ranks groups.
    open_questions
        How many of its questions are kept open.
    audit_every
        One question in so many is an audit question.
    seed
        For strategy and audit draws.
    clock
        Tells the time.
    make
        Builds a classifier, not fitted, which may know where groups lie before there is a model; left out, nobody does.
    """

    def __init__(
        self,
        store: Store,
        strategy: Strategy,
        *,
        open_questions: int,
        audit_every: int,
        seed: int,
        clock: Callable[[], datetime],
        make: Callable[[Sequence[Dimension]], object] = lambda _: None,
    ) -> None:
        self._store = store
        self._strategy = strategy
        self._open_questions = open_questions
        self._audit_every = audit_every
        self._open_audit = max(MIN_AUDIT_OPEN, math.ceil(open_questions / audit_every))
        self._seed = seed
        self._clock = clock
        self._make = make
        self._not_before = clock()
        self._seen: tuple[int, int] | None = None
        self._was_low = False
        self._queue: list[int] = []
        self._progress = (-1, 0)

    def is_due(self) -> bool:
        """Tell whether new groups have come or the questions run low, and the last ranking is long enough ago."""
        if self._seen is None:
            return True
        if self._clock() < self._not_before:
            return False
        size, last_annotation = self._situation()
        more = size != self._seen[0]
        return more or (self._is_low() and (not self._was_low or last_annotation != self._seen[1]))

    def ask(self, model: Model | None, dimensions: Sequence[Dimension]) -> None:
        """Draw for audit, rank the rest, and put the questions in place of those nobody has taken yet."""
        began = time.monotonic()
        situation = self._situation()
        groups = self._store.pool.unlabelled()
        drawn = self._audited(groups)
        self._store.questions.replace(audit_drafts(self._queue), QuestionKind.AUDIT)
        rest = groups.join(drawn, on="group_id", how="anti", maintain_order="left")
        rng = np.random.default_rng([self._seed, *situation])
        names = [dimension.name for dimension in dimensions]
        # Groups that are being asked about rank high still, and get no second question.
        n = self._open_questions + self._store.questions.counts()["leased"]
        effective = self._store.annotations.effective()
        embedder = knowing(self._make(dimensions)) if model is None else None
        drafts = rank(
            marked(candidates(rest, rng, MAX_CANDIDATES if embedder is None else MAX_EMBEDDED), effective),
            model,
            self._strategy,
            dimensions=names,
            n=n,
            rng=rng,
            answered=Answers.of(effective, dimensions).train,
            embedder=embedder,
        )
        self._store.questions.replace(drafts, QuestionKind.STRATEGY)
        pause = max(MIN_PAUSE_SECONDS, REST * (time.monotonic() - began))
        self._was_low = self._is_low()
        self._seen, self._not_before = situation, self._clock() + timedelta(seconds=pause)

    def _situation(self) -> tuple[int, int]:
        return self._store.pool.size(), self._store.annotations.last_id()

    def _is_low(self) -> bool:
        return self._store.questions.counts()["open"] < self._open_questions // 2

    def _audited(self, groups: pl.DataFrame) -> pl.DataFrame:
        """Draw what is missing of the audit sample; return all groups ever drawn."""
        drawn = self._store.audit.draws().select("group_id")
        waiting = groups.join(drawn, on="group_id", how="semi", maintain_order="left")["group_id"].to_list()
        missing = max(self._open_audit - len(waiting), self._stuck(drawn.height - len(waiting)))
        others = groups.join(drawn, on="group_id", how="anti", maintain_order="left")
        rng = np.random.default_rng([self._seed, drawn.height])
        rows = draw(others["count"].to_numpy().astype(np.int64), missing, rng)
        new = others["group_id"].gather(rows).to_list()
        if new:
            self._store.audit.draw(new)
        there = set(waiting)
        known = [group_id for group_id in self._queue if group_id in there]
        self._queue = [*known, *(group_id for group_id in waiting if group_id not in set(known)), *new]
        return pl.concat([drawn, pl.DataFrame({"group_id": new}, schema=drawn.schema)])

    def _stuck(self, n_audited: int) -> int:
        """Return 1 when people answer, but not the audit questions that wait, perhaps skipped by all: go on with another."""
        n_steps = self._store.questions.steps()  # not groups: one answer may go to many
        audited_before, steps_before = self._progress
        stuck = n_audited == audited_before and n_steps - steps_before >= STUCK * self._audit_every
        if stuck or n_audited != audited_before:
            self._progress = (n_audited, n_steps)
        return int(stuck)
