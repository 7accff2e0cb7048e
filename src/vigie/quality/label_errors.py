"""Answers that a model which did not learn from them doubts."""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from vigie.labels import Dimension

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
IntArray = np.ndarray[Any, np.dtype[np.int64]]

MIN_PER_LABEL = 2
"""Of a label that was given only once, nothing was learned when that answer is held out: it would always be doubted."""

MIN_ANSWERS = 20
MAX_DOUBTS = 20
ONE_IN = 20
"""At most one in so many answers is doubted at a time."""

HeldOut = Mapping[str, tuple[IntArray, FloatArray]]
"""By dimension, some rows and their probabilities, shape (n, n_labels), of models that did not learn from them."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """An answer that is probably wrong.

    Parameters
    ----------
    row
        Of the data set.
    dimension, given, believed
        In what, the label people gave, and the one the model finds likelier.
    confidence
        Of the latter, in [0, 1].
    quality
        Of the given label, in [0, 1]: the lower, the likelier wrong.
    """

    row: int
    dimension: str
    given: str
    believed: str
    confidence: float
    quality: float


def is_installed() -> bool:
    """Tell whether cleanlab is there."""
    return importlib.util.find_spec("cleanlab") is not None


def doubts(
    labels: pl.DataFrame, held_out: HeldOut, dimensions: Sequence[Dimension], *, at_most: int | None = None
) -> list[Doubt]:
    """Return the most doubtful answers, at most one per row, worst first.

    Confident learning estimates how many answers of each label are wrong; each label has its own threshold, the mean confidence
    where it was given, so that one that is hard to learn is not doubted everywhere. Of those, the answers that the model gave
    the lowest probability come first.

    Parameters
    ----------
    labels
        One String column per dimension; null where it was not answered.
    held_out
        What cross-validation said.
    dimensions
        What is asked now.
    at_most
        How many to return; a twentieth of the answers, and at most twenty, when left out.

    References
    ----------
    Northcutt, Jiang, Chuang (2021), Confident learning: estimating uncertainty in dataset labels; Kuan, Mueller (2022),
    Model-agnostic label quality scoring to detect real-world label errors.
    """
    found = [doubt for one in dimensions if one.name in held_out for doubt in _one(labels, held_out[one.name], one)]
    worst: dict[int, Doubt] = {}
    for doubt in sorted(found, key=lambda one: (one.quality, one.row)):
        worst.setdefault(doubt.row, doubt)
    limit = min(MAX_DOUBTS, max(1, len(labels) // ONE_IN)) if at_most is None else at_most
    return list(worst.values())[:limit]


def _one(labels: pl.DataFrame, held_out: tuple[IntArray, FloatArray], dimension: Dimension) -> list[Doubt]:
    rows, proba = held_out
    names = pl.Series(dimension.label_names, dtype=pl.String)
    places = pl.Series(range(len(names)), dtype=pl.Int64)
    given = labels[dimension.name].gather(rows).replace_strict(names, places, default=-1).fill_null(-1).to_numpy()
    counts = np.bincount(given[given >= 0], minlength=len(names))
    known = (given >= 0) & (counts >= MIN_PER_LABEL)[given]
    kept = np.flatnonzero(counts >= MIN_PER_LABEL)
    if known.sum() < MIN_ANSWERS or len(kept) < MIN_PER_LABEL:
        return []
    codes, said = np.searchsorted(kept, given[known]), proba[known][:, kept]
    said /= np.maximum(said.sum(axis=1, keepdims=True), 1e-12)
    quality, places_in_doubt = _scored(codes, said)
    return [
        Doubt(
            row=int(rows[known][place]),
            dimension=dimension.name,
            given=names[int(kept[codes[place]])],
            # Of all labels: the likeliest may be one that was given too seldom to be doubted itself.
            believed=names[int(proba[known][place].argmax())],
            confidence=float(proba[known][place].max()),
            quality=float(quality[place]),
        )
        for place in places_in_doubt
    ]


def _scored(codes: IntArray, proba: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return how likely each label is right, in [0, 1], and the places of those that are probably wrong."""
    from cleanlab.filter import find_label_issues  # noqa: PLC0415 — takes half a second to import
    from cleanlab.rank import get_label_quality_scores  # noqa: PLC0415

    quality = get_label_quality_scores(codes, proba, method="self_confidence", adjust_pred_probs=False)
    issues = find_label_issues(codes, proba, filter_by="both", n_jobs=1)
    places = np.flatnonzero(issues & (proba.argmax(axis=1) != codes))
    return quality, places
