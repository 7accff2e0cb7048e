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

from vigie.intervals import Interval, wilson
from vigie.labels import Dimension
from vigie.messages import label_column

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
    return {name: rows.select("group_id", "count", "right") for name, rows in judged(model, groups, dimensions).items()}


def judged(model: Model, groups: pl.DataFrame, dimensions: Sequence[Dimension]) -> dict[str, pl.DataFrame]:
    """Return what a model says about answered groups beside what people said; parameters are those of `right`.

    Returns
    -------
    By dimension that the model knows, the groups answered in it, in the order given: ``group_id``, ``count``, ``given``
    and ``said`` (String), ``confidence`` (in [0, 1], rounded as the stream rounds it) and ``right`` (Boolean).
    """
    proba = model.predict_proba(groups["template"])
    known = {dimension.name: dimension for dimension in model.dimensions}
    found = {}
    for name in [dimension.name for dimension in dimensions if dimension.name in known]:
        names = pl.Series(known[name].label_names, dtype=pl.String)
        said = names.gather(proba[name].argmax(axis=1)) if groups.height else names.clear()
        sure = proba[name].max(axis=1).astype(np.float32).astype(np.float64) if groups.height else []
        answered = groups.select("group_id", "count", given=label_column(name)).with_columns(
            said=said, confidence=pl.Series(sure, dtype=pl.Float64).round(4)
        )
        answered = answered.filter(pl.col("given").is_not_null())
        found[name] = answered.with_columns(right=pl.col("said") == pl.col("given"))
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
    return float(shares(sizes, right[:, None], total)[0])


def shares(sizes: FloatArray, flags: BoolArray | FloatArray, total: float) -> FloatArray:
    """Estimate several shares, or means over messages, at once, like `successive`.

    Parameters
    ----------
    sizes, total
        As for `successive`.
    flags
        Which groups count for each share, or what each counts, shape (n, n_shares).

    Returns
    -------
    Shares, shape (n_shares,).
    """
    known = np.cumsum(sizes[:, None] * flags, axis=0) - sizes[:, None] * flags
    rest = total - (np.cumsum(sizes) - sizes)
    estimates = (known + rest[:, None] * flags) / total
    return np.asarray(np.average(estimates, axis=0, weights=(total / rest) ** 2), dtype=np.float64)


def draw(sizes: IntArray, n: int, rng: np.random.Generator) -> IntArray:
    """Return at most `n` different rows, each drawn in proportion to size among those left, in the order drawn; none of size 0.

    References
    ----------
    Efraimidis, Spirakis (2006), Weighted random sampling with a reservoir.
    """
    n = min(n, int(np.count_nonzero(sizes)))
    waits = rng.exponential(size=len(sizes))
    arrivals = np.divide(waits, sizes, out=np.full(len(sizes), np.inf), where=sizes > 0)
    first = np.argpartition(arrivals, n - 1)[:n] if n else np.empty(0, dtype=np.int64)
    return first[np.argsort(arrivals[first])]


def estimate_accuracy(
    seen: pl.DataFrame, audited: pl.DataFrame, n_messages: int, *, expected: float | None = None
) -> Estimate | None:
    """Return a model's accuracy in one dimension; None without an audited group.

    A strategy takes hard groups away from the new ones, but none that was drawn for audit before: the sample is harder than
    what is left, the more so the more groups were answered. How much harder, the confidences tell: what they differ by is
    added.

    Parameters
    ----------
    seen, audited
        As `judged` returns them for groups seen in training, and for the audit sample in the order drawn.
    n_messages
        In all groups.
    expected
        Mean confidence over the messages of new groups; None where it is not known, and nothing is added.

    References
    ----------
    Cassel, Särndal, Wretman (1976), Some results on generalized difference estimation and generalized regression estimation
    for finite populations.
    """
    n_seen, right_seen = int(seen["count"].sum()), _right_messages(seen)
    total = max(n_messages, n_seen + int(audited["count"].sum()))
    if audited.is_empty():
        return None
    shift = 0.0 if expected is None else expected - _mean_confidence(audited, total - n_seen)
    new = sampled(audited["count"].to_numpy(), audited["right"].to_numpy(), total - n_seen, shift=shift)
    whole = [(right_seen + share * (total - n_seen)) / total for share in (new.value, new.low, new.high)]
    return Estimate(
        value=whole[0],
        low=whole[1],
        high=whole[2],
        n_audited=audited.height,
        share_seen=n_seen / total,
        seen_value=right_seen / n_seen if n_seen else None,
        new_value=new.value,
        new_low=new.low,
        new_high=new.high,
    )


def with_traffic(groups: pl.DataFrame) -> pl.DataFrame:
    """Return the groups that messages came of; those that only people typed in stand for nothing."""
    return groups.filter(pl.col("count") > 0)


def sampled(sizes: IntArray, flags: BoolArray, total: float, *, shift: float = 0.0) -> Interval:
    """Return a share of messages, estimated by `successive`, and its 95 % interval.

    Drawing without replacement is at least as exact as with it, so Wilson's interval is wide enough; what the audited
    groups themselves hold is known and bounds all three.

    Parameters
    ----------
    sizes, flags, total
        As for `successive`.
    shift
        Added to the estimate, for what is known of the groups that were not drawn.
    """
    weights = sizes.astype(np.float64)
    least, most = (weights * flags).sum() / total, 1 - (weights * ~flags).sum() / total
    value = float(np.clip(successive(weights, flags, total) + shift, 0, 1))
    bounds = wilson(value * len(sizes), len(sizes))
    found = np.clip([value, bounds.low, bounds.high], least, max(least, most))
    return Interval(float(found[0]), float(found[1]), float(found[2]))


def _mean_confidence(audited: pl.DataFrame, total: float) -> float:
    """Return what the sample says the mean confidence over new messages is."""
    sizes, confidence = (audited[name].to_numpy().astype(np.float64) for name in ("count", "confidence"))
    return float(shares(sizes, confidence[:, None], total)[0])


def _right_messages(groups: pl.DataFrame) -> int:
    return int(groups.filter("right")["count"].sum())
