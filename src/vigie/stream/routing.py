"""Which of model, rule, person and default decides a label, and where the message goes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import polars as pl

from vigie.labels import Dimension, Origin, Route
from vigie.messages import confidence_column, label_column, origin_column
from vigie.rules import Rules

NEVER = math.inf
"""The threshold that no confidence reaches."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What people decided about labelling, apart from the model.

    Parameters
    ----------
    dimensions
        In the order of the settings.
    rules
        Their labels stand where `precedence` lets them.
    precedence
        ``fallback``: a rule speaks where the model is not sure; ``override``: wherever no person has answered.
    confidence
        From here on, in [0, 1], a model's label needs no second look.
    targets
        By dimension, the share of labels, in (0, 1), that must be right among those that get no second look; these
        dimensions have a threshold of their own in place of `confidence`.
    thresholds
        By dimension, what `for_evidence` made of the targets.
    """

    dimensions: tuple[Dimension, ...]
    rules: Rules
    precedence: Literal["fallback", "override"] = "fallback"
    confidence: float = 0.75
    targets: Mapping[str, float] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def for_evidence(self, evidence: Mapping[str, Sequence[tuple[float, float]]]) -> "Policy":
        """Return this policy with the thresholds that a model version's evidence allows.

        Parameters
        ----------
        evidence
            By dimension, as `threshold` takes it; without any, nothing of a dimension with a target passes.
        """
        found = {name: threshold(evidence.get(name, ()), target) for name, target in self.targets.items()}
        return replace(self, thresholds={name: NEVER if at is None else at for name, at in found.items()})

    def threshold(self, dimension: str) -> float:
        """Return from which confidence on a label of the model passes; `NEVER` before a promise has evidence."""
        return self.thresholds.get(dimension, NEVER if dimension in self.targets else self.confidence)


def threshold(evidence: Sequence[tuple[float, float]], target: float) -> float | None:
    """Return the lowest confidence from which on labels are right more often than promised; None when there is none.

    Parameters
    ----------
    evidence
        Pairs of a confidence and a lower bound of the precision of all labels at or above it.
    target
        The promised precision, in (0, 1).

    Examples
    --------
    >>> threshold([(0.99, 0.985), (0.9, 0.97), (0.7, 0.91)], 0.95)
    0.9
    """
    return min((confidence for confidence, low in evidence if low > target), default=None)


def is_sure(dimension: str, policy: Policy) -> pl.Expr:
    """Tell where a label needs no second look: a person gave it, or the model is confident enough."""
    origin = pl.col(origin_column(dimension))
    confident = pl.col(confidence_column(dimension)) >= policy.threshold(dimension)
    by_model = (origin == Origin.MODEL.value) & confident
    return (origin == Origin.HUMAN.value) | by_model


def may_rule(dimension: str, policy: Policy) -> pl.Expr:
    """Tell where a rule would be heard, if one speaks."""
    if policy.precedence == "override":
        return pl.col(origin_column(dimension)) != Origin.HUMAN.value
    return ~is_sure(dimension, policy)


def route(policy: Policy) -> pl.Expr:
    """Return the route of each row: review if any label is in doubt, else rule if one decided any, else auto."""
    ruled = [pl.col(origin_column(d.name)) == Origin.RULE.value for d in policy.dimensions]
    settled = [is_sure(d.name, policy) | by_rule for d, by_rule in zip(policy.dimensions, ruled, strict=True)]
    return (
        pl.when(~pl.all_horizontal(settled))
        .then(pl.lit(Route.REVIEW.value))
        .when(pl.any_horizontal(ruled))
        .then(pl.lit(Route.RULE.value))
        .otherwise(pl.lit(Route.AUTO.value))
        .alias("route")
    )


def output_columns(dimensions: Sequence[Dimension]) -> list[str]:
    """Name the columns that labelling adds, in order."""
    names = [f(d.name) for d in dimensions for f in (label_column, confidence_column, origin_column)]
    return ["template", *names, "route", "model"]
