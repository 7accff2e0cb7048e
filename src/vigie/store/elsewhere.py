"""Annotations that were made elsewhere: what is known of them, and how it is kept.

Inside a transaction that holds `Lock.QUESTIONS`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, insert

from vigie.labels import Annotation, Purpose, QuestionKind
from vigie.store.bulk import storable
from vigie.store.tables import QuestionState, answer_ids, questions, settlements

ELSEWHERE = 0
"""Stands for the question whose answer singled out an exception, where both were answered elsewhere."""


@dataclass(frozen=True, slots=True)
class Note:
    """What is known of an annotation that was made elsewhere.

    Parameters
    ----------
    name
        What the answer that it is part of is called there, if anything.
    is_exception
        Whether it is about its message alone.
    settled
        Whether it wins over what others said.
    """

    name: str | None = None
    is_exception: bool = False
    settled: bool = False


def with_questions(connection: Connection, answers: Sequence[Annotation], notes: Sequence[Note]) -> list[Annotation]:
    """Give annotations about exceptions the closed questions that make them such; they are nobody's, as nobody was asked here."""
    made: dict[tuple[object, ...], int] = {}
    found = []
    for one, noted in zip(answers, notes, strict=True):
        if not noted.is_exception or one.question_id is not None:
            found.append(one)
            continue
        key = (one.group_id, one.annotator, one.created_at, one.message)
        if key not in made:
            made[key] = _closed_exception(connection, one)
        found.append(replace(one, question_id=made[key]))
    return found


def _closed_exception(connection: Connection, one: Annotation) -> int:
    row = {
        "group_id": one.group_id,
        "kind": QuestionKind.AUDIT if one.purpose is Purpose.AUDIT else QuestionKind.STRATEGY,
        "rank": 0.0,
        "reason": {"why": "exception"},
        "state": QuestionState.ANSWERED,
        "created_at": one.created_at,
        "closed_at": one.created_at,
        "message": storable(one.message or ""),
        "parent_id": ELSEWHERE,
    }
    key: Any = connection.execute(insert(questions).values(row)).inserted_primary_key
    return int(key[0])


def note(connection: Connection, ids: Sequence[int], notes: Sequence[Note]) -> None:
    """Keep what is known of annotations that were appended just before."""
    pairs = list(zip(ids, notes, strict=True))
    named = [{"annotation_id": i, "answer_id": storable(one.name)} for i, one in pairs if one.name]
    if named:
        connection.execute(insert(answer_ids), named)
    settled = [{"annotation_id": i} for i, one in pairs if one.settled]
    if settled:
        connection.execute(insert(settlements), settled)
