"""Annotations: what people answered. Rows are only ever added; the last one of a person about a thing holds."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy import Connection, Select, Subquery, delete, func, insert, select, update

from vigie.errors import QuestionError
from vigie.labels import Annotation
from vigie.store.bulk import chunks, frame, storable
from vigie.store.engine import Database, Lock
from vigie.store.tables import GroupState, QuestionState, annotations, groups, questions


class Annotations:
    """All annotations ever made."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, answers: Sequence[Annotation]) -> list[int]:
        """Append annotations, all or none, and return their ids in the same order.

        Questions about these groups that nobody holds are withdrawn. It is on disk when this returns.

        Raises
        ------
        QuestionError
            A group is not in the pool any more.
        """
        if not answers:
            return []
        with self._database.write(Lock.POOL, Lock.QUESTIONS, durable=True) as connection:
            group_ids = sorted({answer.group_id for answer in answers})
            _check(connection, group_ids)
            ids = append(connection, answers)
            for part in chunks(group_ids):
                update_states(connection, part)
                open_now = questions.c.group_id.in_(part) & (questions.c.state == QuestionState.OPEN)
                connection.execute(delete(questions).where(open_now, questions.c.step.is_(None)))
            return ids

    def effective(self) -> pl.DataFrame:
        """Return what holds now: the last annotation of each person per group and dimension, unless taken back.

        Returns
        -------
        Columns ``group_id``, ``template``, ``count``, ``dimension``, ``annotator``, ``label``, ``purpose``,
        ``created_at``, ``question_id``, ``model_version``; oldest first.
        """
        last = _last()
        query = (
            select(
                annotations.c.group_id,
                groups.c.template,
                groups.c.count,
                annotations.c.dimension,
                annotations.c.annotator,
                annotations.c.label,
                annotations.c.purpose,
                annotations.c.created_at,
                annotations.c.question_id,
                annotations.c.model_version,
            )
            .join(last, last.c.id == annotations.c.id)
            .join(groups, groups.c.id == annotations.c.group_id)
            .where(annotations.c.label.is_not(None))
            .order_by(annotations.c.id)
        )
        return self._frame(query)

    def last_id(self) -> int:
        """Return the id of the newest annotation, 0 when there is none; it changes with every answer and undo."""
        with self._database.read() as connection:
            return int(connection.execute(select(func.max(annotations.c.id))).scalar() or 0)

    def count(self) -> int:
        """Return the number of answers that hold: pairs of group and annotator."""
        last = _last()
        pairs = (
            select(annotations.c.group_id, annotations.c.annotator)
            .join(last, last.c.id == annotations.c.id)
            .where(annotations.c.label.is_not(None))
            .distinct()
            .subquery()
        )
        with self._database.read() as connection:
            return int(connection.execute(select(func.count()).select_from(pairs)).scalar_one())

    def history(self, limit: int | None = None) -> pl.DataFrame:
        """Return the annotations as they were added, newest first, those taken back (label null) included.

        Returns
        -------
        All columns of an annotation: ``id``, ``group_id``, ``dimension``, ``label``, ``annotator``, ``purpose``,
        ``created_at``, ``question_id``, ``model_version``, ``duration_seconds``; and ``template``.
        """
        query = select(*annotations.c, groups.c.template).join(groups, groups.c.id == annotations.c.group_id)
        return self._frame(query.order_by(annotations.c.id.desc()).limit(limit))

    def _frame(self, query: Select[Any]) -> pl.DataFrame:
        with self._database.read() as connection:
            return frame(connection, query)


def _check(connection: Connection, group_ids: Sequence[int]) -> None:
    there: set[int] = set()
    for part in chunks(group_ids):
        there.update(connection.execute(select(groups.c.id).where(groups.c.id.in_(part))).scalars())
    missing = [group_id for group_id in group_ids if group_id not in there]
    if missing:
        raise QuestionError(
            f"{len(missing)} groups that were answered (the first is {missing[0]}) are not in the pool; "
            "they were evicted: add their texts again, or raise pool.max_groups"
        )


def append(connection: Connection, answers: Sequence[Annotation]) -> list[int]:
    """Insert annotations inside a write transaction that holds `Lock.QUESTIONS`; return their ids in order."""
    if not answers:
        return []
    last = int(connection.execute(select(func.max(annotations.c.id))).scalar() or 0)
    ids = list(range(last + 1, last + 1 + len(answers)))
    connection.execute(insert(annotations), [_row(i, answer) for i, answer in zip(ids, answers, strict=True)])
    return ids


def update_states(connection: Connection, group_ids: Sequence[int]) -> None:
    """Say of groups whether they are answered, after their annotations changed."""
    answered = (
        select(annotations.c.group_id)
        .where(annotations.c.id.in_(select(_last(group_ids).c.id)), annotations.c.label.is_not(None))
        .scalar_subquery()
    )
    these = groups.c.id.in_(group_ids)
    connection.execute(update(groups).where(these, groups.c.id.in_(answered)).values(state=GroupState.ANSWERED))
    withdrawn = (groups.c.state == GroupState.ANSWERED) & groups.c.id.not_in(answered)
    connection.execute(update(groups).where(these, withdrawn).values(state=GroupState.OPEN))


def _last(group_ids: Sequence[int] | None = None) -> Subquery:
    """Select the newest annotation of each person per group and dimension."""
    query = select(func.max(annotations.c.id).label("id"))
    if group_ids is not None:
        query = query.where(annotations.c.group_id.in_(group_ids))
    return query.group_by(annotations.c.group_id, annotations.c.annotator, annotations.c.dimension).subquery()


def _row(annotation_id: int, answer: Annotation) -> dict[str, str | int | float | datetime | None]:
    return {
        "id": annotation_id,
        "group_id": answer.group_id,
        "dimension": storable(answer.dimension),
        "label": None if answer.label is None else storable(answer.label),
        "annotator": storable(answer.annotator),
        "purpose": answer.purpose.value,
        "created_at": answer.created_at,
        "question_id": answer.question_id,
        "model_version": answer.model_version,
        "duration_seconds": answer.duration_seconds,
    }
