"""The worker that corrects what went out before a person answered."""

from collections.abc import Callable
from functools import partial

import polars as pl

from vigie.app.project import Project
from vigie.sources.corrections import CorrectionsSource, Place
from vigie.sources.kafka_messages import KafkaMessages
from vigie.stream.corrections import correcting
from vigie.stream.decode import decode
from vigie.stream.worker import BatchReport, Pace, Worker

WAY = "corrections"


def corrections_worker(
    project: Project,
    source: str,
    *,
    until_end: bool = False,
    on_batch: Callable[[BatchReport], None] = lambda _report: None,
) -> Worker:
    """Return the worker that writes corrected messages of a Kafka source to its sink.

    Parameters
    ----------
    project
        The project.
    source
        The name of the source in the settings.
    until_end
        End when all answers so far were dealt with.
    on_batch
        Called after each commit.
    """
    settings = project.settings
    table = settings.sources[source]
    messages = KafkaMessages(
        f"sources.{source}",
        bootstrap_servers=table.parameters.get("bootstrap_servers", "localhost:9092"),
        options=table.parameters.get("options"),
    )

    def places(group_id: int) -> dict[Place, str]:
        """Return texts of a group's kept messages by where they stand, without those that wait for a question of their own."""
        samples = project.store.pool.samples(group_id)
        # Whoever answered the group said that these are something else, and will say what.
        waiting = project.store.questions.excepted(group_id)
        kept = [s for s in samples if s.source == source and s.text not in waiting]
        return {(s.stream, s.partition, s.offset): s.text for s in kept if s.offset is not None}

    found = CorrectionsSource(
        last_id=project.store.annotations.last_id,
        history=partial(_history, project),
        places=places,
        fetch=messages.fetch,
        until_end=until_end,
        on_close=messages.close,
    )
    read = partial(
        decode,
        text_fields=table.text_fields,
        max_message_bytes=settings.stream.max_message_bytes,
        format=table.format,
    )
    return Worker(
        found,
        project.sink(source, way=WAY),
        name=f"{source}.{WAY}",
        process=correcting(read, project.labeller),
        pace=Pace(settings.stream.max_batch, settings.stream.max_delay_seconds),
        on_batch=on_batch,
    )


def _history(project: Project) -> pl.DataFrame:
    """Return the annotations, oldest first, each with the normalised text of its group as ``family``."""
    found = project.store.annotations.history()
    return found.with_columns(family=project.text.normalise(found["template"]))
