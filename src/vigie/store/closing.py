"""Answering, skipping and flagging questions, and taking that back; inside a transaction that holds `Lock.QUESTIONS`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, exists, func, insert, select, update

from vigie.errors import QuestionError, UnknownQuestionError
from vigie.labels import Annotation, Purpose, Question, QuestionKind
from vigie.store.annotations import append, update_states
from vigie.store.leasing import LIVE, load
from vigie.store.tables import GroupState, QuestionState, annotations, groups, question_state, questions

CLOSED = (QuestionState.ANSWERED, QuestionState.SKIPPED, QuestionState.FLAGGED)
"""States of a question that its annotator may take back."""


@dataclass(frozen=True, slots=True)
class Undone:
    """What was taken back: the question, leased again; the labels given, by dimension; answered, skipped or flagged.

    ``also`` are the groups that had taken the answer along.
    """

    question: Question
    labels: Mapping[str, str]
    action: str
    also: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody said about a question, when, seeing which model's prediction, and how long it took."""

    labels: Mapping[str, str]
    model_version: str | None
    duration_seconds: float | None
    created_at: datetime


def held(connection: Connection, question_id: int, annotator: str) -> Row[Any]:
    """Return a question that is this annotator's to close.

    Raises
    ------
    QuestionError
        It is closed, or somebody else's, or gone.
    """
    row = connection.execute(select(questions).where(questions.c.id == question_id)).one_or_none()
    if row is None:
        raise UnknownQuestionError(f"question {question_id} does not exist (any more); ask for the next one")
    if row.state in CLOSED and row.annotator == annotator:
        raise QuestionError(f"question {question_id} was already {row.state}; undo that first to answer it again")
    if row.state not in LIVE or row.annotator != annotator:
        raise QuestionError(f"question {question_id} is not leased to {annotator!r} any more; ask for the next one")
    return row


def answer(connection: Connection, row: Row[Any], annotator: str, given: Answer) -> list[int]:
    """Close a question with labels and return the ids of its annotations."""
    purpose = Purpose.AUDIT if row.kind == QuestionKind.AUDIT else Purpose.TRAIN
    first = Annotation(
        group_id=row.group_id,
        dimension="",
        label=None,
        annotator=annotator,
        purpose=purpose,
        created_at=given.created_at,
        question_id=row.id,
        model_version=given.model_version,
        duration_seconds=given.duration_seconds,
    )
    answers = [replace(first, dimension=name, label=label) for name, label in given.labels.items()]
    ids = append(connection, answers)
    close(connection, row.id, QuestionState.ANSWERED, given.created_at)
    connection.execute(update(groups).where(groups.c.id == row.group_id).values(state=GroupState.ANSWERED))
    return ids


def skip(connection: Connection, row: Row[Any], now: datetime) -> None:
    """Close a question without an answer; others may be asked the same, unless somebody answered it by another way."""
    close(connection, row.id, QuestionState.SKIPPED, now)
    if connection.execute(select(groups.c.state).where(groups.c.id == row.group_id)).scalar_one() == GroupState.OPEN:
        copied = {name: getattr(row, name) for name in ("group_id", "kind", "rank", "reason")}
        connection.execute(insert(questions).values(**copied, state=QuestionState.OPEN, created_at=now))


def flag(connection: Connection, row: Row[Any], comment: str, now: datetime) -> None:
    """Close a question as not answerable; nobody is asked about its group again."""
    close(connection, row.id, QuestionState.FLAGGED, now)
    connection.execute(update(questions).where(questions.c.id == row.id).values(comment=comment))
    connection.execute(update(groups).where(groups.c.id == row.group_id).values(state=GroupState.FLAGGED))


def close(connection: Connection, question_id: int, state: QuestionState, now: datetime) -> None:
    """Set the state of a question that nobody holds any more, as the newest step."""
    connection.execute(update(question_state).values(last_step=question_state.c.last_step + 1))
    step = select(question_state.c.last_step).scalar_subquery()
    values = {"state": state, "closed_at": now, "leased_until": None, "step": step}
    connection.execute(update(questions).where(questions.c.id == question_id).values(values))


def undo(connection: Connection, annotator: str, now: datetime, until: datetime) -> Undone | None:
    """Take back the annotator's newest step, and lease its question to them again.

    Steps whose group somebody else is being asked about now are passed over.
    """
    row = _newest_step(connection, annotator)
    if row is None:
        return None
    labels = _withdraw(connection, row, annotator, now)
    connection.execute(
        delete(questions).where(questions.c.group_id == row.group_id, questions.c.state == QuestionState.OPEN)
    )
    values = {"state": QuestionState.LEASED, "leased_until": until, "closed_at": None, "comment": None}
    connection.execute(update(questions).where(questions.c.id == row.id).values(values))
    if row.state == QuestionState.FLAGGED:
        connection.execute(update(groups).where(groups.c.id == row.group_id).values(state=GroupState.ANSWERED))
    update_states(connection, [row.group_id])
    return Undone(question=load(connection, [row.id])[0], labels=labels, action=row.state)


def _newest_step(connection: Connection, annotator: str) -> Row[Any] | None:
    other = questions.alias()
    held_by_others = exists().where(
        other.c.group_id == questions.c.group_id,
        other.c.state.in_(LIVE),
        (other.c.state == QuestionState.LEASED) | other.c.step.is_not(None),
    )
    query = select(questions).where(questions.c.annotator == annotator, questions.c.state.in_(CLOSED), ~held_by_others)
    return connection.execute(query.order_by(questions.c.step.desc()).limit(1)).one_or_none()


def _withdraw(connection: Connection, row: Row[Any], annotator: str, now: datetime) -> dict[str, str]:
    """Take back what the annotator said with this question and has not said otherwise since; return it."""
    last = (
        select(func.max(annotations.c.id))
        .where(annotations.c.group_id == row.group_id, annotations.c.annotator == annotator)
        .group_by(annotations.c.dimension)
    )
    mine = annotations.c.id.in_(last) & (annotations.c.question_id == row.id) & annotations.c.label.is_not(None)
    given = connection.execute(select(annotations).where(mine).order_by(annotations.c.id)).all()
    taken_back = [
        Annotation(
            group_id=row.group_id,
            dimension=one.dimension,
            label=None,
            annotator=annotator,
            purpose=Purpose(one.purpose),
            created_at=now,
            question_id=row.id,
        )
        for one in given
    ]
    append(connection, taken_back)
    return {one.dimension: one.label for one in given}
