"""Messages that went out before a person said what they are, read again to be corrected.

Batches have the columns of `messages.SCHEMA` and

=======================  ======  =====================================================================
``correction:revision``  Int64   the how-manieth answer about messages of its template this is, from 1
``correction:labels``    String  what people say of it since then: JSON, labels by dimension; null where they differ, or took it back
=======================  ======  =====================================================================
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

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
    """An answer that changed what people say of a group: the id of its last annotation, and since then the labels.

    ``singles`` are the labels of single messages: those that somebody excepted, or that people said different things of.
    ``spoken`` are the dimensions in which anything was ever said of the group, whether it holds or not.
    """

    id: int
    group_id: int
    revision: int
    labels: dict[str, str]
    singles: Mapping[str, dict[str, str]] = {}
    spoken: tuple[str, ...] = ()

    def of(self, text: str | None) -> dict[str, str | None]:
        """Return the labels of one message of the group; None where what was said does not hold any more."""
        return {**dict.fromkeys(self.spoken), **self.labels, **self.singles.get(text or "", {})}


class CorrectionsSource:
    """The messages kept of each group whose labels a person gave, changed or took back, once for each such answer.

    A position is the id of the next annotation, so that an answer is dealt with once, whatever is killed.

    Parameters
    ----------
    last_id
        Tells the id of the newest annotation.
    history
        Returns all annotations, as the store does, and ``family``: the template as masked.
    places
        Returns the positions of the messages kept of a group, and the texts there.
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
        places: Callable[[int], Mapping[Place, str]],
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
        found = self._fetch(places)
        there = found.select("stream", "partition", "offset").iter_rows()
        labels = [orjson.dumps(correction.of(places.get(place))).decode() for place in there]
        revision = pl.lit(correction.revision, pl.Int64).alias(REVISION)
        return found.with_columns(revision, pl.Series(LABELS, labels, dtype=pl.String))


def corrections(history: pl.DataFrame) -> list[Correction]:
    """Return the answers that changed what people agree on about a group or its messages, oldest first.

    Parameters
    ----------
    history
        All annotations: ``id``, ``group_id``, ``family``, ``dimension``, ``label`` (null: taken back), ``annotator``,
        ``created_at``, ``message``, ``is_exception``, ``settled``. Annotations of one person about one group at one time are
        one answer; what is settled wins over what others say. Answers count per family, so that revisions rise when a group
        is split.
    """
    groups: dict[int, _Group] = {}
    revisions: dict[str, int] = {}
    found: list[Correction] = []
    answers = history.sort("id").group_by("group_id", "annotator", "created_at", maintain_order=True)
    for _, rows in answers:
        group_id, family = int(rows["group_id"][0]), str(rows["family"][0])
        group = groups.setdefault(group_id, _Group())
        before = group.agreed()
        for row in rows.iter_rows(named=True):
            group.hear(row)
        revision = revisions[family] = revisions.get(family, 0) + 1
        if before != (after := group.agreed()):
            found.append(Correction(int(rows["id"].max()), group_id, revision, *after, group.spoken()))  # type: ignore[arg-type]
    return sorted(found, key=lambda one: one.id)


class _Group:
    """What people say about one group now."""

    def __init__(self) -> None:
        self._said: dict[tuple[str, str], dict[str | None, tuple[str, bool]]] = {}
        self._settled: dict[tuple[str, str], tuple[int, str]] = {}

    def hear(self, row: Mapping[str, Any]) -> None:
        """Take an annotation; one that names no message is about the whole group, whatever its annotator said before."""
        key = (row["dimension"], row["annotator"])
        said = self._said.setdefault(key, {})
        if row["message"] is None:
            said.clear()
        said.pop(row["message"], None)
        self._settled.pop(key, None)  # the same person's newer word goes before what they settled
        if row["label"] is not None:
            said[row["message"]] = (row["label"], row["is_exception"])
            if row["settled"]:
                self._settled[key] = (row["id"], row["label"])

    def spoken(self) -> tuple[str, ...]:
        """Return the dimensions in which anything was ever said, sorted."""
        return tuple(sorted({dimension for dimension, _ in self._said}))

    def agreed(self) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        """Return the labels by dimension that hold for the group, and by message those that hold for that alone."""
        general: dict[str, set[str]] = {}
        single: dict[tuple[str, str], set[str]] = {}
        settled = {dimension: label for (dimension, _), (_, label) in sorted(self._settled.items(), key=_number)}
        for (dimension, _), said in sorted(self._said.items()):
            if dimension in settled:
                continue
            for message, (label, is_exception) in said.items():
                if not is_exception:  # as in `store.annotations.of_groups`
                    general.setdefault(dimension, set()).add(label)
                if message is not None:
                    single.setdefault((message, dimension), set()).add(label)
        labels = {dimension: next(iter(given)) for dimension, given in general.items() if len(given) == 1} | settled
        singles: dict[str, dict[str, str]] = {}
        for (message, dimension), given in single.items():
            if given != {labels.get(dimension)} and len(given) == 1:
                singles.setdefault(message, {})[dimension] = next(iter(given))
        return labels, singles


def _number(settled: tuple[tuple[str, str], tuple[int, str]]) -> int:
    return settled[1][0]


def _frame(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat([pl.DataFrame(schema={**SCHEMA, REVISION: pl.Int64(), LABELS: pl.String()}), *parts])
