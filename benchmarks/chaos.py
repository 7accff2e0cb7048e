"""Everything that can be killed is killed, and each message comes out once: `python -m benchmarks.chaos [--seed N]`.

Apache Kafka and several `vigie stream` of one consumer group are started; while messages (JSON, plain text and one in a
hundred that nobody can decode) arrive, workers are killed, frozen, removed, added and replaced by others of the same
identity, and the broker is killed and restarted, as drawn from a seed. Then all of it is read with `read_committed`: every
position of the input must be in the output or among the dead letters, once, and be what it was.
"""

import argparse
import json
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from benchmarks.storm import WEIGHTS, Crew, Event, Storm, a_crew, draw, in_background
from benchmarks.whole_way import vigie
from kafka_client import Headers, header, read_all
from kafka_server import KafkaServer

TOPIC, OUTPUT, GROUP = "storm", "storm-labelled", "vigie-storm"
PARTITIONS = 6
UNDECODABLE = 0.01
TRANSACTION_SECONDS = 10
SETTINGS = f"""
[sources.{TOPIC}]
type = "kafka"
topics = ["{TOPIC}"]
bootstrap_servers = "{{servers}}"
group = "{GROUP}"
sink = "{TOPIC}"

[sources.{TOPIC}.options]
"session.timeout.ms" = 3000
"heartbeat.interval.ms" = 500

[sinks.{TOPIC}]
type = "kafka"
topic = "{OUTPUT}"
bootstrap_servers = "{{servers}}"

[sinks.{TOPIC}.options]
"transaction.timeout.ms" = {TRANSACTION_SECONDS * 1000}
"""

TEXTS = (
    "Receiving block blk_{n} src: /10.0.0.{d}:50010",
    "Failed password for root from 10.0.0.{d} port {n} ssh2",
    "kernel: EXT4-fs error (device sda{d}): reading inode #{n}",
    "session opened for user u{d} by (uid={n})",
    'Überlauf in Modul "é{d}": {n} \\ 🙂',
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is made of; the same plan draws the same messages and events."""

    seed: int
    n_messages: int = 200_000
    n_events: int = 200
    n_workers: int = 3
    gap_seconds: float = 1.5
    broker_stays: bool = False

    def events(self) -> list[Event]:
        """Return what happens, in order."""
        weights = {kind: weight for kind, weight in WEIGHTS.items() if not (self.broker_stays and kind == "broker")}
        rng = Random(self.seed)
        return draw(rng, self.n_events, n_workers=self.n_workers, gap_seconds=self.gap_seconds, weights=weights)

    def messages(self) -> list[bytes]:
        """Return what arrives, in order."""
        rng = Random(self.seed + 1)
        return [a_payload(rng, number) for number in range(self.n_messages)]


def main(arguments: list[str] | None = None) -> int:
    """Run it and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, help="of an earlier run, to have it again; drawn anew where not given")
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--events", type=int, default=200)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--gap", type=float, default=1.5, help="seconds between two events, on average")
    parser.add_argument("--broker-stays", action="store_true", help="never kill the broker")
    parser.add_argument("--folder", type=Path, help="where data and logs go and stay")
    parser.add_argument("--json", action="store_true", help="print one JSON object in one line")
    chosen = parser.parse_args(arguments)
    seed = Random().randrange(10**6) if chosen.seed is None else chosen.seed
    print(f"seed {seed}", file=sys.stderr, flush=True)
    plan = Plan(seed, chosen.messages, chosen.events, chosen.workers, chosen.gap, chosen.broker_stays)
    with tempfile.TemporaryDirectory() as folder:
        found = run(plan, chosen.folder or Path(folder))
    print(json.dumps(found, indent=None if chosen.json else 2))
    return 0 if flawless(found) else 1


def flawless(found: Mapping[str, object]) -> bool:
    """Return whether every message came out once, as it was."""
    return not (found["missing"] or found["doubled"] or found["changed"])


def run(plan: Plan, folder: Path) -> dict[str, object]:
    """Go through it all and return what was found."""
    events, started = plan.events(), time.monotonic()
    with KafkaServer(folder / "kafka") as kafka, ThreadPoolExecutor(1) as hands:
        project = a_project(folder / "project", kafka)
        with a_crew(project, TOPIC, plan.n_workers) as crew:
            last = events[-1].at if events else 0.0
            with in_background(lambda: feed(kafka.bootstrap_servers, plan.messages(), last)) as feeding:
                Storm(kafka, crew, hands).rage(events)
                look_after(crew, feeding)
            drain(kafka.bootstrap_servers, crew)
        found = judge(*(read_all(kafka, topic) for topic in (TOPIC, OUTPUT, f"{OUTPUT}.dlq")))
    kinds = Counter(event.kind for event in events)
    seconds = round(time.monotonic() - started, 1)
    consequences = {**said(project), "killed": crew.ended[-signal.SIGKILL]}
    return {"seed": plan.seed, "events": dict(kinds.most_common()), **consequences, **found, "seconds": seconds}


def said(project: Path) -> dict[str, int]:
    """Count what the workers said: transactions they aborted and began again, and ends because another took over."""
    logs = "".join(path.read_text(errors="replace") for path in project.glob("worker-*.log"))
    return {
        "begun_again": logs.count("; trying again in"),
        "fenced": logs.count("another worker uses the same identity"),
    }


