"""Answers given faster than anybody reads."""

import polars as pl

SHARE_OF_MEDIAN = 0.25
MIN_TIMED = 10
"""With fewer timed answers of a person, their own pace is not known and nothing is flagged."""

ANSWER = ("group_id", "annotator")


def paces(effective: pl.DataFrame, *, too_fast_seconds: float) -> pl.DataFrame:
    """Return the answers that hold and whose duration is known, and which of them came too fast.

    Some people know their data and answer in a second; so an answer is too fast only if it is both below the threshold and
    far below the same person's median. It still counts as an answer.

    Parameters
    ----------
    effective
        As `store.annotations.effective` returns it.
    too_fast_seconds
        The threshold; 0 flags nothing.

    Returns
    -------
    ``group_id``, ``annotator``, ``created_at``, ``seconds``, ``median_seconds`` (of that person), ``too_fast`` (Boolean);
    in the order given.
    """
    answers = (
        effective.filter(pl.col("duration_seconds").is_not_null() & ~pl.col("settled"))
        .group_by(ANSWER, maintain_order=True)
        .agg(seconds=pl.col("duration_seconds").last(), created_at=pl.col("created_at").last())
    )
    mine = answers.with_columns(
        median_seconds=pl.col("seconds").median().over("annotator"), n=pl.len().over("annotator")
    )
    fast = (pl.col("seconds") < too_fast_seconds) & (pl.col("seconds") < SHARE_OF_MEDIAN * pl.col("median_seconds"))
    flagged = mine.with_columns(too_fast=fast & (pl.col("n") >= MIN_TIMED))
    return flagged.select(*ANSWER, "created_at", "seconds", "median_seconds", "too_fast")
