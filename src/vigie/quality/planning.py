"""Which answers are asked about once more: of somebody else, as gold, or because a model doubts them."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import numpy as np
import polars as pl

from vigie.errors import MissingExtraError
from vigie.labels import Check, Dimension
from vigie.quality.gold import gold_answers
from vigie.quality.label_errors import MAX_DOUBTS, ONE_IN, Doubt, HeldOut, doubts, is_installed
from vigie.quality.pace import paces
from vigie.store import CheckDraft, Store

logger = logging.getLogger(__name__)

MAX_OPEN = 20
"""Of each kind; more are planned as these are answered."""

PAUSE_SECONDS = 2.0
AGAIN_SECONDS = 60.0
REST_SECONDS = 300.0
"""An answer is left alone for so long: while somebody else is asked, it could not be undone."""

PRESENT_SECONDS = 86_400.0
"""Who answered within this is still there to be asked."""


@dataclass(frozen=True, slots=True)
class Shares:
    """How much is asked about once more.

    Parameters
    ----------
    second
        Share of the answered groups that a second annotator is asked about, in [0, 1].
    gold
        Share of an annotator's questions that are gold, in [0, 1].
    doubts
        Whether doubted answers come back.
    too_fast_seconds
        As for `pace.paces`.
    seed
        Decides which groups.
    """

    second: float = 0.05
    gold: float = 0.02
    doubts: bool = True
    too_fast_seconds: float = 0.4
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Doubted:
    """A doubt about a group."""

    group_id: int
    doubt: Doubt


class SecondLooks:
    """What keeps second looks open, from within the learner.

    Parameters
    ----------
    store
        Where answers are and questions go.
    shares
        Returns how much is asked, as the settings in force say.
    clock
        Tells the time.
    """

    def __init__(self, store: Store, shares: Callable[[], Shares], clock: Callable[[], datetime]) -> None:
        self._store = store
        self._shares = shares
        self._clock = clock
        self._seen: int | None = None
        self._planned_at: datetime | None = None
        self._doubted: list[Doubted] | None = None
        self._has_looked = False
        self._details: dict[str, object] = {}

    def doubt(
        self,
        effective: pl.DataFrame,
        *,
        texts: pl.Series,
        labels: pl.DataFrame,
        held_out: HeldOut,
        dimensions: Sequence[Dimension],
    ) -> None:
        """Look for doubtful answers, as `learner.checking.Checking` says.

        Without cleanlab nothing is doubted, nor where the classifier does not cross-validate. A training that hands temperatures on
        does not either, in all dimensions or some: what was doubted there before stays.
        """
        if not self._shares().doubts or not is_installed():
            missing = str(MissingExtraError("the setting quality.doubts", "quality"))
            self._doubted, self._details = [], {"problem": missing} if self._shares().doubts else {}
            return
        began = time.monotonic()
        groups = dict(effective.select("template", "group_id").unique().iter_rows())
        found = doubts(labels, held_out, dimensions)
        new = [Doubted(groups[texts[one.row]], one) for one in found if texts[one.row] in groups]
        left = [
            one
            for one in self._doubted or ()
            if one.doubt.dimension not in held_out and _is_known(one.doubt, dimensions)
        ]
        self._doubted = _worst([*new, *left])
        self._seen, self._has_looked = None, self._has_looked or bool(held_out)
        problem = None if self._has_looked else "the classifier does not cross-validate, or has too few answers"
        self._details = {"found": len(self._doubted), "seconds": round(time.monotonic() - began, 2), "problem": problem}
        logger.info("answers doubted: %d", len(self._doubted), extra={"action": "doubted"})

    def plan(self, effective: pl.DataFrame, last_id: int) -> None:
        """Keep second looks open, if there are other answers than before or it was a minute ago."""
        now = self._clock()
        since = None if self._planned_at is None else (now - self._planned_at).total_seconds()
        if since is not None and (since < PAUSE_SECONDS or (last_id == self._seen and since < AGAIN_SECONDS)):
            return
        self._seen, self._planned_at = last_id, now
        view = View.of(self._store, effective, self._shares(), now)
        mine, orphaned = doubt_drafts(view, self._doubted or ())
        if self._doubted is not None or not view.shares.doubts:
            self._store.checks.replace(mine, Check.DOUBT)
        checks = self._store.checks
        checks.replace(gold_drafts(view, checks.askable(view.gold["group_id"].to_list(), Check.GOLD)), Check.GOLD)
        due = checks.askable(due_second(view, orphaned), Check.SECOND)
        checks.replace(second_drafts(view, due), Check.SECOND)

    def details(self) -> Mapping[str, object]:
        """Return how the last look for doubtful answers went: ``found``, ``seconds``, ``problem``; empty before."""
        return self._details


@dataclass(frozen=True, slots=True)
class View:
    """What the plans are made from.

    Parameters
    ----------
    answers
        What holds and was not settled.
    settled
        Groups of which anything was settled.
    gold
        As `store.checks.gold` returns it.
    waiting, closed, skipped
        As `store.checks` returns them.
    judged
        As `gold_answers` returns it.
    shares, now
        How much is asked, and the time.
    """

    answers: pl.DataFrame
    settled: frozenset[int]
    gold: pl.DataFrame
    waiting: pl.DataFrame
    closed: pl.DataFrame
    skipped: pl.DataFrame
    judged: pl.DataFrame
    shares: Shares
    now: datetime

    @classmethod
    def of(cls, store: Store, effective: pl.DataFrame, shares: Shares, now: datetime) -> "View":
        """Read the rest from the store."""
        gold = store.checks.gold()
        settled = effective.filter("settled")["group_id"].to_list()
        answers = effective.filter(~pl.col("settled"))
        return cls(
            answers=answers,
            settled=frozenset(settled),
            gold=gold,
            waiting=store.checks.waiting(),
            closed=store.checks.closed(),
            skipped=store.checks.skipped(),
            judged=gold_answers(effective, gold),
            shares=shares,
            now=now,
        )

    def present(self) -> list[str]:
        """Return who answered lately, sorted by name."""
        since = self.now - timedelta(seconds=PRESENT_SECONDS)
        return sorted(self.answers.filter(pl.col("created_at") >= since)["annotator"].unique().to_list())

    def done(self) -> set[tuple[int, str]]:
        """Return which group is not to be shown to which annotator: they answered, skipped or flagged it."""
        frames = self.answers, self.closed, self.skipped
        return {(group, name) for frame in frames for group, name in frame.select("group_id", "annotator").iter_rows()}


def drawn(group_ids: Any, share: float, seed: int) -> Any:
    """Return which groups belong to a share of all, as likely for each, and always the same.

    Examples
    --------
    >>> int(drawn(np.arange(100_000), 0.05, seed=0).sum()) // 100
    50
    """
    # The finaliser of splitmix64 (Steele, Lea, Flood 2014) spreads consecutive numbers evenly.
    mixed = np.asarray(group_ids, dtype=np.uint64) + np.uint64(seed * 0x9E3779B97F4A7C15 % 2**64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (mixed ^ (mixed >> np.uint64(31))) / 2.0**64 < share


def due_second(view: View, orphaned: Sequence[int] = ()) -> list[int]:
    """Return groups to ask a second annotator about: those doubted whose annotator has left, too fast answers, a drawn share.

    Parameters
    ----------
    view
        What there is.
    orphaned
        Groups to ask about in any case.
    """
    groups = view.answers.group_by("group_id", maintain_order=True).agg(
        n=pl.col("annotator").n_unique(), since=pl.col("created_at").max(), size=pl.col("count").first()
    )
    rested = view.now - timedelta(seconds=REST_SECONDS)
    single = groups.filter(
        (pl.col("n") == 1) & (pl.col("since") <= rested) & ~pl.col("group_id").is_in(list(view.settled))
    )
    single = single.sort("size", "group_id", descending=[True, False])
    fast = paces(view.answers, too_fast_seconds=view.shares.too_fast_seconds).filter("too_fast")["group_id"]
    ids = single["group_id"]
    urgent = ids.is_in([*fast, *orphaned])
    by_lot = pl.Series(drawn(ids.to_numpy(), view.shares.second, view.shares.seed), dtype=pl.Boolean)
    return [*ids.filter(urgent), *ids.filter(by_lot & ~urgent)] if view.shares.second > 0 else []


def second_drafts(view: View, due: Sequence[int]) -> list[CheckDraft]:
    """Return questions about some of the groups that are due, so that whoever is there finds some they may be asked.

    What fewer people skipped comes first. Everybody present has an equal share of the places, and so have those who may come.
    """
    n_skipped = Counter(view.skipped["group_id"])
    ordered, done, present = sorted(due, key=lambda one: n_skipped[one]), view.done(), view.present()
    share = max(1, MAX_OPEN // (len(present) + 1))
    chosen: set[int] = set()
    for annotator in present:
        chosen.update(islice((one for one in ordered if (one, annotator) not in done), share))
    chosen.update(islice((one for one in ordered if one not in chosen), max(0, MAX_OPEN - len(chosen))))
    ids = [one for one in ordered if one in chosen][:MAX_OPEN]
    return [CheckDraft(group_id, Check.SECOND, rank) for rank, group_id in enumerate(ids)]


def gold_drafts(view: View, askable: Sequence[int]) -> list[CheckDraft]:
    """Return the next gold question of each annotator who has had fewer of them than their share, and holds none.

    Parameters
    ----------
    view
        What there is.
    askable
        The gold groups that may be asked about, oldest first.
    """
    n_groups = dict(view.answers.group_by("annotator").agg(pl.col("group_id").n_unique()).iter_rows())
    n_gold = dict(view.judged.group_by("annotator").len().iter_rows())
    held = view.waiting.filter(pl.col("annotator").is_not_null(), check_kind=Check.GOLD)["asked_of"].to_list()
    by = dict(view.gold.select("group_id", "marked_by").iter_rows())
    done = view.done()
    taken: set[int] = set()
    drafts = []
    for annotator in view.present():
        if annotator in held or n_gold.get(annotator, 0) + 1 > view.shares.gold * n_groups[annotator]:
            continue
        free = (one for one in askable if one not in taken and (one, annotator) not in done and by[one] != annotator)
        group_id = next(free, None)
        if group_id is not None:
            taken.add(group_id)
            drafts.append(CheckDraft(group_id, Check.GOLD, 0.0, asked_of=annotator))
    return drafts[:MAX_OPEN]


def doubt_drafts(view: View, doubted: Sequence[Doubted]) -> tuple[list[CheckDraft], list[int]]:
    """Return the questions whether people are sure, and the doubted groups whose annotators have left.

    Nobody is asked twice about one group, whatever they said; and over all trainings at most one answer in `ONE_IN` comes back,
    what people hold now among these.
    """
    had = set(view.closed.filter(pl.col("check_kind") == Check.DOUBT).select("group_id", "annotator").iter_rows())
    held = set(view.waiting.filter(pl.col("annotator").is_not_null(), check_kind=Check.DOUBT)["group_id"])
    present = set(view.present())
    drafts: list[CheckDraft] = []
    orphaned = []
    n_left = max(1, view.answers["group_id"].n_unique() // ONE_IN) - len(had) - len(held)
    said = view.answers.filter(pl.col("group_id").is_in([one.group_id for one in doubted]))
    by_group = {int(str(key[0])): rows for key, rows in said.group_by("group_id", maintain_order=True)}
    for one in doubted:
        rows = by_group.get(one.group_id)
        if rows is None or one.group_id in view.settled | held or not view.shares.doubts:
            continue
        givers = rows.filter(dimension=one.doubt.dimension, label=one.doubt.given)["annotator"].to_list()
        there = next((name for name in reversed(givers) if name in present), None)
        if there is not None and (one.group_id, there) not in had:
            drafts.append(_doubt_draft(one, rows.filter(annotator=there), len(drafts)))
        elif givers and there is None:
            orphaned.append(one.group_id)
    return drafts[: max(0, min(MAX_OPEN, n_left))], orphaned


def _is_known(doubt: Doubt, dimensions: Sequence[Dimension]) -> bool:
    """Tell whether what a doubt speaks of is asked still."""
    labels = next((one.label_names for one in dimensions if one.name == doubt.dimension), ())
    return doubt.given in labels and doubt.believed in labels


def _worst(doubted: Sequence[Doubted]) -> list[Doubted]:
    """Return the worst doubts, at most one about each group and as many as are looked for at a time."""
    worst: dict[int, Doubted] = {}
    for one in sorted(doubted, key=lambda one: one.doubt.quality):
        worst.setdefault(one.group_id, one)
    return list(worst.values())[:MAX_DOUBTS]


def _doubt_draft(one: Doubted, rows: pl.DataFrame, rank: int) -> CheckDraft:
    reason = {
        "why": "doubt",
        "dimension": one.doubt.dimension,
        "label": one.doubt.believed,
        "confidence": round(one.doubt.confidence, 4),
        "earlier": dict(rows.select("dimension", "label").iter_rows()),
    }
    return CheckDraft(one.group_id, Check.DOUBT, rank, asked_of=rows["annotator"][0], reason=reason)
