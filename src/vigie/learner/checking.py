"""What the learner lets look at answers a second time."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import polars as pl

from vigie.labels import Dimension
from vigie.learner.trainer import HeldOut


class Checking(Protocol):
    """Asks about some answers once more."""

    def doubt(
        self,
        effective: pl.DataFrame,
        *,
        texts: pl.Series,
        labels: pl.DataFrame,
        held_out: HeldOut,
        dimensions: Sequence[Dimension],
    ) -> None:
        """Look for doubtful answers among those a model was just trained on.

        Parameters
        ----------
        effective
            What it was trained on, as `store.annotations.effective` returns it.
        texts, labels
            Its rows: templates, and one String column per dimension.
        held_out
            What cross-validation said of them.
        dimensions
            What is asked now.
        """
        ...

    def plan(self, effective: pl.DataFrame, last_id: int) -> None:
        """Keep questions about answers open, where it is time.

        Parameters
        ----------
        effective
            What holds now; may be another frame each time.
        last_id
            The newest annotation in it: while this stays, so does what it says.
        """
        ...

    def details(self) -> Mapping[str, object]:
        """Return how that goes, for `vigie status`; from any thread."""
        ...
