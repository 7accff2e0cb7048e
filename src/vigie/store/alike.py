"""Answers that are given to several groups at once: which groups may take one, and what becomes of them.

The groups that take the answer to a question along with it share its *step*, so that one undo takes all back. Each gets a
closed question of its own, whose reason says so; it is nobody's, since nobody was asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy import ColumnElement, Connection, Row, Select, exists, func, insert, literal_column, select, update

from vigie.errors import QuestionError, UnknownQuestionError
from vigie.labels import Annotation, Purpose, Question, QuestionKind
from vigie.store import closing, leasing
from vigie.store.annotations import append, update_states
from vigie.store.bulk import among, frame, storable
from vigie.store.engine import Database
from vigie.store.leasing import LIVE
from vigie.store.tables import (
    GroupState,
    QuestionState,
    annotations,
    audit_draws,
    groups,
    pool_state,
    question_state,
    questions,
    samples,
)

MAX_GROUPS = 100
"""How many groups may take an answer along with its question."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A group that may take the answer to another one's question; ``text`` is its newest real message."""

    group_id: int
    count: int
    text: str


class Alike:
    """Which groups may take an answer together, and which did.

    Never a group that was answered, flagged or drawn for audit, or is leased to somebody else.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def question(self, question_id: int, annotator: str) -> Question:
        """Return a question whose answer may be given to other groups.

        Raises
        ------
        QuestionError
            It is not this annotator's (any more), it was drawn for audit, or it is about one message alone.
        """
        with self._database.read() as connection:
            row = closing.held(connection, question_id, storable(annotator))
            _check_kind(row)
            return leasing.load(connection, [question_id])[0]

    def groups(self, limit: int) -> list[int]:
        """Return the largest groups that may take an answer, largest first; whether they are leased is not looked at."""
        query = select(groups.c.id).where(groups.c.state == GroupState.OPEN, ~_drawn())
        with self._database.read() as connection:
            query = query.order_by(groups.c.count.desc(), groups.c.id.desc()).limit(limit)
            return frame(connection, query)["id"].to_list()

    def templates(self, group_ids: Sequence[int]) -> pl.DataFrame:
        """Return ``group_id`` and ``template`` of groups, by id; those that are gone are left out."""
        query = select(groups.c.id.label("group_id"), groups.c.template)
        with self._database.read() as connection:
            return frame(connection, query.where(among(connection, groups.c.id, group_ids)).order_by(groups.c.id))

    def offers(self, annotator: str, group_ids: Sequence[int], n: int) -> list[Offer]:
        """Return the first `n` of those groups that may take an answer of this annotator; none that they skipped."""
        annotator = storable(annotator)
        with self._database.read() as connection:
            free = _free(connection, annotator, group_ids, self._database.now()).where(~_skipped(annotator))
            found = {row.id: row for row in connection.execute(free)}
            chosen = [found[group_id] for group_id in group_ids if group_id in found][:n]
            texts = _newest(connection, [row.id for row in chosen])
        return [Offer(row.id, row.size, texts.get(row.id, row.template)) for row in chosen]

    def taken(self, question_id: int) -> list[int]:
        """Return the groups that took the answer to a question along with it, in the order given."""
        with self._database.read() as connection:
            return [row.group_id for row in _along(connection, question_id)]


def answer(
    connection: Connection, main: Row[Any], annotator: str, given: closing.Answer, group_ids: Sequence[int]
) -> list[int]:
    """Give the answer to a question, closed just before, to those groups that may take it; return ids of annotations.

    Inside a transaction that holds `Lock.POOL` and `Lock.QUESTIONS`. Their annotations train, name no message and no time that
    the answer took, and close what is open about the groups.

    Raises
    ------
    QuestionError
        The question was drawn for audit: what is like the audit sample would be learned better than the rest. Or it is about
        one message that an answer singled out, which its group is not like.
    UnknownQuestionError
        A group was never in the pool.
    """
    _check_kind(main)
    last = int(connection.execute(select(pool_state.c.last_group_id)).scalar_one())
    if unknown := [group_id for group_id in group_ids if not 0 < group_id <= last]:
        raise UnknownQuestionError(f"group {unknown[0]} was never in the pool; send the groups that were offered")
    free = {row.id: row for row in connection.execute(_free(connection, annotator, group_ids, given.created_at))}
    taken = [free[group_id] for group_id in dict.fromkeys(group_ids) if group_id in free and group_id != main.group_id]
    step = int(connection.execute(select(question_state.c.last_step)).scalar_one())
    answers = []
    for row in taken:
        question_id = _close(connection, row, main, step, given.created_at)
        first = Annotation(
            row.id, "", None, annotator, Purpose.TRAIN, given.created_at, question_id, given.model_version
        )
        answers += [replace(first, dimension=name, label=label) for name, label in given.labels.items()]
    these = groups.c.id.in_([row.id for row in taken])
    connection.execute(update(groups).where(these).values(state=GroupState.ANSWERED))
    return append(connection, answers)


def undo(connection: Connection, question_id: int, annotator: str, now: datetime) -> list[int]:
    """Take back what was answered along with a question that was taken back just before; return the groups.

    What was open about a group before is open again, unless somebody answered or is asked about it now. What an annotator said of
    a group since stays.
    """
    along = _along(connection, question_id)
    _withdraw(connection, [row.id for row in along], annotator, now)
    group_ids = [row.group_id for row in along]
    update_states(connection, group_ids)
    for row in along:
        dropped = update(questions).where(questions.c.id == row.id).values(state=QuestionState.DROPPED)
        connection.execute(dropped)
        before = row.reason.get("instead_of")
        if before is not None and _is_unasked(connection, row.group_id):
            _ask_again(connection, row, before)
    return group_ids


def _check_kind(row: Row[Any]) -> None:
    if row.kind == QuestionKind.AUDIT:
        raise QuestionError(f"question {row.id} was drawn for audit, to measure; its answer is given to no other group")
    if row.parent_id is not None:
        raise QuestionError(f"question {row.id} is about one message alone; its answer is given to no other group")


def _drawn() -> ColumnElement[bool]:
    return exists().where(audit_draws.c.group_id == groups.c.id)


def _free(connection: Connection, annotator: str, group_ids: Sequence[int], now: datetime) -> Select[Any]:
    """Select those groups that may take an answer of an annotator, each with the question that is open about it."""
    live = questions.alias("live")
    # A bare column would make SQLite go through all open groups by their state.
    unanswered = groups.c.state.concat("") == GroupState.OPEN
    is_free = (live.c.state == QuestionState.OPEN) | (live.c.annotator == annotator) | (live.c.leased_until <= now)
    return (
        select(
            groups.c.id, groups.c.count.label("size"), groups.c.template, live.c.id.label("question_id"), live.c.reason
        )
        .outerjoin(live, (live.c.group_id == groups.c.id) & live.c.state.in_(LIVE) & live.c.parent_id.is_(None))
        .where(among(connection, groups.c.id, group_ids), unanswered, ~_drawn())
        .where(live.c.id.is_(None) | (is_free & (live.c.kind == QuestionKind.STRATEGY)))
    )


def _skipped(annotator: str) -> ColumnElement[bool]:
    # Written out, not a parameter: only then does SQLite use the partial index.
    mine = (questions.c.state == literal_column(f"'{QuestionState.SKIPPED}'")) & (questions.c.annotator == annotator)
    return exists().where(questions.c.group_id == groups.c.id, mine)


def _newest(connection: Connection, group_ids: Sequence[int]) -> dict[int, str]:
    query = select(samples.c.group_id, samples.c.text).where(among(connection, samples.c.group_id, group_ids))
    return {row.group_id: row.text for row in connection.execute(query.order_by(samples.c.timestamp, samples.c.slot))}


def _close(connection: Connection, row: Row[Any], main: Row[Any], step: int, now: datetime) -> int:
    """Close the question about a group, or make one that is closed, and return its id."""
    reason = {"why": "similar", "to": main.id, "size": row.size}
    values: dict[str, Any] = {"state": QuestionState.ANSWERED, "annotator": None, "leased_until": None, "step": step}
    values["closed_at"] = now
    if row.question_id is not None:
        values["reason"] = {**reason, "instead_of": row.reason}
        connection.execute(update(questions).where(questions.c.id == row.question_id).values(values))
        return int(row.question_id)
    kept = {"group_id": row.id, "kind": QuestionKind.STRATEGY, "rank": main.rank, "created_at": now}
    key: Any = connection.execute(insert(questions).values(**kept, **values, reason=reason)).inserted_primary_key
    return int(key[0])


def _along(connection: Connection, question_id: int) -> Sequence[Row[Any]]:
    main = questions.alias("main")
    same = (questions.c.step == main.c.step) & questions.c.annotator.is_(None) & (questions.c.id != main.c.id)
    query = select(questions).join(main, (main.c.id == question_id) & same)
    rows = connection.execute(query.where(questions.c.state == QuestionState.ANSWERED).order_by(questions.c.id)).all()
    return [row for row in rows if row.reason.get("to") == question_id]


def _is_unasked(connection: Connection, group_id: int) -> bool:
    """Tell whether a group has no answer and no question that is open or leased."""
    live = exists().where(
        questions.c.group_id == groups.c.id, questions.c.state.in_(LIVE), questions.c.parent_id.is_(None)
    )
    query = select(groups.c.id).where(groups.c.id == group_id, groups.c.state == GroupState.OPEN, ~live)
    return connection.execute(query).first() is not None


def _ask_again(connection: Connection, row: Row[Any], reason: Mapping[str, object]) -> None:
    """Open a question anew that was closed; annotations refer to the old one, so that it could not be withdrawn."""
    names = ("group_id", "kind", "rank", "message", "created_at")
    kept = {name: getattr(row, name) for name in names}
    connection.execute(insert(questions).values(**kept, state=QuestionState.OPEN, reason=reason))


def _withdraw(connection: Connection, question_ids: Sequence[int], annotator: str, now: datetime) -> None:
    """Take back what an annotator said with these questions, where they have not said otherwise since."""
    said = annotations.alias("said")
    mine = (said.c.annotator == annotator) & (said.c.group_id == annotations.c.group_id)
    last = select(func.max(said.c.id)).where(mine, said.c.dimension == annotations.c.dimension).scalar_subquery()
    query = select(annotations).where(annotations.c.id == last, annotations.c.label.is_not(None))
    given = connection.execute(
        query.where(annotations.c.question_id.in_(question_ids)).order_by(annotations.c.id)
    ).all()
    append(
        connection,
        [
            Annotation(one.group_id, one.dimension, None, annotator, Purpose(one.purpose), now, one.question_id)
            for one in given
        ],
    )
