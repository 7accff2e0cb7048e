"""From a topic of log lines to a topic of labelled ones, with 200 answers in between: `python -m benchmarks.whole_way`.

1. Apache Kafka starts; every line of the data goes into a topic of four partitions.
2. `vigie up` labels them all, with nothing learned; each must come out once.
3. The questions of `GET /get_message` are answered with the data's own labels through `POST /send`.
4. The same lines go into a second topic; `vigie stream` labels them with the champion; accuracy is counted on what
   comes out.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import polars as pl
from confluent_kafka import Consumer, Producer

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from kafka_server import KafkaServer, free_ports

DIMENSIONS = ("severity", "event_type", "category")
DATA = Path(__file__).parent.parent.parent / "shared" / "data" / "logs_labelled.csv.gz"
SETTINGS = """
[sources.{name}]
type = "kafka"
topics = ["{name}"]
bootstrap_servers = "{servers}"
group = "vigie-{name}"

[sinks.labelled]
type = "kafka"
topic = "{name}-labelled"
bootstrap_servers = "{servers}"
"""


def main(arguments: list[str] | None = None) -> int:
    """Run it and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="CSV with raw, severity, event_type, category")
    parser.add_argument("--answers", type=int, default=200)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args(arguments)
    if not chosen.data.exists():
        print(f"skipped: there is no {chosen.data}")
        return 0
    lines = pl.read_csv(chosen.data)
    with tempfile.TemporaryDirectory() as folder, KafkaServer(Path(folder) / "kafka") as kafka:
        found = whole_way(lines, Path(folder) / "project", kafka, chosen.answers)
    print(json.dumps(found, indent=None if chosen.json else 2))
    return 0 if found["once"] else 1


def whole_way(lines: pl.DataFrame, folder: Path, kafka: KafkaServer, answers: int) -> dict[str, object]:
    """Return what came out, and how good it was."""
    make_project(folder, kafka, "first")
    found: dict[str, object] = {"lines": lines.height, "answers": answers}
    started = time.monotonic()
    with serving(folder) as client:
        found["ready_after_seconds"] = round(time.monotonic() - started, 1)
        send(kafka, "first", lines["raw"].to_list())
        cold = receive(kafka, "first", lines.height)
        found["once"] = outcome(cold, lines)
        found["asked"], found["answered_seconds"] = answer(client, lines, answers)
        found["status"] = settled(folder)
    make_project(folder, kafka, "second", anew=False)
    send(kafka, "second", lines["raw"].to_list())
    vigie(folder, "stream", "--until-end")
    warm = receive(kafka, "second", lines.height)
    found["once"] = found["once"] and outcome(warm, lines)
    found["accuracy"] = accuracy(warm, lines)
    found["routes"] = dict(Counter(message["vigie"]["route"] for message in warm))
    found["origins"] = dict(Counter(message["vigie"]["origin"]["severity"] for message in warm))
    return found


def make_project(folder: Path, kafka: KafkaServer, name: str, *, anew: bool = True) -> None:
    """Make a project, or point it at another topic."""
    if anew:
        vigie(folder.parent, "init", str(folder), "--template", "logs")
    for topic in (name, f"{name}-labelled", f"{name}-labelled.dlq"):
        kafka.create_topic(topic, 4)
    text = (folder / "vigie.toml").read_text()
    head, _, rest = text.partition("# Where messages come from")
    tail = rest[rest.index("[stream]") :]
    tables = SETTINGS.format(name=name, servers=kafka.bootstrap_servers)
    (folder / "vigie.toml").write_text(f"{head}# Where messages come from{tables}\n{tail}")


def vigie(folder: Path, *arguments: str) -> bytes:
    """Run the command to its end and return what it printed."""
    return subprocess.run(
        [sys.executable, "-m", "vigie", *arguments], cwd=folder, check=True, stdout=subprocess.PIPE
    ).stdout


