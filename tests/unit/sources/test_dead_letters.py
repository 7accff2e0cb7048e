from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

from builders import a_batch
from vigie.messages import ATTEMPT, HEADERS, SCHEMA
from vigie.sinks.dead_letters import dead_letter_headers, dead_letter_lines
from vigie.sources.dead_letter_file import DeadLetterFile
from vigie.sources.dead_letters import from_topic, letters


def failed(*payloads: bytes | None, headers: list[tuple[str, bytes]] | None = None, **place: Any) -> pl.DataFrame:
    own = [None if headers is None else [{"name": name, "value": value} for name, value in headers]] * len(payloads)
    reasons = {"stage": pl.lit("decode"), "error": pl.lit("it is bad")}
    return a_batch(*payloads, **place).with_columns(pl.Series("headers", own, dtype=HEADERS), **reasons)


def in_a_topic(row: dict[str, Any], source: str | None = "logs.replay") -> dict[str, Any]:
    headers = [{"name": name, "value": value} for name, value in dead_letter_headers(row, source)]
    return row | {"headers": headers, "stream": "out.dlq", "partition": 1, "offset": 99}


def a_file(folder: Path, *frames: pl.DataFrame, source: str = "logs") -> Path:
    path = folder / "dead_letters.jsonl"
    path.write_bytes(b"".join(dead_letter_lines(frame, source) for frame in frames))
    return path


def read(reader: DeadLetterFile, at_once: int = 2) -> pl.DataFrame:
    found = []
    while not reader.exhausted:
        found.append(reader.poll(at_once, 0.0))
    return pl.concat([letters([]), *found])


def test_from_topic_when_a_sink_wrote_it_then_the_message_is_as_it_was() -> None:
    row = failed(b"\xff", headers=[("trace", b"1")], stream="in", partition=3, offset=7).row(0, named=True)

    found = letters([from_topic(in_a_topic(row), "logs") or {}]).row(0, named=True)

    assert {name: found[name] for name in SCHEMA} == {name: row[name] for name in SCHEMA}
    assert (found["letter:stage"], found["letter:error"], found["letter:attempt"]) == ("decode", "it is bad", 1)
    assert (found["letter:stream"], found["letter:partition"], found["letter:offset"]) == ("out.dlq", 1, 99)


def test_from_topic_when_another_source_read_it_then_it_is_not_ours() -> None:
    row = failed(b"x").row(0, named=True)

    assert from_topic(in_a_topic(row), "other") is None
    assert from_topic(in_a_topic(row, None), "other") is not None


def test_from_topic_when_tried_before_then_counted() -> None:
    row = failed(b"x", headers=[(ATTEMPT, b"4")]).row(0, named=True)

    assert (from_topic(in_a_topic(row), "logs") or {})["letter:attempt"] == 4


@pytest.mark.parametrize("payload", [b"text", b"\xff\x00", b"", None])
def test_file_when_a_sink_wrote_it_then_the_payload_is_as_it_was(tmp_path: Path, payload: bytes | None) -> None:
    reader = DeadLetterFile(a_file(tmp_path, failed(payload, stream="app.log", offset=7)), "logs")
    reader.open([])

    (row,) = read(reader).rows(named=True)

    assert (row["payload"], row["stream"], row["partition"], row["offset"]) == (payload, "app.log", 0, 7)
    assert row["letter:error"] == "it is bad"
    assert row["timestamp"] == failed(payload)["timestamp"][0]


def test_file_when_a_replay_failed_then_the_attempt_is_kept(tmp_path: Path) -> None:
    path = a_file(tmp_path, failed(b"x", headers=[(ATTEMPT, b"3")]), source="logs.replay")
    reader = DeadLetterFile(path, "logs")
    reader.open([])

    assert orjson.loads(path.read_bytes())["source"] == "logs"
    assert read(reader)["letter:attempt"].to_list() == [3]


def test_file_when_resumed_then_nothing_comes_again(tmp_path: Path) -> None:
    path = a_file(tmp_path, failed(*[b"%d" % n for n in range(5)]))
    reader = DeadLetterFile(path, "logs")
    reader.open([])
    first = reader.poll(3, 0.0)

    again = DeadLetterFile(path, "logs")
    again.open(reader.positions())

    assert [*first["payload"], *read(again)["payload"]] == [b"0", b"1", b"2", b"3", b"4"]


def test_file_when_it_grows_meanwhile_then_the_new_ones_are_left_for_later(tmp_path: Path) -> None:
    path = a_file(tmp_path, failed(b"old"))
    reader = DeadLetterFile(path, "logs")
    reader.open([])
    with path.open("ab") as file:
        file.write(dead_letter_lines(failed(b"new"), "logs"))

    assert read(reader)["payload"].to_list() == [b"old"]


def test_file_when_lines_are_not_committed_then_they_are_left_for_later(tmp_path: Path) -> None:
    committed = len(dead_letter_lines(failed(b"old"), "logs"))
    path = a_file(tmp_path, failed(b"old"), failed(b"half written"))
    reader = DeadLetterFile(path, "logs", committed_bytes={str(path): committed}.get)
    reader.open([])

    assert read(reader)["payload"].to_list() == [b"old"]


def test_file_when_it_has_others_lines_then_only_ours_come(tmp_path: Path) -> None:
    path = a_file(tmp_path, failed(b"theirs"), source="other")
    path.write_bytes(path.read_bytes() + b"no JSON\n[1]\n" + dead_letter_lines(failed(b"ours"), "logs") + b'{"sour')
    reader = DeadLetterFile(path, "logs")
    reader.open([])

    assert read(reader)["payload"].to_list() == [b"ours"]


def test_file_when_there_is_none_then_there_is_nothing(tmp_path: Path) -> None:
    reader = DeadLetterFile(tmp_path / "none", "logs")
    reader.open([])

    assert reader.exhausted


def test_file_when_it_became_shorter_then_it_is_read_from_the_start(tmp_path: Path) -> None:
    reader = DeadLetterFile(a_file(tmp_path, failed(b"1"), failed(b"2")), "logs")
    reader.open([])
    read(reader)
    places = reader.positions()
    a_file(tmp_path, failed(b"3"))

    reader.open(places)

    assert read(reader)["payload"].to_list() == [b"3"]
