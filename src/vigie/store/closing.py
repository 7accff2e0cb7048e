"""Answering, skipping and flagging questions, and taking that back; inside a transaction that holds `Lock.QUESTIONS`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, exists, insert, select, update

from vigie.errors import QuestionError, UnknownQuestionError
from vigie.labels import Annotation, Check, Purpose, Question, QuestionKind
from vigie.store import doubts
from vigie.store.annotations import append, standing, update_states
from vigie.store.leasing import LIVE, load
from vigie.store.tables import GroupState, QuestionState, annotations, groups, question_state, questions

CLOSED = (QuestionState.ANSWERED, QuestionState.SKIPPED, QuestionState.FLAGGED)
"""States of a question that its annotator may take back."""


@dataclass(frozen=True, slots=True)
class Undone:
    """What was taken back: the question, leased again; the labels given, by dimension; answered, skipped or flagged.

    ``dropped`` are the questions about its exceptions, which nobody is asked any more, and ``exceptions`` their messages;
    ``also`` are the groups that had taken the answer along.
    """

    question: Question
    labels: Mapping[str, str]
    action: str
    dropped: tuple[int, ...] = ()
    exceptions: tuple[str, ...] = ()
    also: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody said about a question, when, seeing which model's prediction, and how long it took.

    ``exceptions`` are messages of the group that it does not hold for; they are asked about one by one. Until `until` these
    questions are leased to whoever answered; None leaves them open.
    """

    labels: Mapping[str, str]
    model_version: str | None
    duration_seconds: float | None
    created_at: datetime
    exceptions: tuple[str, ...] = ()
    until: datetime | None = None


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
    """Close a question with labels and return the ids of its annotations; none of what a doubt left as it was."""
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
        # Who thinks an answer over speaks of the whole group, whatever message they saw before.
        message=None if row.check_kind == Check.DOUBT else _message(connection, row, given.exceptions),
    )
    labels = given.labels
    if row.check_kind == Check.DOUBT:
        labels = doubts.changed(connection, row, annotator, labels, given.exceptions)
    answers = [replace(first, dimension=name, label=label) for name, label in labels.items()]
    ids = append(connection, answers)
    close(connection, row.id, QuestionState.ANSWERED, given.created_at)
    if row.parent_id is None:
        there = (groups.c.id == row.group_id) & (groups.c.state != GroupState.REPLACED)
        connection.execute(update(groups).where(there).values(state=GroupState.ANSWERED))
    if given.exceptions:
        connection.execute(insert(questions), _exceptions(row, annotator, given))
    return ids


def live_exceptions(connection: Connection, question_id: int) -> list[int]:
    """Return the questions about exceptions of an answer that were not answered, in the order given."""
    query = select(questions.c.id).where(questions.c.parent_id == question_id, questions.c.state.in_(LIVE))
    return list(connection.execute(query.order_by(questions.c.id)).scalars())


def skip(connection: Connection, row: Row[Any], now: datetime) -> None:
    """Close a question without an answer; others may be asked the same, unless somebody answered it by another way."""
    close(connection, row.id, QuestionState.SKIPPED, now)
    state = connection.execute(select(groups.c.state).where(groups.c.id == row.group_id)).scalar_one()
    if state == GroupState.OPEN or row.parent_id is not None:
        kept = ("group_id", "kind", "rank", "reason", "message", "parent_id")
        copied = {name: getattr(row, name) for name in kept}
        connection.execute(insert(questions).values(**copied, state=QuestionState.OPEN, created_at=now))


def flag(connection: Connection, row: Row[Any], comment: str, now: datetime) -> None:
    """Close a question as not answerable; nobody is asked about its group again, or about the exception that it is.

    A group that is replaced stays so.
    """
    close(connection, row.id, QuestionState.FLAGGED, now)
    connection.execute(update(questions).where(questions.c.id == row.id).values(comment=comment))
    if row.parent_id is None:
        there = (groups.c.id == row.group_id) & (groups.c.state != GroupState.REPLACED)
        connection.execute(update(groups).where(there).values(state=GroupState.FLAGGED))


def close(connection: Connection, question_id: int, state: QuestionState, now: datetime) -> None:
    """Set the state of a question that nobody holds any more, as the newest step."""
    connection.execute(update(question_state).values(last_step=question_state.c.last_step + 1))
    step = select(question_state.c.last_step).scalar_subquery()
    values = {"state": state, "closed_at": now, "leased_until": None, "step": step}
    connection.execute(update(questions).where(questions.c.id == question_id).values(values))


