"""Every metric Vigie exposes, named in one place, in Prometheus's text format.

No message text and no id is ever a label of a metric.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from vigie import __version__

CONFIDENCE_BINS = 20


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the database and the registry know at one moment.

    Parameters
    ----------
    totals
        Columns ``source``, ``kind`` (route, label, confidence, dead_letter), ``dimension``, ``value`` and ``count``: all
        messages since the project began.
    questions
        How many by state.
    groups, evicted, answers, inbox
        How many templates are in the pool, were evicted from it, answers given, messages posted and still waiting.
    aliases
        Model version by registry alias.
    lag
        Messages (bytes for files) not read yet, by source, stream and partition.
    accuracy
        Audited accuracy of the champion by dimension, in [0, 1].
    agreement
        Agreement of annotators by dimension and measure (kappa, alpha).
    gold_accuracy
        Share of gold questions answered right, in [0, 1]; None without any.
    review
        How many groups or answers wait for a person, by why (disagreements, doubts, too_fast).
    """

    totals: pl.DataFrame
    questions: Mapping[str, int] = field(default_factory=dict)
    groups: int = 0
    evicted: int = 0
    answers: int = 0
    inbox: int = 0
    aliases: Mapping[str, str] = field(default_factory=dict)
    lag: Mapping[tuple[str, str, int], int] = field(default_factory=dict)
    accuracy: Mapping[str, float] = field(default_factory=dict)
    agreement: Mapping[tuple[str, str], float] = field(default_factory=dict)
    gold_accuracy: float | None = None
    review: Mapping[str, int] = field(default_factory=dict)


class Metrics:
    """The metrics of one process, joined at each scrape with a snapshot of what all processes wrote down."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.predict_duration = Histogram(
            "vigie_predict_duration_seconds", "Time to label the texts of one request.", registry=self._registry
        )

    def render(self, snapshot: Snapshot) -> bytes:
        """Return all metrics in Prometheus's text format."""
        registry = CollectorRegistry()
        registry.register(_Collected(snapshot))
        return generate_latest(registry) + generate_latest(self._registry)


class _Collected:
    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        """Yield every metric from the last snapshot; nothing is counted or queried here."""
        yield from _from_totals(self._snapshot.totals)
        yield from _from_parts(self._snapshot)


def _from_totals(totals: pl.DataFrame) -> Iterator[Metric]:
    messages = CounterMetricFamily("vigie_messages", "Messages labelled.", labels=["source", "route"])
    for row in _kind(totals, "route", ["source", "value"]):
        messages.add_metric([row["source"], row["value"]], row["count"])
    yield messages
    dead = CounterMetricFamily("vigie_dead_letters", "Messages that could not be read.", labels=["source"])
    for row in _kind(totals, "dead_letter", ["source"]):
        dead.add_metric([row["source"]], row["count"])
    yield dead
    labels = CounterMetricFamily("vigie_labels", "Labels given.", labels=["dimension", "label"])
    for row in _kind(totals, "label", ["dimension", "value"]):
        labels.add_metric([row["dimension"], row["value"] or ""], row["count"])
    yield labels
    yield _confidence(_kind(totals, "confidence", ["dimension", "value"]))


def _kind(totals: pl.DataFrame, kind: str, by: list[str]) -> list[dict[str, Any]]:
    chosen = totals.filter(pl.col("kind") == kind)
    return chosen.group_by(by).agg(pl.col("count").sum()).sort(by).to_dicts()


def _confidence(rows: Iterable[Mapping[str, Any]]) -> HistogramMetricFamily:
    family = HistogramMetricFamily("vigie_prediction_confidence", "Confidence of labels.", labels=["dimension"])
    bins: dict[str, list[int]] = {}
    for row in rows:
        bins.setdefault(row["dimension"], [0] * CONFIDENCE_BINS)[int(row["value"])] += int(row["count"])
    for dimension, counts in bins.items():
        buckets, total, mass = [], 0, 0.0
        for i, count in enumerate(counts):
            total += count
            mass += count * (i + 0.5) / CONFIDENCE_BINS
            buckets.append((f"{(i + 1) / CONFIDENCE_BINS:g}", total))
        family.add_metric([dimension], [*buckets, ("+Inf", total)], mass)
    return family


def _from_parts(snapshot: Snapshot) -> Iterator[Metric]:
    yield GaugeMetricFamily("vigie_groups", "Templates in the pool.", value=snapshot.groups)
    yield CounterMetricFamily("vigie_groups_evicted", "Templates dropped from the pool.", value=snapshot.evicted)
    yield GaugeMetricFamily("vigie_answers", "Answers in force.", value=snapshot.answers)
    yield GaugeMetricFamily("vigie_inbox_messages", "Posted messages that wait for a worker.", value=snapshot.inbox)
    yield _gauge("vigie_questions", "Questions by state.", ["state"], snapshot.questions.items())
    aliases = [(item, 1) for item in snapshot.aliases.items()]
    yield _gauge("vigie_model_info", "Model versions by alias.", ["alias", "version"], aliases)
    labels = ["source", "topic", "partition"]
    yield _gauge("vigie_consumer_lag_messages", "Messages not read yet.", labels, snapshot.lag.items())
    accuracy = snapshot.accuracy.items()
    yield _gauge("vigie_accuracy_ratio", "Audited accuracy of the champion.", ["dimension"], accuracy)
    agreement = snapshot.agreement.items()
    yield _gauge("vigie_agreement", "Agreement of annotators.", ["dimension", "measure"], agreement)
    gold = [] if snapshot.gold_accuracy is None else [((), snapshot.gold_accuracy)]
    yield _gauge("vigie_gold_accuracy_ratio", "Gold questions answered right.", [], gold)
    yield _gauge("vigie_review_waiting", "What waits for a person, by why.", ["why"], snapshot.review.items())
    yield _gauge("vigie_build_info", "The version of Vigie.", ["version"], [(__version__, 1)])


def _gauge(name: str, text: str, labels: list[str], values: Iterable[tuple[Any, float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for key, value in values:
        family.add_metric([str(part) for part in (key if isinstance(key, tuple) else (key,))], value)
    return family
