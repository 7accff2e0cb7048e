"""A worker in a process of its own, for tests that stop, kill or freeze it.

Its only argument is JSON: ``source`` (files where it has a path, else Kafka), ``sink`` and ``pace`` hold keyword
arguments, ``pause_seconds`` how long each batch takes. It writes a line for each batch committed, ends with SIGTERM, and with code 3 when it was fenced.
"""

import json
import signal
import sys
import threading
import time
from typing import Any

import polars as pl

from vigie.errors import FencedError
from vigie.sinks.kafka import KafkaSink
from vigie.sources.files import FilesSource
from vigie.sources.kafka import KafkaSource
from vigie.stream.worker import BatchReport, Pace, Worker


def traced(batch: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return messages whose output says where they came from; those that begin with `bad` are dead letters."""
    position = pl.format("{}:{}:", "partition", "offset").cast(pl.Binary)
    frame = batch.with_columns(output=position)
    bad = frame["payload"].bin.starts_with(b"bad").fill_null(value=False)
    dead_letters = frame.filter(bad).drop("output").with_columns(stage=pl.lit("decode"), error=pl.lit("it is bad"))
    return frame.filter(~bad), dead_letters


def main(arguments: dict[str, Any]) -> int:
    """Run until told to stop."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())

    def process(batch: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        time.sleep(arguments.get("pause_seconds", 0.0))
        return traced(batch)

    def report(batch: BatchReport) -> None:
        sys.stdout.write(f"{batch.n_messages + batch.n_dead_letters}\n")
        sys.stdout.flush()

    kind = FilesSource if "path" in arguments["source"] else KafkaSource
    source = kind("in", **arguments["source"])
    sink = KafkaSink("kafka", **arguments["sink"])
    worker = Worker(source, sink, name="in", process=process, on_batch=report, pace=Pace(**arguments["pace"]))
    try:
        worker.run(stop)
    except FencedError as problem:
        sys.stderr.write(f"{problem}\n")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
