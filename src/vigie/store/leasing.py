"""Which questions an annotator gets; all inside a write transaction that holds `Lock.QUESTIONS`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, exists, func, insert, literal_column, select, update

from vigie.labels import Question, QuestionKind
from vigie.store.annotations import kept_message
from vigie.store.tables import GroupState, QuestionState, groups, question_state, questions, samples

LIVE = (QuestionState.OPEN, QuestionState.LEASED)
"""States of a question that may still be answered; a group never has two of them."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Who wants questions, how many, when, and until when they keep them."""

    annotator: str
    n: int
    now: datetime
    until: datetime


def lease(connection: Connection, wanted: Lease, *, audit_every: int) -> list[Question]:
    """Hand out questions: exceptions first, audit questions in turn, then those a strategy ranked, then the largest groups."""
    expire(connection, wanted.now)
    ids = _choose(connection, wanted, audit_every)
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
    strategy = _open(connection, wanted, QuestionKind.STRATEGY)
    audit = _open(connection, wanted, QuestionKind.AUDIT)
    largest = _largest(connection, wanted)
    since = before = connection.execute(select(question_state.c.since_audit)).scalar_one()
    ids = _exceptions(connection, wanted)
    while len(ids) < wanted.n:
        due = next(audit, None) if 0 < audit_every <= since + 1 else None
        chosen = due or next(strategy, None) or next(largest, None) or next(audit, None)
        if chosen is None:
            break
        ids.append(chosen)
        since = since + 1 if due is None else 0
    if since != before:
        connection.execute(update(question_state).values(since_audit=since))
    return ids


def _open(connection: Connection, wanted: Lease, kind: QuestionKind) -> Iterator[int]:
    """Look for open questions of a kind, when the first is asked for."""
    # A sub-select, not a join: PostgreSQL would read all groups while its statistics are old.
    group_state = select(groups.c.state).where(groups.c.id == questions.c.group_id).scalar_subquery()
    query = (
        select(questions.c.id)
        .where(questions.c.state == QuestionState.OPEN, questions.c.kind == kind, questions.c.parent_id.is_(None))
        .where(group_state == GroupState.OPEN)
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
