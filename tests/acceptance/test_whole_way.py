"""The whole way through Apache Kafka with `vigie up`: labelled once, learned from answers, whatever is killed."""

import random
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import httpx
import polars as pl
import psutil
import pytest
from benchmarks.whole_way import DIMENSIONS, make_project, outcome, receive, send, serving

from kafka_server import KafkaServer
from vigie.cli.demo_lines import LineGenerator
from vigie.store import Store

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(280)]
ROLES = ("stream", "learner", "web")


@pytest.fixture(scope="module")
def lines() -> pl.DataFrame:
    """Made-up log lines with the labels a person would give."""
    generator = LineGenerator(rng=random.Random(7), start=datetime(2026, 11, 21, tzinfo=UTC))
    made = [line for _ in range(60) for line in generator.advance(1.0)]
    return pl.DataFrame([{"raw": line.text, **line.labels} for line in made])


def role(name: str, folder: Path) -> psutil.Process:
    """Return the process of a role of this project, once it runs."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):  # it may end while it is looked at
                arguments = process.cmdline()
                if name in arguments and str(folder) in arguments:
                    return process
        time.sleep(0.1)
    raise TimeoutError(f"{name} does not run")


def answered(client: httpx.Client, lines: pl.DataFrame, n: int) -> Iterator[int]:
    """Answer questions with the lines' own labels, whatever is killed meanwhile; yields how many answers are stored."""
    truth = {row["raw"]: {d: row[d] for d in DIMENSIONS} for row in lines.to_dicts()}
    done, deadline = 0, time.monotonic() + 150
    while done < n and time.monotonic() < deadline:
        try:
            response = client.get("/get_message", params={"annotator": "ann"})
            if response.status_code != httpx.codes.OK:
                time.sleep(0.2)
                continue
            question = response.json()
            labels = truth[question["message"]]
            sent = client.post(
                "/send", json={"question_id": question["question_id"], "labels": labels, "annotator": "ann"}
            )
        except httpx.TransportError:
            time.sleep(0.2)
            continue
        if sent.status_code == httpx.codes.OK:
            done += 1
            yield done


def test_up_when_every_role_is_killed_at_work_then_nothing_is_lost_or_doubled_and_it_learns(
    kafka_server: KafkaServer, tmp_path: Path, lines: pl.DataFrame
) -> None:
    folder = tmp_path / "project"
    make_project(folder, kafka_server, "whole")
    with serving(folder) as client:
        texts = lines["raw"].to_list()
        third = len(texts) // 3
        for part in range(3):
            send(
                kafka_server,
                "whole",
                texts[part * third : (part + 1) * third if part < 2 else None],
                start=part * third,
            )
            for name in ROLES if part < 2 else ():
                time.sleep(0.3)
                role(name, folder).send_signal(signal.SIGKILL)
        stored = 0
        for stored in answered(client, lines, 40):
            if stored in {12, 25}:
                role(ROLES[1 if stored == 12 else 2], folder).send_signal(signal.SIGKILL)
        assert stored == 40

        messages = receive(kafka_server, "whole", lines.height)
        send(kafka_server, "whole", texts[:200], start=len(texts))
        assert outcome(messages, lines)

        more = pl.concat([lines, lines.head(200)])
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            again = receive(kafka_server, "whole", more.height, reader="again")
            if any("human" in message["vigie"]["origin"].values() for message in again if message["vigie"]["model"]):
                break  # the first model may know no more than the names of the labels
            send(kafka_server, "whole", texts[:50], start=more.height)
            more = pl.concat([more, lines.head(50)])

    assert outcome(again, more)
    labelled = [message for message in again if message["vigie"]["model"]]
    assert labelled
    assert "human" in {origin for message in labelled for origin in message["vigie"]["origin"].values()}
    with Store.open(f"sqlite:///{folder / 'vigie.db'}") as store:
        assert stored <= store.annotations.count() <= stored + 1  # one may be stored whose confirmation was killed