def undo(connection: Connection, annotator: str, now: datetime, until: datetime) -> Undone | None:
    """Take back the annotator's newest step, and lease its question to them again; exceptions of an answer go with it.

    A second look at its group that is open or leased is withdrawn: what it looks at is gone. Skips and flags whose group somebody
    else is asked about now instead are passed over.
    """
    row = _newest_step(connection, annotator)
    if row is None:
        return None
    labels = _withdraw(connection, row, annotator, now)
    dropped = _drop(connection, row)
    asked_anew = (questions.c.group_id == row.group_id) & (questions.c.state == QuestionState.OPEN)
    if row.parent_id is None:
        _drop_looks(connection, row.group_id)
        connection.execute(delete(questions).where(asked_anew, questions.c.parent_id.is_(None)))
    else:
        same = (questions.c.parent_id == row.parent_id) & (questions.c.message == row.message)
        connection.execute(delete(questions).where(asked_anew, same))
    values = {"state": QuestionState.LEASED, "leased_until": until, "closed_at": None, "comment": None}
    connection.execute(update(questions).where(questions.c.id == row.id).values(values))
    if row.state == QuestionState.FLAGGED and row.parent_id is None:
        there = (groups.c.id == row.group_id) & (groups.c.state == GroupState.FLAGGED)
        connection.execute(update(groups).where(there).values(state=GroupState.ANSWERED))
    update_states(connection, [row.group_id])
    return Undone(
        question=load(connection, [row.id])[0],
        labels=labels,
        action=row.state,
        dropped=tuple(question_id for question_id, _ in dropped),
        exceptions=tuple(message for _, message in dropped),
    )


def _message(connection: Connection, row: Row[Any], exceptions: Sequence[str]) -> str | None:
    """Return the message that an answer is about: the one shown, or if that is an exception another one of the group."""
    if row.message not in exceptions:
        return None if row.message is None else str(row.message)
    kept = load(connection, [row.id])[0].samples
    return next((sample for sample in kept if sample not in exceptions), None)


def _exceptions(row: Row[Any], annotator: str, given: Answer) -> list[dict[str, Any]]:
    state = QuestionState.OPEN if given.until is None else QuestionState.LEASED
    common = {
        "group_id": row.group_id,
        "kind": row.kind,
        "rank": row.rank,
        "reason": {"why": "exception"},
        "state": state,
        "annotator": annotator,
        "leased_until": given.until,
        "created_at": given.created_at,
        "parent_id": row.id,
    }
    return [common | {"message": message} for message in given.exceptions]


def _drop(connection: Connection, row: Row[Any]) -> list[tuple[int, str]]:
    """Let nobody be asked about the exceptions of an answer that is taken back; return these questions and messages."""
    query = select(questions.c.id, questions.c.message).where(
        questions.c.parent_id == row.id, questions.c.state.in_(LIVE)
    )
    gone = [(int(question_id), str(message)) for question_id, message in connection.execute(query.order_by("id"))]
    values = {"state": QuestionState.DROPPED, "leased_until": None}
    connection.execute(update(questions).where(questions.c.id.in_([one for one, _ in gone])).values(values))
    return gone


def _drop_looks(connection: Connection, group_id: int) -> None:
    """Withdraw the second look at a group; whoever holds it is told when they answer it."""
    looks = questions.c.check_kind.is_not(None) & questions.c.state.in_(LIVE)
    values = {"state": QuestionState.DROPPED, "leased_until": None}
    connection.execute(update(questions).where(questions.c.group_id == group_id, looks).values(values))


def _newest_step(connection: Connection, annotator: str) -> Row[Any] | None:
    other = questions.alias()
    held_by_others = exists().where(
        other.c.group_id == questions.c.group_id,
        other.c.parent_id.is_(None),
        questions.c.parent_id.is_(None),
        other.c.state.in_(LIVE),
        other.c.check_kind.is_(None),
        (other.c.state == QuestionState.LEASED) | other.c.step.is_not(None),
    )
    query = select(questions).where(questions.c.annotator == annotator, questions.c.state.in_(CLOSED), ~held_by_others)
    return connection.execute(query.order_by(questions.c.step.desc()).limit(1)).one_or_none()


def _withdraw(connection: Connection, row: Row[Any], annotator: str, now: datetime) -> dict[str, str]:
    """Take back what the annotator said with this question and has not said otherwise since; return it.

    Where the question doubted an earlier answer of theirs, all that they had said before holds again.
    """
    said = annotations.c.id.in_(select(standing([row.group_id]).c.id))
    mine = said & (annotations.c.annotator == annotator) & (annotations.c.question_id == row.id)
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
            message=one.message,
        )
        for one in given
    ]
    labels = {one.dimension: one.label for one in given}
    if row.check_kind != Check.DOUBT:
        append(connection, taken_back)
        return labels
    kept = doubts.holding(connection, row.group_id, annotator)
    before = doubts.before(connection, given)
    append(connection, taken_back)
    doubts.say_again(connection, before, now)
    return kept | labels
