"""What a reviewer looks at, and what they decide."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
import polars as pl

from vigie.errors import LabelError, QuestionError
from vigie.labels import Annotation, Check, Dimension, Purpose, check_labels
from vigie.quality.disagreements import split_groups
from vigie.quality.numbers import quality
from vigie.quality.pace import paces
from vigie.store import Store
from vigie.store.annotations import known, of_groups

MAX_CASES = 50
"""Groups of one list that are shown at a time."""


@dataclass(frozen=True, slots=True)
class Given:
    """What one person said of a group; ``settled`` where that was as a reviewer, ``seconds`` None where not known."""

    annotator: str
    labels: Mapping[str, str]
    created_at: datetime
    seconds: float | None
    settled: bool


@dataclass(frozen=True, slots=True)
class Case:
    """A group with all that was said of it.

    Parameters
    ----------
    group_id, template, count
        Which group, and how many messages it covers.
    samples
        Real messages kept of it, newest first.
    answers
        What people said, oldest first.
    is_gold
        Whether it is gold.
    doubt
        Why an answer is doubted: ``dimension``, ``label`` (what the model finds likelier), ``confidence``, ``earlier``, and
        ``asked_of``; empty where none is.
    too_fast
        Whose answers came too fast.
    """

    group_id: int
    template: str
    count: int
    samples: tuple[str, ...]
    answers: tuple[Given, ...]
    is_gold: bool = False
    doubt: Mapping[str, Any] = field(default_factory=dict)
    too_fast: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cases:
    """Some groups of a list, and how many there are in all."""

    total: int
    cases: tuple[Case, ...]


class Review:
    """A reviewer's view of the answers; every method may be called from any thread.

    Parameters
    ----------
    store
        Where answers are.
    dimensions
        Returns what is asked now.
    too_fast_seconds
        Returns the threshold of `pace.paces`.
    clock
        Tells the time.
    seed
        For the bootstrap.
    regrouped
        Returns what people say about groups, as `store.annotations.effective`, given what they say about messages; left out,
        no template is split.
    version
        Returns what `regrouped` depends on beside what it is given.
    """

    def __init__(
        self,
        store: Store,
        *,
        dimensions: Callable[[], Sequence[Dimension]],
        too_fast_seconds: Callable[[], float],
        clock: Callable[[], datetime],
        seed: int = 0,
        regrouped: Callable[[pl.DataFrame], pl.DataFrame] = of_groups,
        version: Callable[[], object] = lambda: None,
    ) -> None:
        self._store = store
        self._dimensions = dimensions
        self._too_fast_seconds = too_fast_seconds
        self._clock = clock
        self._seed = seed
        self._regrouped = regrouped
        self._version = version
        self._remembered: tuple[object, dict[str, Any]] | None = None

    def numbers(self) -> dict[str, Any]:
        """Return what `numbers.quality` does, and how many second looks wait, by why; computed again when answers change."""
        gold, dimensions, seconds = self._store.checks.gold(), tuple(self._dimensions()), self._too_fast_seconds()
        key = (self._store.annotations.last_id(), gold.rows(), dimensions, seconds, self._version())
        remembered = self._remembered
        if remembered is None or remembered[0] != key:
            found = quality(self._said(), gold, dimensions, too_fast_seconds=seconds, seed=self._seed)
            remembered = self._remembered = (key, found)
        waiting = self._store.checks.n_waiting()
        return {**remembered[1], "doubts": waiting[Check.DOUBT], "second_looks": sum(waiting.values())}

    def disagreements(self, limit: int = MAX_CASES) -> Cases:
        """Return the groups about which people say different things, most messages first."""
        effective = self._effective()
        ids = split_groups(effective)
        return Cases(len(ids), self._cases(effective, ids[:limit]))

    def doubted(self, limit: int = MAX_CASES) -> Cases:
        """Return the groups with an answer that a model doubts and whose annotator was not asked yet, the worst first."""
        effective, waiting = self._effective(), self._store.checks.waiting()
        rows = waiting.filter(pl.col("check_kind") == Check.DOUBT)
        found = {
            group_id: orjson.loads(reason) | {"asked_of": asked_of}
            for group_id, reason, asked_of in rows.select("group_id", "reason", "asked_of").iter_rows()
        }
        return Cases(len(found), self._cases(effective, list(found)[:limit], found))

    def too_fast(self, limit: int = MAX_CASES) -> Cases:
        """Return the groups that somebody answered too fast and nobody else answered or settled, most messages first."""
        effective = self._effective()
        fast = paces(effective, too_fast_seconds=self._too_fast_seconds()).filter("too_fast")
        others = effective.group_by("group_id").agg(n=pl.col("annotator").n_unique(), size=pl.col("count").first())
        alone = fast.join(others.filter(pl.col("n") == 1), on="group_id")
        ids = alone.sort("size", "group_id", descending=[True, False])["group_id"].to_list()
        return Cases(len(ids), self._cases(effective, ids[:limit]))

    def gold(self, limit: int = MAX_CASES) -> Cases:
        """Return the gold groups, the newest first."""
        ids = self._store.checks.gold()["group_id"].reverse().to_list()
        return Cases(len(ids), self._cases(self._effective(), ids[:limit]))

    def settle(self, group_id: int, labels: Mapping[str, str], reviewer: str) -> None:
        """Store labels of a group that win over what others said; on disk when this returns.

        Raises
        ------
        LabelError
            A dimension or label is unknown, or none is given.
        QuestionError
            The group is not in the pool.
        """
        check_labels(self._dimensions(), labels)
        now, purpose = self._clock(), self._purpose(group_id)
        self._store.checks.settle(
            [Annotation(group_id, dimension, label, reviewer, purpose, now) for dimension, label in labels.items()]
        )

    def mark_gold(self, group_id: int, reviewer: str, labels: Mapping[str, str] | None = None) -> None:
        """Make a group gold: with labels, which are settled by that, or with what people agree on or was settled already.

        Raises
        ------
        LabelError
            A dimension or label is unknown, or people disagree and no labels are given.
        QuestionError
            The group is not in the pool, or nobody answered it.
        """
        self.settle(group_id, labels if labels is not None else self._agreed(group_id), reviewer)
        self._store.checks.mark_gold(group_id, reviewer)

    def unmark_gold(self, group_id: int) -> bool:
        """Let a group be gold no longer, and return whether it was; what was settled stays."""
        return self._store.checks.unmark_gold(group_id)

    def _effective(self) -> pl.DataFrame:
        return known(self._said(), self._dimensions())

    def _said(self) -> pl.DataFrame:
        return self._regrouped(self._store.annotations.told())

    def _agreed(self, group_id: int) -> dict[str, str]:
        """Return what was settled about a group, and else what all say of it."""
        rows = self._effective().filter(group_id=group_id)
        if rows.is_empty():
            raise QuestionError(f"nobody answered about group {group_id} yet; give the labels")
        found = {}
        for dimension in rows["dimension"].unique(maintain_order=True):
            said = rows.filter(dimension=dimension)
            settled = said.filter("settled")
            labels = settled["label"].to_list()[-1:] or said["label"].unique().to_list()
            if len(labels) > 1:
                raise LabelError(f"people disagree about {dimension} of group {group_id}; give the labels")
            found[dimension] = labels[0]
        return found

    def _purpose(self, group_id: int) -> Purpose:
        audited = group_id in self._store.audit.draws()["group_id"]
        rows = self._store.annotations.effective().filter(group_id=group_id, purpose=Purpose.AUDIT)
        return Purpose.AUDIT if audited or not rows.is_empty() else Purpose.TRAIN

    def _cases(
        self, effective: pl.DataFrame, ids: Sequence[int], doubts: Mapping[int, Mapping[str, Any]] | None = None
    ) -> tuple[Case, ...]:
        gold = set(self._store.checks.gold()["group_id"])
        fast = paces(effective, too_fast_seconds=self._too_fast_seconds()).filter("too_fast")
        said = effective.filter(pl.col("group_id").is_in(list(ids)))
        rows = {int(str(key[0])): part for key, part in said.group_by("group_id", maintain_order=True)}
        return tuple(
            Case(
                group_id=one,
                template=rows[one]["template"][0],
                count=rows[one]["count"][0],
                samples=tuple(sample.text for sample in self._store.pool.samples(one)),
                answers=_answers(rows[one]),
                is_gold=one in gold,
                doubt=(doubts or {}).get(one, {}),
                too_fast=tuple(fast.filter(group_id=one)["annotator"]),
            )
            for one in ids
            if one in rows
        )


def _answers(rows: pl.DataFrame) -> tuple[Given, ...]:
    found = []
    for (annotator, settled), said in rows.group_by("annotator", "settled", maintain_order=True):
        labels = dict(said.select("dimension", "label").iter_rows())
        last = said.row(-1, named=True)
        found.append(Given(str(annotator), labels, last["created_at"], last["duration_seconds"], bool(settled)))
    return tuple(found)
