"""How good the model in use is, as `Services.status` tells it: plain values by dimension."""

from collections.abc import Sequence
from typing import Any

from vigie.app.project import Project
from vigie.labels import Dimension
from vigie.learner.answers import Answers
from vigie.learner.audit import Model
from vigie.learner.numbers import Numbers, automatic, measure, passing
from vigie.learner.recalled import Recalled
from vigie.learner.saver import MIN_ANSWERS
from vigie.learner.savings import latest
from vigie.learner.stopping import NEXT_ANSWERS, STABLE, Point, advise
from vigie.learner.unanswered import unanswered
from vigie.registry import VersionInfo


class Judge:
    """Measures the model in use with the answers of the moment, for one thread at a time; a version is asked about a template once.

    Parameters
    ----------
    project
        Whose labeller, answers and settings count.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._asked: tuple[Model, Recalled] | None = None

    def measure(self) -> dict[str, Any]:
        """Return ``numbers`` and ``passing`` by dimension, and ``automatic``, the share of messages that passes.

        Of what is not known yet, numbers and shares are None.
        """
        policy, dimensions = self._project.labeller.policy, self._project.dimensions
        found = self._numbers(dimensions)
        thresholds = {dimension.name: policy.threshold(dimension.name) for dimension in dimensions}
        return {
            "numbers": {name: one and _described(one) for name, one in found.items()},
            "passing": {
                name: passing(one, target=policy.targets.get(name), threshold=thresholds[name])
                for name, one in found.items()
            },
            "automatic": automatic(found, thresholds),
        }

    def _numbers(self, dimensions: Sequence[Dimension]) -> dict[str, Numbers | None]:
        store, model = self._project.store, self._project.labeller.model
        if model is None:
            return {dimension.name: None for dimension in dimensions}
        if self._asked is None or self._asked[0] is not model:
            self._asked = model, Recalled(model)
        told = store.annotations.told()
        answers = Answers.of(self._project.guard.effective(told, getattr(model, "splits", {})), dimensions)
        n_messages = store.pool.messages()
        classifier = getattr(model, "classifier", None)
        rest = unanswered(store, answers, n_messages=n_messages, classifier=classifier)
        return measure(answers, self._asked[1], dimensions, n_messages=n_messages, rest=rest)

    def saved(self, versions: Sequence[VersionInfo]) -> dict[str, Any]:
        """Return the answers saved against random asking, all dimensions together and each; None with a reason while unknown.

        Parameters
        ----------
        versions
            Newest first.
        """
        names = [dimension.name for dimension in self._project.dimensions]
        found = latest(versions, names)
        reason = None if found else self._why_unknown()
        return {
            "n_answers": found.n_answers if found else None,
            "version": found.version if found else None,
            "overall": found.overall if found else None,
            "dimensions": {name: found.dimensions[name] if found else None for name in names},
            "reason": reason,
            "from_answers": MIN_ANSWERS,
        }

    def _why_unknown(self) -> str:
        if self._project.store.pool.answered() < MIN_ANSWERS:
            return "too_few_answers"
        return "no_model" if self._project.labeller.model is None else "not_estimated_yet"

    def advice(self, points: Sequence[Point]) -> dict[str, Any]:
        """Return by dimension whether more answers are worth the while, and by what measure."""
        worthwhile = self._project.settings.learning.worthwhile_gain
        return {
            "next_answers": NEXT_ANSWERS,
            "worthwhile_gain": worthwhile,
            "stable_from": STABLE,
            "dimensions": {
                dimension.name: advise(points, dimension.name, worthwhile=worthwhile)
                for dimension in self._project.dimensions
            },
        }


def _described(one: Numbers) -> dict[str, Any]:
    return {
        "labelled": one.labelled,
        "accuracy": one.accuracy,
        "macro_f1": one.macro_f1,
        "calibration": one.calibration,
    }
