"""Annotations: what people answered. Rows are only ever added; the last one of a person about a thing holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy import ColumnElement, Connection, Select, Subquery, case, delete, func, insert, select, union, update

from vigie.errors import QuestionError
from vigie.labels import Annotation, Dimension, QuestionKind
from vigie.store import elsewhere
from vigie.store.bulk import among, chunks, frame, storable
from vigie.store.elsewhere import Note
from vigie.store.engine import Database, Lock
from vigie.store.listener import Listener
from vigie.store.tables import (
    MAX_MESSAGE_CHARACTERS,
    GroupState,
    QuestionState,
    annotations,
    answer_ids,
    groups,
    question_state,
    questions,
    samples,
    settlements,
)

_LEFT = (QuestionState.SKIPPED, QuestionState.FLAGGED)
_SETTLEMENT = settlements.c.annotation_id.label("settlement")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A person's skip or flag of a group, made elsewhere; ``state`` is which of the two."""

    group_id: int
    annotator: str
    state: QuestionState
    closed_at: datetime
    kind: QuestionKind = QuestionKind.STRATEGY
    comment: str = ""


class Annotations:
    """All annotations ever made."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, answers: Sequence[Annotation], *, notes: Sequence[Note] | None = None) -> list[int]:
        """Append annotations, all or none, and return their ids in the same order.

        Questions about these groups that nobody holds are withdrawn. It is on disk when this returns.

        Parameters
        ----------
        answers
            What to append.
        notes
            What is known of each that was made elsewhere, in the same order; left out for those made here.

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
            noted = notes or [Note()] * len(answers)
            ids = append(connection, elsewhere.with_questions(connection, answers, noted))
            elsewhere.note(connection, ids, noted)
            for part in chunks(group_ids):
                update_states(connection, part)
                _drop_questions(connection, part)
            return ids

    def effective(self) -> pl.DataFrame:
        """Return what holds now: the last annotation of each person per group and dimension, unless taken back.

        Returns
        -------
        Columns ``group_id``, ``template``, ``count``, ``dimension``, ``annotator``, ``label``, ``purpose``,
        ``created_at``, ``question_id``, ``model_version``, ``duration_seconds``, ``settled`` (whether it wins over what
        others said); oldest first. What somebody said about an exception is nothing about its group.
        """
        return of_groups(self.told())

    def told(self) -> pl.DataFrame:
        """Return what holds now about each message: as `effective`, but one row per message that was answered about.

        Returns
        -------
        The columns of `effective`, ``message`` (null where it is not known), and ``is_exception`` (Boolean); oldest first.
        """
        return self.listener().told()

    def listener(self) -> Listener:
        """Return what tells the same as `told` again and again, and reads only what is new."""
        return Listener(self._database)

    def last_id(self) -> int:
        """Return the id of the newest annotation, 0 when there is none; it changes with every answer and undo."""
        with self._database.read() as connection:
            return int(connection.execute(select(func.max(annotations.c.id))).scalar() or 0)

    def count(self) -> int:
        """Return the number of answers that hold: pairs of group and annotator."""
        held = standing()
        pairs = select(held.c.group_id, held.c.annotator).distinct().subquery()
        with self._database.read() as connection:
            return int(connection.execute(select(func.count()).select_from(pairs)).scalar_one())

    def history(self, limit: int | None = None) -> pl.DataFrame:
        """Return the annotations as they were added, newest first, those taken back (label null) included.

        Returns
        -------
        All columns of an annotation: ``id``, ``group_id``, ``dimension``, ``label``, ``annotator``, ``purpose``,
        ``created_at``, ``question_id``, ``model_version``, ``duration_seconds``, ``message``; and ``template``,
        ``is_exception`` and ``settled`` (Boolean).
        """
        query = select(*annotations.c, groups.c.template, questions.c.parent_id, _SETTLEMENT)
        query = query.join(groups, groups.c.id == annotations.c.group_id)
        query = query.outerjoin(questions, questions.c.id == annotations.c.question_id)
        query = query.outerjoin(settlements, settlements.c.annotation_id == annotations.c.id)
        rows = self._frame(query.order_by(annotations.c.id.desc()).limit(limit))
        is_exception, settled = pl.col("parent_id").is_not_null(), pl.col("settlement").is_not_null()
        return rows.with_columns(is_exception=is_exception, settled=settled).drop("parent_id", "settlement")

    def about(self, group_ids: Sequence[int]) -> pl.DataFrame:
        """Return all annotations of some groups, oldest first, those taken back (label null) included.

        Returns
        -------
        Columns ``id``, ``group_id``, ``dimension``, ``annotator``, ``label``, ``created_at``, ``message``, ``is_exception``
        (Boolean), ``answer_id``: what the answer is called where it comes from, null for those given here.
        """
        names = ("id", "group_id", "dimension", "annotator", "label", "created_at", "message")
        query = select(*(annotations.c[name] for name in names), questions.c.parent_id, answer_ids.c.answer_id)
        query = query.outerjoin(questions, questions.c.id == annotations.c.question_id)
        query = query.outerjoin(answer_ids, answer_ids.c.annotation_id == annotations.c.id)
        with self._database.read() as connection:
            wanted = query.where(among(connection, annotations.c.group_id, group_ids))
            rows = frame(connection, wanted.order_by(annotations.c.id))
        return rows.with_columns(is_exception=pl.col("parent_id").is_not_null()).drop("parent_id")

    def names(self) -> pl.DataFrame:
        """Return what imported answers are called where they come from: ``annotation_id``, ``answer_id``."""
        return self._frame(select(answer_ids).order_by(answer_ids.c.annotation_id))

    def texts(self) -> pl.DataFrame:
        """Return a real message of each group that was ever annotated, skipped or flagged: ``group_id``, ``text``.

        It is the newest that was kept; groups of which none was kept are missing.
        """
        newest = select(
            samples.c.group_id,
            samples.c.text,
            func.row_number()
            .over(partition_by=samples.c.group_id, order_by=(samples.c.timestamp.desc(), samples.c.slot.desc()))
            .label("nth"),
        )
        # A list of groups, not a condition on each sample: there may be millions of samples.
        closed = select(questions.c.group_id).where(questions.c.state.in_(_LEFT))
        wanted = union(select(annotations.c.group_id), closed).subquery()
        found = newest.where(samples.c.group_id.in_(select(wanted.c.group_id))).subquery()
        return self._frame(select(found.c.group_id, found.c.text).where(found.c.nth == 1))

    def left(self) -> pl.DataFrame:
        """Return what people skipped or flagged and did not take back since, oldest first.

        Returns
        -------
        Columns ``group_id``, ``template``, ``annotator``, ``state``, ``comment``, ``kind``, ``closed_at``.
        """
        columns = (
            questions.c.group_id,
            groups.c.template,
            questions.c.annotator,
            questions.c.state,
            questions.c.comment,
            questions.c.kind,
            questions.c.closed_at,
        )
        query = select(*columns).join(groups, groups.c.id == questions.c.group_id)
        left = questions.c.state.in_(_LEFT) & questions.c.parent_id.is_(None)
        return self._frame(query.where(left).order_by(questions.c.step, questions.c.id))

    def refuse(self, refusals: Sequence[Refusal]) -> int:
        """Note skips and flags that were made elsewhere, as closed questions; return how many were new.

        One is known when the same person skipped, or flagged, the group before. Nobody is asked about flagged groups.

        Raises
        ------
        QuestionError
            A group is not in the pool any more.
        """
        if not refusals:
            return 0
        with self._database.write(Lock.POOL, Lock.QUESTIONS, durable=True) as connection:
            group_ids = sorted({one.group_id for one in refusals})
            _check(connection, group_ids)
            new = _unknown(connection, refusals, group_ids)
            _close(connection, new)
            flagged = [one.group_id for one in new if one.state is QuestionState.FLAGGED]
            waiting = (questions.c.state == QuestionState.OPEN) & questions.c.step.is_(None)
            connection.execute(delete(questions).where(among(connection, questions.c.group_id, flagged), waiting))
            these = among(connection, groups.c.id, flagged) & (groups.c.state != GroupState.REPLACED)
            connection.execute(update(groups).where(these).values(state=GroupState.FLAGGED))
            return len(new)

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


