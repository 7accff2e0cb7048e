"""Several workers of one `vigie stream` share a topic."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.whole_way import make_project, outcome, receive, send

from kafka_server import KafkaServer

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def test_stream_when_there_are_two_workers_then_they_share_the_partitions_and_each_message_comes_out_once(
    kafka_server: KafkaServer, tmp_path: Path
) -> None:
    import polars as pl

    folder = tmp_path / "project"
    make_project(folder, kafka_server, "shared")
    lines = pl.DataFrame({"raw": [f"disk {i} is full" for i in range(4_000)]})
    send(kafka_server, "shared", lines["raw"].to_list())

    command = [sys.executable, "-m", "vigie", "stream", "--workers", "2", "--until-end", "--json"]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=90)

    counts = [json.loads(line)["messages"] for line in done.stdout.splitlines()]
    assert len(counts) == 2
    assert sum(counts) == 4_000
    assert outcome(receive(kafka_server, "shared", 4_000), lines)
