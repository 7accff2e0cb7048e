import contextlib
import gzip
import json
import zlib
from typing import Any

import cramjam
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_fakes import FakeServices, a_client
from vigie.api.loki_bodies import BodyError, _PushRequest, parse_labels, read
from vigie.errors import InboxFullError, SettingsError, UnavailableError

PUSH = "/loki/api/v1/push"
JSON = {"Content-Type": "application/json"}
PROTOBUF = {"Content-Type": "application/x-protobuf"}
AT = 1795000000123456789


def a_push(*lines: str, labels: dict[str, str] | None = None, **metadata: str) -> bytes:
    values = [[str(AT + n), line, *([metadata] if metadata else [])] for n, line in enumerate(lines)]
    return orjson.dumps({"streams": [{"stream": {"app": "shop"} if labels is None else labels, "values": values}]})


def a_protobuf(*lines: bytes, labels: str = '{app="shop"}', **metadata: str) -> bytes:
    request = _PushRequest()
    stream = request.streams.add(labels=labels)
    for n, line in enumerate(lines):
        entry = stream.entries.add(line=line)
        entry.timestamp.seconds, entry.timestamp.nanos = divmod(AT + n, 10**9)
        for name, value in metadata.items():
            entry.metadata.add(name=name, value=value)
    return bytes(cramjam.snappy.compress_raw(request.SerializeToString()))


def push(content: bytes, headers: dict[str, str], **services: Any) -> tuple[list[Any], Any]:
    fake = FakeServices(**services)
    response = a_client(fake).post(PUSH, content=content, headers=headers)
    return [json.loads(payload) for payload in fake.pushed], response


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (a_push("disk full", "ok", trace="1"), JSON),
        (a_push("disk full", "ok", trace="1"), {"Content-Type": "application/json; charset=utf-8"}),
        (gzip.compress(a_push("disk full", "ok", trace="1"), mtime=0), {**JSON, "Content-Encoding": "gzip"}),
        (zlib.compress(a_push("disk full", "ok", trace="1")), {**JSON, "Content-Encoding": "deflate"}),
        (a_protobuf(b"disk full", b"ok", trace="1"), PROTOBUF),
        (a_protobuf(b"disk full", b"ok", trace="1"), {**PROTOBUF, "Content-Encoding": "snappy"}),
        (a_protobuf(b"disk full", b"ok", trace="1"), {}),
    ],
)
def test_push_when_an_agent_sends_then_its_lines_are_messages_with_all_that_loki_knows(
    content: bytes, headers: dict[str, str]
) -> None:
    messages, response = push(content, headers)
    assert (response.status_code, response.content) == (204, b"")
    assert messages == [
        {
            "message": line,
            "loki": {"timestamp": str(AT + n), "labels": {"app": "shop"}, "metadata": {"trace": "1"}},
        }
        for n, line in enumerate(["disk full", "ok"])
    ]


def test_push_when_there_are_several_streams_then_each_line_has_its_own_labels() -> None:
    streams = [{"stream": {"app": name}, "values": [["1", name]]} for name in ("a", "b")]
    messages, _ = push(orjson.dumps({"streams": streams}), JSON)
    assert [message["loki"]["labels"]["app"] for message in messages] == ["a", "b"]


def test_push_when_a_line_is_no_utf8_then_the_rest_of_it_is_kept() -> None:
    messages, response = push(a_protobuf(b"caf\xe9 full"), PROTOBUF)
    assert response.status_code == 204
    assert messages[0]["message"] == "caf\N{REPLACEMENT CHARACTER} full"


def test_push_when_there_is_nothing_in_it_then_that_is_fine() -> None:
    messages, response = push(b'{"streams": []}', JSON)
    assert (messages, response.status_code) == ([], 204)


