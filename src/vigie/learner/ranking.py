"""The next questions: what a strategy ranks highest, and before there is a model, large groups unlike each other."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from vigie.classifiers import Embeds, needs_answers
from vigie.features import projection
from vigie.features.ngrams import MAX_CHARACTERS
from vigie.labels import Purpose, QuestionKind
from vigie.learner.audit import Model
from vigie.messages import label_column
from vigie.store import Draft
from vigie.strategies import Candidates, Choice, Strategy
from vigie.strategies.cold_start import WeightedKMeans
from vigie.strategies.diversity import BATCH
from vigie.strategies.joint import best

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
IntArray = np.ndarray[Any, np.dtype[np.int64]]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]

MAX_CANDIDATES = 10_000
"""How many groups a strategy sees at most; the linear model predicts as many in about a second."""

MAX_EMBEDDED = 2_000
"""How many of them before there is a model; a small sentence encoder takes ten seconds, and people wait for questions."""

MAX_SURVEYED = 2_000
"""How many of more groups than `MAX_CANDIDATES` a model is asked about, chosen by what a student says of all."""

_WORD = re.compile(r"\w+")
_PER_QUESTION = 10

FIRST = BATCH
"""Groups that are answered before a strategy chooses."""

NEW_URGENCY = 1.5
"""How much sooner groups are asked about that came after most of what the model learned; a guess, not measured."""


def candidates(groups: pl.DataFrame, rng: np.random.Generator, n: int = MAX_CANDIDATES) -> pl.DataFrame:
    """Return at most `n` groups: the largest, and as many of the others, each as likely, so that rare ones get a chance.

    Parameters
    ----------
    groups
        As `store.pool.sizes` or `store.pool.unlabelled` return them, largest first.
    rng
        Chooses the others.
    n
        At most so many.
    """
    if groups.height <= n:
        return groups
    largest = n - n // 2
    others = largest + rng.choice(groups.height - largest, n // 2, replace=False)
    return groups[np.concatenate([np.arange(largest), np.sort(others)])]


def marked(groups: pl.DataFrame, effective: pl.DataFrame) -> pl.DataFrame:
    """Return groups with a column ``is_new``: whether a group came after half of what there is to learn from was answered.

    A model was never asked about such a group when most of its answers were chosen. A project that just began has none.

    Parameters
    ----------
    groups
        With ``first_seen``.
    effective
        As `store.annotations.effective` returns them; those for audit do not count.
    """
    since = half_answered(effective)
    return groups.with_columns(is_new=False if since is None else pl.col("first_seen") > since)


def half_answered(effective: pl.DataFrame) -> datetime | None:
    """Return when half of what there is to learn from was answered; None before there is anything."""
    middle: Any = effective.filter(pl.col("purpose") == Purpose.TRAIN)["created_at"].median()
    return middle


def surveyed(
    groups: pl.DataFrame,
    scores: FloatArray,
    rng: np.random.Generator,
    n: int,
) -> pl.DataFrame:
    """Return at most `n` groups: those with the best scores, and one in eight each of the largest and of all others.

    Scores are a student's, which may be wrong about groups unlike all it has seen; these two eighths do not ask it.

    Parameters
    ----------
    groups
        Largest first.
    scores
        How much asking about each is worth, shape (n_groups,).
    rng
        Chooses among equals and the others.
    n
        At most so many.
    """
    if groups.height <= n:
        return groups
    chosen = np.zeros(groups.height, dtype=np.bool_)
    chosen[: n // 8] = True
    chosen[best(scores, n - 2 * (n // 8), rng)] = True
    left = np.flatnonzero(~chosen)
    chosen[rng.choice(left, min(n // 8, len(left)), replace=False)] = True
    return groups.filter(pl.Series(chosen))


def rank(
    groups: pl.DataFrame,
    model: Model | None,
    strategy: Strategy,
    *,
    dimensions: Sequence[str],
    n: int,
    rng: np.random.Generator,
    answered: pl.DataFrame | None = None,
    embedder: Embeds | None = None,
) -> list[Draft]:
    """Return at most `n` questions, the best first.

    The first ten are chosen alike whatever the strategy, unless it has a true ``starts_cold``: by weighted k-means over meanings
    where there are any before the first answer, else as `first_questions`.

    Parameters
    ----------
    groups
        ``group_id``, ``template``, ``count``; largest first. With a column ``is_new`` (Boolean), those groups are asked about
        sooner.
    model
        None before the first training.
    strategy
        Ranks what a model predicts.
    dimensions
        What is asked; of what the model knows besides, nothing is seen.
    n
        At most so many.
    rng
        For the strategy.
    answered
        What was learned from, as `Answers.train`; left out, nothing.
    embedder
        Knows meanings before there is a model; left out, the model if it needs no answers.
    """
    known = answered if answered is not None else groups.select("template").clear()
    proba = {} if model is None else _proba(model, groups["template"], dimensions)
    meanings = embedder or knowing(getattr(model, "classifier", model))
    if not getattr(strategy, "starts_cold", False) and (not proba or (meanings and known.height < FIRST)):
        if meanings is None:
            return first_questions(groups, n)
        strategy = WeightedKMeans()
    new = _new(groups)
    choices = strategy.query(_candidates(groups, model, proba, known, meanings), n, rng)
    return [_draft(groups["group_id"][choice.row], place, choice, new) for place, choice in enumerate(choices)]


def knowing(classifier: object) -> Embeds | None:
    """Return a classifier if it says where texts lie before it has learned anything, else None."""
    return classifier if isinstance(classifier, Embeds) and not needs_answers(classifier) else None


def first_questions(groups: pl.DataFrame, n: int) -> list[Draft]:
    """Return at most `n` questions for when nothing was learned: the largest groups, near copies put off."""
    groups = groups.head(n * _PER_QUESTION)
    ids, counts = groups["group_id"], groups["count"]
    rows = spread(groups["template"].to_list(), np.log1p(counts.to_numpy()), n)
    return [
        Draft(ids[row], QuestionKind.STRATEGY, rank=place, reason={"why": "largest", "size": counts[row]})
        for place, row in enumerate(rows)
    ]


def spread(texts: Sequence[str], scores: FloatArray, n: int) -> list[int]:
    """Return at most `n` rows: again and again the highest score times its distance to the nearest text chosen before.

    The distance is Jaccard's, over the words of the first 4,096 characters; 1 for texts without a word in common. 500 texts and 50
    rows take 30 ms.

    References
    ----------
    Carbonell, Goldstein (1998), The use of MMR, diversity-based reranking for reordering documents.

    Examples
    --------
    >>> spread(["disk full on a", "disk full on b", "login of root"], np.array([3.0, 2.9, 2.0]), 3)
    [0, 2, 1]
    """
    words = [frozenset(_WORD.findall(text[:MAX_CHARACTERS])) for text in texts]
    distance = np.ones(len(texts))
    left = np.ones(len(texts), dtype=np.bool_)
    chosen: list[int] = []
    for _ in range(min(n, len(texts))):
        row = int(np.argmax(np.where(left, scores * distance, -1.0)))
        left[row] = False
        chosen.append(row)
        distance = np.minimum(distance, [_jaccard(words[row], other) for other in words])
    return chosen


def audit_drafts(group_ids: Sequence[int]) -> list[Draft]:
    """Return the questions of the audit sample, in the order in which the groups were drawn."""
    return [
        Draft(group_id, QuestionKind.AUDIT, rank=place, reason={"why": "audit"})
        for place, group_id in enumerate(group_ids)
    ]


def _proba(model: Model, templates: pl.Series, dimensions: Sequence[str]) -> Mapping[str, FloatArray]:
    known = {dimension.name for dimension in model.dimensions}.intersection(dimensions)
    if not known:
        return {}
    return {name: proba for name, proba in model.predict_proba(templates).items() if name in known}


def _candidates(
    groups: pl.DataFrame,
    model: Model | None,
    proba: Mapping[str, FloatArray],
    known: pl.DataFrame,
    meanings: Embeds | None,
) -> Candidates:
    """Return what a strategy sees of groups, and of those known by their answers."""
    texts = pl.concat([groups["template"], known["template"]])
    learned = getattr(model, "classifier", model) if proba else None
    embedder = meanings or (learned if isinstance(learned, Embeds) else None)
    vectors = projection.vectors(texts) if embedder is None else embedder.vectors(texts)
    return Candidates(
        templates=groups["template"],
        sizes=_sizes(groups),
        proba=proba,
        vectors=vectors[: groups.height],
        answered=vectors[groups.height :],
        answers={} if model is None else _codes(model, known, proba),
        urgency=np.where(_new(groups), NEW_URGENCY, 1.0),
    )


def _codes(model: Model, known: pl.DataFrame, proba: Mapping[str, FloatArray]) -> dict[str, IntArray]:
    """Return the labels given by dimension, as columns of its probabilities; -1 where there is none."""
    asked = [dimension for dimension in model.dimensions if dimension.name in proba]
    columns = {dimension: label_column(dimension.name) for dimension in asked}
    places = {
        dimension.name: known[column].replace_strict(
            pl.Series(dimension.label_names, dtype=pl.String),
            pl.Series(range(len(dimension.labels)), dtype=pl.Int64),
            default=-1,
        )
        for dimension, column in columns.items()
        if column in known.columns
    }
    return {name: codes.fill_null(-1).to_numpy() for name, codes in places.items()}


def _sizes(groups: pl.DataFrame) -> IntArray:
    """Return messages in each group; groups that came by no stream have none, and where there are no others they count alike."""
    sizes = groups["count"].to_numpy().astype(np.int64)
    return sizes if sizes.any() else np.ones_like(sizes)


def _new(groups: pl.DataFrame) -> BoolArray:
    return groups["is_new"].to_numpy() if "is_new" in groups.columns else np.zeros(groups.height, dtype=np.bool_)


def _draft(group_id: int, place: int, choice: Choice, new: BoolArray) -> Draft:
    reason = {**choice.reason, "new": 1} if new[choice.row] else choice.reason
    return Draft(group_id, QuestionKind.STRATEGY, rank=place, reason=reason)


def _jaccard(words: frozenset[str], others: frozenset[str]) -> float:
    together = len(words | others)
    return 1 - len(words & others) / together if together else 0.0
