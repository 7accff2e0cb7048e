"""What the pages and the API can ask for."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from vigie.app.numbers import Judge
from vigie.app.project import Project
from vigie.app.watcher import Watcher
from vigie.errors import SettingsError, UnavailableError
from vigie.labelling import Asked, Labelling
from vigie.labels import Dimension, Prediction, WordWeight
from vigie.learner.history import History
from vigie.learner.trainer import points
from vigie.monitoring import Metrics, Snapshot
from vigie.quality.review import Review
from vigie.registry import VersionInfo
from vigie.settings import Settings
from vigie.store import Series
from vigie.text.refining import shown_values
from vigie.text.unlike import unlike_first

ALIVE_SECONDS = 10.0
RATE_SECONDS = 30
CHART_STEPS = 120


class Services:
    """The doors' view of a project; every method may be called from any thread.

    Parameters
    ----------
    project
        The project directory's parts.
    watcher
        What keeps them up to date.
    """

    def __init__(self, project: Project, watcher: Watcher) -> None:
        self._project = project
        self._watcher = watcher
        self._metrics = Metrics()
        self._judge = Judge(project)
        self._numbers = _Remembered(lambda _key: self._judge.measure())
        self._versions = _Remembered(self._list_versions, seconds=2.0)
        self._history = History(project.registry)

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._project.settings

    @property
    def settings_problem(self) -> str | None:
        """Why a changed `vigie.toml` or rules file is not in force, with line and reason; None when all is well."""
        return self._watcher.settings_problem

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """What is asked of each message."""
        return self._project.dimensions

    @property
    def labelling(self) -> Labelling:
        """Questions and answers."""
        return self._project.labelling

    @property
    def review(self) -> Review:
        """Answers that a reviewer should look at, and what they decide."""
        return self._project.review

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """Return what the system says about some texts, in order."""
        with self._metrics.predict_duration.time():
            return self._project.labeller.predict(texts)

    def explain(self, text: str) -> dict[str, list[WordWeight]]:
        """Return by dimension how much each word of the text's template spoke for its label; empty without a model."""
        model = self._project.labeller.model
        if model is None:
            return {}
        prediction = self._project.labeller.predict([text])[0]
        answered = {d.name: d.label_names for d in model.dimensions}
        return {
            dimension: model.explain(prediction.template, dimension, label)
            for dimension, label in prediction.labels.items()
            if label is not None and label in answered.get(dimension, ())
        }

    def variable_parts(self, text: str) -> list[tuple[int, int]]:
        """Return the character spans of a text that its template masks, as the model in use has it."""
        normaliser = self._project.text
        shown = shown_values(text, normaliser, getattr(self._project.labeller.model, "splits", {}))
        return [(start, end) for start, end in normaliser.variable_parts(text) if text[start:end] not in shown]

    def unlike_first(self, asked: Asked) -> list[str]:
        """Return the messages kept of a question's group, those first that are most unlike the one it shows and each other."""
        texts = list(dict.fromkeys([*asked.question.samples, asked.text]))
        return unlike_first(texts, asked.question.template, self._project.text, reference=asked.text)

    def prepare_similar(self) -> None:
        """Make ready, in the background, for `Labelling.similar` to answer at once."""
        self._project.neighbours.prepare()

    def push(self, messages: Sequence[bytes]) -> int:
        """Put messages in the inbox, all or none, and return how many.

        Raises
        ------
        SettingsError
            The project has no source of type ``http``, so nobody would read them.
        InboxFullError
            Too many messages wait; says when to try again.
        """
        if all(source.type != "http" for source in self.settings.sources.values()):
            raise SettingsError(
                'this project takes no posted messages; add [sources.http] with type = "http" to vigie.toml'
            )
        return len(self._project.store.inbox.put(list(messages), cap=self.settings.pool.max_inbox))

    def status(self) -> dict[str, Any]:
        """Return everything worth knowing at a glance, as plain values."""
        store = self._project.store
        measured, versions = self._measured(), self._versions.get(None)
        return {
            "project": {
                "name": self.settings.project.name,
                "goal": self.settings.project.goal,
                "text": self.settings.project.text,
            },
            "messages": self._messages(),
            "groups": {
                "total": store.pool.size(),
                "answered": store.pool.answered(),
                "evicted": store.pool.evicted(),
            },
            "questions": store.questions.counts(),
            "answers": store.annotations.count(),
            "training": self._training(has_versions=bool(versions)),
            "model": {"champion": self._champion(), "versions": _plain(versions)},
            "accuracy": {name: one["accuracy"] for name, one in measured["numbers"].items() if one},
            **measured,
            "quality": _plain(self._project.review.numbers()),
            "advice": _plain(self._judge.advice(points([*versions, *self._earlier(versions)]))),
            "answers_saved": _plain(self._judge.saved(versions)),
            "roles": [_plain(role) for role in self._alive()],
            "problems": [problem for problem in self._problems() if problem],
        }

    def series(self, minutes: int) -> Series:
        """Return what came through in the last minutes, in at most `CHART_STEPS` steps."""
        since = datetime.now(UTC) - timedelta(minutes=minutes)
        return self._project.store.traffic.series(minutes * 60 // CHART_STEPS, since)

    def ready(self) -> dict[str, str | None]:
        """Return each part this role needs, with what is wrong with it, or None."""
        return {
            "database": _problem_of(self._project.store.pool.size),
            "registry": self._watcher.model_problem,
        }

    def metrics(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        store = self._project.store
        numbers, champion, quality = self._measured()["numbers"], self._champion(), self.review.numbers()
        return self._metrics.render(
            Snapshot(
                totals=store.traffic.totals(),
                questions=store.questions.counts(),
                groups=store.pool.size(),
                evicted=store.pool.evicted(),
                answers=store.annotations.count(),
                inbox=store.inbox.waiting(),
                aliases={"champion": champion} if champion else {},
                lag=_lag(self._alive()),
                accuracy={name: one["accuracy"]["value"] for name, one in numbers.items() if one},
                agreement={
                    (dimension, measure): one["value"]
                    for dimension, found in quality["agreement"].items()
                    for measure, one in found.items()
                    if one
                },
                gold_accuracy=(quality["gold"]["accuracy"] or {}).get("value"),
                review={name: quality[name] for name in ("disagreements", "doubts", "too_fast")},
            )
        )

    def _champion(self) -> str | None:
        model = self._project.labeller.model
        return model.version if model else None

    def _alive(self) -> list[Any]:
        return list(self._project.store.presence.alive(ALIVE_SECONDS))

    def _messages(self) -> dict[str, Any]:
        totals = self._project.store.traffic.totals()
        routes = totals.filter(pl.col("kind") == "route").group_by("value").agg(pl.col("count").sum())
        by_route = dict(zip(routes["value"], routes["count"], strict=True))
        dead = int(totals.filter(pl.col("kind") == "dead_letter")["count"].sum())
        since = datetime.now(UTC) - timedelta(seconds=RATE_SECONDS)
        recent = self._project.store.traffic.series(RATE_SECONDS, since).messages
        rate = int(recent["count"].sum()) / RATE_SECONDS
        return {
            "total": sum(by_route.values()) + dead,
            "per_second": round(rate, 1),
            "dead_letters": dead,
            "by_route": by_route,
        }

    def _training(self, *, has_versions: bool) -> dict[str, Any]:
        details = self._learner()
        since = details.get("answers_since", 0)
        if details and not has_versions:  # a busy learner has not counted yet, but there all answers are new
            since = self._project.store.annotations.count()
        return {
            "answers_since": since,
            "retrain_after": self.settings.learning.retrain_after_answers,
            "running": bool(details.get("training", False)),
            "embedded": details.get("embedded"),
            "to_embed": details.get("to_embed"),
        }

    def _learner(self) -> Mapping[str, Any]:
        """Return what the learner that acts says about itself; nothing when there is none."""
        learners = [role.details for role in self._alive() if role.role == "learner"]
        return next((details for details in learners if details.get("acting")), {})

    def _problems(self) -> list[str | None]:
        return [self._watcher.settings_problem, self._watcher.model_problem, self._learner().get("problem")]

    def _measured(self) -> dict[str, Any]:
        """Return ``numbers`` and ``automatic``, as `Judge.measure` does."""
        policy = self._project.labeller.policy
        key = (
            self._champion(),
            self._project.store.annotations.last_id(),
            policy.confidence,
            dict(policy.targets),
            dict(policy.thresholds),
        )
        return dict(_plain(self._numbers.get(key)))

    def _list_versions(self, _key: object) -> list[VersionInfo]:
        try:
            return self._project.registry.versions(limit=50)
        except UnavailableError:
            return []

    def _earlier(self, newest: Sequence[VersionInfo]) -> list[VersionInfo]:
        """Return a few of the versions before the newest ones: fifty trainings of ten answers say nothing about thousands."""
        try:
            return self._history.before(newest)
        except UnavailableError:
            return []


class _Remembered:
    """The last result of a slow function, computed again for another key or after a while, by one thread at a time."""

    def __init__(self, compute: Callable[[Any], Any], *, seconds: float = 5.0) -> None:
        self._compute = compute
        self._seconds = seconds
        self._lock = threading.Lock()
        self._key: object = object()
        self._until = 0.0
        self._value: Any = None

    def get(self, key: object) -> Any:
        """Return the value for a key, computed anew where the key is another one or the last value is too old."""
        with self._lock:
            if key != self._key or time.monotonic() > self._until:
                self._value = self._compute(key)
                self._key, self._until = key, time.monotonic() + self._seconds
            return self._value


def _plain(value: Any) -> Any:
    """Return a frozen record as JSON-like values."""
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value


def _problem_of(check: Callable[[], object]) -> str | None:
    try:
        check()
    except UnavailableError as error:
        return str(error)
    return None


def _lag(roles: Sequence[Any]) -> dict[tuple[str, str, int], int]:
    return {
        (source, stream, int(partition)): int(n)
        for role in roles
        for source, streams in role.details.get("lag", {}).items()
        for stream, partition, n in streams
    }
