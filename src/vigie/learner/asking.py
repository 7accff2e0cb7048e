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
from vigie.learner.embedding import ready
from vigie.learner.purity import Guard
from vigie.learner.ranking import (
    MAX_CANDIDATES,
    MAX_EMBEDDED,
    MAX_SURVEYED,
    NEW_URGENCY,
    audit_drafts,
    candidates,
    half_answered,
    knowing,
    marked,
    rank,
    surveyed,
)
from vigie.learner.survey import Student, Survey
from vigie.store import Listener, Store, microseconds
from vigie.store.annotations import of_groups
from vigie.strategies import Strategy

MIN_AUDIT_OPEN = 3
MIN_PAUSE_SECONDS = 5.0
REST = 10
"""Without a new model, ranking takes at most one part in so many of the learner's time."""

TAUGHT = 600
"""So many open groups, always the same, teach a student what a model says, beside those answered."""

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
        One question in so many is an audit question; no more of the groups than one in so many wait to be one.
    seed
        For strategy and audit draws.
    clock
        Tells the time.
    make
        Builds a classifier, not fitted, which may know where groups lie before there is a model; left out, nobody does.
    guard
        Knows which groups the answers are about where a model splits them; left out, no model does.
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
        guard: Guard | None = None,
    ) -> None:
        self._store = store
        self._strategy = strategy
        self._open_questions = open_questions
        self._audit_every = audit_every
        self._open_audit = max(MIN_AUDIT_OPEN, math.ceil(open_questions / audit_every))
        self._seed = seed
        self._clock = clock
        self._make = make
        self._guard = guard
        self._not_before = clock()
        self._seen: tuple[int, int] | None = None
        self._was_low = False
        self._queue: list[int] = []
        self._progress = (-1, 0)
        self._survey = Survey(store.pool.described)

    def is_due(self) -> bool:
        """Tell whether new groups have come or the questions run low, and the last ranking is long enough ago."""
        if self._seen is None:
            return True
        if self._clock() < self._not_before:
            return False
        size, last_annotation = self._situation()
        more = size != self._seen[0]
        return more or (self._is_low() and (not self._was_low or last_annotation != self._seen[1]))

    def ask(self, model: Model | None, dimensions: Sequence[Dimension], *, listener: Listener | None = None) -> None:
        """Draw for audit, rank the rest, and put the questions in place of those nobody has taken yet.

        Parameters
        ----------
        model
            The version in use; None where there is none.
        dimensions
            What is asked now.
        listener
            Knows what people said before; left out, all of it is read.
        """
        began = time.monotonic()
        situation = self._situation()
        groups = self._store.pool.sizes()
        drawn = self._audited(groups)
        self._store.questions.replace(audit_drafts(self._queue), QuestionKind.AUDIT)
        rest = groups.join(drawn, on="group_id", how="anti", maintain_order="left")
        rng = np.random.default_rng([self._seed, *situation])
        names = [dimension.name for dimension in dimensions]
        # Groups that are being asked about rank high still, and get no second question.
        n = self._open_questions + self._store.questions.counts()["leased"]
        effective = self._effective(model, (listener or self._store.annotations).told())
        embedder = knowing(self._make(dimensions)) if model is None else None
        train = Answers.of(effective, dimensions).train
        if model is not None and rest.height > MAX_CANDIDATES:
            chosen = self._surveyed(rest, model, names, train["template"], since=half_answered(effective), rng=rng)
        else:
            chosen = candidates(rest, rng, MAX_CANDIDATES if embedder is None else MAX_EMBEDDED)
        described = ready(self._described(chosen), embedder or getattr(model, "classifier", None))
        drafts = rank(
            marked(described, effective),
            model,
            self._strategy,
            dimensions=names,
            n=n,
            rng=rng,
            answered=train,
            embedder=embedder,
        )
        self._store.questions.replace(drafts, QuestionKind.STRATEGY)
        pause = max(MIN_PAUSE_SECONDS, REST * (time.monotonic() - began))
        self._was_low = self._is_low()
        self._seen, self._not_before = situation, self._clock() + timedelta(seconds=pause)

    def _described(self, chosen: pl.DataFrame) -> pl.DataFrame:
        """Return groups with their templates, in the order given; one that was evicted meanwhile is left out."""
        known = self._store.pool.described(chosen["group_id"].to_list()).drop("count")
        return chosen.join(known, on="group_id", how="inner", maintain_order="left")

    def _surveyed(
        self,
        groups: pl.DataFrame,
        model: Model,
        names: Sequence[str],
        answered: pl.Series,
        *,
        since: datetime | None,
        rng: np.random.Generator,
    ) -> pl.DataFrame:
        """Return the groups that a student of the model is least sure of, and some others."""
        texts = pl.concat([answered, self._store.pool.sample(TAUGHT)["template"]]).unique(maintain_order=True)
        known = {dimension.name for dimension in model.dimensions}.intersection(names)
        proba = {name: some for name, some in model.predict_proba(texts).items() if name in known}
        if not proba:
            return candidates(groups, rng, MAX_SURVEYED)
        there = groups[self._survey.update(groups["group_id"].to_numpy())]
        scores = self._survey.doubts(
            there["group_id"].to_numpy(),
            there["count"].to_numpy(),
            Student.of(texts, proba),
            since=None if since is None else microseconds(since),
            urgency=NEW_URGENCY,
        )
        return surveyed(there, scores, rng, MAX_SURVEYED)

    def _effective(self, model: Model | None, told: pl.DataFrame) -> pl.DataFrame:
        return of_groups(told) if self._guard is None else self._guard.effective(told, getattr(model, "splits", {}))

    def _situation(self) -> tuple[int, int]:
        return self._store.pool.size(), self._store.annotations.last_id()

    def _is_low(self) -> bool:
        return self._store.questions.counts()["open"] < self._open_questions // 2

    def _audited(self, groups: pl.DataFrame) -> pl.DataFrame:
        """Draw what is missing of the audit sample; return all groups ever drawn."""
        drawn = self._store.audit.draws().select("group_id")
        waiting = groups.join(drawn, on="group_id", how="semi", maintain_order="left")["group_id"].to_list()
        # Of few groups few are drawn, or none would be left to learn from.
        wanted = min(self._open_audit, groups.height // self._audit_every)
        missing = max(wanted - len(waiting), self._stuck(drawn.height - len(waiting)))
        others = groups.join(drawn, on="group_id", how="anti", maintain_order="left")
        # Who has a question about a group already answers it for training.
        others = others.filter(~pl.col("group_id").is_in(self._store.questions.held(QuestionKind.STRATEGY)))
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
