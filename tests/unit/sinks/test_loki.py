import gzip
import json
import logging
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

from builders import a_batch
from loki_server import SECOND, LokiServer
from source_fakes import FileCheckpoints
from vigie.errors import SettingsError, UnavailableError
from vigie.loki import as_payload
from vigie.messages import Position
from vigie.parameters import call
from vigie.sinks.loki import LokiSink
from vigie.sinks.loki_entries import Entry, Form, body, entries, requests

AT = time.time_ns() - 5 * SECOND
POSITIONS = [Position("{}", 0, 7)]


@pytest.fixture
def make(loki_server: LokiServer, tmp_path: Path) -> Iterator:
    made: list[LokiSink] = []

    def sink(**settings: Any) -> LokiSink:
        checkpoints = FileCheckpoints(tmp_path / "checkpoints.json")
        given = {
            "name": "out",
            "owner": "sinks.out",
            "url": loki_server.url,
            "checkpoints": checkpoints,
            "folder": tmp_path,
        }
        made.append(call(LokiSink, {**given, **settings}))
        made[-1].open("in")
        return made[-1]

    yield sink
    for sink_ in made:
        sink_.close()


def labelled(*payloads: bytes, at: int = AT, **columns: Any) -> pl.DataFrame:
    frame = a_batch(*payloads).with_columns(
        pl.Series("timestamp", range(at, at + len(payloads))).cast(pl.Datetime("ns", "UTC")),
        pl.Series("output", [b'{"enriched": %d}' % n for n in range(len(payloads))], dtype=pl.Binary),
    )
    return frame.with_columns(pl.lit(value).alias(name) for name, value in columns.items())


def letters() -> pl.DataFrame:
    return a_batch().with_columns(stage=pl.lit(None, pl.String), error=pl.lit(None, pl.String))


def dead(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "dead_letters.jsonl").read_bytes().splitlines()]


def commit(sink: LokiSink, frame: pl.DataFrame) -> None:
    sink.write(frame, letters())
    sink.commit(POSITIONS, None)


def test_commit_when_lines_came_from_loki_then_they_go_back_with_their_labels_in_metadata(loki_server, make) -> None:
    payload = as_payload("disk full", AT - 3, {"app": "shop"}, {"trace": "1"})
    columns = {"label:severity": "error", "confidence:severity": 0.98765, "route": "auto", "model": "3"}
    commit(make(), labelled(payload, **columns))
    assert loki_server.entries() == [
        (
            AT - 3,
            {"app": "shop", "labelled_by": "vigie"},
            "disk full",
            {
                "trace": "1",
                "severity": "error",
                "severity_confidence": "0.9877",
                "vigie_route": "auto",
                "vigie_model": "3",
            },
        )
    ]


def test_commit_when_lines_came_from_elsewhere_then_the_payload_is_the_line(loki_server, make) -> None:
    commit(make(labels={"job": "vigie"}), labelled(b"plain", b'{"message": "json"}', b"caf\xe9"))
    assert loki_server.entries() == [
        (AT, {"job": "vigie"}, "plain", {}),
        (AT + 1, {"job": "vigie"}, '{"message": "json"}', {}),
        (AT + 2, {"job": "vigie"}, "caf\N{REPLACEMENT CHARACTER}", {}),
    ]


def test_commit_when_asked_for_enriched_lines_then_the_output_is_the_line(loki_server, make) -> None:
    commit(make(line="enriched"), labelled(b"plain"))
    assert loki_server.lines() == ['{"enriched": 0}']


def test_commit_when_it_comes_again_after_a_crash_then_loki_holds_each_line_once(loki_server, make) -> None:
    first = make()
    commit(first, labelled(b"a", b"b"))
    first.close()
    second = make()
    commit(second, labelled(b"a", b"b", b"c"))
    assert loki_server.lines() == ["a", "b", "c"]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_commit_when_loki_is_busy_then_it_waits_as_told_and_nothing_is_lost(
    loki_server, make, tmp_path: Path, status: int
) -> None:
    sink = make()
    loki_server.failures = [(status, {"Retry-After": "4"})]
    sink.write(labelled(b"a"), letters())
    with pytest.raises(UnavailableError, match=f"answers {status}") as caught:
        sink.commit(POSITIONS, None)
    assert caught.value.retry_after_seconds == 4
    sink.abort()
    assert sink.open("in") == []
    commit(sink, labelled(b"a"))
    assert (loki_server.lines(), dead(tmp_path)) == (["a"], [])
    assert sink.open("in") == POSITIONS


def test_commit_when_a_line_is_too_long_then_it_is_a_dead_letter(loki_server, make, tmp_path: Path) -> None:
    commit(make(max_line_bytes=10), labelled(b"short", b"x" * 11))
    assert loki_server.lines() == ["short"]
    [letter] = dead(tmp_path)
    assert letter["error"] == "the line has 11 bytes; Loki takes at most 10 (max_line_bytes)"
    assert (letter["stage"], letter["source"], letter["offset"], letter["payload"]) == ("write", "in", 1, "x" * 11)


def test_commit_when_a_line_is_too_old_then_it_is_a_dead_letter(loki_server, make, tmp_path: Path) -> None:
    commit(make(), labelled(b"old", at=AT - 8 * 24 * 3600 * SECOND))
    assert loki_server.lines() == []
    assert dead(tmp_path)[0]["error"].endswith("Loki takes it up to 604800 s (max_age_seconds)")


