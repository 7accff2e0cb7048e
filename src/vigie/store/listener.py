"""What people told so far, kept in memory between readings, so that only what is new is read."""

from typing import Any

import polars as pl
from sqlalchemy import Connection, Select, func, select

from vigie.store.bulk import among, frame
from vigie.store.engine import Database
from vigie.store.tables import annotations, groups, questions, settlements

_ABOUT = ("group_id", "annotator", "dimension")


def spoken() -> Select[Any]:
    """Select annotations with what is known of them: ``id``, and the columns of `heard` as they are stored."""
    named = ("dimension", "annotator", "label", "purpose", "created_at")
    about = ("question_id", "model_version", "duration_seconds", "message")
    return (
        select(
            annotations.c.id,
            annotations.c.group_id,
            groups.c.template,
            groups.c.count,
            *(annotations.c[name] for name in (*named, *about)),
            questions.c.parent_id,
            settlements.c.annotation_id.label("settlement"),
        )
        .join(groups, groups.c.id == annotations.c.group_id)
        .outerjoin(questions, questions.c.id == annotations.c.question_id)
        .outerjoin(settlements, settlements.c.annotation_id == annotations.c.id)
        .order_by(annotations.c.id)
    )


def heard(rows: pl.DataFrame) -> pl.DataFrame:
    """Return what `spoken` selects in the form of `Annotations.told`."""
    is_exception, settled = pl.col("parent_id").is_not_null(), pl.col("settlement").is_not_null()
    return rows.with_columns(is_exception=is_exception, settled=settled).drop("id", "parent_id", "settlement")


class Listener:
    """Tells what `Annotations.told` tells, and reads what came since it was last asked; for one thread.

    Annotations are numbered in the order in which they are committed, and are never changed. One that does not hold any more will
    never hold again, so that only those that do are kept. How many messages their groups have is read each time.

    Parameters
    ----------
    database
        Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._held = pl.DataFrame()
        self._last = 0

    @property
    def last_id(self) -> int:
        """The newest annotation that was read, 0 before there is one."""
        return self._last

    def told(self) -> pl.DataFrame:
        """Return what holds now about each message, with columns and order of `Annotations.told`.

        Raises
        ------
        UnavailableError
            The database does not answer; what was read before is kept.
        """
        with self._database.read() as connection:
            newest = int(connection.execute(select(func.max(annotations.c.id))).scalar() or 0)
            if newest < self._last:  # an older copy of the database took its place
                self._held, self._last = pl.DataFrame(), 0
            if newest > self._last or not self._held.width:
                new = frame(connection, spoken().where(annotations.c.id > self._last))
                together = pl.concat([self._held, new]) if self._held.width else new
                self._held, self._last = standing(together).filter(pl.col("label").is_not_null()), newest
            return heard(_counted(connection, self._held))


def standing(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the last that each person said about a message and a dimension, as `annotations.standing` selects it.

    Who says or takes back something without naming a message speaks of the whole group, whatever they said before.

    Parameters
    ----------
    rows
        What was said, oldest first: ``id``, ``group_id``, ``annotator``, ``dimension``, ``message``, and what else there is.
    """
    newest = rows.unique([*_ABOUT, "message"], keep="last", maintain_order=True)
    general = pl.col("id").filter(pl.col("message").is_null()).max().over(_ABOUT)
    return newest.filter(pl.col("id") >= general.fill_null(0))


def _counted(connection: Connection, rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows with the messages that their groups have now."""
    ids = rows["group_id"].unique().to_list()
    query = select(groups.c.id.label("group_id"), groups.c.count).where(among(connection, groups.c.id, ids))
    counts = frame(connection, query)
    return rows.drop("count").join(counts, on="group_id", how="left", maintain_order="left").select(rows.columns)
