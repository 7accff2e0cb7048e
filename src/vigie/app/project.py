"""One project directory and its parts, each made on first use."""

import re
import threading
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self

import polars as pl

from vigie import plugins
from vigie.app.neighbours import Neighbours
from vigie.app.parts import build, database_url, encoder_source, in_folder, read_rules, read_settings, shares, suited
from vigie.errors import SettingsError, UnknownPartError
from vigie.features.encoder_cache import attach
from vigie.labelling import Labelling
from vigie.labels import Dimension
from vigie.learner.loop import Learner, Plan
from vigie.learner.purity import Guard
from vigie.quality.planning import SecondLooks
from vigie.quality.review import Review
from vigie.registry import Registry
from vigie.rules import Rules
from vigie.settings import Settings, place
from vigie.store import Store, utc_now
from vigie.strategies import Strategy
from vigie.strategies.contested import Contested
from vigie.stream.dead_letters import split
from vigie.stream.decode import decode
from vigie.stream.enrich import enrich
from vigie.stream.labeller import Labeller
from vigie.stream.routing import Policy
from vigie.stream.worker import BatchReport, Pace, Worker
from vigie.text import Normaliser, normaliser
from vigie.text.refining import Refinement


class Project:
    """Everything a role needs of one project.

    Parameters
    ----------
    settings
        As read from the project directory.
    flags
        What the command line overrides, by dotted name; kept when the file is read again.
    """

    def __init__(self, settings: Settings, flags: Mapping[str, Any] | None = None) -> None:
        self.settings = settings
        self._flags = dict(flags or {})
        self._dimensions = settings.as_dimensions()
        self._lock = threading.RLock()

    @classmethod
    def open(cls, folder: Path, *, flags: Mapping[str, Any] | None = None) -> Self:
        """Read a project directory.

        Raises
        ------
        SettingsError
            Its `vigie.toml` or `rules.toml` is missing or broken.
        """
        return cls(read_settings(folder, flags), flags)

    @property
    def folder(self) -> Path:
        """The project directory."""
        return self.settings.folder

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """What is asked of each message, as the settings in force say."""
        return self._dimensions

    @property
    def model_name(self) -> str:
        """The name of the project's registered model; MLflow takes no / and : in it."""
        return self.settings.registry.model or f"vigie-{re.sub('[/:]', '-', self.settings.project.name)}"

    @cached_property
    def store(self) -> Store:
        """The database, migrated."""
        settings = self.settings
        return Store.open(
            database_url(settings.store.url, self.folder),
            max_groups=settings.pool.max_groups,
            samples_per_group=settings.pool.samples_per_group,
            audit_every=settings.learning.audit_every,
            max_embeddings=settings.pool.max_embeddings,
        )

    @cached_property
    def registry(self) -> Registry:
        """The model registry; its packages are imported at the first use."""
        settings = self.settings.registry
        return Registry(
            database_url(settings.tracking_uri, self.folder),
            self.model_name,
            artifact_root=self.folder / settings.artifacts,
            cache=self.folder / ".vigie" / "models",
        )

    @cached_property
    def text(self) -> Normaliser:
        """What makes messages comparable."""
        return normaliser(self.settings.project.text)

    @cached_property
    def labeller(self) -> Labeller:
        """What labels texts; it has no model until `Watcher` or `use_champion` gives it one."""
        return self._labeller(self.policy(self.settings))

    def without_broken_rules(self) -> str | None:
        """Make the labeller, without rules where they cannot be read, and return why they cannot; None when all is well.

        For whoever looks at a project, not for what labels its messages.
        """
        try:
            self.labeller  # noqa: B018 — made here
        except SettingsError as error:
            self.labeller = self._labeller(self._policy(self.settings, Rules.empty(self.dimensions)))
            return str(error)
        return None

    def _labeller(self, policy: Policy) -> Labeller:
        return Labeller(
            policy,
            normalise=self.text.normalise,
            refining=lambda splits: Refinement(self.text, splits).templates,
            cache_templates=self.settings.stream.cache_templates,
        )

    @cached_property
    def labelling(self) -> Labelling:
        """What annotators talk to."""
        return Labelling(
            store=self.store,
            dimensions=lambda: self.dimensions,
            predict=self.labeller.predict,
            normalise=self.labeller.templates,
            lease_seconds=self.settings.learning.lease_seconds,
            near=self.neighbours.near,
        )

    @cached_property
    def review(self) -> Review:
        """What a reviewer looks at."""
        return Review(
            self.store,
            dimensions=lambda: self.dimensions,
            too_fast_seconds=lambda: self.settings.quality.too_fast_seconds,
            clock=utc_now,
            seed=self.settings.learning.seed,
            regrouped=lambda told: self.guard.effective(told, getattr(self.labeller.model, "splits", {})),
            version=lambda: getattr(self.labeller.model, "version", None),
        )

    @cached_property
    def guard(self) -> Guard:
        """Which groups answers are about, where a model version splits templates."""
        return Guard(self.store, self.text)

    @cached_property
    def neighbours(self) -> Neighbours:
        """Which groups are like another one."""
        return Neighbours(self.store, lambda: self.labeller.model)

    def policy(self, settings: Settings) -> Policy:
        """Return the labelling policy that `settings` and the rules file make.

        Raises
        ------
        SettingsError
            The rules file is broken, or not there though the settings name it.
        """
        return self._policy(settings, read_rules(settings))

    def _policy(self, settings: Settings, rules: Rules) -> Policy:
        targets = {one.name: one.target_precision for one in settings.dimensions if one.target_precision is not None}
        return Policy(settings.as_dimensions(), rules, settings.rules.precedence, settings.routing.confidence, targets)

    def read_again(self) -> Settings:
        """Return what the settings are now, which `follow` can put in force.

        Raises
        ------
        SettingsError
            `vigie.toml` cannot be used any more.
        """
        return read_settings(self.folder, self._flags)

    def follow(self, settings: Settings) -> None:
        """Put changed settings in force: dimensions, rules, thresholds. The rest waits for the role to start again."""
        policy = self.policy(settings)
        with self._lock:
            self.labeller.use(policy=policy)
            self.settings = settings
            self._dimensions = policy.dimensions

    def use_champion(self) -> str | None:
        """Give the labeller the champion, if that is another version than it has; return the version in use.

        Raises
        ------
        UnavailableError
            The registry does not answer; the labeller keeps what it has.
        ModelError
            The champion cannot be read; likewise.
        MissingExtraError, UnknownPartError
            What its classifier needs is not installed here; likewise.
        """
        from vigie.classifiers.artefact import Artefact  # noqa: PLC0415 — scikit-learn takes a second to import

        version = self.registry.champion()
        current = self.labeller.model.version if self.labeller.model else None
        if version is not None and version != current:
            attach(lambda: self.store.embeddings)
            self.labeller.use(model=Artefact.load(self.registry.fetch(version), version=version))
        return version or current

    def worker(
        self,
        source: str,
        *,
        until_end: bool = False,
        instance: int = 0,
        on_batch: Callable[[BatchReport], None] = lambda _report: None,
    ) -> Worker:
        """Build the stream worker of one source.

        Raises
        ------
        SettingsError
            There is no such source, it has no sink, or one of them cannot be built as written.
        """
        settings = self.settings
        sink = self.sink(source, instance=instance)
        return Worker(
            self._source(source, until_end=until_end, instance=instance),
            sink,
            name=source,
            process=self.process(source),
            record=self._record(source),
            pace=Pace(settings.stream.max_batch, settings.stream.max_delay_seconds),
            on_batch=on_batch,
        )

    def sink(self, source: str, *, way: str = "", instance: int = 0) -> Any:
        """Build the sink of a source.

        Parameters
        ----------
        source
            Its name in the settings.
        way
            How its messages come, when not from the source itself (``replay``): such a worker has its own identity.
        instance
            Tells workers of one source apart.

        Raises
        ------
        SettingsError
            There is no such source, it has no sink, or that cannot be built as written.
        """
        settings = self.settings
        if source not in settings.sources:
            raise SettingsError(
                f"there is no source {source!r} in vigie.toml; it has: {', '.join(settings.sources) or 'none'}"
            )
        sink = settings.sink_of(source)
        if sink is None:
            raise SettingsError(f"source {source!r} has no sink; add a table such as [sinks.files] to vigie.toml")
        worker = f"{source}.{way}" if way else source
        return self._sink(sink, source, f"vigie-{self._group(source)}-{worker}-{instance}")

    def learner(self) -> Learner:
        """Build the learner.

        Raises
        ------
        SettingsError
            The classifier or the query strategy is not installed, the classifier refuses its parameters, or the rules file is
            broken.
        """
        learning = self.settings.learning
        try:
            classifier = plugins.load("classifiers", learning.classifier)
            strategy = plugins.load("strategies", learning.strategy)
        except UnknownPartError as error:
            raise SettingsError(f"[learning] in vigie.toml: {error}") from error
        offered = {
            "encoder": encoder_source(learning.encoder, self.folder),
            "encoder_threads": learning.encoder_threads,
        }
        make = partial(classifier, seed=learning.seed, **suited(classifier, offered) | learning.parameters)
        try:
            make(self.dimensions)
        except (TypeError, ValueError) as error:
            raise SettingsError(f"learning.parameters do not suit {learning.classifier}: {error}") from error
        attach(lambda: self.store.embeddings)
        return Learner(
            self.store,
            self.registry,
            dimensions=lambda: self.dimensions,
            classifier=make,
            strategy=self._strategy(strategy),
            text=self.settings.project.text,
            plan=Plan(
                retrain_after_answers=learning.retrain_after_answers,
                retrain_after_seconds=learning.retrain_after_seconds,
                audit_every=learning.audit_every,
                open_questions=learning.open_questions,
                seed=learning.seed,
                serving=learning.serving,
            ),
        ).check_with(SecondLooks(self.store, lambda: shares(self.settings), utc_now))

    def close(self) -> None:
        """Close what was opened."""
        if "neighbours" in self.__dict__:
            self.neighbours.close()
        attach(None)
        if "store" in self.__dict__:
            self.store.close()

    def _strategy(self, part: Any) -> Strategy:
        """Build a query strategy; with rules, one that asks sooner where a rule contradicts the model."""
        weights = {dimension.name: dimension.weight for dimension in self.settings.dimensions}
        strategy: Strategy = part(**suited(part, {"weights": weights}))
        rules = self.policy(self.settings).rules
        labels = {dimension.name: dimension.label_names for dimension in rules.dimensions}
        return Contested(strategy, rules.apply, labels) if len(rules) else strategy

    def _source(self, name: str, *, until_end: bool, instance: int = 0) -> Any:
        table = self.settings.sources[name]
        given = in_folder(self.folder, table.parameters)
        if until_end:
            given.pop("follow", None)
        offered = {
            "name": name,
            "inbox": self.store.inbox,
            "until_end": until_end,
            "instance": instance,
            "max_message_bytes": self.settings.stream.max_message_bytes,
            "folder": self.folder,
        }
        if table.type == "kafka":
            given.setdefault("group", self._group(name))
        return build(
            "sources",
            table.type,
            f"sources.{name}",
            given,
            offered,
            where_to_change=partial(self._place, "sources", name),
        )

    def _sink(self, name: str, source: str, identity: str) -> Any:
        table = self.settings.sinks[name]
        offered = {
            "name": name,
            "checkpoints": self.store.checkpoints,
            "transactional_id": identity,
            "folder": self.folder,
        }
        given = in_folder(self.folder, table.parameters)
        if table.type == "kafka":
            given.setdefault("keep_partitions", self.settings.sources[source].type == "kafka")
        return build(
            "sinks", table.type, f"sinks.{name}", given, offered, where_to_change=partial(self._place, "sinks", name)
        )

    def _place(self, *location: str) -> str:
        return place(self.folder, *location)

    def _group(self, source: str) -> str:
        return str(self.settings.sources[source].parameters.get("group", f"vigie-{self.settings.project.name}"))

    def process(self, source: str) -> Callable[[pl.DataFrame], tuple[pl.DataFrame, pl.DataFrame]]:
        """Return what turns a polled batch into enriched messages and dead letters."""
        table = self.settings.sources[source]
        limit = self.settings.stream.max_message_bytes

        def process(batch: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
            """Return the enriched messages of a batch and its dead letters."""
            decoded = decode(batch, text_fields=table.text_fields, max_message_bytes=limit, format=table.format)
            messages, dead_letters = split(decoded)
            labelled, dimensions = self.labeller.label(messages)
            return enrich(labelled, dimensions), dead_letters

        return process

    def _record(self, source: str) -> Callable[[pl.DataFrame, pl.DataFrame], int]:
        """Return what takes note of a batch in the store."""
        return lambda messages, dead_letters: self.store.record(
            source, pl.concat([messages, dead_letters], how="diagonal")
        )
