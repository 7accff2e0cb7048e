"""All that is known of how good a model version is: accuracy, macro-F1, calibration, and what a promise lets pass."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from vigie.intervals import Interval
from vigie.labels import Dimension
from vigie.learner.answers import Answers
from vigie.learner.audit import Estimate, Model, estimate_accuracy, judged, sampled, with_traffic
from vigie.learner.calibration import Calibration, calibration
from vigie.learner.macro_f1 import estimate_macro_f1
from vigie.learner.thresholds import More, Steps, first, more, steps
from vigie.learner.unanswered import expected


@dataclass(frozen=True, slots=True)
class Numbers:
    """What the audit sample says about a model version in one dimension.

    Parameters
    ----------
    accuracy, macro_f1
        Of the model as it is, over the whole stream, groups seen in training, and new ones.
    labelled
        Share of all messages that carry the right label: where people answered, theirs.
    calibration
        Over new groups.
    steps
        How precise its labels are by confidence, over new groups.
    sure
        How confident it is in each audited group: ``group_id``, ``count``, ``confidence``, in the order drawn.
    n_new, n_messages
        Messages in new groups, and in all.
    """

    accuracy: Estimate
    macro_f1: Estimate
    labelled: Interval
    calibration: Calibration
    steps: Steps
    sure: pl.DataFrame
    n_new: int
    n_messages: int


def measure(
    answers: Answers,
    model: Model,
    dimensions: Sequence[Dimension],
    *,
    n_messages: int,
    rest: pl.DataFrame | None = None,
) -> dict[str, Numbers | None]:
    """Return the numbers of a model version by dimension; None where it or the audit sample does not know the dimension.

    The model is asked as it is, without the answers it carries, once about all answered groups.

    Parameters
    ----------
    answers
        All that hold.
    model
        A fitted model version.
    dimensions
        What is asked now.
    n_messages
        In all groups.
    rest
        As `unanswered` returns it; left out, the audit sample alone speaks for new groups.
    """
    seen, audited = judged(model, answers.train, dimensions), judged(model, with_traffic(answers.audit), dimensions)
    sure = _confidences(model, rest)
    known = {dimension.name: dimension.label_names for dimension in model.dimensions}
    return {
        dimension.name: _of(
            seen[dimension.name],
            audited[dimension.name],
            list(dict.fromkeys([*dimension.label_names, *known[dimension.name]])),  # what was renamed is said still
            n_messages=n_messages,
            rest=sure.get(dimension.name),
        )
        if dimension.name in seen
        else None
        for dimension in dimensions
    }


def automatic(numbers: Mapping[str, Numbers | None], thresholds: Mapping[str, float]) -> Interval | None:
    """Return the share of messages that pass without a person, where rules are left out.

    A message passes when each of its labels was given by a person or has at least its threshold's confidence. Groups seen
    in training were answered by people.

    Parameters
    ----------
    numbers
        By dimension.
    thresholds
        By dimension, in [0, 1]; infinite where nothing passes.

    Returns
    -------
    The estimate with its 95 % interval; None while a dimension has no audited group.
    """
    known = [(one, thresholds[name]) for name, one in numbers.items() if one is not None]
    if not known or len(known) < len(numbers):
        return None
    together = known[0][0].sure.select("group_id", "count", sure=pl.col("confidence") >= known[0][1])
    for one, at in known[1:]:
        other = one.sure.select("group_id", other=pl.col("confidence") >= at)
        together = together.join(other, on="group_id", how="inner", maintain_order="left").select(
            "group_id", "count", sure=pl.col("sure") & pl.col("other")
        )
    if together.is_empty():
        return None
    n_messages = max(one.n_messages for one, _ in known)
    n_seen = min(one.n_messages - one.n_new for one, _ in known)
    new = sampled(together["count"].to_numpy(), together["sure"].to_numpy(), n_messages - n_seen)
    return Interval(
        *[(n_seen + share * (n_messages - n_seen)) / n_messages for share in (new.value, new.low, new.high)]
    )


def _confidences(model: Model, rest: pl.DataFrame | None) -> dict[str, tuple[float, float]]:
    """Return by dimension the sum of confidences over messages that nobody has answered, and how many these are."""
    if rest is None:
        return {}
    return {name: expected(proba, rest["weight"]) for name, proba in model.predict_proba(rest["template"]).items()}


def _of(
    seen: pl.DataFrame,
    audited: pl.DataFrame,
    labels: Sequence[str],
    *,
    n_messages: int,
    rest: tuple[float, float] | None,
) -> Numbers | None:
    n_seen = int(seen["count"].sum())
    total = max(n_messages, n_seen + int(audited["count"].sum()))
    accuracy = estimate_accuracy(seen, audited, total, expected=_mean_confidence(audited, rest))
    macro_f1 = estimate_macro_f1(seen, audited, labels, n_messages=total)
    calibrated = calibration(audited)
    if accuracy is None or macro_f1 is None or calibrated is None:
        return None
    sure = audited.select("group_id", "count", "confidence")
    n_new = total - n_seen
    labelled = _labelled(accuracy, [seen, audited], total)
    return Numbers(accuracy, macro_f1, labelled, calibrated, steps(audited, n_new=n_new), sure, n_new, total)


def _labelled(accuracy: Estimate, answered: Sequence[pl.DataFrame], total: int) -> Interval:
    """Add to a model's accuracy what it gets wrong and people said: the stream carries their answers."""
    corrected = sum(int(groups.filter(~pl.col("right"))["count"].sum()) for groups in answered) / total
    return Interval(*[min(share + corrected, 1.0) for share in (accuracy.value, accuracy.low, accuracy.high)])


@dataclass(frozen=True, slots=True)
class Passing:
    """What of one dimension needs no person, and what would make it more.

    Parameters
    ----------
    target
        The promised precision; None where the threshold is fixed.
    threshold
        In force; None while nothing passes.
    share
        Part of all messages whose label in this dimension passes, rules left out.
    more
        What would let more pass, its share likewise of all messages; None with a fixed threshold, or when no number of
        audit answers would.
    """

    target: float | None
    threshold: float | None
    share: Interval | None
    more: More | None


def passing(one: Numbers | None, *, target: float | None, threshold: float) -> Passing:
    """Return what passes in one dimension.

    Parameters
    ----------
    one
        Its numbers; None before anything was audited.
    target
        The promised precision; None where there is no promise.
    threshold
        In force; infinite while nothing passes.
    """
    in_force = None if math.isinf(threshold) else threshold
    if one is None:
        return Passing(target, in_force, None, first(target) if target else None)
    ahead = more(one.steps, target, threshold=in_force) if target else None
    return Passing(target, in_force, automatic({"": one}, {"": threshold}), _of_all(ahead, one))


def _of_all(ahead: More | None, one: Numbers) -> More | None:
    """Return the same with a share of all messages: what groups seen in training have passes, too."""
    if ahead is None or ahead.share is None:
        return ahead
    return More(ahead.n_answers, 1 - one.n_new / one.n_messages * (1 - ahead.share))


def _mean_confidence(audited: pl.DataFrame, rest: tuple[float, float] | None) -> float | None:
    """Return the mean confidence over the messages of all new groups, audited or not; None where the others are not known."""
    if rest is None:
        return None
    confidence, messages = rest
    audited_messages = float(audited["count"].sum())
    return (confidence + float((audited["confidence"] * audited["count"]).sum())) / max(
        messages + audited_messages, 1.0
    )
