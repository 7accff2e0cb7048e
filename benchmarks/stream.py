"""How close to the bare client Vigie streams, on Apache Kafka: `python -m benchmarks.stream`.

In one run, on log lines whose templates repeat and on tweets of which every text is new:

a. the bare loop: consume, produce the same bytes, commit output and offsets in transactions;
b. Vigie: the same with labels in every message;
c. one message at a time, as a service around scikit-learn does it: TF-IDF of words and characters, one model per dimension
   (a random forest, and for comparison a logistic regression), one call per message.

Rates are messages per second of one worker, from its first batch to its last commit; latency is from produce to a reader
that asks for `read_committed`, at a fifth of (b)'s rate.
"""

import argparse
import json
import multiprocessing
import random
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
from confluent_kafka import Consumer, KafkaError, Producer

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from benchmarks.whole_way import DATA, vigie
from kafka_server import KafkaServer

PARTITIONS = 4
BATCH = 20_000
TWEETS = (DATA.with_name("airline_tweets.csv.gz"), DATA.with_name("sentiment140_sample.csv.gz"))
SETTINGS = """
[sources.{topic}]
type = "kafka"
topics = ["{topic}"]
bootstrap_servers = "{servers}"
group = "{group}"
sink = "{topic}"

[sinks.{topic}]
type = "kafka"
topic = "{output}"
bootstrap_servers = "{servers}"
"""


def main(arguments: list[str] | None = None) -> int:
    """Run it and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=500_000, help="log lines")
    parser.add_argument("--one-at-a-time", type=int, default=2_000, help="messages for (c)")
    parser.add_argument("--templates", type=int, default=1_000_000, help="distinct templates for the memory figure")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args(arguments)
    if not DATA.exists():
        print(f"skipped: there is no {DATA}")
        return 0
    found = {}
    with tempfile.TemporaryDirectory() as folder, KafkaServer(Path(folder) / "kafka") as kafka:
        for name, case in (("logs", log_lines(chosen.messages)), ("tweets", tweets())):
            found[name] = measure(Path(folder), kafka, name, case, chosen.one_at_a_time)
        found["distinct"] = memory(Path(folder), kafka, chosen.templates)
    print(json.dumps(found, indent=None if chosen.json else 2))
    return 0


class Case:
    """Texts to stream, the template of the project, and answers to learn from."""

    def __init__(self, template: str, texts: list[str], answers: pl.DataFrame) -> None:
        self.template = template
        self.texts = texts
        self.answers = answers


def log_lines(n: int) -> Case:
    """Return real log lines, over and over, each time with other times and numbers in them."""
    lines = pl.read_csv(DATA)
    raw = lines["raw"].to_list()
    texts = [raw[i % len(raw)].replace("blk_", f"blk_{i // len(raw)}") for i in range(n)]
    return Case("logs", texts, lines.sample(500, seed=0).select("raw", "severity", "event_type", "category"))


def tweets() -> Case:
    """Return tweets, every one another."""
    first, second = (pl.read_csv(path) for path in TWEETS)
    answers = first.head(500).select("text", sentiment="airline_sentiment")
    return Case("social", pl.concat([first["text"], second["text"]]).unique(maintain_order=True).to_list(), answers)


def measure(folder: Path, kafka: KafkaServer, name: str, case: Case, n_single: int) -> dict[str, float]:
    """Return rates, ratio, memory and latency of one case."""
    project = folder / name
    prepare(project, case)
    topics = [name, f"{name}-bare", f"{name}-vigie", f"{name}-vigie.dlq", f"{name}-single", f"{name}-live"]
    for topic in [*topics, f"{name}-live-out", f"{name}-live-out.dlq"]:
        kafka.create_topic(topic, PARTITIONS)
    fill(kafka, name, case.texts)
    point(project, kafka, name, f"{name}-vigie")
    bare = [in_process(run_bare, kafka.bootstrap_servers, name, f"{name}-bare", i) for i in range(2)]
    ours = in_process(run_vigie, project, name)
    single, linear = (
        in_process(run_single, kafka.bootstrap_servers, name, f"{name}-single", (case, n_single, model))
        for model in ("forest", "linear")
    )
    point(project, kafka, f"{name}-live", f"{name}-live-out")
    rate = ours["per_second"] / 5
    latency = latencies(kafka, project, name, case.texts, rate)
    best = max(run["per_second"] for run in bare)
    return {
        "messages": len(case.texts),
        "bare_per_second": round(best),
        "vigie_per_second": round(ours["per_second"]),
        "ratio": round(ours["per_second"] / best, 3),
        "one_at_a_time_per_second": round(single["per_second"], 1),
        "times_one_at_a_time": round(ours["per_second"] / single["per_second"]),
        "one_at_a_time_linear_per_second": round(linear["per_second"], 1),
        "times_one_at_a_time_linear": round(ours["per_second"] / linear["per_second"]),
        "peak_memory_bytes": int(ours["peak_memory_bytes"]),
        "load_per_second": round(rate),
        "p50_seconds": round(float(np.percentile(latency, 50)), 3),
        "p99_seconds": round(float(np.percentile(latency, 99)), 3),
    }


def memory(folder: Path, kafka: KafkaServer, n: int) -> dict[str, float]:
    """Return a worker's peak memory after `n` messages with as many templates."""
    project, name = folder / "distinct", "distinct"
    prepare(project, log_lines(1))
    for topic in (name, f"{name}-out", f"{name}-out.dlq"):
        kafka.create_topic(topic, PARTITIONS)
    draw = random.Random(0)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ("".join(draw.choices(letters, k=8)) for _ in range(n))
    fill(kafka, name, [f"service {word} did not answer in time, trying another" for word in words])
    point(project, kafka, name, f"{name}-out")
    return {"templates": n, **in_process(run_vigie, project, name)}


