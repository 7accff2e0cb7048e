"""Answers out of the store."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from vigie.exchange.answers import Answer, Status, name_of
from vigie.exchange.formats import Format
from vigie.labels import Dimension, Label, Purpose, QuestionKind
from vigie.store import Annotations
from vigie.store.listener import standing

_SAID = ("group_id", "annotator", "dimension")
_SAID_OF = (*_SAID, "message")
_ONE_ANSWER = (
    "group_id",
    "annotator",
    "created_at",
    "question_id",
    "purpose",
    "model_version",
    "duration_seconds",
    "message",
    "answer_id",
    "is_exception",
    "settled",
    "withdrawn",
    "nth",
)
Left = Counter[Status]
"""How many answers a format has no place for, by what they are."""


def given(annotations: Annotations, *, history: bool = False) -> list[Answer]:
    """Return what people answered, skipped and flagged; what is about one group stands together, oldest first.

    Parameters
    ----------
    annotations
        Of the store.
    history
        Also what was said otherwise or taken back since, instead of only what holds.
    """
    texts = dict(annotations.texts().iter_rows())
    rows = _history(annotations)
    rows = rows if history else standing(rows).filter(~pl.col("withdrawn"))
    # A group may be answered in parts, at several times: one answer each.
    nth = pl.int_range(pl.len()).over(*_ONE_ANSWER[:-1], "dimension").alias("nth")
    answers = rows.with_columns(nth).group_by(_ONE_ANSWER, maintain_order=True)
    wide = answers.agg("dimension", "label", pl.col("template").first(), first=pl.col("id").first())
    found = [(row["group_id"], 0, row["first"], _answer(row, texts)) for row in wide.iter_rows(named=True)]
    left = enumerate(annotations.left().iter_rows(named=True))
    found += [(row["group_id"], 1, nth_left, _left(row, texts)) for nth_left, row in left]
    return [answer for *_, answer in sorted(found, key=lambda one: one[:3])]


def sift(answers: Iterable[Answer], kind: Format, left: Left) -> Iterator[Answer]:
    """Return the answers that a format has a place for, and count the others in `left`."""
    for answer in answers:
        if answer.status in kind.carries:
            yield answer
        else:
            left[answer.status] += 1


def dimensions_of(answers: Iterable[Answer], dimensions: Sequence[Dimension]) -> list[Dimension]:
    """Return the dimensions with which answers can be told: those of the project, and those it had when they were given."""
    said: dict[str, dict[str, None]] = {}
    for answer in answers:
        for dimension, label in answer.labels.items():
            said.setdefault(dimension, {})[label] = None
    known = {one.name for one in dimensions}
    gone = [Dimension(name, tuple(map(Label, labels))) for name, labels in said.items() if name not in known]
    return [*dimensions, *gone]


def _history(annotations: Annotations) -> pl.DataFrame:
    """Return all annotations, oldest first; those taken back with the label that was taken back."""
    rows = annotations.history().reverse()
    names = annotations.names().rename({"annotation_id": "id"})
    # Who takes back without naming a message takes back all; the last label is as good as any.
    last = [pl.col("label").forward_fill().over(*said) for said in (_SAID_OF, _SAID)]
    before = pl.coalesce(last[0], pl.when(pl.col("message").is_null()).then(last[1]))
    rows = rows.join(names, on="id", how="left", maintain_order="left")
    return rows.with_columns(label=before, withdrawn=pl.col("label").is_null()).filter(pl.col("label").is_not_null())


def _answer(row: Mapping[str, Any], texts: Mapping[int, str]) -> Answer:
    return Answer(
        text=row["message"] or texts.get(row["group_id"], row["template"]),
        labels=dict(zip(row["dimension"], row["label"], strict=True)),
        annotator=row["annotator"],
        created_at=row["created_at"],
        id=row["answer_id"] or name_of(row["template"], row["annotator"], row["created_at"]),
        status=Status.WITHDRAWN if row["withdrawn"] else Status.ANSWERED,
        purpose=Purpose(row["purpose"]),
        model_version=row["model_version"],
        duration_seconds=None if row["duration_seconds"] is None else round(row["duration_seconds"], 3),
        is_exception=row["is_exception"],
        settled=row["settled"],
    )


def _left(row: Mapping[str, Any], texts: Mapping[int, str]) -> Answer:
    return Answer(
        text=texts.get(row["group_id"], row["template"]),
        annotator=row["annotator"],
        created_at=row["closed_at"],
        id=name_of(row["template"], row["annotator"] or "", row["closed_at"]),
        status=Status(row["state"]),
        purpose=Purpose.AUDIT if row["kind"] == QuestionKind.AUDIT else Purpose.TRAIN,
        comment=row["comment"] or "",
    )
