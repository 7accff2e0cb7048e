"""What every sink promises, run over all that are installed by their plug-in names."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from builders import a_batch
from kafka_client import a_name, header, read_all
from kafka_server import KafkaServer
from loki_server import LokiServer
from source_fakes import FileCheckpoints
from vigie.messages import SCHEMA, Position
from vigie.parameters import call
from vigie.plugins import load, names
from vigie.sinks import Sink

NOW = pl.lit(datetime.now(UTC)).cast(SCHEMA["timestamp"]).alias("timestamp")  # Kafka refuses the future
AT_TWO = [Position("app.log", 7, 2), Position("other.log", 8, 30)]


@dataclass
class Kit:
    """Makes sinks that write to one place, and reads what anybody can see there."""

    new: Callable[[], Sink]
    outputs: Callable[[], list[bytes]]
    dead_letters: Callable[[], list[str]]


def files(_: pytest.FixtureRequest, folder: Path) -> Kit:
    output, dead_letters = folder / "out.jsonl", folder / "dead.jsonl"

    def new() -> Sink:
        checkpoints = FileCheckpoints(folder / "checkpoints.json")
        return load("sinks", "files")("out", path=str(output), dead_letters=str(dead_letters), checkpoints=checkpoints)

    def errors() -> list[str]:
        return [json.loads(line)["error"] for line in dead_letters.read_bytes().splitlines()]

    return Kit(new, lambda: output.read_bytes().splitlines(), errors)


def kafka(request: pytest.FixtureRequest, _: Path) -> Kit:
    server: KafkaServer = request.getfixturevalue("kafka_server")
    topic, identity = a_name("out"), a_name("identity")

    def new() -> Sink:
        brokers = server.bootstrap_servers
        return load("sinks", "kafka")("out", topic=topic, bootstrap_servers=brokers, transactional_id=identity)

    def outputs() -> list[bytes]:
        return sorted(message.value() or b"" for message in read_all(server, topic))

    def errors() -> list[str]:
        found = [header(message, "__connect.errors.exception.message") for message in read_all(server, f"{topic}.dlq")]
        return [str(error) for error in found]

    return Kit(new, outputs, errors)


def loki(request: pytest.FixtureRequest, folder: Path) -> Kit:
    server: LokiServer = request.getfixturevalue("loki_server")
    dead_letters = folder / "dead.jsonl"

    def new() -> Sink:
        checkpoints = FileCheckpoints(folder / "checkpoints.json")
        settings = {"url": server.url, "line": "enriched", "dead_letters": str(dead_letters)}
        return call(
            load("sinks", "loki"), {"name": "out", "owner": "sinks.out", "checkpoints": checkpoints, **settings}
        )

    def errors() -> list[str]:
        return [json.loads(line)["error"] for line in dead_letters.read_bytes().splitlines()]

    return Kit(new, lambda: [line.encode() for line in server.lines()], errors)


KITS = {"files": files, "kafka": kafka, "loki": loki}
MARKS = {"kafka": pytest.mark.kafka}


@pytest.fixture(params=[pytest.param(name, marks=MARKS.get(name, ())) for name in names("sinks")])
def kit(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kit]:
    made: list[Sink] = []
    bare = KITS[request.param](request, tmp_path)

    def new() -> Sink:
        made.append(bare.new())
        return made[-1]

    yield Kit(new, bare.outputs, bare.dead_letters)
    for sink in made:
        sink.close()
        sink.close()


def some(*outputs: bytes) -> pl.DataFrame:
    frame = a_batch(*[b"original"] * len(outputs), stream="app.log", partition=7)
    return frame.with_columns(NOW, output=pl.Series(outputs, dtype=pl.Binary))


def letters(*errors: str) -> pl.DataFrame:
    frame = a_batch(*[b"\xff"] * len(errors), stream="app.log", partition=7, offset=1000)
    return frame.with_columns(NOW, stage=pl.lit("decode"), error=pl.Series(errors, dtype=pl.String))


def opened(kit: Kit, source: str = "in") -> Sink:
    sink = kit.new()
    sink.open(source)
    return sink


def test_commit_when_batches_were_written_then_all_are_visible_together(kit: Kit) -> None:
    sink = opened(kit)
    sink.write(some(b"a", b"b"), letters("first"))
    sink.write(some(b"c"), letters())
    sink.commit(AT_TWO, None)
    assert kit.outputs() == [b"a", b"b", b"c"]
    assert kit.dead_letters() == ["first"]


def test_open_when_nothing_was_committed_then_the_source_begins_at_its_start(kit: Kit) -> None:
    assert kit.new().open("in") == []


def test_open_when_something_was_committed_then_the_source_resumes_there(kit: Kit) -> None:
    sink = opened(kit)
    sink.write(some(b"a"), letters())
    sink.commit(AT_TWO, None)
    sink.close()
    assert sorted(kit.new().open("in")) == AT_TWO


def test_open_when_called_again_then_it_says_what_is_committed(kit: Kit) -> None:
    sink = opened(kit)
    sink.write(some(b"a"), letters())
    sink.commit(AT_TWO, None)
    sink.write(some(b"lost"), letters())
    sink.abort()
    assert sorted(sink.open("in")) == AT_TWO
    assert kit.outputs() == [b"a"]


def test_abort_when_batches_were_written_then_nobody_ever_sees_them(kit: Kit) -> None:
    sink = opened(kit)
    sink.write(some(b"undone"), letters("undone"))
    sink.abort()
    sink.write(some(b"b"), letters("kept"))
    sink.commit(AT_TWO, None)
    assert kit.outputs() == [b"b"]
    assert kit.dead_letters() == ["kept"]


def test_close_when_a_batch_is_not_committed_then_nobody_ever_sees_it(kit: Kit) -> None:
    sink = opened(kit)
    sink.write(some(b"a"), letters())
    sink.commit(AT_TWO, None)
    sink.write(some(b"undone"), letters("undone"))
    sink.close()
    after = kit.new()
    assert sorted(after.open("in")) == AT_TWO
    assert kit.outputs() == [b"a"]
    assert kit.dead_letters() == []


def test_commit_when_a_batch_was_empty_then_positions_move(kit: Kit) -> None:
    sink = opened(kit)
    sink.write(some(), letters())
    sink.commit(AT_TWO, None)
    sink.close()
    assert sorted(kit.new().open("in")) == AT_TWO
    assert kit.outputs() == []


def test_commit_when_there_are_many_then_each_adds_to_the_last(kit: Kit) -> None:
    sink = opened(kit)
    for number in range(5):
        sink.write(some(b"%d" % number), letters(str(number)))
        sink.commit([Position("app.log", 7, number + 1)], None)
    sink.close()
    assert kit.outputs() == [b"%d" % number for number in range(5)]
    assert sorted(kit.dead_letters()) == [str(number) for number in range(5)]
    assert kit.new().open("in") == [Position("app.log", 7, 5)]
