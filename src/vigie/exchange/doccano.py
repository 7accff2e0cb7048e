"""doccano's JSONL: one row a message with a list of labels; it knows neither people nor times."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from vigie.exchange.answers import Answer, Status
from vigie.exchange.fields import Row
from vigie.exchange.notes import KEY, notes, restored
from vigie.exchange.questions import Reading, joined, parted
from vigie.exchange.reading import rows
from vigie.exchange.writing import write_lines
from vigie.labels import Dimension

_LABELS = ("label", "labels")


def recognises(row: Row) -> bool:
    """Tell whether a row is a message of doccano."""
    return any(isinstance(row.values.get(name), list) for name in _LABELS)


def read(file: Path, reading: Reading) -> Iterator[Answer]:
    """Return one answer a row, open where it has no label.

    Raises
    ------
    SettingsError
        The file cannot be read, or a row is not as it should be; says in which line.
    """
    for row in rows(file):
        usual = "data" if "text" not in row.values and "data" in row.values else "text"
        labels = _labels(row, reading)
        answer = Answer(
            text=reading.message(row, usual),
            labels=labels,
            id=row.word("id"),
            status=Status.ANSWERED if labels else Status.OPEN,
            line=row.line,
        )
        yield restored(answer, row)


def write(answers: Iterable[Answer], file: Path, dimensions: Sequence[Dimension]) -> None:
    """Write one row an answer; what doccano has no place for travels as metadata."""
    write_lines(
        (
            {
                "text": answer.text,
                "label": [joined(dimension, label, dimensions) for dimension, label in answer.labels.items()],
                KEY: notes(answer),
            }
            for answer in answers
        ),
        file,
    )


def _labels(row: Row, reading: Reading) -> dict[str, str]:
    labels: dict[str, str] = {}
    question = next((name for name in _LABELS if name in row.values), "label")
    for one in row.list(question):
        if isinstance(one, list):
            raise row.wrong("its labels mark parts of the text; expected a project of text classification")
        name = Row({question: one}, row.file, row.line).text(question)
        forced = reading.questions.get(question)
        dimension, label = (forced, name) if forced else parted(name, reading.dimensions)
        if dimension in labels:
            raise row.wrong(f"two labels for {dimension or 'one dimension'!r}; an answer has one for each dimension")
        labels[dimension] = label
    return labels
