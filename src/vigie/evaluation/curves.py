"""Learning curves: how good after how many answers, over several seeds, and how many answers were enough."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from scipy.stats import t

FloatArray = np.ndarray[Any, np.dtype[np.float64]]

SHARES = (0.90, 0.95, 0.98)
"""Parts of full supervision that answers are counted to."""

_LEVEL = 0.95
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class About:
    """What was run.

    Parameters
    ----------
    system
        The library.
    model
        What learns.
    strategy
        What chooses the questions.
    is_linear
        Whether the model, fully supervised, may be what all others are measured against.
    """

    system: str
    model: str
    strategy: str
    is_linear: bool = True


@dataclass(frozen=True, slots=True)
class Trial:
    """One run with one seed in one dimension.

    Parameters
    ----------
    answers
        How many were given at each step.
    macro_f1
        On the test, at each step.
    full
        Of the same model with every label of the pool.
    seconds
        How long each batch took: choosing questions and learning from their answers.
    """

    answers: tuple[int, ...]
    macro_f1: tuple[float, ...]
    full: float
    seconds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """A learning curve: means over seeds with 95 % intervals, and the answers it took.

    Parameters
    ----------
    system, model, strategy, dimension
        What was run, on what.
    answers
        At each step.
    macro_f1, low, high
        Mean at each step, and the bounds of its interval; None where a single seed says nothing about it.
    full_supervision
        Mean of the same model with every label.
    reference
        Mean of the best fully supervised linear model of all runs in this dimension.
    answers_to_90, answers_to_95, answers_to_98
        The first step whose mean reaches so many percent of the reference; None where no step did.
    seconds_per_step
        Mean time of a batch.
    """

    system: str
    model: str
    strategy: str
    dimension: str
    answers: tuple[int, ...]
    macro_f1: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    full_supervision: float | None
    reference: float | None
    answers_to_90: int | None
    answers_to_95: int | None
    answers_to_98: int | None
    seconds_per_step: float | None

    @classmethod
    def of(cls, about: About, dimension: str, trials: Sequence[Trial], reference: float) -> Self:
        """Put trials together.

        Parameters
        ----------
        about, dimension
            What was run, on what.
        trials
            One per seed, over the same steps.
        reference
            Macro-F1 that shares are taken of.
        """
        answers = trials[0].answers
        mean, low, high = interval(np.array([trial.macro_f1 for trial in trials]))
        at_90, at_95, at_98 = (first_reaching(answers, mean, share * reference) for share in SHARES)
        return cls(
            system=about.system,
            model=about.model,
            strategy=about.strategy,
            dimension=dimension,
            answers=answers,
            macro_f1=_plain(mean),
            low=_plain(low),
            high=_plain(high),
            full_supervision=_plain(_mean([trial.full for trial in trials]))[0],
            reference=_plain(np.array([reference]))[0],
            answers_to_90=at_90,
            answers_to_95=at_95,
            answers_to_98=at_98,
            seconds_per_step=_plain(_mean([value for trial in trials for value in trial.seconds]))[0],
        )


def runs(found: Mapping[tuple[About, str], Sequence[Trial]]) -> list[Run]:
    """Return one curve per system and dimension, by dimension; shares are those of the best fully supervised linear model.

    Parameters
    ----------
    found
        Trials by system and dimension.
    """
    # A rare label may leave a test without any label in its dimension; that seed says nothing there.
    counted = {
        key: [trial for trial in trials if np.isfinite(trial.full)] or trials[:1] for key, trials in found.items()
    }
    dimensions = list(dict.fromkeys(dimension for _, dimension in found))
    best = {dimension: _reference(counted, dimension) for dimension in dimensions}
    return [
        Run.of(about, dimension, trials, best[dimension])
        for dimension in dimensions
        for (about, name), trials in counted.items()
        if name == dimension
    ]


def as_json(curves: Iterable[Run]) -> dict[str, Any]:
    """Return curves as plain values: ``{"runs": [{"system", "model", …}]}``."""
    return {"runs": [asdict(run) for run in curves]}


def interval(values: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return mean, lower and upper bound of its 95 % interval over the rows; bounds are NaN for a single row.

    Parameters
    ----------
    values
        Shape (n_seeds, n_steps), in [0, 1]; so are the bounds.

    References
    ----------
    Student (1908), The probable error of a mean.

    Examples
    --------
    >>> mean, low, high = interval(np.array([[0.4], [0.5], [0.6]]))
    >>> round(float(mean[0]), 3), round(float(low[0]), 3), round(float(high[0]), 3)
    (0.5, 0.252, 0.748)
    """
    n, mean = len(values), values.mean(axis=0)
    if n < 2:  # noqa: PLR2004 — one value has no spread
        return mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    half = t.ppf((1 + _LEVEL) / 2, n - 1) * values.std(axis=0, ddof=1) / np.sqrt(n)
    return mean, np.clip(mean - half, 0, 1), np.clip(mean + half, 0, 1)


def first_reaching(answers: Sequence[int], values: Sequence[float] | FloatArray, goal: float) -> int | None:
    """Return after how many answers a curve first reaches a goal; None when it does not.

    Examples
    --------
    >>> first_reaching([10, 20, 30], [0.2, 0.6, 0.5], 0.5)
    20
    """
    goal -= _ROUNDING
    return next((n for n, value in zip(answers, values, strict=True) if value >= goal), None)


def _reference(found: Mapping[tuple[About, str], Sequence[Trial]], dimension: str) -> float:
    here = [(about, trials) for (about, name), trials in found.items() if name == dimension]
    linear = [trials for about, trials in here if about.is_linear] or [trials for _, trials in here]
    return max(float(np.mean([trial.full for trial in trials])) for trials in linear)


def _plain(values: FloatArray) -> tuple[float | None, ...]:
    return tuple(round(float(value), 4) if np.isfinite(value) else None for value in values)


def _mean(values: Sequence[float]) -> FloatArray:
    return np.array([np.mean(values)])
