"""Label Studio's JSON: one task a message, one annotation an answer, one `Choices` a dimension."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from vigie.exchange.answers import Answer, Status
from vigie.exchange.fields import Row
from vigie.exchange.notes import KEY, notes, restored
from vigie.exchange.questions import Reading
from vigie.exchange.reading import rows
from vigie.exchange.writing import by_text, write_array
from vigie.labels import Dimension


def recognises(row: Row) -> bool:
    """Tell whether a row is a task."""
    return "data" in row.values and bool({"annotations", "completions", "predictions"} & set(row.values))


def read(file: Path, reading: Reading) -> Iterator[Answer]:
    """Return the annotations of all tasks, and one open answer for a task without; predictions are left out.

    Raises
    ------
    SettingsError
        The file cannot be read, or a task is not as it should be; says in which line.
    """
    for row in rows(file):
        data = row.inner(row.values.get("data"), "'data'")
        text = reading.message(data)
        given = row.objects("annotations") or row.objects("completions")
        for annotation in given:
            yield _answer(text, annotation, reading)
        if not given:
            yield Answer(text, status=Status.OPEN, line=row.line)


def write(answers: Iterable[Answer], file: Path, dimensions: Sequence[Dimension]) -> None:
    """Write one task a message; the dimensions are the names of the `Choices`."""
    del dimensions  # each answer names its own
    write_array(
        (
            {"data": {"text": text}, "annotations": [_annotation(one) for one in given]}
            for text, given in by_text(answers)
        ),
        file,
    )


def _answer(text: str, annotation: Row, reading: Reading) -> Answer:
    labels: dict[str, str] = {}
    for region in annotation.objects("result"):
        if region.values.get("type") != "choices":
            continue
        dimension = reading.dimension(region.text("from_name"))
        chosen = region.inner(region.values.get("value"), "'value'").list("choices")
        if len(chosen) > 1 or (chosen and dimension in labels):
            raise annotation.wrong(f"two choices for {dimension!r}; an answer has one label for each dimension")
        if chosen:
            labels[dimension] = Row({"choice": chosen[0]}, annotation.file, annotation.line).text("choice")
    answer = Answer(
        text,
        labels,
        annotator=_annotator(annotation),
        created_at=annotation.time("updated_at") or annotation.time("created_at"),
        id=annotation.word("id"),
        status=Status.SKIPPED if annotation.values.get("was_cancelled") or not labels else Status.ANSWERED,
        duration_seconds=annotation.number("lead_time"),
        line=annotation.line,
    )
    return restored(answer, annotation)


def _annotator(annotation: Row) -> str | None:
    who = annotation.values.get("completed_by")
    if not isinstance(who, dict):
        return annotation.word("completed_by")
    person = annotation.inner(who, "'completed_by'")
    return person.word("email") or person.word("username") or person.word("id")


def _annotation(answer: Answer) -> dict[str, Any]:
    time = answer.created_at.isoformat() if answer.created_at else None
    values = {
        "id": answer.id,
        "result": [_region(dimension, label) for dimension, label in answer.labels.items()],
        "was_cancelled": answer.status is not Status.ANSWERED,
        "ground_truth": False,
        "created_at": time,
        "updated_at": time,
        "lead_time": answer.duration_seconds,
        "completed_by": _person(answer.annotator),
        KEY: notes(answer),
    }
    return {name: value for name, value in values.items() if value is not None}


def _person(annotator: str | None) -> int | dict[str, str] | None:
    """Return an annotator as Label Studio names people: by number or address; others it would refuse."""
    if annotator and annotator.isascii() and annotator.isdigit():
        return int(annotator)
    return {"email": annotator} if annotator and "@" in annotator else None


def _region(dimension: str, label: str) -> dict[str, Any]:
    return {
        "id": dimension,
        "from_name": dimension,
        "to_name": "text",
        "type": "choices",
        "value": {"choices": [label]},
    }
