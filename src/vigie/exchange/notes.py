"""What Vigie notes beside an answer in files of other tools, which they leave alone: id, annotator, time, and the rest."""

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any, TypeVar

from vigie.exchange.answers import Answer, Status
from vigie.exchange.fields import Row
from vigie.labels import Purpose

_Word = TypeVar("_Word", bound=StrEnum)

KEY = "vigie"
"""The name of the object that holds the notes."""


def notes(answer: Answer) -> dict[str, Any]:
    """Return what other tools have no place for, or would change."""
    noted = {
        "id": answer.id,
        "annotator": answer.annotator,
        "created_at": answer.created_at.isoformat() if answer.created_at else None,
        "labels": dict(answer.labels),
        "status": answer.status.value,
        "purpose": answer.purpose.value,
        "comment": answer.comment or None,
        "model_version": answer.model_version,
        "duration_seconds": answer.duration_seconds,
        "is_exception": answer.is_exception or None,
        "settled": answer.settled or None,
    }
    return {name: value for name, value in noted.items() if value is not None}


def restored(answer: Answer, row: Row) -> Answer:
    """Return an answer with what was noted beside it; the notes count only while the labels are the same.

    Parameters
    ----------
    answer
        As the other tool has it.
    row
        The object that holds the notes; it may have none.

    Raises
    ------
    SettingsError
        They are no such notes.
    """
    if row.values.get(KEY) is None:
        return answer
    noted = row.inner(row.values[KEY], KEY)
    if not isinstance(labels := noted.values.get("labels", {}), Mapping) or dict(labels) != dict(answer.labels):
        return answer
    return replace(
        answer,
        id=noted.word("id"),
        annotator=noted.word("annotator"),
        created_at=noted.time("created_at"),
        status=member(noted, "status", Status, Status.ANSWERED),
        purpose=member(noted, "purpose", Purpose, Purpose.TRAIN),
        comment=noted.word("comment") or "",
        model_version=noted.word("model_version"),
        duration_seconds=noted.number("duration_seconds"),
        is_exception=noted.flag("is_exception"),
        settled=noted.flag("settled"),
    )


def member(row: Row, name: str, kind: type[_Word], default: _Word) -> _Word:
    """Return one of a closed list of words, `default` where there is none.

    Raises
    ------
    SettingsError
        It is another word.
    """
    word = row.word(name)
    try:
        return kind(word) if word else default
    except ValueError as error:
        raise row.wrong(f"{name!r} is {word!r}; expected one of {', '.join(kind)}") from error
