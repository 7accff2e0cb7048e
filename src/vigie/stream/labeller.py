"""Labels for a batch: each unique template is classified once, then answers, rules and thresholds decide.

A label depends on nothing but the text, the model version, the rules and the threshold, so it is the same whatever
the batch, its size, or the worker.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import polars as pl

from vigie.labels import Dimension, Origin, Prediction, Route, WordWeight
from vigie.messages import confidence_column, label_column, origin_column
from vigie.stream.known import Known
from vigie.stream.routing import Policy, may_rule, output_columns, route
from vigie.text.refining import Splits

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
ORIGINS = (Origin.MODEL.value, Origin.HUMAN.value, Origin.DEFAULT.value)


class Model(Protocol):
    """A fitted model version.

    One with ``splits`` (slots by template, as `text.refining` has them) is asked about refined templates.
    """

    @property
    def version(self) -> str | None:
        """Its number in the registry."""

    @property
    def dimensions(self) -> Sequence[Dimension]:
        """What it was fitted for, labels in the order of its probabilities."""

    @property
    def answers(self) -> Mapping[str, Mapping[str, str]]:
        """What people answered, by template and dimension."""

    @property
    def evidence(self) -> Mapping[str, Sequence[tuple[float, float]]]:
        """How precise its labels are for sure, by dimension, as `routing.threshold` takes it."""

    def predict_proba(self, templates: pl.Series) -> Mapping[str, FloatArray]:
        """Return probabilities by dimension, each of shape (n, n_labels of that dimension in `dimensions`)."""

    def explain(self, template: str, dimension: str, label: str) -> list[WordWeight]:
        """Return how much each word of a template spoke for a label."""


@dataclass(frozen=True, slots=True)
class _State:
    """Everything a batch is labelled with; replaced as a whole, so that no batch mixes two."""

    policy: Policy
    model: Model | None
    answers: Mapping[str, Mapping[str, str]]
    known: Known
    templates: Callable[[pl.Series], pl.Series]


class Labeller:
    """What turns texts into labels, with the model and the policy of the moment.

    Parameters
    ----------
    policy
        Dimensions, rules, precedence, threshold.
    normalise
        Maps texts (String) to templates; pure, columnar.
    refining
        Returns, for the splits of a model version, what maps texts to refined templates; left out, there are no splits.
    cache_templates
        How many templates' probabilities are remembered at most.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        normalise: Callable[[pl.Series], pl.Series],
        refining: Callable[[Splits], Callable[[pl.Series], pl.Series]] | None = None,
        cache_templates: int = 100_000,
    ) -> None:
        self._normalise = normalise
        self._refining = refining
        self._cache_templates = cache_templates
        self._state = self._make(policy, None)

    @property
    def model(self) -> Model | None:
        """The model version in use."""
        return self._state.model

    @property
    def policy(self) -> Policy:
        """The policy in use."""
        return self._state.policy

    def templates(self, texts: pl.Series) -> pl.Series:
        """Return the templates of texts (String), refined as the model in use has it."""
        return self._state.templates(texts)

    def use(self, *, model: Model | None = None, policy: Policy | None = None) -> None:
        """Take another model or policy from the next batch on; what is left out stays."""
        state = self._state
        self._state = self._make(policy or state.policy, model or state.model)

    def label(self, batch: pl.DataFrame) -> tuple[pl.DataFrame, tuple[Dimension, ...]]:
        """Add template, labels, confidences, origins, route and model to a decoded batch.

        Parameters
        ----------
        batch
            Any columns, among them ``text`` (String); rows whose text is null keep nulls in the new columns.

        Returns
        -------
        The batch, and the dimensions it has labels in: those of the policy it was labelled with.
        """
        return _label(batch, self._state)

    def label_both_ways(self, batch: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, tuple[Dimension, ...]]:
        """Return what `label` returns, and before the dimensions what it would be if the model had been given no answers."""
        state = self._state
        labelled, dimensions = _label(batch, state)
        without, _ = _label(batch, self._make(state.policy, state.model, heed_answers=False))
        return labelled, without, dimensions

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """Return what the system says about some texts, in order."""
        frame, dimensions = self.label(pl.DataFrame({"text": pl.Series(texts, dtype=pl.String)}))
        names = [dimension.name for dimension in dimensions]
        return [_prediction(row, names) for row in frame.to_dicts()]

    def _make(self, policy: Policy, model: Model | None, *, heed_answers: bool = True) -> _State:
        width = sum(len(dimension.labels) for dimension in policy.dimensions)
        answers = model.answers if model and heed_answers else {}
        known = Known(
            width, self._cache_templates, partial(_probabilities, policy=policy, model=model, answers=answers)
        )
        splits = getattr(model, "splits", {})
        templates = self._refining(splits) if self._refining and splits else self._normalise
        return _State(policy.for_evidence(model.evidence if model else {}), model, answers, known, templates)


def _label(batch: pl.DataFrame, state: _State) -> tuple[pl.DataFrame, tuple[Dimension, ...]]:
    frame = batch.with_columns(state.templates(batch["text"]).alias("template"))
    templates = frame["template"].drop_nulls().unique(maintain_order=True)
    proba = state.known.look_up(templates)
    table = _decide(templates, proba, state)
    frame = frame.join(table, on="template", how="left", maintain_order="left")
    frame = _apply_rules(frame, proba, state.policy)
    frame = frame.with_columns(
        pl.when(pl.col("text").is_not_null()).then(route(state.policy)).alias("route"),
        pl.lit(state.model.version if state.model else None, dtype=pl.String).alias("model"),
    )
    return frame.select(*batch.columns, *output_columns(state.policy.dimensions)), state.policy.dimensions


