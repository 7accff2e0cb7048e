"""Macro-F1 of the whole stream from groups drawn at random, with an interval that owns up to labels hardly ever met.

A label's F1 depends on two shares of the messages: those that have it and were given it, and those that have it or were
given it, but not both. In groups seen in training both are known; in the others the audit sample tells them. A label
that the sample never met may have any F1 there, within the share that it can have and still have been missed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from vigie.intervals import wilson_bounds
from vigie.learner.audit import BoolArray, Estimate, FloatArray, shares

IntArray = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class Scores:
    """F1 by label, each array of shape (n_labels,).

    Parameters
    ----------
    value, low, high
        In [0, 1]; a label that is not `known` has no value (0) and the interval [0, 1].
    known
        Which labels were met, in groups seen in training or in the sample.
    sampled
        Which were met in the sample: what is said about these errs by chance, about the others by ignorance.
    """

    value: FloatArray
    low: FloatArray
    high: FloatArray
    known: BoolArray
    sampled: BoolArray

    def macro(self) -> tuple[float, float, float]:
        """Return the mean over the known labels with its 95 % interval; labels never met may be there with any F1.

        Errors by chance add up as squares, twice, since one wrong answer touches two labels (Cauchy and Schwarz); errors by
        ignorance add up as they are.

        References
        ----------
        Zou, Donner (2008), Construction of confidence limits about effect measures: a general approach.
        """
        n_known, n_unknown = int(self.known.sum()), int((~self.known).sum())
        if not n_known:
            return 0.0, 0.0, 1.0
        total = float(self.value[self.known].sum())
        below, above = (self._added(np.abs(bound - self.value)) for bound in (self.low, self.high))
        n = n_known + n_unknown
        return total / n_known, max(0.0, (total - below) / n), min(1.0, (total + above + n_unknown) / n)

    def _added(self, errors: FloatArray) -> float:
        by_chance, by_ignorance = errors[self.sampled], errors[self.known & ~self.sampled]
        return float(min(np.sqrt(2 * (by_chance**2).sum()), by_chance.sum()) + by_ignorance.sum())


def estimate_macro_f1(
    seen: pl.DataFrame, audited: pl.DataFrame, labels: Sequence[str], *, n_messages: int
) -> Estimate | None:
    """Return a model's macro-F1 in one dimension; None without an audited group.

    Parameters
    ----------
    seen, audited
        As `judged` returns them for groups seen in training, and for the audit sample in the order drawn.
    labels
        All labels that may be given or said.
    n_messages
        In all groups.
    """
    if audited.is_empty():
        return None
    n_seen = int(seen["count"].sum())
    total = max(n_messages, n_seen + int(audited["count"].sum()))
    weights = seen["count"].to_numpy().astype(np.float64)
    hits, misses = (weights @ flags for flags in _flags(seen, labels))
    value, low, high = _scores(audited, labels, hits, misses, n_new=total - n_seen).macro()
    nothing = np.zeros(len(labels))
    new = _scores(audited, labels, nothing, nothing, n_new=total - n_seen).macro()
    return Estimate(
        value=value,
        low=low,
        high=high,
        n_audited=audited.height,
        share_seen=n_seen / total,
        seen_value=_macro_f1(hits, misses) if n_seen else None,
        new_value=new[0],
        new_low=new[1],
        new_high=new[2],
    )


def _flags(rows: pl.DataFrame, labels: Sequence[str]) -> tuple[BoolArray, BoolArray]:
    """Return which rows have and were given each label, and which one of both; shape (n, n_labels)."""
    codes = {label: code for code, label in enumerate(labels)}
    given, said = (
        rows[name].replace_strict(codes, default=-1, return_dtype=pl.Int64).to_numpy()[:, None]
        == np.arange(len(labels))
        for name in ("given", "said")
    )
    return given & said, given ^ said


def _macro_f1(hits: FloatArray, misses: FloatArray) -> float:
    there = hits + misses > 0
    return float(_f1(hits[there], misses[there]).mean())


def _f1(hits: FloatArray, misses: FloatArray) -> FloatArray:
    return 2 * hits / np.maximum(2 * hits + misses, 1e-12)


def _scores(
    audited: pl.DataFrame, labels: Sequence[str], hits: FloatArray, misses: FloatArray, *, n_new: int
) -> Scores:
    """Add to the messages known to be right (`hits`) and wrong (`misses`) by label what the sample says of the new ones."""
    sizes = audited["count"].to_numpy().astype(np.float64)
    found = _Shares.of(sizes, *_flags(audited, labels), n_new)
    corners = [
        [_f1(hits + n_new * met * right, misses + n_new * met * (1 - right)) for met in (found.met_low, found.met_high)]
        for right in (found.right_low, found.right_high)
    ]
    value = _f1(hits + n_new * found.met * found.right, misses + n_new * found.met * (1 - found.right))
    sampled = found.n_met > 0
    known = sampled | (hits + misses > 0)
    low = np.where(known, np.minimum(*corners[0]), 0.0)
    high = np.where(known, np.maximum(*corners[1]), 1.0)
    value = np.where(known, np.clip(value, low, high), 0.0)
    return Scores(value, low, high, known, sampled)


@dataclass(frozen=True, slots=True)
class _Shares:
    """By label, shape (n_labels,): the share of new messages that have it or were given it, and how often it was both."""

    n_met: IntArray
    met: FloatArray
    met_low: FloatArray
    met_high: FloatArray
    right: FloatArray
    right_low: FloatArray
    right_high: FloatArray

    @classmethod
    def of(cls, sizes: FloatArray, hits: BoolArray, misses: BoolArray, n_new: int) -> "_Shares":
        """Estimate from groups drawn one by one; what they hold themselves is known and bounds everything."""
        n, either = len(sizes), hits | misses
        n_met = either.sum(axis=0)
        met, both = shares(sizes, either, n_new), shares(sizes, hits, n_new)
        right = np.where(n_met > 0, both / np.maximum(met, 1e-12), 0.5)
        met_low, met_high = wilson_bounds(met, np.full(len(met), float(n)))
        right_low, right_high = wilson_bounds(right, n_met.astype(np.float64))
        known_hits, known_misses = sizes @ hits / n_new, sizes @ misses / n_new
        rest = max(0.0, 1 - float(sizes.sum()) / n_new)
        most = np.maximum(known_hits + known_misses + rest, 1e-12)
        least_right, most_right = known_hits / most, (known_hits + rest) / most
        known = known_hits + known_misses
        return cls(
            n_met=n_met,
            met=np.clip(met, known, known + rest),
            met_low=np.clip(met_low, known, known + rest),
            met_high=np.clip(met_high, known, known + rest),
            right=np.clip(right, least_right, most_right),
            right_low=np.clip(right_low, least_right, most_right),
            right_high=np.clip(right_high, least_right, most_right),
        )
