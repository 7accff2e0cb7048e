"""What an annotator who thinks an answer over changes of it, and what holds again when they take that back.

Inside a transaction that holds `Lock.QUESTIONS`.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select

from vigie.labels import Annotation, Purpose
from vigie.store.annotations import append, standing
from vigie.store.tables import annotations, questions, settlements

_KEPT = (
    "group_id",
    "dimension",
    "label",
    "annotator",
    "question_id",
    "model_version",
    "duration_seconds",
    "message",
)


def changed(
    connection: Connection, row: Row[Any], annotator: str, labels: Mapping[str, str], exceptions: Collection[str]
) -> dict[str, str]:
    """Return those labels that are not what the annotator says of the group already; nothing is stored of the others.

    So an answer that is confirmed leaves what was said about single messages as it is. It is changed where the message that it
    was given about is one of the new `exceptions`.
    """
    said = _said(connection, int(row.group_id), annotator)
    return {
        dimension: label
        for dimension, label in labels.items()
        if any(one.label != label for one in said if one.dimension == dimension)
        or not any(one.message not in exceptions for one in said if one.dimension == dimension)
    }


def holding(connection: Connection, group_id: int, annotator: str) -> dict[str, str]:
    """Return what an annotator says of a group, by dimension."""
    return {one.dimension: one.label for one in _said(connection, group_id, annotator)}


def before(connection: Connection, given: Sequence[Row[Any]]) -> list[Row[Any]]:
    """Return what stood just before an answer to a doubt, and what its annotator said about single messages since.

    Parameters
    ----------
    given
        The annotations of the answer that hold, all of one group and annotator.
    """
    if not given:
        return []
    first = min(one.id for one in given)
    query = _mine(given[0].group_id, given[0].annotator).where(
        annotations.c.dimension.in_([one.dimension for one in given])
    )
    earlier = standing([given[0].group_id], before=first)
    now = standing([given[0].group_id])
    since = query.join(now, now.c.id == annotations.c.id)
    since = since.where(annotations.c.id > first, annotations.c.id.not_in([one.id for one in given]))
    found = connection.execute(query.join(earlier, earlier.c.id == annotations.c.id).order_by(annotations.c.id)).all()
    return [*found, *connection.execute(since.order_by(annotations.c.id)).all()]


def say_again(connection: Connection, rows: Sequence[Row[Any]], now: datetime) -> None:
    """Append annotations once more, those that settled something as settled, unless somebody settled it since.

    They keep the questions that they answered, so that these answers can be taken back in turn.
    """
    again = [
        Annotation(**{name: getattr(one, name) for name in _KEPT}, purpose=Purpose(one.purpose), created_at=now)
        for one in rows
    ]
    in_force = [one.settlement is not None and not _settled_since(connection, one) for one in rows]
    ids = append(connection, again)
    settled = [{"annotation_id": i} for i, is_settled in zip(ids, in_force, strict=True) if is_settled]
    if settled:
        connection.execute(insert(settlements), settled)


def _mine(group_id: int, annotator: str) -> Select[Any]:
    query = select(*annotations.c, settlements.c.annotation_id.label("settlement"))
    query = query.outerjoin(settlements, settlements.c.annotation_id == annotations.c.id)
    return query.where(annotations.c.group_id == group_id, annotations.c.annotator == annotator)


def _said(connection: Connection, group_id: int, annotator: str) -> Sequence[Row[Any]]:
    """Return the annotations of a person that hold for a group, without those of exceptions; oldest first."""
    held = standing([group_id])
    query = _mine(group_id, annotator).join(held, held.c.id == annotations.c.id)
    query = query.outerjoin(questions, questions.c.id == annotations.c.question_id)
    return connection.execute(query.where(questions.c.parent_id.is_(None)).order_by(annotations.c.id)).all()


def _settled_since(connection: Connection, one: Row[Any]) -> bool:
    """Tell whether somebody else settled the same after an annotation, so that theirs holds."""
    held = standing([one.group_id])
    query = (
        select(func.count())
        .select_from(annotations)
        .join(held, held.c.id == annotations.c.id)
        .join(settlements, settlements.c.annotation_id == annotations.c.id)
        .where(annotations.c.group_id == one.group_id, annotations.c.dimension == one.dimension)
        .where(annotations.c.annotator != one.annotator, annotations.c.id > one.id)
    )
    return connection.execute(query).scalar_one() > 0
