"""Second looks at answers: questions about groups that were answered already, what a reviewer settled, gold answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl
from sqlalchemy import ColumnElement, Connection, delete, exists, func, insert, literal_column, select, true, update

from vigie.errors import QuestionError, UnknownQuestionError
from vigie.labels import Annotation, Check, Purpose, QuestionKind
from vigie.store.annotations import append, update_states
from vigie.store.bulk import among, frame, storable
from vigie.store.bulk import insert as upsert
from vigie.store.closing import CLOSED
from vigie.store.engine import Database, Lock
from vigie.store.leasing import LIVE
from vigie.store.tables import (
    GroupState,
    QuestionState,
    annotations,
    audit_draws,
    gold,
    groups,
    questions,
    settlements,
)


@dataclass(frozen=True, slots=True)
class CheckDraft:
    """A question about a group that was answered already.

    Parameters
    ----------
    group_id, check
        About what, and why once more.
    rank
        Its place in the queue: lower is asked sooner.
    asked_of
        The only one who may be asked; None for anybody who said nothing about the group.
    reason
        What the annotator may know; None for what was said when the group was asked about first, so that nothing tells
        the two apart.
    """

    group_id: int
    check: Check
    rank: float = 0.0
    asked_of: str | None = None
    reason: Mapping[str, object] | None = field(default=None)


class Checks:
    """All second looks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def replace(self, drafts: Sequence[CheckDraft], check: Check) -> int:
        """Put new questions in place of all open ones of a kind; return how many there are now.

        What is leased stays, and what an annotator held when the lease ran out. A group without an answer, or about which a
        question is open or leased, gets none. A group that was audited stays so: its answers only measure.
        """
        drafted = {draft.group_id: draft for draft in reversed(drafts)}
        with self._database.write(Lock.QUESTIONS) as connection:
            connection.execute(delete(questions).where(_untouched(), questions.c.check_kind == check))
            ids = _askable(connection, list(drafted), true())
            _insert(connection, [drafted[group_id] for group_id in ids], self._database)
            mine = (questions.c.state == QuestionState.OPEN) & (questions.c.check_kind == check)
            return int(connection.execute(select(func.count()).where(mine)).scalar_one())

    def askable(self, group_ids: Sequence[int], check: Check) -> list[int]:
        """Return, in the order given, those groups about which `replace` would ask: answered, with no question that stays."""
        stays = ~_untouched() | questions.c.check_kind.is_distinct_from(check)
        with self._database.read() as connection:
            askable = set(_askable(connection, group_ids, stays))
        return [group_id for group_id in group_ids if group_id in askable]

    def skipped(self) -> pl.DataFrame:
        """Return who skipped what, first questions and second looks: ``group_id``, ``annotator``, each pair once."""
        # Written out, not a parameter: only then does SQLite use the partial index.
        skipped = questions.c.state == literal_column(f"'{QuestionState.SKIPPED}'")
        query = select(questions.c.group_id, questions.c.annotator).where(skipped).distinct()
        with self._database.read() as connection:
            return frame(connection, query.order_by(questions.c.group_id, questions.c.annotator))

    def waiting(self) -> pl.DataFrame:
        """Return the second looks that are open or leased: those `asked`, and ``reason``, a JSON object."""
        return self._asked(questions.c.state.in_(LIVE))

    def closed(self) -> pl.DataFrame:
        """Return the second looks that were answered, skipped or flagged; as `waiting`, ``annotator`` being who did it."""
        return self._asked(questions.c.state.in_(CLOSED))

    def n_waiting(self) -> dict[Check, int]:
        """Return how many second looks are open or leased, by why."""
        query = select(questions.c.check_kind, func.count()).where(questions.c.check_kind.is_not(None))
        with self._database.read() as connection:
            rows = connection.execute(query.where(questions.c.state.in_(LIVE)).group_by(questions.c.check_kind)).all()
        return dict.fromkeys(Check, 0) | {Check(check): int(n) for check, n in rows}

    def settle(self, answers: Sequence[Annotation]) -> list[int]:
        """Append annotations that win over what others said of the same; return their ids.

        Of several such, the newest holds. Whoever settled a thing and later says otherwise as an annotator takes it back to
        the vote. It is on disk when this returns.

        Raises
        ------
        QuestionError
            A group is not in the pool.
        """
        with self._database.write(Lock.POOL, Lock.QUESTIONS, durable=True) as connection:
            for group_id in sorted({answer.group_id for answer in answers}):
                _check_group(connection, group_id)
            ids = append(connection, answers)
            if ids:
                connection.execute(insert(settlements), [{"annotation_id": i} for i in ids])
            _withdraw(connection, sorted({answer.group_id for answer in answers}))
            return ids

    def mark_gold(self, group_id: int, by: str) -> None:
        """Make what was settled about a group gold, from now on.

        Raises
        ------
        QuestionError
            The group is not in the pool, or nothing was settled about it.
        """
        with self._database.write(Lock.POOL, Lock.QUESTIONS, durable=True) as connection:
            _check_group(connection, group_id)
            settled = exists().where(settlements.c.annotation_id == annotations.c.id)
            about = select(annotations.c.id).where(annotations.c.group_id == group_id, settled).limit(1)
            if connection.execute(about).scalar() is None:
                raise QuestionError(f"nothing was settled about group {group_id}; settle it first, or give the labels")
            row = {"group_id": group_id, "marked_by": storable(by), "marked_at": self._database.now()}
            statement = upsert(connection, gold).values(row)
            connection.execute(statement.on_conflict_do_nothing(index_elements=[gold.c.group_id]))

    def unmark_gold(self, group_id: int) -> bool:
        """Let a group be gold no longer; what was settled about it stays. Return whether it was gold."""
        mine = (questions.c.group_id == group_id) & (questions.c.check_kind == Check.GOLD)
        with self._database.write(Lock.POOL, Lock.QUESTIONS, durable=True) as connection:
            connection.execute(delete(questions).where(_untouched(), mine))
            return bool(connection.execute(delete(gold).where(gold.c.group_id == group_id)).rowcount)

    def gold(self) -> pl.DataFrame:
        """Return the groups marked as gold: ``group_id``, ``marked_by``, ``marked_at``; oldest first."""
        with self._database.read() as connection:
            return frame(connection, select(gold).order_by(gold.c.marked_at, gold.c.group_id))

    def _asked(self, condition: Any) -> pl.DataFrame:
        columns = ("id", "group_id", "check_kind", "asked_of", "annotator", "state", "reason", "closed_at")
        query = select(*(questions.c[name] for name in columns)).where(questions.c.check_kind.is_not(None), condition)
        with self._database.read() as connection:
            return frame(connection, query.order_by(questions.c.rank, questions.c.id))


