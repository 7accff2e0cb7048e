"""How far annotators agree beyond chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from vigie.labels import Dimension

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
IntArray = np.ndarray[Any, np.dtype[np.int64]]

N_RESAMPLES = 200
MIN_GROUPS = 10
"""With fewer groups that two people answered, nothing is said: the interval would span nearly all there is."""

MAX_ANNOTATORS = 30
"""Of more, those with the most answers are compared pair by pair."""

_GROUP = ("group_id", "template")
"""What is a group: parts of a split template have no id of their own until the pool was brought up to date."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """One measure of agreement.

    Parameters
    ----------
    value
        1 for perfect agreement, 0 for what chance would give, below 0 for less.
    low, high
        95 % bootstrap interval over groups.
    n_groups
        Groups that at least two people answered.
    n_annotators
        People who share such a group.
    """

    value: float
    low: float
    high: float
    n_groups: int
    n_annotators: int


@dataclass(frozen=True, slots=True)
class Agreements:
    """Cohen's kappa, the mean over pairs of annotators by groups in common, and Krippendorff's alpha; None while unknown."""

    kappa: Agreement | None
    alpha: Agreement | None


def agreements(effective: pl.DataFrame, dimensions: Sequence[Dimension], *, seed: int = 0) -> dict[str, Agreements]:
    """Return how far people agree, by dimension.

    Parameters
    ----------
    effective
        As `store.annotations.effective` returns it. What a reviewer settled is left out: it was said in sight of the others.
    dimensions
        What is asked now; other labels are left out.
    seed
        For the bootstrap.

    References
    ----------
    Cohen (1960), A coefficient of agreement for nominal scales; Krippendorff (2011), Computing Krippendorff's
    alpha-reliability; Efron, Tibshirani (1993), An introduction to the bootstrap.
    """
    own = effective.filter(~pl.col("settled"))
    return {one.name: _one(own.filter(pl.col("dimension") == one.name), one.label_names, seed) for one in dimensions}


def kappas(first: IntArray, second: IntArray, weights: FloatArray, n_labels: int) -> FloatArray:
    """Return Cohen's kappa of two people for each row of weights, shape (n_rows,); NaN where chance alone would agree.

    The same as scikit-learn's `cohen_kappa_score`, for many resamples at once: that takes 4 ms for each of some thousand.

    Parameters
    ----------
    first, second
        What each said of the same groups, as numbers of labels, shape (n_groups,).
    weights
        How often each group counts, shape (n_rows, n_groups).
    n_labels
        How many labels there are.

    Examples
    --------
    >>> first, second = np.repeat([0, 0, 1, 1], [20, 5, 10, 15]), np.repeat([0, 1, 0, 1], [20, 5, 10, 15])
    >>> round(float(kappas(first, second, np.ones((1, 50)), 2)[0]), 2)
    0.4
    """
    total = weights.sum(axis=1)
    said = [weights @ np.eye(n_labels)[codes] for codes in (first, second)]
    with np.errstate(invalid="ignore", divide="ignore"):
        seen, chance = weights @ (first == second) / total, (said[0] * said[1]).sum(axis=1) / total**2
        found: FloatArray = np.where(chance < 1, (seen - chance) / (1 - chance), np.nan)
    return found


def alphas(counts: IntArray, weights: FloatArray) -> FloatArray:
    """Return Krippendorff's nominal alpha for each row of weights, shape (n_rows,); NaN where all say one and the same.

    The same as the package krippendorff, for all resamples at once: 1,000 groups with 77 labels take that 12 s.

    Parameters
    ----------
    counts
        How many people gave each label, shape (n_groups, n_labels); at least two people for each group.
    weights
        How often each group counts, shape (n_rows, n_groups).

    Examples
    --------
    >>> round(float(alphas(np.array([[2, 0], [2, 0], [1, 1], [0, 2]]), np.ones((1, 4)))[0]), 3)
    0.533
    """
    people = counts.sum(axis=1)
    alike = (counts * (counts - 1)).sum(axis=1) / (people - 1)
    total, labels = weights @ people, weights @ counts
    with np.errstate(invalid="ignore", divide="ignore"):
        by_chance = total**2 - (labels**2).sum(axis=1)
        found: FloatArray = np.where(by_chance > 0, 1 - (total - 1) * (total - weights @ alike) / by_chance, np.nan)
    return found


def _one(said: pl.DataFrame, labels: Sequence[str], seed: int) -> Agreements:
    known = pl.DataFrame({"label": labels, "code": range(len(labels))}, schema={"label": pl.String, "code": pl.Int64})
    coded = said.join(known, on="label", maintain_order="left")
    coded = coded.filter(pl.col("annotator").n_unique().over(_GROUP) > 1)
    people = coded["annotator"].value_counts(sort=True).sort("count", "annotator", descending=[True, False])
    codes = _codes(coded, sorted(people["annotator"]))
    if len(codes) < MIN_GROUPS:
        return Agreements(None, None)
    rng = np.random.default_rng([seed, len(codes)])
    resamples = rng.multinomial(len(codes), np.full(len(codes), 1 / len(codes)), size=N_RESAMPLES).astype(np.float64)
    weights = np.concatenate([np.ones((1, len(codes))), resamples])
    most = [sorted(people["annotator"]).index(name) for name in people["annotator"].head(MAX_ANNOTATORS)]
    kappa = _mean_kappas(codes[:, sorted(most)], weights, len(labels))
    counts = np.stack([(codes == label).sum(axis=1) for label in range(len(labels))], axis=1)
    return Agreements(_agreement(kappa, codes), _agreement(alphas(counts, weights), codes))


def _codes(coded: pl.DataFrame, people: Sequence[str]) -> IntArray:
    """Return what people said, as numbers of labels, shape (n_groups, n_people); -1 where somebody said nothing."""
    groups = coded.select(_GROUP).unique().sort(_GROUP).with_row_index("row")
    columns = pl.DataFrame({"annotator": people}, schema={"annotator": pl.String}).with_row_index("column")
    placed = coded.join(groups, on=_GROUP, maintain_order="left").join(columns, on="annotator", maintain_order="left")
    codes = np.full((groups.height, len(people)), -1, dtype=np.int64)
    codes[placed["row"].to_numpy(), placed["column"].to_numpy()] = placed["code"].to_numpy()
    return codes


def _mean_kappas(codes: IntArray, weights: FloatArray, n_labels: int) -> FloatArray:
    """Return the mean kappa over pairs for each row of weights, each pair weighing as its groups in common."""
    sums, counts = np.zeros(len(weights)), np.zeros(len(weights))
    for first, second in combinations(range(codes.shape[1]), 2):
        both = (codes[:, first] >= 0) & (codes[:, second] >= 0)
        found = kappas(codes[both, first], codes[both, second], weights[:, both], n_labels)
        n = weights[:, both].sum(axis=1)
        defined = ~np.isnan(found)
        sums += np.where(defined, found, 0) * n
        counts += np.where(defined, n, 0)
    means: FloatArray = np.divide(sums, counts, out=np.full(len(weights), np.nan), where=counts > 0)
    return means


def _agreement(values: FloatArray, codes: IntArray) -> Agreement | None:
    """Return the first value with the interval of the others; None where it is not defined."""
    if np.isnan(values[0]):
        return None
    low, high = np.nanquantile(values, [0.025, 0.975])
    return Agreement(float(values[0]), float(low), float(high), len(codes), int((codes >= 0).any(axis=0).sum()))