def _probabilities(
    templates: pl.Series, *, policy: Policy, model: Model | None, answers: Mapping[str, Mapping[str, str]]
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return the model's probabilities for all dimensions side by side; zeros where it knows nothing or is not asked.

    It is not asked about templates that people answered in every dimension: encoding 1,000 tweets takes seconds.
    """
    width = sum(len(dimension.labels) for dimension in policy.dimensions)
    wide = np.zeros((len(templates), width), dtype=np.float32)
    asked = [row for row, template in enumerate(templates) if not _is_settled(answers.get(template, {}), policy)]
    if model is None or not asked:
        return wide
    proba = model.predict_proba(templates.gather(asked))
    columns = {d.name: {label: i for i, label in enumerate(d.label_names)} for d in model.dimensions}
    at = 0
    for dimension in policy.dimensions:
        known = columns.get(dimension.name, {})
        for label in dimension.label_names:
            if label in known:
                wide[asked, at] = proba[dimension.name][:, known[label]]
            at += 1
    return wide


def _is_settled(answers: Mapping[str, str], policy: Policy) -> bool:
    """Tell whether people's answers decide all labels of a template."""
    return all(answers.get(one.name) in one.label_names for one in policy.dimensions)


def _decide(templates: pl.Series, proba: np.ndarray[Any, Any], state: _State) -> pl.DataFrame:
    """Return label, confidence and origin by dimension for each template, and its row in `proba`."""
    given = [state.answers.get(template) for template in templates] if state.answers else []
    columns: dict[str, Any] = {"template": templates, "row": np.arange(len(templates), dtype=np.uint32)}
    at = 0
    for dimension in state.policy.dimensions:
        names = dimension.label_names
        part = proba[:, at : at + len(names)]
        at += len(names)
        decided = _decide_dimension(dimension, part, [(a or {}).get(dimension.name) for a in given])
        columns |= dict(
            zip((f(dimension.name) for f in (label_column, confidence_column, origin_column)), decided, strict=True)
        )
    return pl.DataFrame(columns)


def _decide_dimension(
    dimension: Dimension, proba: np.ndarray[Any, Any], given: list[str | None]
) -> tuple[pl.Series, FloatArray, pl.Series]:
    names = (*dimension.label_names, None)
    n = len(proba)
    code = proba.argmax(axis=1) if n else np.zeros(0, dtype=np.int64)
    confidence = proba[np.arange(n), code].astype(np.float64)
    origin = np.zeros(n, dtype=np.uint32)
    silent = confidence <= proba.min(axis=1, initial=1.0)  # all labels alike: nobody has answered this dimension
    confidence[silent] = 0.0
    code[silent] = names.index(dimension.default)
    origin[silent] = ORIGINS.index(Origin.DEFAULT.value)
    answered = [(row, names.index(label)) for row, label in enumerate(given) if label is not None and label in names]
    if answered:
        rows, codes = (np.array(column) for column in zip(*answered, strict=True))
        code[rows], confidence[rows], origin[rows] = codes, 1.0, ORIGINS.index(Origin.HUMAN.value)
    labels = pl.Series(names, dtype=pl.String).gather(code)
    return labels, np.round(confidence, 4), pl.Series(ORIGINS).gather(origin)


def _apply_rules(frame: pl.DataFrame, proba: np.ndarray[Any, Any], policy: Policy) -> pl.DataFrame:
    """Replace labels by those of rules, where rules are heard; confidence becomes the model's for that label."""
    heard = pl.any_horizontal([may_rule(dimension.name, policy) for dimension in policy.dimensions])
    if not len(policy.rules) or not frame.height:
        return frame
    asked = frame.select(heard.fill_null(value=False) & pl.col("text").is_not_null()).to_series().arg_true()
    if asked.is_empty():
        return frame
    said = policy.rules.apply(frame["text"].gather(asked))
    rows = frame["row"].gather(asked).to_numpy()
    spoken: list[pl.Series] = []
    at = 0
    for dimension in policy.dimensions:
        labels = said[label_column(dimension.name)]
        codes = labels.replace_strict(
            dimension.label_names, range(len(dimension.labels)), default=None, return_dtype=pl.Int64
        )
        model = proba[rows, at + codes.fill_null(0).to_numpy()].astype(np.float64)
        spoken += [
            labels.alias(f"rule_label:{dimension.name}"),
            pl.Series(f"rule_confidence:{dimension.name}", np.round(model, 4)),
        ]
        at += len(dimension.labels)
    full = pl.DataFrame([asked.alias("index"), *spoken])
    joined = frame.with_row_index("index").join(full, on="index", how="left", maintain_order="left")
    return joined.with_columns([column for d in policy.dimensions for column in _ruled(d.name, policy)])


def _ruled(dimension: str, policy: Policy) -> list[pl.Expr]:
    speaks = may_rule(dimension, policy) & pl.col(f"rule_label:{dimension}").is_not_null()
    replacements = {
        label_column(dimension): pl.col(f"rule_label:{dimension}"),
        confidence_column(dimension): pl.col(f"rule_confidence:{dimension}"),
        origin_column(dimension): pl.lit(Origin.RULE.value),
    }
    return [pl.when(speaks).then(new).otherwise(pl.col(name)).alias(name) for name, new in replacements.items()]


def _prediction(row: Mapping[str, Any], dimensions: Sequence[str]) -> Prediction:
    return Prediction(
        route=Route(row["route"]),
        labels={name: row[label_column(name)] for name in dimensions},
        confidence={name: row[confidence_column(name)] for name in dimensions},
        origin={name: Origin(row[origin_column(name)]) for name in dimensions},
        template=row["template"],
        model=row["model"],
    )
