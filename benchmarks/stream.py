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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from benchmarks.whole_way import DATA, vigie
from kafka_server import KafkaServer
from vigie.stream.worker import BatchReport

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
    parser.add_argument("--data", type=Path, default=DATA, help="CSV with raw, severity, event_type, category")
    parser.add_argument("--workers", type=int, default=1, help="processes in one consumer group, for (a) and (b)")
    parser.add_argument("--bootstrap-servers", help="a Kafka that runs already; its topics named bench-… are used")
    parser.add_argument("--one-at-a-time", type=int, default=2_000, help="messages for (c)")
    parser.add_argument("--templates", type=int, default=1_000_000, help="distinct templates for the memory figure")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args(arguments)
    if not chosen.data.exists():
        print(f"skipped: there is no {chosen.data}")
        return 0
    cases = {"logs": log_lines(chosen.messages, chosen.data)}
    if all(path.exists() for path in TWEETS):
        cases["tweets"] = tweets()
    with tempfile.TemporaryDirectory() as folder, a_kafka(Path(folder), chosen.bootstrap_servers) as kafka:
        bench = Bench(Path(folder), kafka, chosen.workers, chosen.one_at_a_time)
        found = {name: measure(bench, f"bench-{name}", case) for name, case in cases.items()}
        found["distinct"] = memory(bench, "bench-distinct", chosen.templates)
    print(json.dumps(found, indent=None if chosen.json else 2))
    return 0


class Brokers:
    """A Kafka that somebody else started."""

    def __init__(self, bootstrap_servers: str) -> None:
        self.bootstrap_servers = bootstrap_servers

    def create_topic(self, name: str, partitions: int) -> None:
        """Make a topic anew."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers})
        if name in admin.list_topics(timeout=10).topics:
            admin.delete_topics([name])[name].result(30)
            time.sleep(2)
        admin.create_topics([NewTopic(name, partitions)])[name].result(30)


@contextmanager
def a_kafka(folder: Path, bootstrap_servers: str | None) -> Iterator[Brokers | KafkaServer]:
    """Yield the brokers named, or an Apache Kafka of our own."""
    if bootstrap_servers:
        yield Brokers(bootstrap_servers)
        return
    with KafkaServer(folder / "kafka") as kafka:
        yield kafka


@dataclass(frozen=True)
class Bench:
    """Where and how everything is measured."""

    folder: Path
    kafka: Brokers | KafkaServer
    n_workers: int
    n_single: int

    @property
    def servers(self) -> str:
        """The brokers' addresses."""
        return self.kafka.bootstrap_servers


@dataclass(frozen=True)
class Run:
    """What one process did: messages, from when to when (seconds of the clock on the wall), and its peak memory."""

    n: int
    began: float
    ended: float
    peak_memory_bytes: int = 0


class Case:
    """Texts to stream, the template of the project, and answers to learn from."""

    def __init__(self, template: str, texts: list[str], answers: pl.DataFrame) -> None:
        self.template = template
        self.texts = texts
        self.answers = answers


def log_lines(n: int, data: Path = DATA) -> Case:
    """Return real log lines, over and over, each time with other numbers in some of them."""
    lines = pl.read_csv(data)
    raw = lines["raw"].to_list()
    texts = [raw[i % len(raw)].replace("blk_", f"blk_{i // len(raw)}") for i in range(n)]
    return Case("logs", texts, lines.sample(500, seed=0).select("raw", "severity", "event_type", "category"))


def tweets() -> Case:
    """Return tweets, every one another."""
    first, second = (pl.read_csv(path) for path in TWEETS)
    answers = first.head(500).select("text", sentiment="airline_sentiment")
    return Case("social", pl.concat([first["text"], second["text"]]).unique(maintain_order=True).to_list(), answers)