def prepare(project: Path, case: Case) -> None:
    """Make a project with a champion."""
    vigie(project.parent, "init", str(project), "--template", case.template)
    case.answers.write_csv(project / "answers.csv")
    text, *dimensions = case.answers.columns
    labels = [part for name in dimensions for part in ("--label", f"{name}={name}")]
    vigie(project, "import", "answers.csv", "--text", text, *labels)
    vigie(project, "train")


def point(project: Path, kafka: KafkaServer, topic: str, output: str) -> None:
    """Make the project read one topic and write another."""
    text = (project / "vigie.toml").read_text()
    head, _, rest = text.partition("# Where messages come from")
    tables = SETTINGS.format(topic=topic, output=output, servers=kafka.bootstrap_servers, group=f"vigie-{topic}")
    (project / "vigie.toml").write_text(f"{head}# Where messages come from{tables}\n{rest[rest.index('[rules]') :]}")


def fill(kafka: KafkaServer, topic: str, texts: list[str]) -> None:
    """Put texts into a topic as JSON messages with a few fields."""
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "linger.ms": 50, "compression.type": "lz4"})
    for i, text in enumerate(texts):
        body = json.dumps({"host": f"web-{i % 9}", "service": "shop", "message": text}, ensure_ascii=False)
        while True:
            try:
                producer.produce(topic, body.encode(), partition=i % PARTITIONS)
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()


