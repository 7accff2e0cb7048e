"""What people said, sorted by what it may be used for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import polars as pl

from vigie.labels import Dimension, Purpose
from vigie.messages import label_column
from vigie.store.annotations import known

GROUP = ("group_id", "template", "count")
"""Columns that say which group a row is about."""

_HERE = ("group_id", "template", "dimension")  # a part has no group of its own until the pool was brought up to date

WITHHELD = "withheld"
"""Purpose of what may neither train nor measure: of a split template that was audited, the parts beside the one that measures."""


@dataclass(frozen=True, slots=True)
class Answers:
    """All answers that hold, with labels and dimensions the project has now.

    Frames have one row per group: ``group_id``, ``template``, ``count``, and ``label:<dimension>`` (String) for each
    dimension, null where nobody answered or, in training, as many said one thing as another.

    Parameters
    ----------
    train
        Groups to learn from, by template.
    audit
        Groups that only measure, in the order in which they were first answered; with the first audit answer to each, or what a
        reviewer settled.
    agreed
        Labels by template and dimension, of both kinds, where all annotators said the same.
    """

    train: pl.DataFrame
    audit: pl.DataFrame
    agreed: dict[str, dict[str, str]]

    @classmethod
    def of(cls, effective: pl.DataFrame, dimensions: Sequence[Dimension]) -> Self:
        """Sort annotations.

        Parameters
        ----------
        effective
            As `store.annotations.effective` returns it. One audit annotation keeps its whole group out of training,
            and one that is `WITHHELD` too.
        dimensions
            What is asked now; annotations of other dimensions or labels are left out.
        """
        decided = _decided(effective, dimensions)
        audited = effective.filter(pl.col("purpose") == Purpose.AUDIT).group_by("group_id")
        order = audited.agg(since=pl.col("created_at").min())
        measured = _wide(_first(effective.join(order, on="group_id", how="semi"), dimensions), dimensions)
        audit = measured.join(order, on="group_id").sort("since", "group_id").drop("since")
        held = effective.filter(pl.col("purpose") != Purpose.TRAIN)
        train = _wide(decided, dimensions).join(held, on="group_id", how="anti").sort("template")
        return cls(train, audit, _by_template(decided.filter("unanimous")))


def _decided(effective: pl.DataFrame, dimensions: Sequence[Dimension]) -> pl.DataFrame:
    """Return the settled label per group and dimension, else the majority's where there is one; one row each."""
    votes = (
        known(effective, dimensions)
        .pipe(_settled)
        .group_by(*GROUP, "dimension", "label", maintain_order=True)
        .agg(votes=pl.len())
    )
    return (
        votes.with_columns(unanimous=pl.len().over(_HERE) == 1)
        .filter(pl.col("votes") == pl.col("votes").max().over(_HERE))
        .filter(pl.len().over(_HERE) == 1)
    )


def _first(effective: pl.DataFrame, dimensions: Sequence[Dimension]) -> pl.DataFrame:
    """Return the settled label per group and dimension, else the one of the first audit answer; one row each.

    A group that leaves the sample because people differ about it would take a hard one away, and answers that people give because
    they saw what the model says would bend it.
    """
    said = _settled(known(effective, dimensions))
    is_other = pl.col("purpose") != Purpose.AUDIT
    return said.sort(is_other, maintain_order=True).unique(_HERE, keep="first", maintain_order=True)


def _settled(said: pl.DataFrame) -> pl.DataFrame:
    """Leave out what others said where a reviewer settled it; of several such labels the newest stays."""
    settled = said.filter("settled").unique(_HERE, keep="last", maintain_order=True)
    return pl.concat([said.join(settled, on=_HERE, how="anti", maintain_order="left"), settled])


def _wide(decided: pl.DataFrame, dimensions: Sequence[Dimension]) -> pl.DataFrame:
    columns = [
        pl.col("label").filter(pl.col("dimension") == dimension.name).first().alias(label_column(dimension.name))
        for dimension in dimensions
    ]
    return decided.group_by(*GROUP, maintain_order=True).agg(columns)


def _by_template(decided: pl.DataFrame) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for template, dimension, label in decided.select("template", "dimension", "label").iter_rows():
        found.setdefault(template, {})[dimension] = label
    return found
