"""Messages that went out before a person said what they are, read again to be corrected.

Batches have the columns of `messages.SCHEMA` and

=======================  ======  =====================================================================
``correction:revision``  Int64   the how-manieth answer about its group this is, from 1
``correction:labels``    String  what people say of it since then: JSON, labels by dimension
=======================  ======  =====================================================================
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import orjson
import polars as pl

from vigie.messages import SCHEMA, Position
from vigie.sources.patience import first_batch

STREAM = "corrections"
REVISION = "correction:revision"
LABELS = "correction:labels"
AT_ONCE = 100
PAUSE_SECONDS = 0.2

Place = tuple[str, int, int]


class Correction(NamedTuple):
    """An answer that changed what people say of a group: the id of its last annotation, and since then the labels."""

    id: int
    group_id: int
    revision: int
    labels: dict[str, str]


class CorrectionsSource:
    """The messages kept of each group whose labels a person gave, changed or took back, once for each such answer.

    A position is the id of the next annotation, so that an answer is dealt with once, whatever is killed.

    Parameters
    ----------
    last_id
        Tells the id of the newest annotation.
    history
        Returns all annotations, as the store does.
    places
        Returns the positions of the messages kept of a group.
    fetch
        Reads messages at positions again; those that are gone are left out.
    until_end
        Whether to be exhausted when there is no answer more.
    on_close
        Lets go of what `fetch` needs; may be called twice.
    """

    def __init__(
        self,
        *,
        last_id: Callable[[], int],
        history: Callable[[], pl.DataFrame],
        places: Callable[[int], Sequence[Place]],
        fetch: Callable[[Iterable[Place]], pl.DataFrame],
        until_end: bool = False,
        on_close: Callable[[], object] = lambda: None,
    ) -> None:
        self._newest_id = last_id
        self._history = history
        self._places = places
        self._fetch = fetch
        self._until_end = until_end
        self._on_close = on_close
        self._last_id = 0
        self._waiting = 0
        self._exhausted = False

    @property
    def exhausted(self) -> bool:
        """Whether every answer was dealt with and that counts as the end."""
        return self._exhausted

    def open(self, positions: Sequence[Position]) -> None:
        """Resume at `positions`; without any all answers ever given are dealt with."""
        self.rewind(positions)

    def poll(self, max_messages: int, timeout_seconds: float) -> pl.DataFrame:
        """Return the messages that the next answers are about; the batch is as large as these answers make it."""
        del max_messages
        return first_batch(
            self._read,
            timeout_seconds,
            ended=lambda: self._exhausted,
            pause_seconds=min(PAUSE_SECONDS, timeout_seconds),
        )

    def positions(self) -> list[Position]:
        """Return the id that follows the last answer dealt with."""
        return [Position(STREAM, 0, self._last_id + 1)]

    def membership(self) -> None:
        """Return None: one worker deals with the answers."""

    def rewind(self, positions: Sequence[Position]) -> None:
        """Go back to `positions`."""
        self._last_id = max((place.offset - 1 for place in positions if place.stream == STREAM), default=0)
        self._exhausted = False

    def lag(self) -> dict[tuple[str, int], int]:
        """Return how many annotations were not dealt with."""
        return {(STREAM, 0): self._waiting}

    def close(self) -> None:
        """Let go of what reads messages; the store belongs to others."""
        self._on_close()

    def _read(self) -> pl.DataFrame:
        newest = self._newest_id()
        if newest <= self._last_id:
            self._exhausted, self._waiting = self._until_end, 0
            return _frame([])
        after = [found for found in corrections(self._history()) if found.id > self._last_id]
        these = after[:AT_ONCE]
        batch = _frame([self._messages(found) for found in these])
        self._last_id = these[-1].id if len(after) > AT_ONCE else max(newest, *(found.id for found in after), 0)
        self._waiting = max(0, newest - self._last_id)
        return batch

    def _messages(self, correction: Correction) -> pl.DataFrame:
        places = self._places(correction.group_id)
        return self._fetch(places).with_columns(
            pl.lit(correction.revision, pl.Int64).alias(REVISION),
            pl.lit(orjson.dumps(correction.labels).decode()).alias(LABELS),
        )


def corrections(history: pl.DataFrame) -> list[Correction]:
    """Return the answers that changed what people agree on about a group, oldest first.

    Parameters
    ----------
    history
        All annotations: ``id``, ``group_id``, ``dimension``, ``label`` (null: taken back), ``annotator``,
        ``created_at``, ``settled``. Annotations of one person about one group at one time are one answer; what is settled wins
        over what others say.
    """
    said: dict[int, dict[tuple[str, str], tuple[str | None, int]]] = {}
    revisions: dict[int, int] = {}
    found: list[Correction] = []
    answers = history.sort("id").group_by("group_id", "annotator", "created_at", maintain_order=True)
    for (group_id, annotator, _), rows in answers:
        group = said.setdefault(int(str(group_id)), {})
        before = _agreed(group)
        for name, label, settled, number in rows.select("dimension", "label", "settled", "id").iter_rows():
            group[name, str(annotator)] = (label, number if settled else 0)
        revision = revisions[int(str(group_id))] = revisions.get(int(str(group_id)), 0) + 1
        if before != (after := _agreed(group)):
            found.append(Correction(int(rows["id"].max()), int(str(group_id)), revision, after))  # type: ignore[arg-type]
    return sorted(found)


def _agreed(group: dict[tuple[str, str], tuple[str | None, int]]) -> dict[str, str]:
    """Return the labels by dimension that were settled last, or else on which all who spoke agree."""
    labels: dict[str, set[str]] = {}
    settled: dict[str, int] = {}
    for (dimension, _), (label, number) in sorted(group.items(), key=lambda one: (one[0][0], one[1][1])):
        if label is None:
            continue
        if number > settled.get(dimension, 0):
            settled[dimension], labels[dimension] = number, set()
        labels.setdefault(dimension, set()).add(label)
    return {dimension: next(iter(given)) for dimension, given in labels.items() if len(given) == 1}


def _frame(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat([pl.DataFrame(schema={**SCHEMA, REVISION: pl.Int64(), LABELS: pl.String()}), *parts])
