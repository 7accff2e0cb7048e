"""How often each annotator says what a reviewer marked as gold."""

from dataclasses import dataclass

import polars as pl

from vigie.intervals import wilson


@dataclass(frozen=True, slots=True)
class GoldAccuracy:
    """Of gold questions, how many were answered right in every dimension answered.

    Parameters
    ----------
    value, low, high
        The share, with its 95 % interval.
    n
        Gold questions answered, at least 1.
    """

    value: float
    low: float
    high: float
    n: int


def gold_answers(effective: pl.DataFrame, gold: pl.DataFrame) -> pl.DataFrame:
    """Return the answers to gold questions, and whether they are right.

    What somebody said before the group was marked was seen by the reviewer, perhaps chosen, and does not count.

    Parameters
    ----------
    effective
        As `store.annotations.effective` returns it; the gold labels are those settled last.
    gold
        As `store.checks.gold` returns it.

    Returns
    -------
    ``group_id``, ``annotator``, ``right``; one row per answer with a dimension that is gold.
    """
    marked = effective.join(gold.select("group_id", "marked_at"), on="group_id", maintain_order="left")
    truth = (
        marked.filter("settled")
        .group_by("group_id", "dimension", maintain_order=True)
        .agg(truth=pl.col("label").last(), reviewer=pl.col("annotator").last())
    )
    answers = marked.filter(~pl.col("settled") & (pl.col("created_at") > pl.col("marked_at")))
    judged = answers.join(truth, on=["group_id", "dimension"], maintain_order="left")
    judged = judged.filter(pl.col("annotator") != pl.col("reviewer"))
    return judged.group_by("group_id", "annotator", maintain_order=True).agg(
        right=(pl.col("label") == pl.col("truth")).all()
    )


def accuracy(answers: pl.DataFrame) -> GoldAccuracy | None:
    """Return the share of right answers; None without any.

    Parameters
    ----------
    answers
        As `gold_answers` returns them, or those of one annotator.
    """
    if answers.is_empty():
        return None
    found = wilson(int(answers["right"].sum()), answers.height)
    return GoldAccuracy(found.value, found.low, found.high, answers.height)
