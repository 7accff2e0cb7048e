"""Prodigy's JSONL: one row an answer, as the `choice` interface keeps it."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from vigie.exchange.answers import Answer, Status
from vigie.exchange.fields import Row
from vigie.exchange.notes import KEY, notes, restored
from vigie.exchange.questions import Reading, joined, parted
from vigie.exchange.reading import rows
from vigie.exchange.writing import write_lines
from vigie.labels import Dimension

_OURS = frozenset({"answer", "accept", "_input_hash", "_task_hash", "_view_id"})


def recognises(row: Row) -> bool:
    """Tell whether a row is a task of Prodigy."""
    return bool(_OURS & set(row.values))


def read(file: Path, reading: Reading) -> Iterator[Answer]:
    """Return what was answered; `ignore`, `reject` and an empty choice are skips, rows without `answer` are open.

    Raises
    ------
    SettingsError
        The file cannot be read, or a row is not as it should be; says in which line.
    """
    for row in rows(file):
        yield _answer(row, reading)


def write(answers: Iterable[Answer], file: Path, dimensions: Sequence[Dimension]) -> None:
    """Write one row an answer, with the labels of all dimensions as options where there are several."""
    options = [_option(one, label, dimensions) for one in dimensions for label in one.label_names]
    style = "single" if len(dimensions) == 1 else "multiple"
    write_lines((_row(answer, options, style, dimensions) for answer in answers), file)


def _answer(row: Row, reading: Reading) -> Answer:
    verdict = row.word("answer")
    labels = _labels(row, reading) if verdict == "accept" else {}
    answer = Answer(
        text=reading.message(row),
        labels=labels,
        annotator=row.word("_annotator_id") or row.word("_session_id"),
        created_at=row.time("_timestamp"),
        status=_status(row, verdict, labels),
        line=row.line,
    )
    noted = restored(answer, row)
    # Whoever answers a row again in Prodigy leaves the notes as they were.
    same = noted.annotator == answer.annotator and _second(noted) == _second(answer)
    return noted if same else answer


def _labels(row: Row, reading: Reading) -> dict[str, str]:
    labels: dict[str, str] = {}
    question = "accept" if "accept" in row.values else "label"
    chosen = row.list("accept") if question == "accept" else [row.values.get("label")]
    for one in chosen:
        name = Row({question: one}, row.file, row.line).word(question)
        if name is None:
            continue
        forced = reading.questions.get(question)
        dimension, label = (forced, name) if forced else parted(name, reading.dimensions)
        if dimension in labels:
            raise row.wrong(f"two labels for {dimension or 'one dimension'!r}; an answer has one for each dimension")
        labels[dimension] = label
    return labels


def _status(row: Row, verdict: str | None, labels: dict[str, str]) -> Status:
    if verdict is None:
        return Status.OPEN
    if verdict not in {"accept", "reject", "ignore"}:
        raise row.wrong(f"'answer' is {verdict[:40]!r}; expected accept, reject or ignore")
    if row.values.get("flagged"):
        return Status.FLAGGED if not labels else Status.ANSWERED
    return Status.ANSWERED if labels else Status.SKIPPED


def _second(answer: Answer) -> int | None:
    return int(answer.created_at.timestamp()) if answer.created_at else None


def _option(dimension: Dimension, label: str, dimensions: Sequence[Dimension]) -> dict[str, str]:
    text = label if len(dimensions) == 1 else f"{dimension.name}: {label}"
    return {"id": joined(dimension.name, label, dimensions), "text": text}


def _row(
    answer: Answer, options: Sequence[dict[str, str]], style: str, dimensions: Sequence[Dimension]
) -> dict[str, Any]:
    chosen = [joined(dimension, label, dimensions) for dimension, label in answer.labels.items()]
    values = {
        "text": answer.text,
        "options": options,
        "accept": chosen,
        "answer": "accept" if answer.status is Status.ANSWERED else "ignore",
        "flagged": answer.status is Status.FLAGGED or None,
        "config": {"choice_style": style},
        "_view_id": "choice",
        "_timestamp": _second(answer),
        "_annotator_id": answer.annotator,
        "_session_id": answer.annotator,
        KEY: notes(answer),
    }
    return {name: value for name, value in values.items() if value is not None}
