"""From answers to a model version in the registry, and perhaps a new champion."""

import logging
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from vigie.classifiers import Classifier, CrossValidated, FloatArray, IntArray, needs_answers
from vigie.classifiers.artefact import Artefact
from vigie.errors import MissingExtraError, ModelError, UnknownPartError
from vigie.labels import Dimension
from vigie.learner.answers import Answers
from vigie.learner.audit import Estimate
from vigie.learner.measures import allowed, measures, metric_name
from vigie.learner.numbers import measure
from vigie.learner.promotion import Verdict, decide
from vigie.learner.purity import Guard
from vigie.learner.recalled import Recalled
from vigie.learner.serving import Serving
from vigie.learner.stopping import Point, agreement
from vigie.learner.threads import one_thread
from vigie.learner.training import DataSet, recipe
from vigie.learner.unanswered import unanswered
from vigie.registry import Registry, TrainingRecord, VersionInfo
from vigie.store import Store
from vigie.store.annotations import of_groups
from vigie.text import normaliser

logger = logging.getLogger(__name__)

HeldOut = Mapping[str, tuple[IntArray, FloatArray]]
"""By dimension, rows of the data and their probabilities, shape (n, n_labels)."""

_RECIPE, _ANSWERS, _LAST = "vigie.recipe", "vigie.n_answers", "vigie.last_annotation"


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of one training.

    Parameters
    ----------
    version
        Its number in the registry.
    verdict
        Whether it became champion, and why.
    n_examples
        Groups it learned from.
    accuracy
        By dimension; None where nothing was audited.
    seconds
        How long it took in all.
    data
        What it learned from.
    held_out
        What cross-validation said of it, as `CrossValidated` tells it; empty where the classifier does none.
    splits
        Which templates it tells messages of apart, and by which slots.
    """

    version: str
    verdict: Verdict
    n_examples: int
    accuracy: Mapping[str, Estimate | None]
    seconds: float
    data: DataSet
    held_out: HeldOut
    splits: Mapping[str, Sequence[int]]


@dataclass(frozen=True, slots=True)
class Learned:
    """What the newest version in the registry knows: its recipe, how many answers, up to which annotation."""

    recipe: str
    n_answers: int
    last_annotation: int


class Trainer:
    """Makes model versions.

    Parameters
    ----------
    store, registry
        Where answers come from and versions go.
    make
        Builds a classifier for dimensions, not fitted.
    text
        Name of the normaliser that made the templates.
    serving
        Decides what a version serves with; left out, what suits the pool.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry,
        *,
        make: Callable[[Sequence[Dimension]], Classifier],
        text: str,
        serving: Serving | None = None,
    ) -> None:
        self._store = store
        self._registry = registry
        self._make = make
        self._text = text
        self._serving = serving or Serving(store)
        self._guard = Guard(store, normaliser(text))
        self._champion: Artefact | None = None
        self._recipes: dict[tuple[Dimension, ...], str] = {}
        self._before: tuple[str, Classifier] | None = None
        self._recalled: tuple[str, Recalled] | None = None

    def prepare(self) -> None:
        """Make the registry where there is none, which may take seconds, before the first training needs it.

        Raises
        ------
        UnavailableError
            The registry does not answer.
        """
        self._registry.prepare()

    def recipe(self, dimensions: Sequence[Dimension]) -> str:
        """Return what tells whether another training on the same answers would give the same model."""
        asked = tuple(dimensions)
        if asked not in self._recipes:
            self._recipes = {asked: recipe(self._make(asked), asked, serving=self._serving.choice)}
        return self._recipes[asked]

    def can_learn(self, told: pl.DataFrame, dimensions: Sequence[Dimension]) -> bool:
        """Tell whether there is anything to learn from: an answer, or names of labels for a classifier that begins with them.

        An answer that others contradict is one where a split resolves that.
        """
        asked = tuple(dimensions)
        if self.begins_with_names(asked) or _has_rows(of_groups(told), asked):
            return True
        splits = self._guard.splits(told, asked)
        return bool(splits) and _has_rows(self._guard.effective(told, splits), asked)

    def begins_with_names(self, dimensions: Sequence[Dimension]) -> bool:
        """Tell whether the classifier learns before the first answer."""
        return not needs_answers(self._make(tuple(dimensions)))

    def champion(self) -> Artefact | None:
        """Return the champion, None when there is none or it cannot be read.

        Raises
        ------
        UnavailableError
            The registry does not answer.
        """
        version = self._registry.champion()
        if version is None or (self._champion is not None and self._champion.version == version):
            return self._champion if version else None
        try:
            self._champion = Artefact.load(self._registry.fetch(version), version=version)
        except (ModelError, MissingExtraError, UnknownPartError) as error:
            logger.warning("champion %s cannot be read: %s", version, error, extra={"action": "champion_refused"})
            return None
        return self._champion

    def learned(self) -> Learned | None:
        """Return what the newest version knows; None when there is none, or its training was cut short."""
        newest = self._registry.versions(limit=1)
        return _learned(newest[0]) if newest else None

    @one_thread
    def train(self, told: pl.DataFrame, dimensions: Sequence[Dimension], last_annotation: int) -> Trained:
        """Fit, measure, register, and promote unless it is worse; the champion moves last.

        Parameters
        ----------
        told
            All annotations that hold, as `store.annotations.told` returns them.
        dimensions
            What is asked now.
        last_annotation
            The newest annotation, for `learned`.

        Raises
        ------
        ModelError
            There is nothing to learn from.
        UnavailableError
            The registry does not answer; the champion is what it was.
        """
        began = time.monotonic()
        effective, splits = self._guard.settle(told, dimensions)
        answers = Answers.of(effective, dimensions)
        data = DataSet.of(answers, dimensions)
        if not len(data) and not self.begins_with_names(dimensions):
            raise ModelError("there is no answer to learn from; answer a question that is not for audit first")
        plan = self.recipe(dimensions)
        before = self._before[1] if self._before and self._before[0] == plan else None
        full = data.fit(self._make, dimensions, before=before)
        self._before = plan, full
        classifier = self._serving.served(full, data)
        artefact = Artefact(classifier, tuple(dimensions), self._text, answers.agreed, splits=splits)
        challenger = Recalled(artefact)
        n_messages = self._store.pool.messages()
        rest = unanswered(self._store, answers, n_messages=n_messages, classifier=classifier)
        numbers = measure(answers, challenger, dimensions, n_messages=n_messages, rest=rest)
        artefact = replace(artefact, evidence={name: one.steps.evidence() for name, one in numbers.items() if one})
        tags = {_RECIPE: plan, _ANSWERS: str(n_answers(told)), _LAST: str(last_annotation)}
        metrics = measures(numbers) | self._stability(challenger, rest) | {"fit_seconds": time.monotonic() - began}
        version = self._log(artefact, data, metrics, tags)
        verdict = self._pass_gate(replace(artefact, version=version), challenger, answers.audit, dimensions)
        accuracy = {name: one.accuracy if one else None for name, one in numbers.items()}
        held_out = full.held_out() if isinstance(full, CrossValidated) else {}
        return Trained(version, verdict, len(data), accuracy, time.monotonic() - began, data, held_out, splits)

    def recalled_champion(self) -> Recalled | None:
        """Return the champion with what it said before, None when there is none or it cannot be read.

        Raises
        ------
        UnavailableError
            The registry does not answer.
        """
        champion = self.champion()
        if champion is None:
            return None
        version = str(champion.version)
        if self._recalled is None or self._recalled[0] != version:
            self._recalled = version, Recalled(champion)
        return self._recalled[1]

    def _stability(self, challenger: Recalled, groups: pl.DataFrame) -> dict[str, float]:
        """Return how far a version agrees with the champion, as metrics."""
        champion = self.recalled_champion()
        found = {} if champion is None else agreement(champion, challenger, groups, challenger.dimensions)
        return {metric_name("stability", name): value for name, value in found.items()}

    def _log(self, artefact: Artefact, data: DataSet, metrics: Mapping[str, float], tags: Mapping[str, str]) -> str:
        parameters = {allowed(name): value for name, value in artefact.classifier.parameters.items()}
        with tempfile.TemporaryDirectory(prefix="vigie-model-") as scratch:
            folder = Path(scratch) / "artefact"
            artefact.save(folder)
            record = TrainingRecord(
                folder=folder,
                outputs=[dimension.name for dimension in artefact.dimensions],
                parameters=parameters | {"classifier": artefact.classifier.name},
                metrics=metrics,
                dataset_digest=data.digest,
                n_examples=len(data),
                tags=tags,
            )
            return self._registry.log(record)

    def _pass_gate(
        self, challenger: Artefact, recalled: Recalled, audit: pl.DataFrame, dimensions: Sequence[Dimension]
    ) -> Verdict:
        version = str(challenger.version)
        verdict = decide(self.recalled_champion(), recalled, audit, dimensions)
        if verdict.promote:
            self._registry.set_champion(version)
            self._champion, self._recalled = challenger, (version, recalled)
        else:
            self._registry.set_challenger(version)
        self._registry.mark(version, verdict.tags)
        return verdict


def n_answers(effective: pl.DataFrame) -> int:
    """Return the number of answers (pairs of group and annotator) among annotations that hold."""
    return effective.select("group_id", "annotator").unique().height


def points(versions: Sequence[VersionInfo]) -> list[Point]:
    """Return the versions learned like the newest as points of a learning curve, oldest first; those cut short are left out.

    Parameters
    ----------
    versions
        Newest first.
    """
    like = versions[0].tags.get(_RECIPE) if versions else None
    known = [version for version in versions if version.tags.get(_RECIPE) == like and _learned(version) is not None]
    return [Point(int(version.tags[_ANSWERS]), version.metrics) for version in reversed(known)]


def _has_rows(effective: pl.DataFrame, dimensions: Sequence[Dimension]) -> bool:
    return len(DataSet.of(Answers.of(effective, dimensions), dimensions)) > 0


def _learned(version: VersionInfo) -> Learned | None:
    tags = version.tags
    if "validation_status" not in tags or not {_RECIPE, _ANSWERS, _LAST} <= set(tags):
        return None
    return Learned(tags[_RECIPE], int(tags[_ANSWERS]), int(tags[_LAST]))
