"""The quality of answers at a glance, as plain values."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from vigie.labels import Dimension
from vigie.quality.agreement import agreements
from vigie.quality.disagreements import split_groups
from vigie.quality.gold import accuracy, gold_answers
from vigie.quality.pace import paces
from vigie.store.annotations import known


@dataclass(frozen=True, slots=True)
class Annotator:
    """What is known of one annotator.

    Parameters
    ----------
    name
        As they call themselves.
    n_answers
        Groups they answered.
    agreement, n_compared
        The share of labels on which they agree with others who labelled the same, in [0, 1], of so many comparisons; None
        without any.
    gold
        Their gold accuracy as plain values: ``value``, ``low``, ``high``, ``n``; None without an answer.
    median_seconds
        Their usual time for an answer; None when no time is known.
    n_too_fast
        Answers far below that.
    """

    name: str
    n_answers: int
    agreement: float | None
    n_compared: int
    gold: dict[str, Any] | None
    median_seconds: float | None
    n_too_fast: int


def quality(
    effective: pl.DataFrame,
    gold: pl.DataFrame,
    dimensions: Sequence[Dimension],
    *,
    too_fast_seconds: float,
    seed: int = 0,
) -> dict[str, Any]:
    """Return agreement by dimension, gold accuracy, annotators, and how many groups wait for a reviewer.

    Parameters
    ----------
    effective
        As `store.annotations.effective` returns it.
    gold
        As `store.checks.gold` returns it.
    dimensions
        What is asked now; annotations of other dimensions or labels are left out.
    too_fast_seconds
        As for `pace.paces`.
    seed
        For the bootstrap.
    """
    asked = known(effective, dimensions)
    answers, timed = gold_answers(asked, gold), paces(asked, too_fast_seconds=too_fast_seconds)
    found = agreements(asked, dimensions, seed=seed)
    overall = accuracy(answers)
    return {
        "agreement": {name: asdict(one) for name, one in found.items()},
        "gold": {"groups": gold.height, "accuracy": asdict(overall) if overall else None},
        "disagreements": len(split_groups(asked)),
        "too_fast": int(timed["too_fast"].sum()),
        "annotators": [asdict(one) for one in annotators(asked, answers, timed)],
    }


def annotators(effective: pl.DataFrame, judged: pl.DataFrame, timed: pl.DataFrame) -> list[Annotator]:
    """Return what is known of each annotator, those with most answers first.

    Parameters
    ----------
    effective
        As `store.annotations.effective` returns it.
    judged
        As `gold_answers` returns it.
    timed
        As `pace.paces` returns it.
    """
    own = effective.filter(~pl.col("settled"))
    counts = (
        own.group_by("annotator").agg(n=pl.col("group_id").n_unique()).sort("n", "annotator", descending=[True, False])
    )
    shared = _compared(own)
    medians = dict(timed.group_by("annotator").agg(pl.col("seconds").median()).iter_rows())
    fast = dict(timed.filter("too_fast").group_by("annotator").len().iter_rows())
    found = []
    for name, n in counts.iter_rows():
        agreement, n_compared = shared.get(name, (None, 0))
        gold = accuracy(judged.filter(annotator=name))
        found.append(
            Annotator(
                name=name,
                n_answers=n,
                agreement=agreement,
                n_compared=n_compared,
                gold=asdict(gold) if gold else None,
                median_seconds=medians.get(name),
                n_too_fast=fast.get(name, 0),
            )
        )
    return found


def _compared(own: pl.DataFrame) -> dict[str, tuple[float, int]]:
    """Return for each annotator the share of labels others gave alike, and of how many."""
    said = own.select("group_id", "template", "dimension", "annotator", "label")
    pairs = said.join(said, on=["group_id", "template", "dimension"], suffix="_other")
    pairs = pairs.filter(pl.col("annotator") != pl.col("annotator_other"))
    alike = pairs.group_by("annotator").agg(
        (pl.col("label") == pl.col("label_other")).mean().alias("share"), n=pl.len()
    )
    return {name: (share, n) for name, share, n in alike.iter_rows()}
