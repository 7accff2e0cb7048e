"""The pool: groups of messages with the same template, and a sample of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, delete, exists, func, select, update

from vigie.store.bulk import among, chunks, frame, storable_columns
from vigie.store.engine import Database, Lock
from vigie.store.grouping import ROWS, Grouping, digest
from vigie.store.tables import (
    GroupState,
    QuestionState,
    annotations,
    audit_draws,
    groups,
    microseconds,
    pool_state,
    questions,
    samples,
)

_EVICTED_AT_ONCE = 2_000  # about 20 ms; an annotator may be waiting for the turn


@dataclass(frozen=True, slots=True)
class Group:
    """All messages with one template; ``state`` says whether people answered or flagged it."""

    id: int
    template: str
    count: int
    first_seen: datetime
    last_seen: datetime
    state: GroupState


@dataclass(frozen=True, slots=True)
class Sample:
    """One real message of a group and where it stood; what was typed in or imported has no offset."""

    text: str
    source: str
    stream: str
    partition: int
    offset: int | None
    timestamp: datetime


class Pool:
    """All groups.

    Parameters
    ----------
    database
        Where they are.
    grouping
        Puts messages into groups.
    max_groups
        When a batch takes the pool above this, the least useful groups are evicted, a hundredth of the cap at a time:
        never one that was answered, flagged, skipped, leased or drawn for audit; of the others the smallest, then the
        longest unseen.
    """

    def __init__(self, database: Database, grouping: Grouping, *, max_groups: int) -> None:
        self._database = database
        self._grouping = grouping
        self._max_groups = max_groups

    def size(self) -> int:
        """Return the number of groups."""
        return self._state("size")

    def evicted(self) -> int:
        """Return how many groups were ever evicted."""
        return self._state("evicted")

    def answered(self) -> int:
        """Return how many groups have an answer."""
        with self._database.read() as connection:
            query = select(func.count()).select_from(groups).where(groups.c.state == GroupState.ANSWERED)
            return int(connection.execute(query).scalar_one())

    def messages(self) -> int:
        """Return how many messages there are in all groups that nobody flagged."""
        with self._database.read() as connection:
            query = select(func.sum(groups.c.count)).where(groups.c.state != GroupState.FLAGGED)
            return int(connection.execute(query).scalar_one() or 0)

    def unlabelled(self, limit: int | None = None) -> pl.DataFrame:
        """Return the groups without an answer that nobody flagged, largest first.

        Parameters
        ----------
        limit
            At most so many; all of them (2 s a million) when left out.

        Returns
        -------
        Columns ``group_id``, ``template``, ``count``, ``first_seen``, ``last_seen``.
        """
        columns = (groups.c.template, groups.c.count, groups.c.first_seen, groups.c.last_seen)
        query = select(groups.c.id.label("group_id"), *columns).where(groups.c.state == GroupState.OPEN)
        return self._frame(query.order_by(groups.c.count.desc(), groups.c.id.desc()).limit(limit))

    def sizes(self) -> pl.DataFrame:
        """Return ``group_id`` and ``count`` of the groups that `unlabelled` returns, largest first: half a second a million."""
        query = select(groups.c.id.label("group_id"), groups.c.count).where(groups.c.state == GroupState.OPEN)
        return self._frame(query.order_by(groups.c.count.desc(), groups.c.id.desc()))

    def described(self, group_ids: Sequence[int]) -> pl.DataFrame:
        """Return the columns of `unlabelled` for some groups, in whatever state they are; those that are gone are missing."""
        columns = (groups.c.template, groups.c.count, groups.c.first_seen, groups.c.last_seen)
        query = select(groups.c.id.label("group_id"), *columns)
        with self._database.read() as connection:
            return frame(connection, query.where(among(connection, groups.c.id, group_ids)).order_by(groups.c.id))

    def sample(self, n: int) -> pl.DataFrame:
        """Return at most `n` of the groups that `unlabelled` returns, each as likely, and the same while they stay so.

        They come in the order of their digests, which is as good as random: a few milliseconds, whatever the size of the pool.
        """
        columns = (groups.c.template, groups.c.count, groups.c.first_seen, groups.c.last_seen)
        # A bare column would make SQLite find all open groups by their state, and sort them.
        is_open = groups.c.state.concat("") == GroupState.OPEN
        query = select(groups.c.id.label("group_id"), *columns).where(is_open)
        return self._frame(query.order_by(groups.c.digest).limit(n))

    def counts(self) -> pl.DataFrame:
        """Return every group's ``group_id``, ``template`` and ``count``."""
        return self._frame(select(groups.c.id.label("group_id"), groups.c.template, groups.c.count))

    def group(self, group_id: int) -> Group | None:
        """Return a group by its id."""
        return self._one(groups.c.id == group_id)

    def find(self, template: str) -> Group | None:
        """Return the group of a template."""
        return self._one(groups.c.digest == digest(template))

    def known(self, templates: Sequence[str]) -> pl.DataFrame:
        """Return the groups of some templates, as far as there are any: ``template``, ``group_id``, ``count``."""
        by_digest = {digest(template): template for template in templates}
        found: list[tuple[str, int, int]] = []
        with self._database.read() as connection:
            for part in chunks(list(by_digest)):
                rows = connection.execute(
                    select(groups.c.digest, groups.c.id, groups.c.count).where(groups.c.digest.in_(part))
                )
                found += [(by_digest[bytes(key)], group_id, count) for key, group_id, count in rows]
        return pl.DataFrame(found, {"template": pl.String, "group_id": pl.Int64, "count": pl.Int64}, orient="row")

    def samples(self, group_id: int) -> list[Sample]:
        """Return the real messages kept of a group, newest first."""
        columns = [column for column in samples.c if column.name not in {"group_id", "slot"}]
        query = select(*columns).where(samples.c.group_id == group_id)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(samples.c.timestamp.desc(), samples.c.slot.desc()))
            return [Sample(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name

    def add(self, texts: pl.DataFrame, *, as_traffic: bool = True) -> pl.DataFrame:
        """Put texts that came by another way than a stream into their groups.

        Parameters
        ----------
        texts
            Columns ``text`` and ``template`` (String, no nulls).
        as_traffic
            Whether each row counts as one message of the stream, which questions and accuracy are weighed by.

        Returns
        -------
        ``template`` and ``group_id``, one row per template, in the order of first appearance.
        """
        now = microseconds(self._database.now())
        rows = texts.select(
            "template", "text", source=pl.lit(""), stream=pl.lit(""), partition=0, offset=None, timestamp=now
        ).cast(ROWS)
        with self._grouping.turn:
            with self._database.write(Lock.POOL) as connection:
                found = self._grouping.count(connection, rows)
                if not as_traffic and not found.is_empty():
                    _take_off(connection, rows, found)
            self._grouping.remember(found)
        templates = texts.select("template", stored="template").unique("template", maintain_order=True)
        stored = found.select(stored="template", group_id="group_id")
        joined = templates.with_columns(storable_columns("stored")).join(stored, on="stored", maintain_order="left")
        return joined.select("template", "group_id")

    def shrink(self) -> int:
        """Evict groups if there are more than `max_groups`; return how many were evicted."""
        if self._grouping.size <= self._max_groups:
            return 0
        with self._database.read() as connection:
            excess = int(connection.execute(select(pool_state.c.size)).scalar_one()) - self._max_groups
            n = excess + self._max_groups // 100 if excess > 0 else 0
            ids = connection.execute(_evictable().order_by(groups.c.count, groups.c.last_seen).limit(n)).scalars().all()
        evicted = 0
        for part in chunks(ids, _EVICTED_AT_ONCE):
            with self._database.write(Lock.POOL, Lock.QUESTIONS) as connection:
                evicted += _evict(connection, part)
        return evicted

    def _state(self, name: str) -> int:
        with self._database.read() as connection:
            return int(connection.execute(select(pool_state.c[name])).scalar_one())

    def _frame(self, query: Select[Any]) -> pl.DataFrame:
        with self._database.read() as connection:
            return frame(connection, query)

    def _one(self, condition: ColumnElement[bool]) -> Group | None:
        columns = [column for column in groups.c if column.name != "digest"]
        with self._database.read() as connection:
            row = connection.execute(select(*columns).where(condition)).one_or_none()
        return None if row is None else _group(row)


def _group(row: Row[Any]) -> Group:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name
    return Group(**values | {"state": GroupState(values["state"])})


def _evictable() -> Select[int]:
    touched = questions.c.step.is_not(None) | (questions.c.state != QuestionState.OPEN)
    return select(groups.c.id).where(
        groups.c.state.in_([GroupState.OPEN, GroupState.REPLACED]),
        ~exists().where(annotations.c.group_id == groups.c.id),
        ~exists().where(questions.c.group_id == groups.c.id, touched),
        ~exists().where(audit_draws.c.group_id == groups.c.id),
    )


def _take_off(connection: Connection, rows: pl.DataFrame, found: pl.DataFrame) -> None:
    """Undo the counting of messages that are no traffic; their groups and samples stay."""
    n_rows = rows.with_columns(storable_columns("template")).group_by("template").len("n")
    counted = found.with_columns(storable_columns("template")).join(n_rows, on="template").select("group_id", "n")
    query = update(groups).where(groups.c.id == bindparam("group_id"))
    connection.execute(query.values(count=groups.c.count - bindparam("n")), counted.to_dicts())


def _evict(connection: Connection, ids: Sequence[int]) -> int:
    """Delete groups, but those that became worth keeping since they were chosen."""
    gone = connection.execute(_evictable().where(among(connection, groups.c.id, ids))).scalars().all()
    connection.execute(delete(questions).where(among(connection, questions.c.group_id, gone)))
    connection.execute(delete(groups).where(among(connection, groups.c.id, gone)))
    values = {"size": pool_state.c.size - len(gone), "evicted": pool_state.c.evicted + len(gone)}
    connection.execute(update(pool_state).values(values))
    return len(gone)