def _drop_questions(connection: Connection, group_ids: Sequence[int]) -> None:
    """Withdraw what nobody holds about groups; annotations may refer to questions whose answer was taken back."""
    open_now = questions.c.group_id.in_(group_ids) & (questions.c.state == QuestionState.OPEN)
    whole = open_now & questions.c.parent_id.is_(None)
    connection.execute(delete(questions).where(whole, questions.c.step.is_(None)))
    connection.execute(update(questions).where(whole).values(state=QuestionState.DROPPED))


def _unknown(connection: Connection, refusals: Sequence[Refusal], group_ids: Sequence[int]) -> list[Refusal]:
    query = select(questions.c.group_id, questions.c.annotator, questions.c.state)
    rows = connection.execute(query.where(among(connection, questions.c.group_id, group_ids)))
    seen = {tuple(row) for row in rows}
    by_name = {(one.group_id, storable(one.annotator), one.state.value): one for one in refusals}
    return [one for key, one in by_name.items() if key not in seen]


def _close(connection: Connection, refusals: Sequence[Refusal]) -> None:
    if not refusals:
        return
    last = int(connection.execute(select(question_state.c.last_step)).scalar_one())
    connection.execute(update(question_state).values(last_step=last + len(refusals)))
    rows: list[dict[str, Any]] = [
        {
            "group_id": one.group_id,
            "kind": one.kind,
            "rank": 0.0,
            "reason": {},
            "state": one.state,
            "annotator": storable(one.annotator),
            "comment": storable(one.comment) or None,
            "created_at": one.closed_at,
            "closed_at": one.closed_at,
            "step": step,
        }
        for step, one in enumerate(refusals, last + 1)
    ]
    connection.execute(insert(questions), rows)