@pytest.mark.parametrize(
    ("content", "headers", "reason"),
    [
        (b"rubbish", JSON, "couldn't parse push request: unexpected character"),
        (b"", JSON, "couldn't parse push request"),
        (b"[]", JSON, "couldn't parse push request: expected"),
        (b'{"streams": 5}', JSON, "couldn't parse push request: expected"),
        (b'{"streams": [{"stream": ["a"], "values": []}]}', JSON, "couldn't parse push request: expected"),
        (b'{"streams": [{"stream": {"a": "b"}, "values": [[]]}]}', JSON, "couldn't parse push request: expected"),
        (b'{"streams": [{"stream": {"a": 1}, "values": []}]}', JSON, "couldn't parse push request: the value of a"),
        (b'{"streams": [{"stream": {"a": "b"}, "values": [[17, "x"]]}]}', JSON, "couldn't parse push request: times"),
        (b'{"streams": [{"stream": {"a": "b"}, "values": [["x", "x"]]}]}', JSON, "couldn't parse push request: times"),
        (b'{"streams": [{"stream": {"a": "b"}, "values": [["1", 5]]}]}', JSON, "couldn't parse push request: a line"),
        (a_push("x", labels={}), JSON, "error at least one label pair is required per stream"),
        (a_push("x")[:-1], {**JSON, "Content-Encoding": "gzip"}, "the body is not valid gzip"),
        (
            gzip.compress(a_push("x"), mtime=0)[:-9],
            {**JSON, "Content-Encoding": "gzip"},
            "the body is not valid gzip: it ends",
        ),
        (a_push("x"), {**JSON, "Content-Encoding": "br"}, "Content-Encoding 'br' is not supported"),
        (a_push("x"), {"Content-Type": "text/csv"}, "Content-Type 'text/csv' is not supported"),
        (b"rubbish", PROTOBUF, "snappy: corrupt input"),
        (b"", PROTOBUF, "snappy: corrupt input"),
        (bytes(cramjam.snappy.compress_raw(b"rubbish")), PROTOBUF, "couldn't parse push request: not the protocol"),
        (a_protobuf(b"x", labels="app"), PROTOBUF, "error parsing labels 'app'"),
        (a_protobuf(b"x", labels="{}"), PROTOBUF, "error at least one label pair is required per stream"),
        (a_protobuf(b"x", labels='{a="b" c="d"}'), PROTOBUF, "error parsing labels"),
    ],
)
def test_push_when_it_is_rubbish_then_400_says_why_in_plain_text_and_nothing_is_taken(
    content: bytes, headers: dict[str, str], reason: str
) -> None:
    messages, response = push(content, headers)
    assert (response.status_code, response.text[: len(reason)], messages) == (400, reason, [])
    assert response.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (gzip.compress(b" " * 40_000_000, 1, mtime=0), {**JSON, "Content-Encoding": "gzip"}),
        (bytes(cramjam.snappy.compress_raw(b" " * 40_000_000)), PROTOBUF),
    ],
)
def test_push_when_a_small_body_becomes_a_huge_one_then_it_is_refused(content, headers) -> None:
    _, response = push(content, headers)
    assert response.status_code == 400
    assert "after decompression" in response.text


def test_push_when_one_line_is_too_long_then_the_others_are_taken_and_that_is_said() -> None:
    messages, response = push(a_push("a", "x" * 2000, "b"), JSON)
    assert [message["message"] for message in messages] == ["a", "b"]
    assert response.status_code == 400
    assert response.text.startswith(
        "max entry size 1000 bytes exceeded for 1 of 3 entries, first in stream {app='shop'}"
    )


def test_push_when_the_inbox_is_full_then_429_says_when_to_come_back() -> None:
    _, response = push(a_push("a"), JSON, failure=InboxFullError("many wait", retry_after_seconds=3))
    assert (response.status_code, response.headers["retry-after"], response.text) == (429, "3", "many wait\n")


def test_push_when_the_database_is_away_then_503_says_when_to_come_back() -> None:
    _, response = push(a_push("a"), JSON, failure=UnavailableError("it is away", retry_after_seconds=3))
    assert (response.status_code, response.headers["retry-after"], response.text) == (503, "3", "it is away\n")


def test_push_when_nobody_would_read_it_then_says_what_to_set() -> None:
    _, response = push(a_push("a"), JSON, failure=SettingsError("add [sources.http] to vigie.toml"))
    assert (response.status_code, response.text) == (409, "add [sources.http] to vigie.toml\n")


def test_ready_when_everything_answers_then_says_ready_as_loki_does() -> None:
    response = a_client().get("/ready")
    assert (response.status_code, response.text) == (200, "ready\n")


def test_ready_when_a_part_fails_then_503_names_it() -> None:
    response = a_client(FakeServices(parts={"database": "is gone"})).get("/ready")
    assert (response.status_code, response.text) == (503, "database: is gone\n")


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("{}", {}),
        ('{a="b"}', {"a": "b"}),
        ('{a="b", c="d",}', {"a": "b", "c": "d"}),
        ('{ a = "b" , c="" }', {"a": "b", "c": ""}),
        (r'{a="say \"x\", {y}\n\t\\ \u00e9 \x41"}', {"a": 'say "x", {y}\n\t\\ é A'}),
        ("{a=`C:\\x`}", {"a": "C:\\x"}),
    ],
)
def test_parse_labels_when_written_by_an_agent_then_values_are_unquoted(text: str, labels: dict[str, str]) -> None:
    assert parse_labels(text) == labels


@pytest.mark.parametrize("text", ["", "a", '{a="b}', "{a=b}", '{1="b"}', r'{a="\ud800"}', '{a="b"} '[:-2] + "x}"])
def test_parse_labels_when_it_is_no_list_of_labels_then_refuses(text: str) -> None:
    with pytest.raises(BodyError, match="error parsing label"):
        parse_labels(text)


@given(st.dictionaries(st.from_regex(r"[a-zA-Z_]\w{0,5}", fullmatch=True).filter(str.isascii), st.text(), min_size=1))
def test_parse_labels_when_values_are_any_text_then_they_come_back(labels: dict[str, str]) -> None:
    written = ", ".join(f"{name}={json.dumps(value)}" for name, value in labels.items() if value.isascii())
    assert parse_labels(f"{{{written}}}") == {name: value for name, value in labels.items() if value.isascii()}


@given(st.binary(max_size=300), st.sampled_from(["application/json", "application/x-protobuf"]), st.booleans())
def test_read_when_given_anything_then_it_reads_or_refuses(body: bytes, kind: str, whole: bool) -> None:
    if whole and kind != "application/json":
        body = bytes(cramjam.snappy.compress_raw(body))
    with contextlib.suppress(BodyError):
        assert isinstance(read(body, kind=kind, encoding="", max_bytes=1000), list)
