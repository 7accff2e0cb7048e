"""A model version that remembers what it said, for the learner asks each about nearly the same groups several times."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from vigie.features.keys import Key, key
from vigie.labels import Dimension
from vigie.learner.audit import FloatArray, Model
from vigie.text.refining import Splits

MAX_TEXTS = 50_000
"""Texts whose probabilities are kept of one model; 9 MB for 22 labels. Above that, all are forgotten but those asked about."""


class Recalled:
    """A model that is asked about a text once; what it says is what the model itself would say.

    Parameters
    ----------
    model
        A fitted model version, whose predictions are pure.
    max_texts
        So many are remembered.
    """

    def __init__(self, model: Model, *, max_texts: int = MAX_TEXTS) -> None:
        self.model = model
        self._max_texts = max_texts
        self._rows: dict[Key, int] = {}
        self._proba: dict[str, FloatArray] = {}

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def dimensions(self) -> Sequence[Dimension]:
        """What it was fitted for."""
        return self.model.dimensions

    @property
    def classifier(self) -> object:
        """What the model is made of, which may know where texts lie."""
        return getattr(self.model, "classifier", self.model)

    @property
    def splits(self) -> Splits:
        """How the model makes refined templates."""
        return getattr(self.model, "splits", {})

    def predict_proba(self, templates: pl.Series) -> Mapping[str, FloatArray]:
        """Return probabilities by dimension, each of shape (n, n_labels)."""
        new = pl.Series(
            [text for text in templates.unique(maintain_order=True) if key(text) not in self._rows], dtype=pl.String
        )
        if len(self._rows) + len(new) > self._max_texts:
            self._rows, self._proba = {}, {}
            new = templates.unique(maintain_order=True)
        if len(new) or not self._proba:
            self._remember(new)
        rows = [self._rows[key(text)] for text in templates]
        return {name: proba[rows] for name, proba in self._proba.items()}

    def _remember(self, texts: pl.Series) -> None:
        said = self.model.predict_proba(texts)
        self._rows |= {key(text): row for row, text in enumerate(texts, len(self._rows))}
        known = self._proba
        self._proba = {name: np.concatenate([known[name], new]) if known else new for name, new in said.items()}