def update_states(connection: Connection, group_ids: Sequence[int]) -> None:
    """Say of groups whether they are answered, after their annotations changed; answers about exceptions do not count."""
    held = standing(group_ids)
    of_the_rest = select(held.c.group_id).outerjoin(questions, questions.c.id == held.c.question_id).distinct()
    answered = set(connection.execute(of_the_rest.where(questions.c.parent_id.is_(None))).scalars())
    _set_state(connection, sorted(answered), GroupState.ANSWERED, groups.c.state != GroupState.REPLACED)
    rest = [group_id for group_id in group_ids if group_id not in answered]
    _set_state(connection, rest, GroupState.OPEN, groups.c.state == GroupState.ANSWERED)


def _set_state(connection: Connection, group_ids: Sequence[int], state: GroupState, where: ColumnElement[bool]) -> None:
    if group_ids:
        these = among(connection, groups.c.id, group_ids)
        connection.execute(update(groups).where(these, where).values(state=state))


def known(said: pl.DataFrame, dimensions: Sequence[Dimension]) -> pl.DataFrame:
    """Return the annotations whose dimension and label are among those of `dimensions`, in their order."""
    pairs = [(dimension.name, label) for dimension in dimensions for label in dimension.label_names]
    names = pl.DataFrame(pairs, schema={"dimension": pl.String, "label": pl.String}, orient="row")
    return said.join(names, on=["dimension", "label"], how="semi", maintain_order="left")


def of_groups(told: pl.DataFrame) -> pl.DataFrame:
    """Return what people say about groups, given what they say about messages; see `Annotations.effective`."""
    key = ["group_id", "template", "annotator", "dimension"]
    whole = told.filter(~pl.col("is_exception")).unique(key, keep="last", maintain_order=True)
    return whole.drop("message", "is_exception")


def standing(group_ids: Sequence[int] | None = None, *, before: int | None = None) -> Subquery:
    """Select the newest annotation of each person per group, dimension and message, unless it was taken back.

    With `before` it is what stood when the annotation of that id was added. Who says or takes back something without naming a
    message speaks of the whole group, whatever they said before.
    """
    about = (annotations.c.group_id, annotations.c.annotator, annotations.c.dimension)
    general = case((annotations.c.message.is_(None), annotations.c.id))
    newest = func.max(annotations.c.id).over(partition_by=(*about, annotations.c.message))
    since = func.max(general).over(partition_by=about)
    # Windows, not joins: what a planner expects of a table that was empty a moment ago makes a join quadratic.
    said = select(annotations, newest.label("newest"), func.coalesce(since, 0).label("since"))
    if group_ids is not None:
        said = said.where(annotations.c.group_id.in_(group_ids))
    if before is not None:
        said = said.where(annotations.c.id < before)
    each = said.subquery()
    holds = (each.c.id == each.c.newest) & (each.c.id >= each.c.since) & each.c.label.is_not(None)
    return select(each.c.id, each.c.group_id, each.c.annotator, each.c.question_id).where(holds).subquery()


def kept_message(text: str | None) -> str | None:
    """Return a message as it is kept with an answer; None where it is too long."""
    return None if text is None or len(text) > MAX_MESSAGE_CHARACTERS else storable(text)


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
        "message": kept_message(answer.message),
    }
