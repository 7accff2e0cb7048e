"""Questions: leased to one annotator at a time, so that two people never get the same one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from vigie.errors import LabelError
from vigie.labels import Question, QuestionKind
from vigie.store import alike, closing, leasing
from vigie.store.bulk import chunks, storable
from vigie.store.closing import Answer, Undone
from vigie.store.engine import Database, Lock
from vigie.store.leasing import LIVE, Lease
from vigie.store.tables import (
    MAX_MESSAGE_CHARACTERS,
    GroupState,
    QuestionState,
    groups,
    question_state,
    questions,
)

UNDO_SECONDS = 600.0
"""How long a question that was taken back is leased."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A question to be asked: about which group, why drawn, its place in the queue (lower is asked sooner), and why."""

    group_id: int
    kind: QuestionKind
    rank: float
    reason: Mapping[str, object] = field(default_factory=dict)


class Questions:
    """All questions.

    Parameters
    ----------
    database
        Where they are.
    audit_every
        Each so many questions handed out one is an audit question, when there is one; 0 for never out of turn.
    """

    def __init__(self, database: Database, *, audit_every: int) -> None:
        self._database = database
        self._audit_every = audit_every

    def replace(self, drafts: Sequence[Draft], kind: QuestionKind) -> int:
        """Put new questions in place of all open ones of a kind; return how many there are now.

        What is leased stays, and what an annotator held when the lease ran out. A group that was answered, flagged or
        evicted, or is being asked about, gets no question; an audit draft takes the place of an open strategy question.
        """
        drafted = {draft.group_id: draft for draft in reversed(drafts)}
        with self._database.write(Lock.QUESTIONS) as connection:
            connection.execute(delete(questions).where(_first(), _untouched(), questions.c.kind == kind))
            for part in chunks(sorted(drafted)):
                if kind == QuestionKind.AUDIT:
                    connection.execute(delete(questions).where(_untouched(), questions.c.group_id.in_(part)))
                _insert(connection, [drafted[group_id] for group_id in _askable(connection, part)], self._database)
            query = select(func.count()).where(
                _first(), questions.c.state == QuestionState.OPEN, questions.c.kind == kind
            )
            return int(connection.execute(query).scalar_one())

    def lease(self, annotator: str, n: int, seconds: float, *, again: bool = False) -> list[Question]:
        """Hand out at most `n` questions to an annotator, nobody else's until the lease ends.

        First those a strategy ranked, an audit question and a second look in turn, and when there are none the largest
        groups that nobody was asked about (reason ``{"why": "largest"}``); never a group this annotator skipped. With `again`,
        before all these, what the annotator holds already: for whoever does not remember it.
        """
        now = self._database.now()
        wanted = Lease(storable(annotator), n, now, now + timedelta(seconds=seconds))
        with self._database.write(Lock.QUESTIONS) as connection:
            return leasing.lease(connection, wanted, audit_every=self._audit_every, again=again)

    def answer(
        self,
        question_id: int,
        annotator: str,
        labels: Mapping[str, str],
        *,
        model_version: str | None = None,
        duration_seconds: float | None = None,
        exceptions: Sequence[str] = (),
        lease_seconds: float | None = None,
        also: Sequence[int] = (),
    ) -> list[int]:
        """Store labels for some or all dimensions and close the question; on disk when this returns.

        Parameters
        ----------
        question_id, annotator
            The question and who holds it; also when the lease ran out, until somebody else got it.
        labels
            By dimension; not checked against the settings.
        model_version
            Whose prediction was shown.
        duration_seconds
            How long it took.
        exceptions
            Messages of the group that this does not hold for; each becomes a question of its own.
        lease_seconds
            For how long those questions are this annotator's; left out, they are open, and this annotator's turn comes first.
        also
            Groups that take the same answer, in the same transaction, as far as they may (see `Alike`).

        Returns
        -------
        The ids of the annotations; their purpose is audit when the question was drawn for audit, else train.

        Raises
        ------
        QuestionError
            The question is not theirs any more; or it was drawn for audit or is about one message, or a group was never in
            the pool, and others were to take the answer.
        LabelError
            No label is given, or an exception is too long.
        """
        if not labels:
            raise LabelError(f"question {question_id} was answered without a label; give one, or skip the question")
        annotator, now = storable(annotator), self._database.now()
        until = None if lease_seconds is None else now + timedelta(seconds=lease_seconds)
        given = Answer(labels, model_version, duration_seconds, now, _messages(exceptions), until)
        locks = (Lock.POOL, Lock.QUESTIONS) if also else (Lock.QUESTIONS,)  # many groups: the stream changes them too
        with self._database.write(*locks, durable=True) as connection:
            row = closing.held(connection, question_id, annotator)
            ids = closing.answer(connection, row, annotator, given)
            return [*ids, *alike.answer(connection, row, annotator, given, also)] if also else ids

    def exceptions(self, question_id: int) -> list[Question]:
        """Return the questions about exceptions of an answer that wait to be answered, in the order given."""
        with self._database.read() as connection:
            return leasing.load(connection, closing.live_exceptions(connection, question_id))

    def excepted(self, group_id: int) -> set[str]:
        """Return the messages of a group that an answer singled out and that nobody has answered about yet."""
        waiting = questions.c.parent_id.is_not(None) & questions.c.state.in_(LIVE)
        with self._database.read() as connection:
            query = select(questions.c.message).where(questions.c.group_id == group_id, waiting)
            return set(connection.execute(query).scalars())

    def skip(self, question_id: int, annotator: str) -> None:
        """Close a question without an answer: this annotator is not asked about its group again, others may be.

        Raises
        ------
        QuestionError
            The question is not theirs any more.
        """
        with self._database.write(Lock.QUESTIONS, durable=True) as connection:
            row = closing.held(connection, question_id, storable(annotator))
            closing.skip(connection, row, self._database.now())

    def flag(self, question_id: int, annotator: str, comment: str = "") -> None:
        """Close a question as not answerable: nobody is asked about its group again.

        Raises
        ------
        QuestionError
            The question is not theirs any more.
        """
        with self._database.write(Lock.QUESTIONS, durable=True) as connection:
            row = closing.held(connection, question_id, storable(annotator))
            closing.flag(connection, row, storable(comment), self._database.now())

    def undo(self, annotator: str, seconds: float = UNDO_SECONDS) -> Undone | None:
        """Take back the annotator's newest answer, skip or flag; may be called for any number of steps.

        The question is leased to them again. What was answered stays in the history, followed by its withdrawal. Groups that
        took the answer along are taken back with it.

        Returns
        -------
        What was taken back; None when there is nothing (left).
        """
        now, annotator = self._database.now(), storable(annotator)
        with self._database.write(Lock.POOL, Lock.QUESTIONS, durable=True) as connection:
            leasing.expire(connection, now)
            undone = closing.undo(connection, annotator, now, now + timedelta(seconds=seconds))
            if undone is None:
                return None
            return replace(undone, also=tuple(alike.undo(connection, undone.question.id, annotator, now)))

    def steps(self) -> int:
        """Return how often people closed a question: an answer that several groups took is one step."""
        with self._database.read() as connection:
            return int(connection.execute(select(question_state.c.last_step)).scalar_one())

    def release(self, annotator: str, ids: Sequence[int]) -> None:
        """Give questions back before the lease ends; those that are not this annotator's are left alone."""
        values = {"state": QuestionState.OPEN, "annotator": None, "leased_until": None}
        with self._database.write(Lock.QUESTIONS) as connection:
            connection.execute(update(questions).where(_theirs(annotator, ids)).values(values))

    def renew(self, annotator: str, ids: Sequence[int], seconds: float) -> list[int]:
        """Keep questions for longer, from now on; return those that are still this annotator's."""
        until = self._database.now() + timedelta(seconds=seconds)
        with self._database.write(Lock.QUESTIONS) as connection:
            theirs = _theirs(annotator, ids)
            kept = connection.execute(select(questions.c.id).where(theirs).order_by(questions.c.id)).scalars().all()
            values = {"state": QuestionState.LEASED, "leased_until": until}
            connection.execute(update(questions).where(theirs).values(values))
        return list(kept)

    def get(self, question_id: int) -> Question | None:
        """Return a question by its id, in whatever state it is."""
        with self._database.read() as connection:
            return next(iter(leasing.load(connection, [question_id])), None)

    def held(self, kind: QuestionKind) -> list[int]:
        """Return the groups that somebody has a question of this kind about now, in order."""
        held = (questions.c.state == QuestionState.LEASED) & (questions.c.leased_until > self._database.now())
        with self._database.read() as connection:
            query = select(questions.c.group_id).where(held, questions.c.kind == kind).distinct()
            return list(connection.execute(query.order_by(questions.c.group_id)).scalars())

    def counts(self) -> dict[str, int]:
        """Return how many questions are open, leased, answered, skipped and flagged.

        Open second looks do not count: most people could not be asked them.
        """
        late = (questions.c.state == QuestionState.LEASED) & (questions.c.leased_until <= self._database.now())
        with self._database.read() as connection:
            counted = _first() | (questions.c.state != QuestionState.OPEN)
            query = select(questions.c.state, func.count()).where(counted).group_by(questions.c.state)
            counts = dict.fromkeys(map(str, QuestionState), 0) | dict(connection.execute(query).all())
            del counts[QuestionState.DROPPED]
            expired = select(func.count(), func.count().filter(_first())).where(late)
            n_expired, n_open_again = connection.execute(expired).one()
        counts[QuestionState.OPEN] += n_open_again
        counts[QuestionState.LEASED] -= n_expired
        return {str(state): n for state, n in counts.items()}