def measure(bench: Bench, name: str, case: Case) -> dict[str, float]:
    """Return rates, ratio, memory and latency of one case."""
    project = bench.folder / name
    prepare(project, case)
    outputs = ("bare", "vigie", "vigie.dlq", "single", "live", "live-out", "live-out.dlq")
    for topic in (name, *(f"{name}-{output}" for output in outputs)):
        bench.kafka.create_topic(topic, PARTITIONS)
    fill(bench, name, case.texts)
    point(project, bench, name, f"{name}-vigie")
    everyone = range(bench.n_workers)
    bare = max(
        rate(in_processes(run_bare, [(bench.servers, name, f"{name}-bare", attempt, i) for i in everyone]))
        for attempt in range(2)
    )
    runs = in_processes(run_vigie, [(project, name, i) for i in everyone])
    ours = rate(runs)
    single, linear = (
        rate(in_processes(run_single, [(bench.servers, name, case, bench.n_single, model)]))
        for model in ("forest", "linear")
    )
    point(project, bench, f"{name}-live", f"{name}-live-out")
    latency = latencies(bench, project, name, case.texts, ours / 5)
    return {
        "messages": len(case.texts),
        "workers": bench.n_workers,
        "bare_per_second": round(bare),
        "vigie_per_second": round(ours),
        "ratio": round(ours / bare, 3),
        "one_at_a_time_per_second": round(single, 1),
        "times_one_at_a_time": round(ours / single),
        "one_at_a_time_linear_per_second": round(linear, 1),
        "times_one_at_a_time_linear": round(ours / linear),
        "peak_memory_bytes": max(run.peak_memory_bytes for run in runs),
        "load_per_second": round(ours / 5),
        "p50_seconds": round(float(np.percentile(latency, 50)), 3),
        "p99_seconds": round(float(np.percentile(latency, 99)), 3),
    }


def memory(bench: Bench, name: str, n: int) -> dict[str, float]:
    """Return a worker's peak memory after `n` messages with as many templates."""
    project = bench.folder / name
    prepare(project, log_lines(1))
    for topic in (name, f"{name}-out", f"{name}-out.dlq"):
        bench.kafka.create_topic(topic, PARTITIONS)
    draw = random.Random(0)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ("".join(draw.choices(letters, k=8)) for _ in range(n))
    fill(bench, name, [f"service {word} did not answer in time, trying another" for word in words])
    point(project, bench, name, f"{name}-out")
    runs = in_processes(run_vigie, [(project, name, 0)])
    return {"templates": n, "per_second": round(rate(runs)), "peak_memory_bytes": runs[0].peak_memory_bytes}


def rate(runs: Sequence[Run]) -> float:
    """Return messages per second of processes that ran together."""
    return sum(run.n for run in runs) / (max(run.ended for run in runs) - min(run.began for run in runs))


def prepare(project: Path, case: Case) -> None:
    """Make a project with a champion."""
    vigie(project.parent, "init", str(project), "--template", case.template)
    case.answers.write_csv(project / "answers.csv")
    text, *dimensions = case.answers.columns
    labels = [part for name in dimensions for part in ("--label", f"{name}={name}")]
    vigie(project, "import", "answers.csv", "--text", text, *labels)
    vigie(project, "train")


def point(project: Path, bench: Bench, topic: str, output: str) -> None:
    """Make the project read one topic and write another."""
    text = (project / "vigie.toml").read_text()
    head, _, rest = text.partition("# Where messages come from")
    tables = SETTINGS.format(topic=topic, output=output, servers=bench.servers, group=f"vigie-{topic}")
    (project / "vigie.toml").write_text(f"{head}# Where messages come from{tables}\n{rest[rest.index('[rules]') :]}")


def fill(bench: Bench, topic: str, texts: list[str]) -> None:
    """Put texts into a topic as JSON messages with a few fields."""
    producer = Producer({"bootstrap.servers": bench.servers, "linger.ms": 50, "compression.type": "lz4"})
    for i, text in enumerate(texts):
        body = json.dumps({"host": f"web-{i % 9}", "service": "shop", "message": text}, ensure_ascii=False)
        while True:
            try:
                producer.produce(topic, body.encode(), partition=i % PARTITIONS)
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()


def in_processes(run: Callable[..., Run], arguments: Sequence[tuple[object, ...]]) -> list[Run]:
    """Call `run` once for each arguments, each in a process of its own; return what they did, with their peak memory."""
    with multiprocessing.get_context("spawn").Pool(len(arguments), maxtasksperchild=1) as pool:
        return pool.map(_measured, [(run, given) for given in arguments], chunksize=1)


def _measured(work: tuple[Callable[..., Run], tuple[object, ...]]) -> Run:
    run, arguments = work
    done = run(*arguments)
    return replace(done, peak_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


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
        }
    )