def a_project(folder: Path, kafka: KafkaServer) -> Path:
    """Make a project that reads the topic, and the topics."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    vigie(folder.parent, "init", str(folder), "--template", "logs")
    for topic in (TOPIC, OUTPUT, f"{OUTPUT}.dlq"):
        kafka.create_topic(topic, PARTITIONS)
    path = folder / "vigie.toml"
    head, _, rest = path.read_text().partition("# Where messages come from")
    tables = SETTINGS.format(servers=kafka.bootstrap_servers)
    path.write_text(f"{head}# Where messages come from{tables}\n{rest[rest.index('[stream]') :]}")
    return folder


def a_payload(rng: Random, number: int) -> bytes:
    """Return a message: undecodable, plain text or JSON."""
    text, kind = rng.choice(TEXTS).format(n=rng.randrange(10**6), d=rng.randrange(9)), rng.random()
    if kind < UNDECODABLE:
        return rng.choice([b"{" + text.encode(), b"\xff\xfe" + text.encode()])
    if kind < 0.2:
        return text.encode()
    fields = {"number": number, "message": text, "host": {"name": f"web-{number % 9}", "load": rng.random()}}
    return json.dumps(fields, ensure_ascii=rng.random() < 0.5).encode()


def feed(servers: str, payloads: Sequence[bytes], seconds: float) -> None:
    """Produce messages, evenly over so many seconds, each numbered in a header.

    Raises
    ------
    KafkaException
        The broker took one not, or perhaps twice.
    """
    failures: list[KafkaError] = []
    settings = {"bootstrap.servers": servers, "enable.idempotence": True, "linger.ms": 20, "message.timeout.ms": 0}
    producer = Producer(settings, logger=Quiet())
    started = time.monotonic()
    for number, payload in enumerate(payloads):
        headers: Headers = [("number", b"%d" % number)]
        send = partial(
            producer.produce,
            TOPIC,
            payload,
            key=b"%d" % (number % 1000),
            partition=number % PARTITIONS,
            headers=headers,
            on_delivery=lambda error, _: failures.append(error) if error else None,
        )
        while not sent(send):  # the broker is away for long: the client's queue is full
            producer.poll(0.5)
        if number % 100 == 0:
            time.sleep(max(0.0, started + seconds * number / len(payloads) - time.monotonic()))
            producer.poll(0)
    if producer.flush(60) or failures:
        raise KafkaException(*failures[:1])


class Quiet:
    """A logger for clients whose broker goes away on purpose."""

    def log(self, *_: object) -> None:
        """Say nothing."""


def sent(send: Callable[[], None]) -> bool:
    """Return whether the client's queue took a message."""
    try:
        send()
    except BufferError:
        return False
    return True


def look_after(crew: Crew, waiting: Callable[[], bool]) -> None:
    """Start workers again until nothing more is waited for."""
    while waiting():
        crew.look()
        time.sleep(0.1)


def drain(servers: str, crew: Crew, timeout_seconds: float = 120.0) -> None:
    """Wait until the group has committed everything, or for too long: what is missing shows later."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": GROUP}, logger=Quiet())
    parts = [TopicPartition(TOPIC, number) for number in range(PARTITIONS)]
    ends = [consumer.get_watermark_offsets(part, timeout=10)[1] for part in parts]
    deadline = time.monotonic() + timeout_seconds
    look_after(crew, lambda: time.monotonic() < deadline and offsets(consumer, parts) != ends)
    consumer.close()


def offsets(consumer: Consumer, parts: list[TopicPartition]) -> list[int]:
    """Return the committed offsets; none while an open transaction holds one of them back."""
    try:
        return [part.offset for part in consumer.committed(parts, timeout=5)]
    except KafkaException:
        return []


def judge(sent: Sequence[Message], output: Sequence[Message], dead_letters: Sequence[Message]) -> dict[str, int]:
    """Count what came out, what is missing, what came more than once, and what is not what it was."""
    originals = {header(message, "number"): message for message in sent}
    counts = Counter(header(message, "number") for message in [*output, *dead_letters])
    changed = sum(not is_labelled(originals.get(header(message, "number")), message) for message in output)
    changed += sum(not is_dead(originals.get(header(message, "number")), message) for message in dead_letters)
    return {
        "messages": len(sent),
        "output": len(output),
        "dead_letters": len(dead_letters),
        "missing": len(originals.keys() - counts.keys()),
        "doubled": sum(n > 1 for n in counts.values()) + len(sent) - len(originals),
        "changed": changed,
    }


def is_labelled(original: Message | None, message: Message) -> bool:
    """Return whether a message is the original, in its place and with labels."""
    if original is None or (original.key(), original.partition()) != (message.key(), message.partition()):
        return False
    fields, payload = json.loads(message.value()), original.value()
    before = json.loads(payload) if payload.startswith(b"{") else {"message": payload.decode()}
    return before.items() <= fields.items() and "severity" in fields and "vigie" in fields


def is_dead(original: Message | None, message: Message) -> bool:
    """Return whether a dead letter is an original that nobody can decode, and says where that is."""
    if original is None or original.value() != message.value() or is_decodable(original.value()):
        return False
    place = [header(message, f"__connect.errors.{name}") for name in ("topic", "partition", "offset")]
    return place == [TOPIC, str(original.partition()), str(original.offset())]


def is_decodable(payload: bytes) -> bool:
    """Return whether a payload of `a_payload` can be labelled."""
    return not payload.startswith(b"\xff") and not (payload.startswith(b"{") and not payload.endswith(b"}"))


if __name__ == "__main__":
    sys.exit(main())
