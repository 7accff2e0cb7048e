"""Which of model, rule, person and default decides a label, and where the message goes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from vigie.labels import Dimension, Origin, Route
from vigie.messages import confidence_column, label_column, origin_column
from vigie.rules import Rules


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
    """

    dimensions: tuple[Dimension, ...]
    rules: Rules
    precedence: Literal["fallback", "override"] = "fallback"
    confidence: float = 0.75


def is_sure(dimension: str, confidence: float) -> pl.Expr:
    """Tell where a label needs no second look: a person gave it, or the model is confident enough."""
    origin = pl.col(origin_column(dimension))
    by_model = (origin == Origin.MODEL.value) & (pl.col(confidence_column(dimension)) >= confidence)
    return (origin == Origin.HUMAN.value) | by_model


def may_rule(dimension: str, policy: Policy) -> pl.Expr:
    """Tell where a rule would be heard, if one speaks."""
    if policy.precedence == "override":
        return pl.col(origin_column(dimension)) != Origin.HUMAN.value
    return ~is_sure(dimension, policy.confidence)


def route(policy: Policy) -> pl.Expr:
    """Return the route of each row: review if any label is in doubt, else rule if one decided any, else auto."""
    ruled = [pl.col(origin_column(d.name)) == Origin.RULE.value for d in policy.dimensions]
    settled = [
        is_sure(d.name, policy.confidence) | by_rule for d, by_rule in zip(policy.dimensions, ruled, strict=True)
    ]
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