def run_bare(servers: str, topic: str, output: str, attempt: int, number: int) -> Run:
    """Move every message as it is."""
    consumer = a_consumer(servers, f"{output}-{attempt}")
    producer = Producer(
        {
            "bootstrap.servers": servers,
            "transactional.id": f"{output}-{attempt}-{number}",
            "linger.ms": 50,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    producer.init_transactions()
    consumer.subscribe([topic])
    done, idle, began, ended = 0, 0, 0.0, 0.0
    while idle < 5 or (not done and idle < 100):
        polled = consumer.consume(BATCH, 0.2)
        messages = [message for message in polled if message.error() is None]
        if not messages:
            idle += 1
            continue
        idle, began = 0, began or time.time()
        producer.begin_transaction()
        for message in messages:
            producer.produce(output, message.value(), message.key(), message.partition())
        producer.send_offsets_to_transaction(
            consumer.position(consumer.assignment()), consumer.consumer_group_metadata()
        )
        producer.commit_transaction()
        done, ended = done + len(messages), time.time()
    consumer.close()
    return Run(done, began or time.time(), ended)


def run_vigie(project: Path, source: str, instance: int) -> Run:
    """Let one worker label every message, from its first batch to its last commit."""
    from vigie.app import Project  # noqa: PLC0415 — in the child process only

    opened = Project.open(project)
    opened.use_champion()
    times: list[float] = []
    counts: list[int] = []

    def note(report: BatchReport) -> None:
        now = time.time()
        times.extend([now] if times else [now - sum(report.seconds.values()), now])
        counts.append(report.n_messages)

    opened.worker(source, until_end=True, instance=instance, on_batch=note).run(threading.Event())
    opened.close()
    now = time.time()
    return Run(sum(counts), times[0], times[-1]) if times else Run(0, now, 0.0)


def run_single(servers: str, topic: str, case: Case, n: int, model: str) -> Run:
    """Label messages one by one, as a service around scikit-learn does."""
    from sklearn.base import clone  # noqa: PLC0415
    from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415 — in the child process only
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline, make_union  # noqa: PLC0415

    output = f"{topic}-single"
    text, *dimensions = case.answers.columns
    features = make_union(TfidfVectorizer(ngram_range=(1, 2)), TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5)))
    classifier = RandomForestClassifier() if model == "forest" else LogisticRegression(max_iter=300)
    models = {
        name: make_pipeline(clone(features), clone(classifier)).fit(case.answers[text], case.answers[name])
        for name in dimensions
    }
    consumer = a_consumer(servers, f"{output}-{model}")
    producer = Producer({"bootstrap.servers": servers, "transactional.id": f"{output}-{model}"})
    producer.init_transactions()
    consumer.subscribe([topic])
    first = consumer.poll(30)
    began, done = time.time(), 0
    producer.begin_transaction()
    while first is not None and done < n:
        body = json.loads(first.value())
        body |= {name: fitted.predict([body["message"]])[0] for name, fitted in models.items()}
        producer.produce(output, json.dumps(body).encode(), first.key())
        done += 1
        first = consumer.poll(5)
    producer.send_offsets_to_transaction(consumer.position(consumer.assignment()), consumer.consumer_group_metadata())
    producer.commit_transaction()
    return Run(done, began, time.time())


def latencies(bench: Bench, project: Path, name: str, texts: list[str], load: float) -> list[float]:
    """Return seconds from produce to a committed, labelled message, while messages come at a steady rate."""
    reading = multiprocessing.get_context("spawn").Process(target=serve, args=(project, f"{name}-live"), daemon=True)
    reading.start()
    n = min(int(load * 10), len(texts))
    sent: dict[str, float] = {}
    producer = Producer({"bootstrap.servers": bench.servers, "linger.ms": 5})
    consumer = a_consumer(bench.servers, f"reader-{name}")
    consumer.subscribe([f"{name}-live-out"])
    _pace(producer, f"{name}-live", texts[:500], 50.0, {})  # until caches are warm and the worker has joined
    _drain(consumer, 500)
    thread = threading.Thread(target=_pace, args=(producer, f"{name}-live", texts[:n], load, sent))
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
