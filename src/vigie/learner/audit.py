"""Honest accuracy: how much of the whole stream is labelled right, from groups drawn at random that never train.

Groups people answered for training are not typical: a strategy chose them, and the model has seen them. So the stream is
cut in two. Of groups *seen* in training the labels are known, and the share that the model gets right is counted. For the
others, *new* to the model, the audit sample speaks: groups drawn one by one, each with a probability in proportion to its
traffic among those not drawn yet.

References
----------
Des Raj (1956), Some estimators in sampling with varying probabilities without replacement.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import polars as pl

from vigie.intervals import wilson
from vigie.labels import Dimension
from vigie.learner.answers import Answers
from vigie.messages import label_column
from vigie.store import Store

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
IntArray = np.ndarray[Any, np.dtype[np.int64]]


class Model(Protocol):
    """A fitted model version."""

    @property
    def dimensions(self) -> Sequence[Dimension]:
        """What it was fitted for."""
        ...

    def predict_proba(self, templates: pl.Series) -> Mapping[str, FloatArray]:
        """Return probabilities by dimension, each of shape (n, n_labels)."""
        ...


@dataclass(frozen=True, slots=True)
class Estimate:
    """How often the model is right in one dimension, as shares in [0, 1] of messages.

    Parameters
    ----------
    value, low, high
        Over the whole stream, with the 95 % interval.
    n_audited
        Groups the audit sample holds.
    share_seen
        Part of the messages that belongs to groups seen in training.
    seen_value
        On those; None when there are none.
    new_value, new_low, new_high
        On the others, with the 95 % interval.
    """

    value: float
    low: float
    high: float
    n_audited: int
    share_seen: float
    seen_value: float | None
    new_value: float
    new_low: float
    new_high: float


def estimate(store: Store, model: Model, dimensions: Sequence[Dimension]) -> dict[str, Estimate | None]:
    """Return a model's accuracy by dimension; None where the model or the audit sample does not know the dimension.

    The model is asked as it is, without the answers it carries: those would make it right on every audited group.
    """
    answers = Answers.of(store.annotations.effective(), dimensions)
    return estimate_answers(answers, model, dimensions, n_messages=store.pool.messages())


def estimate_answers(
    answers: Answers, model: Model, dimensions: Sequence[Dimension], *, n_messages: int
) -> dict[str, Estimate | None]:
    """Return a model's accuracy by dimension, like `estimate`, from answers at hand and the messages in all groups."""
    seen = right(model, answers.train, dimensions)
    audited = right(model, answers.audit, dimensions)
    return {
        dimension.name: _stratified(seen[dimension.name], audited[dimension.name], n_messages)
        if dimension.name in seen
        else None
        for dimension in dimensions
    }


def right(model: Model, groups: pl.DataFrame, dimensions: Sequence[Dimension]) -> dict[str, pl.DataFrame]:
    """Return which answered groups a model labels right.

    Parameters
    ----------
    model
        Asked about the templates of all groups at once.
    groups
        As in `Answers`.
    dimensions
        Those asked about.

    Returns
    -------
    By dimension that the model knows: ``group_id``, ``count`` and ``right`` (Boolean) of the groups answered in it, in
    the order given.
    """
    proba = model.predict_proba(groups["template"])
    known = {dimension.name: dimension for dimension in model.dimensions}
    found = {}
    for name in [dimension.name for dimension in dimensions if dimension.name in known]:
        names = pl.Series(known[name].label_names, dtype=pl.String)
        said = names.gather(proba[name].argmax(axis=1)) if groups.height else names.clear()
        answered = groups.select("group_id", "count", given=label_column(name)).with_columns(said=said)
        answered = answered.filter(pl.col("given").is_not_null())
        found[name] = answered.select("group_id", "count", right=pl.col("said") == pl.col("given"))
    return found


def successive(sizes: FloatArray, right: BoolArray, total: float) -> float:
    """Estimate a share of messages from groups drawn one by one in proportion to size, without replacement.

    Parameters
    ----------
    sizes
        Messages of each drawn group, in the order drawn, shape (n,), n at least 1.
    right
        Which of them count, shape (n,).
    total
        Messages of all groups that could be drawn, at least the sum of `sizes`.

    Returns
    -------
    The mean of Des Raj's estimates, one per draw: what the groups before it are known to hold, and for the rest what the
    draw says. A draw counts in inverse proportion to the square of that rest, so that a huge group, drawn at once,
    does not drown the others.

    Examples
    --------
    >>> round(successive(np.array([90.0, 5.0]), np.array([True, False]), 100), 3)
    0.901
    """
    known = np.cumsum(sizes * right) - sizes * right
    rest = total - (np.cumsum(sizes) - sizes)
    estimates = (known + rest * right) / total
    return float(np.average(estimates, weights=(total / rest) ** 2))


def draw(sizes: IntArray, n: int, rng: np.random.Generator) -> IntArray:
    """Return at most `n` different rows, each drawn in proportion to size among those left, in the order drawn.

    References
    ----------
    Efraimidis, Spirakis (2006), Weighted random sampling with a reservoir.
    """
    n = min(n, len(sizes))
    arrivals = rng.exponential(size=len(sizes)) / sizes
    first = np.argpartition(arrivals, n - 1)[:n] if n else np.empty(0, dtype=np.int64)
    return first[np.argsort(arrivals[first])]


def _stratified(seen: pl.DataFrame, audited: pl.DataFrame, n_messages: int) -> Estimate | None:
    n_seen, right_seen = int(seen["count"].sum()), _right_messages(seen)
    total = max(n_messages, n_seen + int(audited["count"].sum()))
    if audited.is_empty():
        return None
    new = _new(audited, total - n_seen)
    whole = [(right_seen + share * (total - n_seen)) / total for share in new]
    return Estimate(
        value=whole[0],
        low=whole[1],
        high=whole[2],
        n_audited=audited.height,
        share_seen=n_seen / total,
        seen_value=right_seen / n_seen if n_seen else None,
        new_value=new[0],
        new_low=new[1],
        new_high=new[2],
    )


def _new(audited: pl.DataFrame, n_new: int) -> tuple[float, float, float]:
    """Return the share of new messages that is right, and its interval.

    Drawing without replacement is at least as exact as with it, so Wilson's interval is wide enough; what the audited
    groups themselves hold is known and bounds all three.
    """
    sizes = audited["count"].to_numpy().astype(np.float64)
    flags = audited["right"].to_numpy()
    least, most = (sizes * flags).sum() / n_new, 1 - (sizes * ~flags).sum() / n_new
    value = successive(sizes, flags, n_new)
    sampled = wilson(value * audited.height, audited.height)
    found = np.clip([value, sampled.low, sampled.high], least, max(least, most))
    return float(found[0]), float(found[1]), float(found[2])


def _right_messages(groups: pl.DataFrame) -> int:
    return int(groups.filter("right")["count"].sum())
