"""The gate before a new model version: it takes over unless the audited groups say that it is worse."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from vigie.labels import Dimension
from vigie.learner.audit import Model, right

MIN_AUDITED = 20
"""With fewer audited groups a difference says little: four groups lost of twenty is what the test can just tell."""

ALPHA = 0.1
"""How probable each of two verdicts of "worse" may be for a version that is equally good: the one over all dimensions together, and that
of any of them by itself. With both it comes to 0.14 at most (simulated, one to five dimensions, 30 to 300 audited groups)."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a version takes over, the sentence that says why, and what the gate saw.

    Parameters
    ----------
    promote
        Whether it does.
    reason
        For people.
    n_audited
        Groups both versions were asked about.
    """

    promote: bool
    reason: str
    n_audited: int = 0

    @property
    def tags(self) -> dict[str, str]:
        """What is written to the registry."""
        return {
            "validation_status": "passed" if self.promote else "failed",
            "validation_reason": self.reason,
            "validation_n_audited": str(self.n_audited),
        }


def decide(champion: Model | None, challenger: Model, audit: pl.DataFrame, dimensions: Sequence[Dimension]) -> Verdict:
    """Compare two versions on the same audited groups, without the answers they carry.

    An exact sign test (McNemar's) over the groups that only one of them labels right: all dimensions together, and each
    by itself at a level divided by their number. A group counts once: large ones were the more likely to be drawn.

    Parameters
    ----------
    champion
        None when there is none, or it cannot be read.
    challenger
        The new version.
    audit
        As in `Answers`.
    dimensions
        What is asked now.

    References
    ----------
    McNemar (1947), Note on the sampling error of the difference between correlated proportions or percentages.
    """
    if champion is None:
        return Verdict(promote=True, reason="there was no champion to compare with")
    pairs = _pairs(champion, challenger, audit, dimensions)
    n_audited = max((pair.height for pair in pairs.values()), default=0)
    if n_audited < MIN_AUDITED:
        reason = f"nothing says that it is worse; that takes {MIN_AUDITED} audited groups, and there are {n_audited}"
        return Verdict(promote=True, reason=reason, n_audited=n_audited)
    for what, gains in _gains(pairs).items():
        wins, losses = int((gains > 0).sum()), int((gains < 0).sum())
        level = ALPHA if what == "all dimensions" else ALPHA / len(pairs)
        if worse_by_chance(wins, losses) <= level:
            reason = f"worse in {what}: of {n_audited} audited groups it gained {wins} and lost {losses}"
            return Verdict(promote=False, reason=reason, n_audited=n_audited)
    reason = f"not worse on {n_audited} audited groups"
    return Verdict(promote=True, reason=reason, n_audited=n_audited)


def worse_by_chance(wins: int, losses: int) -> float:
    """Return how probable at most so few wins are among these differences, were both versions equally good.

    Examples
    --------
    >>> worse_by_chance(0, 4)
    0.0625
    """
    n = wins + losses
    return float(sum(math.comb(n, k) for k in range(wins + 1)) / 2**n)


def _pairs(
    champion: Model, challenger: Model, audit: pl.DataFrame, dimensions: Sequence[Dimension]
) -> dict[str, pl.DataFrame]:
    """Return ``group_id`` and ``gain`` (1, 0 or -1) by dimension that both versions know."""
    before, after = right(champion, audit, dimensions), right(challenger, audit, dimensions)
    return {
        name: after[name]
        .join(before[name].select("group_id", before="right"), on="group_id")
        .select("group_id", gain=pl.col("right").cast(pl.Int64) - pl.col("before").cast(pl.Int64))
        for name in after
        if name in before
    }


def _gains(pairs: Mapping[str, pl.DataFrame]) -> dict[str, pl.Series]:
    together = pl.concat(pairs.values()).group_by("group_id").agg(pl.col("gain").sum())
    return {"all dimensions": together["gain"]} | {name: pair["gain"] for name, pair in pairs.items()}