def _untouched() -> Any:
    """Select open questions that nobody held when the lease ran out."""
    return (questions.c.state == QuestionState.OPEN) & questions.c.annotator.is_(None) & questions.c.step.is_(None)


def _askable(connection: Connection, group_ids: Sequence[int], stays: ColumnElement[bool]) -> Sequence[int]:
    live = select(questions.c.group_id).where(among(connection, questions.c.group_id, group_ids))
    live = live.where(questions.c.state.in_(LIVE), stays)
    query = select(groups.c.id).where(among(connection, groups.c.id, group_ids), groups.c.state == GroupState.ANSWERED)
    return connection.execute(query.where(groups.c.id.not_in(live)).order_by(groups.c.id)).scalars().all()


def _insert(connection: Connection, drafts: Sequence[CheckDraft], database: Database) -> None:
    if not drafts:
        return
    group_ids = [draft.group_id for draft in drafts]
    audited, reasons = _audited(connection, group_ids), _reasons(connection, group_ids)
    now = database.now()
    rows = [
        {
            "group_id": draft.group_id,
            "kind": QuestionKind.AUDIT if draft.group_id in audited else QuestionKind.STRATEGY,
            "rank": float(draft.rank),
            "reason": reasons.get(draft.group_id, {"why": "random"}) if draft.reason is None else dict(draft.reason),
            "state": QuestionState.OPEN,
            "created_at": now,
            "check_kind": draft.check,
            "asked_of": None if draft.asked_of is None else storable(draft.asked_of),
        }
        for draft in drafts
    ]
    connection.execute(insert(questions), rows)


def _audited(connection: Connection, group_ids: Sequence[int]) -> set[int]:
    """Return the groups that were drawn for audit, or whose annotations are for audit."""
    drawn = select(audit_draws.c.group_id).where(among(connection, audit_draws.c.group_id, group_ids))
    said = select(annotations.c.group_id).where(
        among(connection, annotations.c.group_id, group_ids), annotations.c.purpose == Purpose.AUDIT
    )
    return {*connection.execute(drawn).scalars(), *connection.execute(said).scalars()}


def _reasons(connection: Connection, group_ids: Sequence[int]) -> dict[int, object]:
    """Return why groups were asked about first, the newest reason each."""
    query = select(questions.c.group_id, questions.c.reason).where(
        among(connection, questions.c.group_id, group_ids),
        questions.c.check_kind.is_(None),
        questions.c.parent_id.is_(None),
    )
    return {int(group_id): reason for group_id, reason in connection.execute(query.order_by(questions.c.id))}


def _check_group(connection: Connection, group_id: int) -> None:
    if connection.execute(select(groups.c.id).where(groups.c.id == group_id)).scalar() is None:
        raise UnknownQuestionError(f"group {group_id} is not in the pool; /api/review lists those to decide about")


def _withdraw(connection: Connection, group_ids: Sequence[int]) -> None:
    """Take back what nobody was handed yet about groups, after they were settled; a flagged group has its answer now."""
    update_states(connection, group_ids)
    these = groups.c.id.in_(group_ids) & (groups.c.state == GroupState.FLAGGED)
    connection.execute(update(groups).where(these).values(state=GroupState.ANSWERED))
    connection.execute(delete(questions).where(_untouched(), questions.c.group_id.in_(group_ids)))