def in_process(run: Callable[..., float], *arguments: object) -> dict[str, float]:
    """Call `run` in a process of its own; return the rate it returns, and the process's peak memory."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (run, arguments))


def _measured(run: Callable[..., float], arguments: tuple[object, ...]) -> dict[str, float]:
    rate = run(*arguments)
    return {"per_second": rate, "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def a_consumer(servers: str, group: str) -> Consumer:
    """Return a consumer as Vigie sets up its own."""
    return Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": group,
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "partition.assignment.strategy": "cooperative-sticky",
            "enable.partition.eof": True,
        }
    )


def run_bare(servers: str, topic: str, output: str, number: int) -> float:
    """Move every message as it is; return messages per second."""
    consumer = a_consumer(servers, f"bare-{number}")
    producer = Producer(
        {
            "bootstrap.servers": servers,
            "transactional.id": f"bare-{number}",
            "linger.ms": 50,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    producer.init_transactions()
    consumer.subscribe([topic])
    done, ends, started = 0, 0, 0.0
    while ends < PARTITIONS:
        polled = consumer.consume(BATCH, 0.2)
        messages = [message for message in polled if message.error() is None]
        ends += sum(
            message.error() is not None and message.error().code() == KafkaError._PARTITION_EOF  # noqa: SLF001 — the name librdkafka gives it
            for message in polled
        )
        if not messages:
            continue
        started = started or time.perf_counter()
        producer.begin_transaction()
        for message in messages:
            producer.produce(output, message.value(), message.key(), message.partition())
        producer.send_offsets_to_transaction(
            consumer.position(consumer.assignment()), consumer.consumer_group_metadata()
        )
        producer.commit_transaction()
        done += len(messages)
    elapsed = time.perf_counter() - started
    consumer.close()
    return done / elapsed


def run_vigie(project: Path, source: str) -> float:
    """Let one worker label every message; return messages per second from its first batch to its last commit."""
    from vigie.app import Project  # noqa: PLC0415 — in the child process only

    opened = Project.open(project)
    opened.use_champion()
    reports: list[tuple[float, int, float]] = []

    def note(report: object) -> None:
        reports.append((time.perf_counter(), report.n_messages, sum(report.seconds.values())))  # type: ignore[attr-defined]

    worker = opened.worker(source, until_end=True, on_batch=note)
    worker.run(threading.Event())
    opened.close()
    (last, _, _), (first, _, took) = reports[-1], reports[0]
    return sum(n for _, n, _ in reports) / (last - first + took)


def run_single(servers: str, topic: str, output: str, work: tuple[Case, int, str]) -> float:
    """Label messages one by one, as a service around scikit-learn does; return messages per second."""
    from sklearn.base import clone  # noqa: PLC0415
    from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415 — in the child process only
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline, make_union  # noqa: PLC0415

    case, n, model = work
    text, *dimensions = case.answers.columns
    features = make_union(TfidfVectorizer(ngram_range=(1, 2)), TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5)))
    classifier = RandomForestClassifier() if model == "forest" else LogisticRegression(max_iter=300)
    models = {
        name: make_pipeline(clone(features), clone(classifier)).fit(case.answers[text], case.answers[name])
        for name in dimensions
    }
    consumer = a_consumer(servers, f"single-{model}")
    producer = Producer({"bootstrap.servers": servers, "transactional.id": f"single-{model}"})
    producer.init_transactions()
    consumer.subscribe([topic])
    first = consumer.poll(30)
    started, done = time.perf_counter(), 0
    producer.begin_transaction()
    while first is not None and done < n:
        body = json.loads(first.value())
        body |= {name: fitted.predict([body["message"]])[0] for name, fitted in models.items()}
        producer.produce(output, json.dumps(body).encode(), first.key())
        done += 1
        first = consumer.poll(5)
    producer.send_offsets_to_transaction(consumer.position(consumer.assignment()), consumer.consumer_group_metadata())
    producer.commit_transaction()
    return done / (time.perf_counter() - started)


def latencies(kafka: KafkaServer, project: Path, name: str, texts: list[str], rate: float) -> list[float]:
    """Return seconds from produce to a committed, labelled message, while messages come at a steady rate."""
    reading = multiprocessing.get_context("spawn").Process(target=serve, args=(project, f"{name}-live"), daemon=True)
    reading.start()
    n = min(int(rate * 10), len(texts))
    sent: dict[str, float] = {}
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "linger.ms": 5})
    consumer = a_consumer(kafka.bootstrap_servers, f"reader-{name}")
    consumer.subscribe([f"{name}-live-out"])
    _pace(producer, f"{name}-live", texts[:500], 50.0, {})  # until caches are warm and the worker has joined
    _drain(consumer, 500)
    thread = threading.Thread(target=_pace, args=(producer, f"{name}-live", texts[:n], rate, sent))
    thread.start()
    found = _drain(consumer, n, sent)
    thread.join()
    reading.terminate()
    reading.join()
    consumer.close()
    return found


def serve(project: Path, source: str) -> None:
    """Run one worker until the process ends."""
    from vigie.app import Project  # noqa: PLC0415 — in the child process only

    opened = Project.open(project)
    opened.use_champion()
    opened.worker(source).run(threading.Event())


def _pace(producer: Producer, topic: str, texts: list[str], rate: float, sent: dict[str, float]) -> None:
    started = time.perf_counter()
    for i, text in enumerate(texts):
        ahead = started + i / rate - time.perf_counter()
        if ahead > 0.001:
            time.sleep(ahead)
        key = f"{i}"
        sent[key] = time.perf_counter()
        producer.produce(topic, json.dumps({"message": text}).encode(), key, partition=i % PARTITIONS)
        producer.poll(0)
    producer.flush()


def _drain(consumer: Consumer, n: int, sent: dict[str, float] | None = None) -> list[float]:
    found: list[float] = []
    deadline, done = time.perf_counter() + 90, 0
    while done < n and time.perf_counter() < deadline:
        for message in consumer.consume(5_000, 0.01):
            if message.error() is None:
                done += 1
                found += [time.perf_counter() - sent[message.key().decode()]] if sent is not None else []
    return found


if __name__ == "__main__":
    print(f"# {datetime.now(UTC):%Y-%m-%d}", file=sys.stderr)
    sys.exit(main())
