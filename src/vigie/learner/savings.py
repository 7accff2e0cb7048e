"""From random asking in drawn worlds to answers saved, with an interval that was measured where the truth is known."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from vigie.learner.random_asking import Needed
from vigie.registry import VersionInfo

TAG = "vigie.answers_saved"
"""What a model version's savings are called in the registry."""

USUAL_RATIO = 1.15
"""Random answers per chosen one where the worlds say nothing: the geometric mean over simulated projects."""

SURE_FROM, SURE_AT = 0.70, 0.95
"""Accuracy in the worlds up to which they say nothing, and from which on they are believed."""

DEVIATION_UNSURE, DEVIATION_SURE = 0.50, 0.30
"""How far the estimate's logarithm is off (standard deviation), where the worlds say nothing, and where they are believed."""

_Z = 1.96


@dataclass(frozen=True, slots=True)
class Bounds:
    """A number of random answers with its 95 % interval; None: more than was tried."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Saving:
    """Answers saved in one dimension, or in all together.

    Parameters
    ----------
    estimate, low, high
        Random answers that would have been needed minus those given, with the 95 % interval; negative where random asking
        would have done better, None where it would have taken more than was tried.
    random_needed
        The former.
    """

    estimate: float | None
    low: float | None
    high: float | None
    random_needed: Bounds


@dataclass(frozen=True, slots=True)
class Savings:
    """Answers saved against random asking when a model version was in use.

    Parameters
    ----------
    version
        Which.
    n_answers
        Groups with an answer then, those for audit too.
    overall
        For the mean accuracy of all dimensions.
    dimensions
        By dimension.
    """

    version: str
    n_answers: int
    overall: Saving
    dimensions: Mapping[str, Saving]

    @classmethod
    def of(cls, version: str, needed: Mapping[str, Needed], n_groups: int) -> Self:
        """Take what was found in drawn worlds.

        Parameters
        ----------
        version
            The model version in use.
        needed
            As `RandomAsking.run` returns it.
        n_groups
            In the pool: with all of them answered nothing is left to reach.
        """
        found = {name: saving(one, n_groups) for name, one in needed.items()}
        dimensions = {name: one for name, one in found.items() if name}
        return cls(version, needed[""].n_answers, found[""], dimensions)

    def written(self) -> str:
        """Return what `read` reads."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Return what was written; None where it was something else."""
        try:
            found = json.loads(text)
            each = {name: _saving(one) for name, one in found["dimensions"].items()}
            return cls(str(found["version"]), int(found["n_answers"]), _saving(found["overall"]), each)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None


def latest(versions: Sequence[VersionInfo], dimensions: Sequence[str]) -> Savings | None:
    """Return the newest savings about these dimensions.

    Parameters
    ----------
    versions
        Newest first.
    dimensions
        Names of those asked about now.
    """
    found = (Savings.read(version.tags[TAG]) for version in versions if TAG in version.tags)
    return next((one for one in found if one and set(one.dimensions) == set(dimensions)), None)


def saving(found: Needed, n_groups: int) -> Saving:
    """Return answers saved with an interval.

    Labels drawn from a model that is mostly right make worlds like the real one. Where it is often wrong, they are noise that
    teaches next to nothing, and random asking seems to take far more answers than it does. So the ratio of answers is drawn
    towards the usual one, the more so the less accurate the model.

    Parameters
    ----------
    found
        In the worlds.
    n_groups
        In the pool.
    """
    believed = min(max((found.level - SURE_FROM) / (SURE_AT - SURE_FROM), 0.0), 1.0)
    tried = min(found.needed, found.most)
    ratio = believed * math.log(tried / found.n_answers) + (1 - believed) * math.log(USUAL_RATIO)
    model = believed * DEVIATION_SURE + (1 - believed) * DEVIATION_UNSURE
    half = _Z * math.hypot(model, believed * found.deviation)
    value, low, high = (min(found.n_answers * math.exp(ratio + shift), float(n_groups)) for shift in (0.0, -half, half))
    is_open = math.isinf(found.needed) and believed > 0 and found.most < n_groups
    return _against(found.n_answers, Bounds(None if is_open else value, low, None if is_open else high))


def _against(n_answers: int, needed: Bounds) -> Saving:
    value, low, high = (None if one is None else round(one, 1) for one in (needed.value, needed.low, needed.high))
    saved = [None if one is None else round(one - n_answers, 1) for one in (value, low, high)]
    return Saving(saved[0], saved[1], saved[2], Bounds(value, low, high))


def _saving(found: Mapping[str, Any]) -> Saving:
    needed = found["random_needed"]
    return Saving(
        _number(found["estimate"]),
        _number(found["low"]),
        _number(found["high"]),
        Bounds(_number(needed["value"]), _number(needed["low"]), _number(needed["high"])),
    )


def _number(value: object) -> float | None:
    return None if value is None else float(value)  # type: ignore[arg-type]  # what is no number is refused
