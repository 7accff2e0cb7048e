"""Which answers are here already, so that none is written twice."""

from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from vigie.labels import Annotation
from vigie.store.elsewhere import Note

if TYPE_CHECKING:
    from vigie.exchange.incoming import Findings

_Said = tuple[int, str, str, str | None]
"""Group, dimension, person, and of an exception the message."""


class Ledger:
    """What people said about some groups; what is entered counts as said.

    An annotation is here already when the same person gave the same label to the group in the dimension, at the same
    time or under the same id; where the file has neither time nor id, when the person ever gave it. What was said of an
    exception is another thing than what was said of the rest.

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
        self._whole: dict[_Said, datetime] = {}
        columns = ("group_id", "dimension", "annotator", "label", "created_at", "answer_id", "message", "is_exception")
        for *who, label, time, name, message, is_exception in there.select(columns).iter_rows():
            said = (*who, message if is_exception else None)
            self._note(said, label, time, name, is_whole=message is None)

    def enter(self, row: Annotation, note: Note, *, dated: bool) -> bool:
        """Tell whether an annotation is to be written.

        Parameters
        ----------
        row, note
            The annotation, and what is known of it where it comes from.
        dated
            Whether the time is that of the answer, not of the import.
        """
        said = (row.group_id, row.dimension, row.annotator, row.message if note.is_exception else None)
        if self._is_known(said, row, note.name, dated=dated):
            self._found.n_known += 1
            return False
        last = self._last.get(said)
        whole = self._whole.get((*said[:3], None))
        newer = [time for time in (last and last[0], whole) if time is not None and time > row.created_at]
        if dated and newer:
            self._found.n_outdated += 1
            return False
        self._found.n_replaced += last is not None and last[1] not in {None, row.label}
        self._found.n_labels += 1
        self._note(said, row.label, row.created_at, note.name, is_whole=row.message is None)
        return True

    def _is_known(self, said: _Said, row: Annotation, name: str | None, *, dated: bool) -> bool:
        what = (*said, row.label)
        if dated and (*what, row.created_at) in self._seen:
            return True
        if name is not None and (*what, "named", name) in self._seen:
            return True
        return not dated and name is None and what in self._seen

    def _note(self, said: _Said, label: str | None, time: datetime, name: str | None, *, is_whole: bool) -> None:
        what = (*said, label)
        self._seen |= {what, (*what, time)} | ({(*what, "named", name)} if name is not None else set())
        self._last[said] = (time, label)
        if is_whole:  # of all messages, whatever the person said before
            self._whole[(*said[:3], None)] = time
