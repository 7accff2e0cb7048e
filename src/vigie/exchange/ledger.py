"""Which answers are here already, so that none is written twice."""

from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from vigie.labels import Annotation

if TYPE_CHECKING:
    from vigie.exchange.incoming import Findings

_Said = tuple[int, str, str]


class Ledger:
    """What people said about some groups; what is entered counts as said.

    An annotation is here already when the same person gave the same label to the group in the dimension, at the same
    time or under the same id; where the file has neither time nor id, when the person ever gave it.

    Parameters
    ----------
    there
        Annotations as `Annotations.about` returns them, oldest first.
    found
        Where is counted what became of those entered.
    """

    def __init__(self, there: pl.DataFrame, found: "Findings") -> None:
        self._found = found
        self._seen: set[tuple[object, ...]] = set()
        self._last: dict[_Said, tuple[datetime, str | None]] = {}
        columns = ("group_id", "dimension", "annotator", "label", "created_at", "answer_id")
        for group_id, dimension, annotator, label, time, name in there.select(columns).iter_rows():
            self._note((group_id, dimension, annotator), label, time, name)

    def enter(self, row: Annotation, name: str | None, *, dated: bool) -> bool:
        """Tell whether an annotation is to be written.

        Parameters
        ----------
        row, name
            The annotation, and what its answer is called where it comes from.
        dated
            Whether the time is that of the answer, not of the import.
        """
        said = (row.group_id, row.dimension, row.annotator)
        if self._is_known(said, row, name, dated=dated):
            self._found.n_known += 1
            return False
        last = self._last.get(said)
        if dated and last is not None and row.created_at < last[0]:
            self._found.n_outdated += 1
            return False
        self._found.n_replaced += last is not None and last[1] not in {None, row.label}
        self._found.n_labels += 1
        self._note(said, row.label, row.created_at, name)
        return True

    def _is_known(self, said: _Said, row: Annotation, name: str | None, *, dated: bool) -> bool:
        what = (*said, row.label)
        if dated and (*what, row.created_at) in self._seen:
            return True
        if name is not None and (*what, "named", name) in self._seen:
            return True
        return not dated and name is None and what in self._seen

    def _note(self, said: _Said, label: str | None, time: datetime, name: str | None) -> None:
        what = (*said, label)
        self._seen |= {what, (*what, time)} | ({(*what, "named", name)} if name is not None else set())
        self._last[said] = (time, label)
