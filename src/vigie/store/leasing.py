"""Which questions an annotator gets; all inside a write transaction that holds `Lock.QUESTIONS`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, exists, func, insert, literal_column, select, update

from vigie.labels import Check, Question, QuestionKind
from vigie.store.annotations import kept_message
from vigie.store.tables import GroupState, QuestionState, annotations, groups, question_state, questions, samples

CHECK_EVERY = 5
"""Of so many questions handed out to all, at most one is a second look, while there are others."""

MOST_OWED = 4
"""So many audit questions that were due when there were none are made up for, at most."""

LIVE = (QuestionState.OPEN, QuestionState.LEASED)
"""States of a question that may still be answered; a group never has two of them."""

_CLOSED_GROUPS = (GroupState.FLAGGED, GroupState.REPLACED)


@dataclass(frozen=True, slots=True)
class Lease:
    """Who wants questions, how many, when, and until when they keep them."""

    annotator: str
    n: int
    now: datetime
    until: datetime


def lease(connection: Connection, wanted: Lease, *, audit_every: int, again: bool) -> list[Question]:
    """Hand out questions: exceptions, audit questions and second looks in turn, what a strategy ranked, the largest groups.

    With `again`, those that this annotator was handed before and has not answered come first.
    """
    expire(connection, wanted.now)
    ids = _held(connection, wanted) if again else []
    ids += _choose(connection, replace(wanted, n=wanted.n - len(ids)), audit_every)
    held = {"state": QuestionState.LEASED, "annotator": wanted.annotator, "leased_until": wanted.until}
    connection.execute(update(questions).where(questions.c.id.in_(ids)).values(held))
    return _shown(connection, load(connection, ids))


def expire(connection: Connection, now: datetime) -> None:
    """Open again what was leased for too long; its annotator may still answer until somebody else takes it."""
    late = (questions.c.state == QuestionState.LEASED) & (questions.c.leased_until <= now)
    connection.execute(update(questions).where(late).values(state=QuestionState.OPEN))


def load(connection: Connection, ids: Sequence[int]) -> list[Question]:
    """Return questions in the order of their ids given; those that do not exist are left out."""
    query = (
        select(questions, groups.c.template, groups.c.count)
        .join(groups, groups.c.id == questions.c.group_id)
        .where(questions.c.id.in_(ids))
    )
    rows = {row["id"]: row for row in connection.execute(query).mappings()}
    texts = _texts(connection, [row["group_id"] for row in rows.values()])
    return [_question(dict(rows[i]), texts.get(rows[i]["group_id"], [])) for i in ids if i in rows]


def _choose(connection: Connection, wanted: Lease, audit_every: int) -> list[int]:
    turns = _Turns(connection, audit_every)
    audit = _open(connection, wanted, QuestionKind.AUDIT)
    checks = _checks(connection, wanted)
    others = chain(_open(connection, wanted, QuestionKind.STRATEGY), _largest(connection, wanted), audit, checks)
    ids = _exceptions(connection, wanted)
    while len(ids) < wanted.n and (chosen := turns.take(audit, checks, others)) is not None:
        ids.append(chosen)
    turns.keep(connection)
    return ids


def _held(connection: Connection, wanted: Lease) -> list[int]:
    """Return questions that this annotator holds, unless they answered about the same by another way meanwhile."""
    said = exists().where(
        annotations.c.group_id == questions.c.group_id,
        annotations.c.annotator == wanted.annotator,
        annotations.c.created_at >= questions.c.created_at,
        annotations.c.question_id.is_distinct_from(questions.c.id),
        questions.c.parent_id.is_(None) | (annotations.c.message == questions.c.message),
    )
    group_state = select(groups.c.state).where(groups.c.id == questions.c.group_id).scalar_subquery()
    is_first = questions.c.parent_id.is_(None) & questions.c.check_kind.is_(None)
    query = (
        select(questions.c.id)
        .where(questions.c.state == QuestionState.LEASED, questions.c.annotator == wanted.annotator, ~said)
        .where(~is_first | (group_state == GroupState.OPEN), group_state.not_in(_CLOSED_GROUPS))
        .order_by(questions.c.id)
        .limit(wanted.n)
    )
    return list(connection.execute(query).scalars())


class _Turns:
    """How many questions were handed out since the last one for audit, and since the last second look."""

    def __init__(self, connection: Connection, audit_every: int) -> None:
        row = connection.execute(select(question_state.c.since_audit, question_state.c.since_check)).one()
        self._before = self._now = (int(row[0]), int(row[1]))
        self._audit_every = audit_every

    def take(self, audit: Iterator[int], checks: Iterator[int], others: Iterator[int]) -> int | None:
        """Return an audit question or a second look where one is due and there is one, else another question; count it."""
        since_audit, since_check = self._now
        if 0 < self._audit_every <= since_audit + 1 and (due := next(audit, None)) is not None:
            owed = since_audit + 1 - self._audit_every
            self._now = (min(owed, MOST_OWED * (self._audit_every - 1)), since_check)
            return due
        if since_check + 1 >= CHECK_EVERY and (due := next(checks, None)) is not None:
            self._now = (since_audit + 1, 0)
            return due
        chosen = next(others, None)
        if chosen is not None:
            self._now = (since_audit + 1, since_check + 1)
        return chosen

    def keep(self, connection: Connection) -> None:
        """Write down the counts, if they changed."""
        if self._now != self._before:
            values = {"since_audit": self._now[0], "since_check": self._now[1]}
            connection.execute(update(question_state).values(values))


def _open(connection: Connection, wanted: Lease, kind: QuestionKind) -> Iterator[int]:
    """Look for open questions of a kind, when the first is asked for."""
    # A sub-select, not a join: PostgreSQL would read all groups while its statistics are old.
    group_state = select(groups.c.state).where(groups.c.id == questions.c.group_id).scalar_subquery()
    query = (
        select(questions.c.id)
        .where(questions.c.state == QuestionState.OPEN, questions.c.kind == kind)
        .where(questions.c.parent_id.is_(None), questions.c.check_kind.is_(None))
        .where(group_state == GroupState.OPEN)
        .where(~_skipped(questions.c.group_id, wanted.annotator))
        .order_by(questions.c.rank, questions.c.id)
        .limit(wanted.n)
    )
    yield from connection.execute(query).scalars().all()


def _checks(connection: Connection, wanted: Lease) -> Iterator[int]:
    """Look for second looks that this annotator may be asked, when the first is asked for."""
    group_state = select(groups.c.state).where(groups.c.id == questions.c.group_id).scalar_subquery()
    said = exists().where(
        annotations.c.group_id == questions.c.group_id,
        annotations.c.annotator == wanted.annotator,
        annotations.c.label.is_not(None),
    )
    query = (
        select(questions.c.id)
        # Written out, not a parameter: only then does SQLite use the partial index.
        .where(questions.c.state == literal_column(f"'{QuestionState.OPEN}'"), questions.c.check_kind.is_not(None))
        .where(questions.c.asked_of.is_(None) | (questions.c.asked_of == wanted.annotator))
        .where((questions.c.check_kind == Check.DOUBT) | ~said)
        .where(group_state.not_in(_CLOSED_GROUPS))
        .where(~_skipped(questions.c.group_id, wanted.annotator))
        .order_by(questions.c.rank, questions.c.id)
        .limit(wanted.n)
    )
    yield from connection.execute(query).scalars().all()


def _exceptions(connection: Connection, wanted: Lease) -> list[int]:
    """Return open questions about messages that an answer singled out."""
    earlier = questions.alias()
    skipped = exists().where(
        earlier.c.parent_id == questions.c.parent_id,
        earlier.c.message == questions.c.message,
        earlier.c.state == QuestionState.SKIPPED,
        earlier.c.annotator == wanted.annotator,
    )
    query = select(questions.c.id).where(questions.c.state == QuestionState.OPEN, questions.c.parent_id.is_not(None))
    mine = func.coalesce(questions.c.annotator, "") == wanted.annotator
    query = query.where(~skipped).order_by(mine.desc(), questions.c.id).limit(wanted.n)
    return list(connection.execute(query).scalars())


def _shown(connection: Connection, leased: Sequence[Question]) -> list[Question]:
    """Note which message each question shows: the newest one, when it is handed out for the first time."""
    shown = [question if question.message is not None else _with_message(question) for question in leased]
    rows = [
        {"id_": new.id, "message_": new.message}
        for old, new in zip(leased, shown, strict=True)
        if new.message != old.message
    ]
    if rows:
        query = update(questions).where(questions.c.id == bindparam("id_"))
        connection.execute(query.values(message=bindparam("message_")), rows)
    return shown


def _with_message(question: Question) -> Question:
    return replace(question, message=kept_message(question.samples[0] if question.samples else None))


def _largest(connection: Connection, wanted: Lease) -> Iterator[int]:
    """Make questions about the largest groups that nobody was asked about: there may be no learner yet."""
    other = questions.alias()
    live = exists().where(other.c.group_id == groups.c.id, other.c.state.in_(LIVE), other.c.parent_id.is_(None))
    query = (
        select(groups.c.id)
        .where(groups.c.state == GroupState.OPEN, ~live, ~_skipped(groups.c.id, wanted.annotator))
        .order_by(groups.c.count.desc(), groups.c.id.desc())
        .limit(wanted.n)
    )
    for rank, group_id in enumerate(connection.execute(query).scalars().all()):
        yield _make(connection, group_id, rank, wanted)


def _make(connection: Connection, group_id: int, rank: int, wanted: Lease) -> int:
    row = {
        "group_id": group_id,
        "kind": QuestionKind.STRATEGY,
        "rank": float(rank),
        "reason": {"why": "largest"},
        "state": QuestionState.OPEN,
        "created_at": wanted.now,
    }
    key: Any = connection.execute(insert(questions).values(row)).inserted_primary_key
    return int(key[0])


def _skipped(group_id: ColumnElement[int], annotator: str) -> ColumnElement[bool]:
    earlier = questions.alias()
    # Written out, not a parameter: only then does SQLite use the partial index.
    mine = (earlier.c.state == literal_column(f"'{QuestionState.SKIPPED}'")) & (earlier.c.annotator == annotator)
    return exists().where(earlier.c.group_id == group_id, mine)


def _texts(connection: Connection, group_ids: Sequence[int]) -> dict[int, list[str]]:
    query = select(samples.c.group_id, samples.c.text).where(samples.c.group_id.in_(group_ids))
    found: dict[int, list[str]] = {}
    for group_id, text in connection.execute(query.order_by(samples.c.timestamp.desc(), samples.c.slot.desc())):
        found.setdefault(group_id, []).append(text)
    return found


def _question(row: Mapping[str, Any], texts: Sequence[str]) -> Question:
    return Question(
        id=row["id"],
        group_id=row["group_id"],
        kind=QuestionKind(row["kind"]),
        template=row["template"],
        count=row["count"],
        samples=tuple(texts),
        reason=row["reason"],
        leased_until=row["leased_until"] if row["state"] == QuestionState.LEASED else None,
        message=row["message"],
        parent_id=row["parent_id"],
    )
