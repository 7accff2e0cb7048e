"""The learner: looks for new answers, trains, and keeps questions open, until it is told to stop."""

import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

import polars as pl

from vigie.classifiers import Classifier
from vigie.labels import Dimension
from vigie.learner.asking import Asker
from vigie.learner.attempts import Attempts
from vigie.learner.checking import Checking
from vigie.learner.embedding import Embedding
from vigie.learner.purity import Guard
from vigie.learner.saver import Saver
from vigie.learner.serving import Choice, Serving
from vigie.learner.trainer import Learned, Trained, Trainer, n_answers
from vigie.learner.training import n_changed
from vigie.learner.turn import Turn
from vigie.registry import Registry
from vigie.store import Store, utc_now
from vigie.strategies import Strategy
from vigie.text import normaliser

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Plan:
    """When to train and how much to ask.

    Parameters
    ----------
    retrain_after_answers
        So many new, changed or withdrawn answers start a training.
    retrain_after_seconds
        An answer waits no longer than this for a training.
    audit_every
        One question in so many is an audit question.
    open_questions
        How many questions are kept open.
    seed
        For everything drawn at random.
    serving
        What model versions serve with, where the classifier encodes.
    """

    retrain_after_answers: int = 10
    retrain_after_seconds: float = 300.0
    audit_every: int = 10
    open_questions: int = 50
    seed: int = 0
    serving: Choice = "auto"


