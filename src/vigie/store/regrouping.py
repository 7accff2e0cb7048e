"""Groups of a template that people told messages of apart, and one group again when they take that back.

A group that is replaced keeps its row, annotations and samples, so that going back costs nothing; it has no messages left and
is not asked about.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import polars as pl
from sqlalchemy import Connection, Row, delete, func, insert, literal, or_, select, update

from vigie.store.bulk import among, chunks, frame, storable
from vigie.store.engine import Database, Lock
from vigie.store.grouping import digest
from vigie.store.tables import (
    GroupState,
    QuestionState,
    annotations,
    audit_draws,
    groups,
    pool_state,
    questions,
    samples,
)

Refine = Callable[[Sequence[str]], Sequence[str]]
"""What returns the templates that messages have now."""

_GROUP = (*(column for column in groups.c if column.name != "count"), groups.c.count.label("n"))


class Regrouping:
    """Puts the messages kept of a template into the groups they belong to now."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def replaced(self) -> list[str]:
        """Return the templates of the groups that others took the place of."""
        with self._database.read() as connection:
            query = select(groups.c.template).where(groups.c.state == GroupState.REPLACED).order_by(groups.c.id)
            return list(connection.execute(query).scalars())

    def like(self, ends: Sequence[tuple[str, str]]) -> pl.DataFrame:
        """Return the groups whose templates begin and end as one of `ends` says: ``group_id``, ``template``; by id."""
        found = [pl.DataFrame(schema={"group_id": pl.Int64, "template": pl.String})]
        with self._database.read() as connection:
            for part in chunks(ends, 100):
                like = [
                    groups.c.template.startswith(storable(first), autoescape=True)
                    & groups.c.template.endswith(storable(last), autoescape=True)
                    for first, last in part
                ]
                found.append(
                    frame(connection, select(groups.c.id.label("group_id"), groups.c.template).where(or_(*like)))
                )
        return pl.concat(found).unique("group_id").sort("group_id")

    def samples(self, group_ids: Sequence[int]) -> dict[int, list[str]]:
        """Return the messages kept of some groups, in the order of their slots."""
        found: dict[int, list[str]] = {}
        with self._database.read() as connection:
            query = select(samples.c.group_id, samples.c.text).order_by(samples.c.group_id, samples.c.slot)
            for group_id, text in connection.execute(query.where(among(connection, samples.c.group_id, group_ids))):
                found.setdefault(group_id, []).append(text)
        return found

    def regroup(
        self, template: str, family: Sequence[int], refine: Refine, answered: Collection[str], *, is_split: bool
    ) -> None:
        """Bring the groups of one template up to date with what people tell apart now; done twice, it changes nothing more.

        Parameters
        ----------
        template
            As masked; where it has no group, nothing happens.
        family
            The groups whose templates are it, refined.
        refine
            Knows what is told apart now. A refined template that it leaves alone stays a group; what the other groups of
            the family counted goes to the group of `template`, and from there, in proportion to its samples, to the groups
            that these belong to.
        answered
            Templates of the family that people answered about; they have groups too, if only empty ones, and are not asked
            about.
        is_split
            Whether anything is told apart.
        """
        with self._database.write(Lock.POOL, Lock.QUESTIONS) as connection:
            base = _find(connection, template)
            if base is None:
                return
            members = _load(connection, family)
            again = refine([row.template for row in members]) if members else []
            gone = [row for row, now in zip(members, again, strict=True) if row.template != now]
            there = [row.id for row, now in zip(members, again, strict=True) if row.template == now]
            _retire(connection, gone)
            total = base.n + sum(row.n for row in gone)
            kept = connection.execute(
                select(samples).where(samples.c.group_id == base.id).order_by(samples.c.slot)
            ).all()
            places = _places(kept, refine, template)
            shares = {place: total * len(rows) // len(kept) for place, rows in places.items()}
            shares = dict.fromkeys([one for one in sorted(answered) if one != template], 0) | shares
            made = [_make(connection, base, place, shares[place], places.get(place, [])) for place in sorted(shares)]
            state = GroupState.REPLACED if is_split else _again(connection, base, [base.id, *family])
            values = {"count": total - sum(shares.values()), "state": state}
            connection.execute(update(groups).where(groups.c.id == base.id).values(values))
            if is_split:
                _forget(connection, [base.id])
            _mark(connection, [*there, *made, base.id], answered)


def _places(kept: Sequence[Row[Any]], refine: Refine, template: str) -> dict[str, list[Row[Any]]]:
    """Return the samples of a group by the finer group they belong to; those that stay are left out."""
    found: dict[str, list[Row[Any]]] = {}
    for row, place in zip(kept, refine([row.text for row in kept]) if kept else [], strict=True):
        if place != template:
            found.setdefault(place, []).append(row)
    return found


def _find(connection: Connection, template: str) -> Row[Any] | None:
    return connection.execute(select(*_GROUP).where(groups.c.digest == digest(template))).one_or_none()


def _load(connection: Connection, ids: Sequence[int]) -> Sequence[Row[Any]]:
    return connection.execute(select(*_GROUP).where(among(connection, groups.c.id, ids)).order_by(groups.c.id)).all()


def _make(connection: Connection, base: Row[Any], template: str, count: int, kept: Sequence[Row[Any]]) -> int:
    """Add messages to the group of a refined template, which is made if need be; return its id."""
    there = _find(connection, template)
    if there is not None:
        values = {"count": there.n + count, "state": _again(connection, there, [there.id])}
        connection.execute(update(groups).where(groups.c.id == there.id).values(values))
        return int(there.id)
    group_id = int(connection.execute(select(pool_state.c.last_group_id)).scalar_one()) + 1
    connection.execute(update(pool_state).values(last_group_id=group_id, size=pool_state.c.size + 1))
    row = {"id": group_id, "digest": digest(template), "template": storable(template), "count": count}
    seen = {"first_seen": base.first_seen, "last_seen": base.last_seen, "state": GroupState.OPEN}
    connection.execute(insert(groups).values(**row, **seen))
    _copy(connection, kept, group_id)
    _draw(connection, base.id, group_id)
    return group_id


def _again(connection: Connection, row: Row[Any], said_of: Sequence[int]) -> GroupState:
    """Return the state of a group that has messages again: flagged where nobody answered about some groups since it was."""
    if row.state != GroupState.REPLACED:
        return GroupState(row.state)
    whole = (questions.c.group_id == row.id) & questions.c.parent_id.is_(None)
    flags = select(func.max(questions.c.closed_at)).where(whole, questions.c.state == QuestionState.FLAGGED)
    words = select(func.max(annotations.c.created_at)).where(among(connection, annotations.c.group_id, said_of))
    flagged, said = connection.execute(flags).scalar(), connection.execute(words).scalar()
    is_flagged = flagged is not None and (said is None or said <= flagged)
    return GroupState.FLAGGED if is_flagged else GroupState.OPEN


def _copy(connection: Connection, kept: Sequence[Row[Any]], group_id: int) -> None:
    names = [column.name for column in samples.c if column.name not in {"group_id", "slot"}]
    rows = [{name: getattr(row, name) for name in names} for row in kept]
    if rows:
        placed = [row | {"group_id": group_id, "slot": slot} for slot, row in enumerate(rows)]
        connection.execute(insert(samples), placed)


def _draw(connection: Connection, base_id: int, group_id: int) -> None:
    """Let a part of a group that was drawn for audit be one too."""
    drawn = select(literal(group_id), audit_draws.c.draws).where(audit_draws.c.group_id == base_id)
    connection.execute(insert(audit_draws).from_select(["group_id", "draws"], drawn))


def _retire(connection: Connection, rows: Sequence[Row[Any]]) -> None:
    ids = [row.id for row in rows]
    connection.execute(update(groups).where(groups.c.id.in_(ids)).values(count=0, state=GroupState.REPLACED))
    _forget(connection, ids)


def _mark(connection: Connection, ids: Sequence[int], answered: Collection[str]) -> None:
    """Say of groups whether they are answered: their annotations may stand with another group of the family."""
    stored = {storable(template) for template in answered}
    rows = _load(connection, ids)
    asked = [row.id for row in rows if row.state == GroupState.OPEN and row.template in stored]
    idle = [row.id for row in rows if row.state == GroupState.ANSWERED and row.template not in stored]
    # By id alone: SQLite would go through all groups in a state.
    for these, state in ((asked, GroupState.ANSWERED), (idle, GroupState.OPEN)):
        connection.execute(update(groups).where(groups.c.id.in_(these)).values(state=state))


def _forget(connection: Connection, ids: Sequence[int]) -> None:
    """Withdraw the questions about groups that nobody holds."""
    whole = questions.c.parent_id.is_(None) & questions.c.step.is_(None)
    waiting = (questions.c.state == QuestionState.OPEN) & questions.c.group_id.in_(ids)
    connection.execute(delete(questions).where(whole, waiting))
