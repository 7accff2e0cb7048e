"""Labelling messages as people said, after they went out another way."""

from collections.abc import Callable, Mapping

import orjson
import polars as pl

from vigie.labels import Dimension, Origin
from vigie.messages import confidence_column, label_column, origin_column
from vigie.stream.dead_letters import split
from vigie.stream.enrich import enrich
from vigie.stream.labeller import Labeller
from vigie.stream.replay import Process
from vigie.stream.routing import route

REVISION = "correction:revision"
LABELS = "correction:labels"

_WITHOUT = "without:"


def correcting(decode: Callable[[pl.DataFrame], pl.DataFrame], labeller: Labeller) -> Process:
    """Return what turns messages that people answered about into corrected ones.

    In the dimensions answered the label is theirs, its origin is `human` and its confidence 1; in the others it is what
    the labeller says now, and where people said something that does not hold any more what it would say without their answers,
    which the model in use may still have.

    Parameters
    ----------
    decode
        Finds the texts, as in the stream.
    labeller
        What the stream labels with.
    """

    def correct(batch: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return the messages of a batch as people's answers now have them, and its dead letters."""
        messages, dead_letters = split(decode(batch))
        labelled, dimensions = _labelled(messages, labeller)
        parts = labelled.partition_by(REVISION, LABELS, maintain_order=True) or [labelled]
        corrected = [_corrected(part, dimensions, labeller) for part in parts]
        return pl.concat(corrected), dead_letters

    return correct


def _corrected(part: pl.DataFrame, dimensions: tuple[Dimension, ...], labeller: Labeller) -> pl.DataFrame:
    """Return messages with the same labels and revision, corrected."""
    revision = int(part[REVISION][0]) if part.height else 0
    given = orjson.loads(part[LABELS][0]) if part.height else {}
    said = part.with_columns([column for d in dimensions for column in _said(d, given)])
    said = said.select(pl.exclude(f"^{_WITHOUT}.*$"))
    return enrich(said.with_columns(route(labeller.policy)), dimensions, revision=revision)


def _labelled(messages: pl.DataFrame, labeller: Labeller) -> tuple[pl.DataFrame, tuple[Dimension, ...]]:
    """Return labelled messages, with what the labeller says without people's answers in further columns where that may matter."""
    if not messages[LABELS].str.contains("null", literal=True).any():
        return labeller.label(messages)
    labelled, without, dimensions = labeller.label_both_ways(messages)
    columns = [name for one in dimensions for name in _columns(one)]
    return labelled.hstack(without.select(pl.col(columns).name.prefix(_WITHOUT))), dimensions


def _columns(dimension: Dimension) -> list[str]:
    return [column(dimension.name) for column in (label_column, confidence_column, origin_column)]


def _said(dimension: Dimension, given: Mapping[str, str | None]) -> list[pl.Expr]:
    label = given.get(dimension.name)
    if label is None and dimension.name in given:
        return [pl.col(f"{_WITHOUT}{column}").alias(column) for column in _columns(dimension)]
    if label not in dimension.label_names:
        return []
    return [
        pl.lit(label).alias(label_column(dimension.name)),
        pl.lit(1.0).alias(confidence_column(dimension.name)),
        pl.lit(Origin.HUMAN.value).alias(origin_column(dimension.name)),
    ]
