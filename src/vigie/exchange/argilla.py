"""Argilla's JSON of records, nested as `records.to_json` writes it or flat: one response a person and question."""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vigie.exchange.answers import Answer, Status
from vigie.exchange.fields import Row
from vigie.exchange.notes import KEY, notes, restored
from vigie.exchange.questions import Reading
from vigie.exchange.reading import rows
from vigie.exchange.writing import by_text, write_array
from vigie.labels import Dimension

_FLAT = ".responses"
_NAMES = uuid.UUID("6d0b6c1e-9c52-5f1c-8f6c-2d0a4c0f5a11")
"""The name space of the ids that people and messages get, since Argilla wants UUIDs."""


def recognises(row: Row) -> bool:
    """Tell whether a row is a record."""
    nested = "fields" in row.values and bool({"responses", "suggestions"} & set(row.values))
    return nested or any(name.endswith(_FLAT) for name in row.values)


def read(file: Path, reading: Reading) -> Iterator[Answer]:
    """Return the submitted responses, those of a person about a record together, and discarded ones as skips.

    Raises
    ------
    SettingsError
        The file cannot be read, or a record is not as it should be; says in which line.
    """
    for row in rows(file):
        nested = isinstance(row.values.get("fields"), Mapping)
        text = reading.message(row.inner(row.values["fields"], "'fields'") if nested else row)
        found = list(_answers(text, row, reading))
        yield from found or [Answer(text, status=Status.OPEN, line=row.line)]


def write(answers: Iterable[Answer], file: Path, dimensions: Sequence[Dimension]) -> None:
    """Write one record a message; what Argilla has no place for travels in the metadata."""
    del dimensions  # each answer names its own
    write_array((_record(text, given) for text, given in by_text(answers)), file)


def _answers(text: str, row: Row, reading: Reading) -> Iterator[Answer]:
    given: dict[str | None, dict[str, str]] = {}
    discarded: dict[str | None, None] = {}
    for question, value, user, status in _responses(row):
        if status == "discarded":
            discarded[user] = None
        elif status in {None, "submitted"} and value is not None:
            given.setdefault(user, {})[reading.dimension(question)] = value
    noted = _noted(row)
    for user, labels in given.items():
        yield from _of_one(Answer(text, labels, annotator=user, line=row.line), noted)
    for user in discarded:
        yield Answer(text, annotator=user, status=Status.SKIPPED, line=row.line)


def _of_one(answer: Answer, noted: Sequence[Row]) -> Iterator[Answer]:
    """Return the answers that one person's responses are made of: those noted that still hold, and what is new."""
    left = dict(answer.labels)
    for entry in noted:
        labels = {**entry.inner(entry.values.get("labels") or {}, "'labels'").values}
        ours = _user(entry.word("annotator")) == answer.annotator
        if ours and labels and labels.items() <= left.items():
            part = Answer(answer.text, labels, line=answer.line)
            yield restored(part, Row({KEY: entry.values}, entry.file, entry.line))
            left = {dimension: label for dimension, label in left.items() if dimension not in labels}
    if left:
        names = {_user(name): name for name in (entry.word("annotator") for entry in noted)}
        yield Answer(answer.text, left, annotator=names.get(answer.annotator, answer.annotator), line=answer.line)


def _responses(row: Row) -> Iterator[tuple[str, str | None, str | None, str | None]]:
    """Return question, value, person and status of each response."""
    if "fields" in row.values:
        nested = row.inner(row.values.get("responses") or {}, "'responses'")
        for question in nested.values:
            for one in nested.objects(question):
                yield question, _value(one), one.word("user_id"), one.word("status")
        return
    for name in (name for name in row.values if name.endswith(_FLAT)):
        values = row.list(name)
        users, states = ([*row.list(f"{name}{end}"), *[None] * len(values)] for end in (".users", ".status"))
        for value, user, status in zip(values, users, states, strict=False):
            one = Row({"value": value, "user_id": user, "status": status}, row.file, row.line)
            yield name.removesuffix(_FLAT), _value(one), one.word("user_id"), one.word("status")


def _value(response: Row) -> str | None:
    value = response.values.get("value")
    if not isinstance(value, list):
        return response.word("value")
    if len(value) > 1:
        raise response.wrong("a response chooses two labels; an answer has one for each dimension")
    return Row({"value": value[0]}, response.file, response.line).word("value") if value else None


def _noted(row: Row) -> list[Row]:
    metadata = row.values.get("metadata")
    written = (metadata if isinstance(metadata, Mapping) else row.values).get(KEY)
    if not isinstance(written, str):
        return []
    try:
        entries = json.loads(written)
    except (ValueError, RecursionError) as error:
        raise row.wrong(f"the metadata {KEY!r} is no JSON") from error
    return Row({KEY: entries}, row.file, row.line).objects(KEY)


def _record(text: str, answers: Sequence[Answer]) -> dict[str, Any]:
    responses: dict[str, list[dict[str, str | None]]] = {}
    for answer in answers:
        for dimension, label in answer.labels.items():
            user = _user(answer.annotator)
            responses.setdefault(dimension, []).append({"value": label, "user_id": user, "status": "submitted"})
    written = json.dumps([notes(answer) for answer in answers], ensure_ascii=False)
    return {
        "id": str(uuid.uuid5(_NAMES, text)),
        "fields": {"text": text},
        "metadata": {KEY: written},
        "suggestions": {},
        "responses": responses,
        "vectors": {},
    }


def _user(annotator: str | None) -> str | None:
    """Return the UUID of a person: the name itself where it is one."""
    if annotator is None:
        return None
    try:
        return str(uuid.UUID(annotator))
    except ValueError:
        return str(uuid.uuid5(_NAMES, annotator))
