"""How far annotators agree beyond chance."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from vigie.labels import Dimension

FloatArray = np.ndarray[Any, np.dtype[np.float64]]

N_RESAMPLES = 200
MIN_GROUPS = 10
"""With fewer groups that two people answered, nothing is said: the interval would span nearly all there is."""

MAX_ANNOTATORS = 30
"""Of more, those with the most answers are compared pair by pair."""


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


def kappas(confusions: FloatArray) -> FloatArray:
    """Return Cohen's kappa of each confusion matrix, shape (..., n_labels, n_labels); NaN where chance alone would agree.

    The same as scikit-learn's `cohen_kappa_score`, for many at once: that takes 4 ms for each of some thousand resamples.

    Examples
    --------
    >>> round(float(kappas(np.array([[20.0, 5.0], [10.0, 15.0]]))), 2)
    0.4
    """
    total = confusions.sum(axis=(-2, -1))
    with np.errstate(invalid="ignore", divide="ignore"):
        seen = np.trace(confusions, axis1=-2, axis2=-1) / total
        chance = (confusions.sum(axis=-1) * confusions.sum(axis=-2)).sum(axis=-1) / total**2
        found: FloatArray = np.where(chance < 1, (seen - chance) / (1 - chance), np.nan)
    return found


def _one(said: pl.DataFrame, labels: Sequence[str], seed: int) -> Agreements:
    known = pl.DataFrame({"label": labels, "code": range(len(labels))}, schema={"label": pl.String, "code": pl.Int64})
    coded = said.join(known, on="label", maintain_order="left").filter(pl.len().over("group_id") > 1)
    people = coded["annotator"].value_counts(sort=True).sort("count", "annotator", descending=[True, False])
    wide = coded.pivot("annotator", index="group_id", values="code", aggregate_function="last").sort("group_id")
    if wide.height < MIN_GROUPS:
        return Agreements(None, None)
    codes = wide.select(sorted(people["annotator"])).fill_null(-1).to_numpy().astype(np.int64)
    rng = np.random.default_rng([seed, wide.height])
    resamples = rng.multinomial(len(codes), np.full(len(codes), 1 / len(codes)), size=N_RESAMPLES).astype(np.float64)
    weights = np.concatenate([np.ones((1, len(codes))), resamples])
    most = [sorted(people["annotator"]).index(name) for name in people["annotator"].head(MAX_ANNOTATORS)]
    kappa = _mean_kappas(codes[:, sorted(most)], weights, len(labels))
    return Agreements(_agreement(kappa, codes), _agreement(_alphas(codes, weights, len(labels)), codes))


def _mean_kappas(codes: Any, weights: FloatArray, n_labels: int) -> FloatArray:
    """Return the mean kappa over pairs for each row of weights, each pair weighing as its groups in common."""
    sums, counts = np.zeros(len(weights)), np.zeros(len(weights))
    for first, second in combinations(range(codes.shape[1]), 2):
        both = (codes[:, first] >= 0) & (codes[:, second] >= 0)
        cells = codes[both, first] * n_labels + codes[both, second]
        table = np.eye(n_labels * n_labels)[cells] if len(cells) else np.zeros((0, n_labels * n_labels))
        confusions = (weights[:, both] @ table).reshape(-1, n_labels, n_labels)
        found, n = kappas(confusions), weights[:, both].sum(axis=1)
        defined = ~np.isnan(found)
        sums += np.where(defined, found, 0) * n
        counts += np.where(defined, n, 0)
    means: FloatArray = np.divide(sums, counts, out=np.full(len(weights), np.nan), where=counts > 0)
    return means


def _alphas(codes: Any, weights: FloatArray, n_labels: int) -> FloatArray:
    import krippendorff  # noqa: PLC0415 — needed only where two people answered the same

    counts = np.stack([(codes == label).sum(axis=1) for label in range(n_labels)], axis=1)

    def alpha(some: Any) -> float:
        return float(krippendorff.alpha(value_counts=some, level_of_measurement="nominal"))

    return np.array([_defined(alpha, np.repeat(counts, row.astype(np.int64), axis=0)) for row in weights])


def _defined(measure: Callable[[Any], float], counts: Any) -> float:
    """Return a measure of agreement; NaN where everybody said the same, which agrees by chance alone."""
    return measure(counts) if (counts.sum(axis=0) > 0).sum() > 1 else float("nan")


def _agreement(values: FloatArray, codes: Any) -> Agreement | None:
    """Return the first value with the interval of the others; None where it is not defined."""
    if np.isnan(values[0]):
        return None
    low, high = np.nanquantile(values, [0.025, 0.975])
    return Agreement(float(values[0]), float(low), float(high), len(codes), int((codes >= 0).any(axis=0).sum()))