def _messages(exceptions: Sequence[str]) -> tuple[str, ...]:
    """Return messages as they are kept, each once."""
    for message in exceptions:
        if len(message) > MAX_MESSAGE_CHARACTERS:
            raise LabelError(
                f"an exception has {len(message)} characters; expected at most {MAX_MESSAGE_CHARACTERS}: answer the group alone"
            )
    return tuple(dict.fromkeys(storable(message) for message in exceptions))


def _first() -> Any:
    """Select questions about groups that nobody had answered; not second looks."""
    return questions.c.check_kind.is_(None)


def _untouched() -> Any:
    """Select open questions that nobody held when the lease ran out, and that were never closed."""
    whole = questions.c.parent_id.is_(None) & (questions.c.state == QuestionState.OPEN)
    return whole & questions.c.annotator.is_(None) & questions.c.step.is_(None)


def _theirs(annotator: str, ids: Sequence[int]) -> Any:
    mine = (questions.c.annotator == storable(annotator)) & questions.c.state.in_(LIVE)
    return mine & questions.c.id.in_(list(ids))


def _askable(connection: Connection, group_ids: Sequence[int]) -> Sequence[int]:
    whole = questions.c.parent_id.is_(None)
    live = select(questions.c.group_id).where(questions.c.group_id.in_(group_ids), questions.c.state.in_(LIVE), whole)
    query = select(groups.c.id).where(groups.c.id.in_(group_ids), groups.c.state == GroupState.OPEN)
    return connection.execute(query.where(groups.c.id.not_in(live))).scalars().all()


def _insert(connection: Connection, drafts: Sequence[Draft], database: Database) -> None:
    if not drafts:
        return
    now = database.now()
    rows = [
        {
            "group_id": draft.group_id,
            "kind": draft.kind,
            "rank": float(draft.rank),
            "reason": dict(draft.reason),
            "state": QuestionState.OPEN,
            "created_at": now,
        }
        for draft in drafts
    ]
    connection.execute(insert(questions), rows)
