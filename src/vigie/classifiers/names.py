"""What the project itself says about its labels, as the first rows to learn from: before anyone has answered, and after.

Names and guidelines are words about messages, not messages. They tell an encoder of sentences, and n-grams that a message shares
with them, where to look; each answer with a label says it better. So what they weigh fades as answers come.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl

from vigie.classifiers import FloatArray
from vigie.classifiers.calibration import IntArray
from vigie.labels import Dimension, Label

_JOINTS = re.compile(r"[\s_\-./]+|(?<=[a-z0-9])(?=[A-Z])")
_HALF = 10.0
"""So many answers with a label halve what its name weighs."""

DIGEST_CHARACTERS = 16


@dataclass(frozen=True, slots=True)
class NameRows:
    """Rows made of label names and guidelines: the name, the name with that of its dimension, and the guideline.

    A name alone may mean anything; with its dimension (``negative sentiment``) an encoder knows better what is meant. Measured
    before the first answer, macro-F1: sentiment of tweets .44 to .47 and .57 to .64, severity of log lines .34 to .35, reasons
    of complaint .36 to .38; the dimension in place of the plain name was worse.

    Parameters
    ----------
    texts
        String, length n.
    codes
        By dimension the label of each row as a place in the dimension's list, shape (n,); -1 where it is another dimension's.
    shares
        What each row counts before there are answers, shape (n,): the two forms of a name half each, a guideline 1.
    """

    texts: pl.Series
    codes: dict[str, IntArray]
    shares: FloatArray

    @classmethod
    def of(cls, dimensions: Sequence[Dimension]) -> Self:
        """Take all labels of all dimensions, in order."""
        rows = [
            (text, share, dimension.name, code)
            for dimension in dimensions
            for code, label in enumerate(dimension.labels)
            for text, share in _forms(dimension, label)
        ]
        codes = {
            dimension.name: np.array(
                [code if name == dimension.name else -1 for *_, name, code in rows], dtype=np.int64
            )
            for dimension in dimensions
        }
        shares = np.array([share for _, share, *_ in rows], dtype=np.float64)
        return cls(pl.Series([text for text, *_ in rows], dtype=pl.String), codes, shares)

    def weights(self, answers: dict[str, FloatArray]) -> FloatArray:
        """Return how much each row counts, shape (n,), in (0, 1].

        Parameters
        ----------
        answers
            By dimension how many answers there are with each label, shape (n_labels,).
        """
        weights = self.shares.copy()
        for name, codes in self.codes.items():
            own = np.flatnonzero(codes >= 0)
            weights[own] *= _HALF / (_HALF + answers[name][codes[own]])
        return weights

    @property
    def digest(self) -> str:
        """The same for the same names and guidelines."""
        parts = json.dumps([self.texts.to_list(), {name: codes.tolist() for name, codes in self.codes.items()}])
        return hashlib.sha256(parts.encode()).hexdigest()[:DIGEST_CHARACTERS]


def readable(name: str) -> str:
    """Return a label's name as words.

    Examples
    --------
    >>> readable("out_of_memory"), readable("LateFlight"), readable("Can't Tell")
    ('out of memory', 'Late Flight', "Can't Tell")
    """
    return _JOINTS.sub(" ", name).strip() or name


def _forms(dimension: Dimension, label: Label) -> list[tuple[str, float]]:
    """Return what a label is called, each with how much it counts."""
    name, guideline = readable(label.name), label.guideline.strip()
    forms = [(name, 0.5), (f"{name} {readable(dimension.name)}", 0.5)]
    return [*forms, (guideline, 1.0)] if guideline else forms