@contextmanager
def serving(folder: Path) -> Iterator[httpx.Client]:
    """Run `vigie up` and yield a client of its API."""
    port = free_ports(1)[0]
    environment = os.environ | {"VIGIE_WEB__PORT": str(port)}
    with (folder / "up.log").open("wb") as log:
        command = [sys.executable, "-m", "vigie", "up", "--project", str(folder)]
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                wait_until_ready(client)
                yield client
        finally:
            process.terminate()
            process.wait(30)


def wait_until_ready(client: httpx.Client, timeout_seconds: float = 120.0) -> None:
    """Return when the API says that it is ready."""
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        try:
            if client.get("/readyz").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise TimeoutError("vigie up did not become ready")


def send(kafka: KafkaServer, topic: str, texts: list[str], *, start: int = 0) -> None:
    """Put texts into a topic, each with its row in the data."""
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    for row, text in enumerate(texts, start):
        producer.produce(topic, json.dumps({"row": row, "host": "a", "message": text}), key=str(row))
        producer.poll(0)
    producer.flush()


def receive(
    kafka: KafkaServer, name: str, n: int, *, reader: str = "reader", timeout_seconds: float = 120.0
) -> list[dict[str, object]]:
    """Return all committed messages of the output topics, once `n` are there and no more come."""
    settings = {"bootstrap.servers": kafka.bootstrap_servers, "group.id": reader, "auto.offset.reset": "earliest"}
    consumer = Consumer({**settings, "isolation.level": "read_committed", "enable.auto.commit": False})
    consumer.subscribe([f"{name}-labelled", f"{name}-labelled.dlq"])
    found: list[dict[str, object]] = []
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        batch = consumer.consume(10_000, 2.0)
        found += [json.loads(message.value()) for message in batch]
        if not batch and len(found) >= n:
            break
    consumer.close()
    return found


def outcome(messages: list[dict[str, object]], lines: pl.DataFrame) -> bool:
    """Tell whether every line came out once, with three labels and its original fields."""
    rows = Counter(message["row"] for message in messages)
    whole = all(message["message"] == lines["raw"][message["row"]] and message["host"] == "a" for message in messages)
    labelled = all(message[dimension] is not None for message in messages for dimension in DIMENSIONS)
    return len(rows) == lines.height == len(messages) and whole and labelled


def answer(client: httpx.Client, lines: pl.DataFrame, n: int) -> tuple[int, float]:
    """Answer `n` questions with the labels of the data."""
    truth = {row["raw"]: {d: row[d] for d in DIMENSIONS} for row in lines.unique("raw").to_dicts()}
    started, asked = time.monotonic(), 0
    while asked < n and time.monotonic() - started < 600:
        response = client.get("/get_message", params={"annotator": "benchmark"})
        if response.status_code == httpx.codes.NO_CONTENT:
            time.sleep(0.2)
            continue
        question = response.raise_for_status().json()
        body = {"question_id": question["question_id"], "labels": truth[question["message"]], "annotator": "benchmark"}
        client.post("/send", json=body).raise_for_status()
        asked += 1
    return asked, round(time.monotonic() - started, 1)


def settled(folder: Path, quiet_seconds: float = 10.0) -> dict[str, object]:
    """Wait until the learner has used the answers; return what the status says."""
    champion, since = None, time.monotonic()
    while time.monotonic() - since < quiet_seconds:
        status = json.loads(vigie(folder, "status", "--json"))
        if status["model"]["champion"] != champion or status["training"]["running"]:
            champion, since = status["model"]["champion"], time.monotonic()
    return {"champion": champion, "numbers": status["numbers"], "groups": status["groups"]}


def accuracy(messages: list[dict[str, object]], lines: pl.DataFrame) -> dict[str, float]:
    """Return the share of lines whose label is the data's, by dimension."""
    frame = pl.DataFrame([{d: message[d] for d in ("row", *DIMENSIONS)} for message in messages]).sort("row")
    return {d: round(float((frame[d] == lines[d]).mean() or 0), 4) for d in DIMENSIONS}


if __name__ == "__main__":
    sys.exit(main())
