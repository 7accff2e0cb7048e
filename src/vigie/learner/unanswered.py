"""Some of the groups that nobody has answered, and how many messages each stands for: what a model meets when it labels."""

from typing import Any

import numpy as np
import polars as pl

from vigie.learner.answers import Answers
from vigie.store import Store

LARGEST = 300
OTHERS = 300
"""So many more than the largest; a linear model predicts all of them in 60 ms."""


def unanswered(store: Store, answers: Answers, *, n_messages: int) -> pl.DataFrame:
    """Return the largest groups without an answer, and some of the others, always the same.

    Parameters
    ----------
    store
        Where groups are.
    answers
        All that hold.
    n_messages
        In all groups.

    Returns
    -------
    ``template``, and ``weight``: its messages; for the others, those of all groups beyond the largest, shared out by size.
    """
    largest = store.pool.unlabelled(LARGEST).select("group_id", "template", weight=pl.col("count").cast(pl.Float64))
    others = store.pool.sample(LARGEST + OTHERS).select("group_id", "template", weight=pl.col("count").cast(pl.Float64))
    others = others.join(largest, on="group_id", how="anti", maintain_order="left").head(OTHERS)
    known = sum(float(part.sum()) for part in (answers.train["count"], answers.audit["count"], largest["weight"]))
    drawn = float(others["weight"].sum())
    stands_for = max(n_messages - known, drawn) / drawn if drawn else 1.0
    return pl.concat([largest, others.with_columns(pl.col("weight") * stands_for)]).drop("group_id")


def expected(proba: np.ndarray[Any, Any], weights: pl.Series) -> tuple[float, float]:
    """Return the sum of confidences over groups by weight, and the sum of weights.

    Parameters
    ----------
    proba
        Label probabilities, shape (n, n_labels).
    weights
        Length n.
    """
    messages = weights.to_numpy()
    return float(proba.max(axis=1) @ messages) if len(messages) else 0.0, float(messages.sum())
