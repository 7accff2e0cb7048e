"""The database of a project: groups, samples, questions, annotations, positions, counters; SQLite or PostgreSQL.

Everything that must be true together is written in one transaction. Readers never wait; writers take turns.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Self

import numpy as np
import polars as pl

from vigie.store.address import connect
from vigie.store.alike import MAX_GROUPS, Alike, Offer
from vigie.store.annotations import Annotations
from vigie.store.audit import Audit
from vigie.store.checkpoints import Checkpoints
from vigie.store.checks import CheckDraft, Checks
from vigie.store.closing import Undone
from vigie.store.embeddings import StoredEmbeddings
from vigie.store.engine import Database, utc_now
from vigie.store.grouping import Grouping
from vigie.store.inbox import Inbox
from vigie.store.listener import Listener
from vigie.store.pool import Group, Pool, Sample
from vigie.store.presence import Presence, Roster
from vigie.store.questions import Draft, Questions
from vigie.store.recorder import Recorder
from vigie.store.regrouping import Regrouping
from vigie.store.tables import GroupState, QuestionState, microseconds
from vigie.store.traffic import Series, Traffic
from vigie.store.upgrade import upgrade

__all__ = [
    "MAX_GROUPS",
    "Alike",
    "Annotations",
    "Audit",
    "CheckDraft",
    "Checkpoints",
    "Checks",
    "Draft",
    "Group",
    "GroupState",
    "Inbox",
    "Listener",
    "Offer",
    "Pool",
    "Presence",
    "QuestionState",
    "Questions",
    "Regrouping",
    "Roster",
    "Sample",
    "Series",
    "Store",
    "StoredEmbeddings",
    "Traffic",
    "Undone",
    "microseconds",
    "utc_now",
]


class Store:
    """Everything Vigie keeps; safe to share between threads, and one database between processes.

    Every call may raise `UnavailableError` when the database does not answer; then nothing was changed.

    Attributes
    ----------
    pool
        The groups, and a sample of real messages of each.
    annotations
        What people answered.
    questions
        What people are asked.
    alike
        Which groups may take an answer together.
    audit
        Which groups were drawn at random to measure.
    checks
        Second looks at answers, what a reviewer settled, gold answers.
    checkpoints
        Where sources resume, for sinks without transactions.
    inbox
        Messages pushed over HTTP, waiting for the stream worker.
    traffic
        Counters for charts and Prometheus.
    presence
        Which roles run.
    embeddings
        What templates mean, so that they are encoded once.
    regrouping
        Groups that people told apart.
    """

    def __init__(
        self,
        database: Database,
        pool: Pool,
        grouping: Grouping,
        *,
        audit_every: int = 10,
        max_embeddings: int = 100_000,
    ) -> None:
        self._database = database
        self.pool = pool
        self.annotations = Annotations(database)
        self.questions = Questions(database, audit_every=audit_every)
        self.alike = Alike(database)
        self.audit = Audit(database)
        self.checks = Checks(database)
        self.checkpoints = Checkpoints(database)
        self.inbox = Inbox(database)
        self.traffic = Traffic(database)
        self.presence = Roster(database)
        self.embeddings = StoredEmbeddings(database, max_rows=max_embeddings)
        self.regrouping = Regrouping(database)
        self._recorder = Recorder(database, grouping, pool, self.traffic)

    @classmethod
    def open(
        cls,
        url: str,
        *,
        max_groups: int = 1_000_000,
        samples_per_group: int = 5,
        audit_every: int = 10,
        max_embeddings: int = 100_000,
        clock: Callable[[], datetime] = utc_now,
        rng: np.random.Generator | None = None,
    ) -> Self:
        """Open a database; its tables are made, or brought up to date, where needed.

        Parameters
        ----------
        url
            ``sqlite:///FILE`` or ``postgresql://USER:PASSWORD@HOST/DATABASE``.
        max_groups
            Above this the least useful groups are evicted.
        samples_per_group
            How many real messages are kept of each group.
        audit_every
            Each so many questions handed out one is an audit question.
        max_embeddings
            Above this the least useful embeddings are evicted.
        clock
            Tells the time, aware.
        rng
            Chooses the samples.

        Raises
        ------
        SettingsError
            The address or the file cannot be used, or a newer Vigie made the database.
        MissingExtraError
            PostgreSQL is asked for and its driver is not installed.
        UnavailableError
            The server does not answer now.
        """
        database = Database(connect(url), clock)
        try:
            upgrade(database)
        except BaseException:
            database.close()
            raise
        grouping = Grouping(samples_per_group, rng or np.random.default_rng())
        pool = Pool(database, grouping, max_groups=max_groups)
        return cls(database, pool, grouping, audit_every=audit_every, max_embeddings=max_embeddings)

    def record(self, source: str, messages: pl.DataFrame) -> int:
        """Count a labelled batch, in one transaction that also notes how far each stream was counted.

        Parameters
        ----------
        source
            The name of the source in the settings.
        messages
            A labelled batch; rows with an ``error`` count as dead letters only. Rows below what was counted already of
            their stream and partition are left out: a batch that comes again after a crash counts nothing twice.

        Returns
        -------
        How many rows were counted.
        """
        return self._recorder.record(source, messages)

    def close(self) -> None:
        """Let go of all connections; may be called twice."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
