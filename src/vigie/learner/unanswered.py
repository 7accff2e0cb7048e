"""Some of the groups that nobody has answered, and how many messages each stands for: what a model meets when it labels."""

from typing import Any

import numpy as np
import polars as pl

from vigie.learner.answers import Answers
from vigie.learner.embedding import ready
from vigie.store import Store

LARGEST = 300
OTHERS = 300
"""So many more than the largest; a linear model predicts all of them in 60 ms."""


MAX_UNKNOWN = 50
"""Groups among them that are encoded for it, a third of a second; in a stream where every message is new, all of the largest are."""


def unanswered(store: Store, answers: Answers, *, n_messages: int, classifier: object = None) -> pl.DataFrame:
    """Return the largest groups without an answer, and some of the others, always the same.

    Where a classifier is to look at them that encodes, most of those that are not encoded yet are left out, and the others stand for
    them.

    Parameters
    ----------
    store
        Where groups are.
    answers
        All that hold.
    n_messages
        In all groups.
    classifier
        Which is to look at them.

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
    groups = pl.concat([largest, others.with_columns(pl.col("weight") * stands_for)]).drop("group_id")
    within_reach = ready(groups, classifier, MAX_UNKNOWN)
    share = float(within_reach["weight"].sum()) / max(float(groups["weight"].sum()), 1e-9)
    return within_reach.with_columns(pl.col("weight") / share) if within_reach.height < groups.height else groups


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