def test_commit_when_loki_refuses_some_lines_then_only_those_are_dead_letters(
    loki_server, make, tmp_path: Path
) -> None:
    loki_server.max_line_bytes = 10
    loki_server.max_age_seconds = 4 * 3600  # AT is the time of import, perhaps long ago in a full run
    payloads = [b"x" * 11 if n in {3, 17} else b"line %d" % n for n in range(40)]
    old = as_payload("old", AT - 8 * 3600 * SECOND, {"app": "shop"})
    commit(make(max_age_seconds=0), labelled(*payloads, old))
    assert sorted(loki_server.lines()) == sorted(payload.decode() for payload in payloads if len(payload) < 11)
    found = dead(tmp_path)
    assert [letter["offset"] for letter in found] == [3, 17, 40]
    assert found[0]["error"].startswith("Loki answers 400: Max entry size '10' bytes exceeded")
    assert "timestamp too old" in found[2]["error"]


def test_commit_when_there_is_much_then_it_goes_in_several_requests(loki_server, make) -> None:
    commit(make(max_request_bytes=1000), labelled(*[b"x" * 200 + b"%d" % n for n in range(20)]))
    assert len(loki_server.lines()) == 20
    assert len(loki_server.requests) >= 5


def test_commit_when_loki_takes_no_metadata_then_it_stops_and_says_what_to_set(loki_server, make, monkeypatch) -> None:
    monkeypatch.setattr(loki_server, "_problem", lambda *_: "stream includes structured metadata, but it is disallowed")
    sink = make()
    sink.write(labelled(b"a"), letters())
    with pytest.raises(SettingsError, match="set allow_structured_metadata: true"):
        sink.commit(POSITIONS, None)


def test_commit_when_credentials_are_wrong_then_it_stops(loki_server, make) -> None:
    loki_server.headers = {"X-Scope-OrgID": "shop"}
    sink = make(tenant="other")
    sink.write(labelled(b"a"), letters())
    with pytest.raises(SettingsError, match="answers 401"):
        sink.commit(POSITIONS, None)


def test_commit_when_something_fails_then_no_text_of_a_message_is_logged(loki_server, make, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    loki_server.max_line_bytes = 5
    commit(make(), labelled(b"secret text"))
    assert "secret" not in caplog.text


def test_settings_when_there_are_no_labels_then_says_that_loki_needs_one(make) -> None:
    with pytest.raises(SettingsError, match=r"sinks\.out\.labels is empty"):
        make(labels={})


@pytest.mark.parametrize(
    "payload",
    [
        b'{"message": "a", "loki": 5}',
        b'{"message": "a", "loki": {"labels": {"a": 1}, "timestamp": "1"}}',
        b'{"message": "a", "loki": {"labels": [], "timestamp": "1"}}',
        b'{"message": "a", "loki": {"labels": {}, "timestamp": "soon"}}',
        b'{"message": 5, "loki": {"labels": {}, "timestamp": "1"}}',
        b"[1]",
        b"5",
    ],
)
def test_entries_when_a_field_is_called_loki_by_chance_then_the_message_is_from_elsewhere(payload: bytes) -> None:
    [entry] = entries(labelled(payload), Form(labels={"a": "b"}))
    assert entry == Entry(0, (("a", "b"),), AT, payload.decode(), {})


def test_entries_when_told_not_to_keep_labels_then_only_ours_are_there() -> None:
    frame = labelled(as_payload("a", 5, {"app": "shop"}))
    [entry] = entries(frame, Form(labels={"a": "b"}, keep_labels=False))
    assert (entry.stream, entry.nanosecond) == ((("a", "b"),), 5)


def test_entries_when_a_dimension_has_a_name_that_loki_refuses_then_it_is_made_one() -> None:
    [entry] = entries(labelled(b"a", **{"label:event type": "x"}), Form(labels={"a": "b"}))
    assert entry.metadata == {"event_type": "x"}


def test_requests_when_one_entry_is_larger_than_a_request_then_it_goes_alone() -> None:
    made = [Entry(n, (("a", "b"),), n, "x" * size, {}) for n, size in enumerate([10, 5000, 10, 10])]
    assert [[entry.row for entry in part] for part in requests(made, max_bytes=1000)] == [[0], [1], [2, 3]]


def test_body_when_streams_are_mixed_then_each_stands_once_with_its_lines_in_order() -> None:
    made = [Entry(n, (("a", name),), n, str(n), {"m": "1"} if n else {}) for n, name in enumerate("xyx")]
    assert json.loads(gzip.decompress(body(made))) == {
        "streams": [
            {"stream": {"a": "x"}, "values": [["0", "0"], ["2", "2", {"m": "1"}]]},
            {"stream": {"a": "y"}, "values": [["1", "1", {"m": "1"}]]},
        ]
    }


def test_payload_when_it_goes_out_and_back_then_nothing_is_lost() -> None:
    payload = as_payload("é\n\x00", 2**63 - 1, {"a": "b"}, {"c": "d"}, {"e": "f"})
    [entry] = entries(labelled(payload), Form(labels={"z": "1"}))
    assert (entry.nanosecond, entry.line, entry.metadata) == (2**63 - 1, "é\n\x00", {"c": "d"})
    assert orjson.loads(payload)["loki"]["parsed"] == {"e": "f"}


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"max_line_bytes": 0}, r"sinks\.out\.max_line_bytes is 0; expected at least 1"),
        ({"max_line_bytes": -1}, r"max_line_bytes is -1; expected at least 1"),
        ({"max_request_bytes": 0}, r"max_request_bytes is 0; expected at least 1"),
        ({"max_age_seconds": -1}, r"max_age_seconds is -1; expected a number not below 0"),
        ({"max_age_seconds": math.nan}, r"max_age_seconds is nan; expected a number not below 0"),
    ],
)
def test_settings_when_a_limit_would_refuse_every_line_then_the_sink_is_refused(make, settings, reason) -> None:
    with pytest.raises(SettingsError, match=reason):
        make(**settings)