class Learner:
    """What turns answers into model versions and questions; one per project acts, others wait.

    All it knows is in the store and the registry, so it may be killed and started again at any time. Whatever fails is
    tried again later; until then the old champion and the old questions stay.

    Parameters
    ----------
    store, registry
        What it shares with the other roles.
    dimensions
        Returns what is asked now; a change starts a training.
    classifier
        Builds a classifier for dimensions, not fitted.
    strategy
        Ranks questions.
    text
        Name of the normaliser that makes the templates.
    plan
        When to train and how much to ask.
    clock
        Tells the time.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry,
        *,
        dimensions: Callable[[], Sequence[Dimension]],
        classifier: Callable[[Sequence[Dimension]], Classifier],
        strategy: Strategy,
        text: str,
        plan: Plan = Plan(),
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._store = store
        self._dimensions = dimensions
        self._plan = plan
        self._clock = clock
        self._listener = store.annotations.listener()
        serving = Serving(store, plan.serving)
        self._trainer = Trainer(store, registry, make=classifier, text=text, serving=serving)
        self._guard = Guard(store, normaliser(text))
        self._asker = Asker(
            store,
            strategy,
            open_questions=plan.open_questions,
            audit_every=plan.audit_every,
            seed=plan.seed,
            clock=clock,
            make=classifier,
            guard=self._guard,
        )
        self._embedding = Embedding(store, make=classifier, clock=clock)
        self._turn = Turn(store.presence)
        self._looking = Attempts("looking for answers", clock)
        self._training = Attempts("training", clock)
        self._asking = Attempts("choosing questions", clock)
        self._saver = Saver(store, registry, seed=plan.seed)
        self._saving = Attempts("estimating the answers saved", clock)
        self._encoding = Attempts("encoding the pool", clock)
        self._checking: Checking | None = None
        self._doubting = Attempts("looking for doubtful answers", clock)
        self._planning = Attempts("choosing answers to ask about once more", clock)
        self._state = _Progress()

    def check_with(self, checking: Checking) -> Self:
        """Let some answers be asked about once more; return this learner."""
        self._checking = checking
        return self

    def run(self, stop: threading.Event, *, niceness: int = 0) -> None:
        """Work until `stop` is set.

        Parameters
        ----------
        stop
            Looked at several times a second, but not within a training.
        niceness
            How much less of the processor this process asks for than others, 0 to 19, so that pages stay quick.
        """
        if niceness and hasattr(os, "nice"):
            os.nice(niceness)
        self._looking.run(self.step)  # the first questions do not wait for the registry
        self._looking.run(self._trainer.prepare)
        while not stop.is_set():
            acts = self._looking.run(self.step) and self._turn.acting
            stop.wait(0 if acts and self._embedding.is_busy and not self._encoding.problem else POLL_SECONDS)

    def step(self) -> None:
        """Do what is due, if it is this learner's turn.

        Raises
        ------
        UnavailableError
            The store does not answer. Failures of training, of choosing questions and of estimating are kept for `details`.
        """
        if not self._turn.take():
            self._state = _Progress()  # whoever acts meanwhile changes what there is to know
            self._saver.forget()
            return
        self._look()
        self._training.run(self._train_if_due)
        self._asking.run(self._ask_if_due)
        if self._checking is not None:
            self._doubting.run(self._doubt_if_due)
            self._planning.run(self._plan_if_due)
        self._encoding.run(self._embed_some)
        self._saving.run(self._save)

    def encode(self) -> Iterator[tuple[int, int]]:
        """Encode what `train` would, where the classifier does; yield how many groups are done, of how many.

        Raises
        ------
        UnavailableError
            The store does not answer.
        """
        return self._embedding.answered(tuple(self._dimensions()))

    def train(self) -> Trained:
        """Train now, due or not.

        Raises
        ------
        ModelError
            There is nothing to learn from.
        UnavailableError
            Store or registry do not answer.
        """
        self._look()
        return self._train()

    def details(self) -> dict[str, object]:
        """Return what the learner says about itself; from any thread."""
        state, trained = self._state, self._state.trained
        problems = [work.problem for work in self._works() if work.problem]
        return {
            **self._turn.details(),
            **self._embedding.details(),
            "training": state.is_training,
            "answers_since": state.n_new,
            "retrain_after": self._plan.retrain_after_answers,
            "problem": "; ".join(problems) or None,
            "version": trained.version if trained else None,
            "promoted": trained.verdict.promote if trained else None,
            "reason": trained.verdict.reason if trained else None,
            "training_seconds": round(trained.seconds, 2) if trained else None,
            "doubts": dict(self._checking.details()) if self._checking else {},
        }

    def _works(self) -> tuple[Attempts, ...]:
        first = self._looking, self._training, self._asking, self._encoding, self._saving
        return *first, self._doubting, self._planning

    def _look(self) -> None:
        """Read the annotations, if there are other than before, and count those the newest version does not know."""
        if self._state.last_annotation != self._store.annotations.last_id():
            self._listen()

    def _listen(self) -> None:
        self._state.told = self._listener.told()
        self._state.last_annotation = self._listener.last_id

    def _train_if_due(self) -> None:
        state, dimensions = self._state, tuple(self._dimensions())
        if not state.is_informed:
            state.learned = self._trainer.learned()
            state.is_informed = True
        state.count(self._trainer.recipe(dimensions), self._clock())
        is_possible = self._is_due(dimensions) and self._trainer.can_learn(state.told, dimensions)
        if is_possible and not self._embedding.comes_first(dimensions):
            self._train()

    def _is_due(self, dimensions: Sequence[Dimension]) -> bool:
        state, plan = self._state, self._plan
        # The first questions do not wait for a model that knows names only; it does not wait for more answers, either.
        unknown = state.learned is None or state.is_outdated
        if unknown and state.has_asked and self._trainer.begins_with_names(dimensions):
            return True
        if state.since is None:
            return False
        waited = (self._clock() - state.since).total_seconds()
        many = state.n_new >= plan.retrain_after_answers
        return many or waited >= plan.retrain_after_seconds or state.is_outdated

    def _train(self) -> Trained:
        state, dimensions = self._state, tuple(self._dimensions())
        state.is_training = True
        try:
            self._listen()  # once more: groups may have many more messages than when somebody answered last
            trained = self._trainer.train(state.told, dimensions, state.last_annotation)
        finally:
            state.is_training = False
        state.took(trained, self._trainer.recipe(dimensions))
        self._saver.trained(trained.version)
        logger.info(
            "version %s learned from %d groups in %.1f s; %s: %s",
            trained.version,
            trained.n_examples,
            trained.seconds,
            "new champion" if trained.verdict.promote else "the champion stays",
            trained.verdict.reason,
            extra={"action": "trained"},
        )
        return trained

    def _embed_some(self) -> None:
        was_busy = self._embedding.is_busy
        self._embedding.step(self._dimensions())
        if was_busy and not self._embedding.is_busy and not self._state.has_encoded:
            # The first questions were chosen among what was encoded then.
            self._state.must_rank, self._state.has_encoded = True, True

    def _ask_if_due(self) -> None:
        if self._state.must_rank or self._asker.is_due():
            champion, dimensions = self._trainer.recalled_champion(), tuple(self._dimensions())
            self._asker.ask(champion, dimensions, listener=self._listener)
            self._state.must_rank, self._state.has_asked = False, True

    def _save(self) -> None:
        """Estimate the answers saved, a little at a time; what is due to train or to ask goes first."""
        state = self._state
        said, dimensions = self._about_groups(), tuple(self._dimensions())
        self._saver.step(self._trainer.champion, said, dimensions, may_begin=state.n_new == 0)

    def _doubt_if_due(self) -> None:
        state, trained = self._state, self._state.trained
        if self._checking is None or trained is None or state.doubted is trained or state.before is None:
            return
        # Once per training, whether it succeeds or not: it would fail again.
        state.doubted = trained
        said, data = self._guard.effective(state.before, trained.splits), trained.data
        asked = tuple(self._dimensions())
        self._checking.doubt(said, texts=data.texts, labels=data.labels, held_out=trained.held_out, dimensions=asked)

    def _plan_if_due(self) -> None:
        if self._checking is not None:
            self._checking.plan(self._about_groups(), self._state.last_annotation)

    def _about_groups(self) -> pl.DataFrame:
        """Return what people say about groups, those of the newest training; made anew when they said more or it was trained."""
        state = self._state
        if state.splits is None:
            state.splits = getattr(self._trainer.recalled_champion(), "splits", {})
        key = (state.told, state.splits)
        if state.of_groups is None or any(one is not now for one, now in zip(state.of_groups[0], key, strict=True)):
            state.of_groups = key, self._guard.effective(state.told, state.splits)
        return state.of_groups[1]


@dataclass
class _Progress:
    """What the learner knows about answers and trainings; all of it is found again in the store and the registry."""

    told: pl.DataFrame = field(default_factory=pl.DataFrame)
    last_annotation: int = -1
    is_informed: bool = False
    learned: Learned | None = None
    before: pl.DataFrame | None = None
    counted: tuple[int, str] | None = None
    n_new: int = 0
    since: datetime | None = None
    is_outdated: bool = False
    is_training: bool = False
    must_rank: bool = False
    has_asked: bool = False
    has_encoded: bool = False
    trained: Trained | None = None
    doubted: Trained | None = None
    splits: Mapping[str, Sequence[int]] | None = None
    of_groups: tuple[tuple[object, object], pl.DataFrame] | None = None

    def count(self, recipe: str, now: datetime) -> None:
        """Count the answers that the newest version does not know, and note since when there are any."""
        if self.counted == (self.last_annotation, recipe):
            return
        self.counted = (self.last_annotation, recipe)
        self.is_outdated = self.learned is not None and self.learned.recipe != recipe
        self.n_new = self._n_new()
        self.since = (self.since or now) if self.n_new else None

    def took(self, trained: Trained, recipe: str) -> None:
        """Note that a training came to its end."""
        self.learned = Learned(recipe, n_answers(self.told), self.last_annotation)
        self.before, self.trained, self.must_rank, self.splits = self.told, trained, True, trained.splits
        self.counted, self.n_new, self.since, self.is_outdated = (self.last_annotation, recipe), 0, None, False

    def _n_new(self) -> int:
        n = n_answers(self.told)
        if self.learned is None or self.is_outdated:
            return n
        if self.last_annotation == self.learned.last_annotation:
            return 0
        if self.before is not None:
            return n_changed(self.before, self.told)
        # After a new start it is not known which answers those were; something has changed.
        return max(1, abs(n - self.learned.n_answers))
