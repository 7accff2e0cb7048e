"""The dead letters of a source: looking at those that wait, and replaying them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl

from vigie.app.parts import in_folder
from vigie.app.project import Project
from vigie.errors import SettingsError
from vigie.sinks.files import DEAD_LETTERS
from vigie.sinks.kafka import KafkaSink
from vigie.sources import Source
from vigie.sources.dead_letter_file import DeadLetterFile
from vigie.sources.dead_letter_topic import DeadLetterTopic
from vigie.stream.replay import replaying
from vigie.stream.worker import BatchReport, Pace, Worker

WAY = "replay"
AT_ONCE = 1_000


class DeadLetters:
    """What one source's sink refused, from where the last replay ended.

    Parameters
    ----------
    project
        The project.
    source
        The name of the source in the settings.

    Raises
    ------
    SettingsError
        There is no such source, it has no sink, or its sink keeps no dead letters that can be read again.
    """

    def __init__(self, project: Project, source: str) -> None:
        self._project = project
        self._source = source
        self._sink = project.sink(source, way=WAY)
        self._table = project.settings.sinks[project.settings.sink_of(source) or ""]
        if self._table.type not in {"files", "kafka", "loki"}:
            raise SettingsError(
                f"source {source!r} has a sink of type {self._table.type!r}; only dead letters of the types files, kafka"
                " and loki can be read again"
            )

    def waiting(self) -> Iterator[pl.DataFrame]:
        """Return those that wait, batch by batch, with the columns of `sources.dead_letters`; changes nothing."""
        with closing(self._letters()) as letters:
            letters.open(self._project.store.checkpoints.load(f"{self._source}.{WAY}"))
            while not letters.exhausted:
                yield letters.poll(AT_ONCE, 1.0)

    def tried(self, reason: str = "") -> Iterator[tuple[int, int]]:
        """Return batch by batch how many would come out labelled and how many not; changes nothing."""
        process = replaying(self._project.process(self._source), reason=reason)
        for batch in self.waiting():
            messages, dead_letters = process(batch)
            yield messages.height, dead_letters.height

    def worker(self, *, reason: str = "", on_batch: Callable[[BatchReport], None] = lambda _report: None) -> Worker:
        """Return the worker that replays all that wait, each exactly once, and ends.

        Parameters
        ----------
        reason
            Only those whose error has this in it; the others are put back at the end.
        on_batch
            Called after each commit.
        """
        return Worker(
            self._letters(),
            self._sink,
            name=f"{self._source}.{WAY}",
            process=replaying(self._project.process(self._source), reason=reason),
            record=self._record,
            pace=Pace(self._project.settings.stream.max_batch, self._project.settings.stream.max_delay_seconds),
            on_batch=on_batch,
        )

    def _letters(self) -> Source:
        if not isinstance(self._sink, KafkaSink):
            path = _path(self._project.folder, self._table.parameters)
            return DeadLetterFile(path, self._source, committed_bytes=self._committed_bytes)
        return DeadLetterTopic(
            f"sinks.{self._project.settings.sink_of(self._source)}",
            topic=self._sink.dead_letter_topic,
            source=self._source,
            group=f"vigie-{self._project.settings.project.name}.{self._source}.{WAY}",
            bootstrap_servers=self._table.parameters.get("bootstrap_servers", "localhost:9092"),
            options=self._table.parameters.get("options"),
        )

    def _committed_bytes(self, path: str) -> int | None:
        return self._project.store.checkpoints.lengths([path]).get(path)

    def _record(self, messages: pl.DataFrame, dead_letters: pl.DataFrame) -> int:
        """Take note of what was labelled at last, by the position of the dead letter; the rest is counted already."""
        del dead_letters
        place = {name: pl.col(f"letter:{name}") for name in ("stream", "partition", "offset")}
        return self._project.store.record(f"{self._source}.{WAY}", messages.with_columns(**place))


def _path(folder: Path, table: Mapping[str, Any]) -> Path:
    """Return the file of dead letters as the sinks name it: where they are told, else beside the output."""
    given = in_folder(folder, table)
    beside = Path(str(given.get("path", folder / DEAD_LETTERS))).with_name(DEAD_LETTERS)
    path = Path(str(given.get("dead_letters") or beside))
    return path.parent.resolve() / path.name
