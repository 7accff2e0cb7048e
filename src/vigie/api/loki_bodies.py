"""Bodies of Loki's push API: JSON or snappy-compressed protocol buffers, as messages for the inbox."""

import ast
import re
import zlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import cramjam
import orjson
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from vigie.loki import as_payload

JSON = "application/json"
PROTOBUF = "application/x-protobuf"

_LABEL = re.compile(r'\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*("(?:[^"\\\n]|\\.)*"|`[^`]*`)\s*(,|$)')
_FIELDS: Mapping[str, list[tuple[int, str, str]]] = {
    # Loki's pkg/push/push.proto; fields that are not named here are skipped by the decoder.
    "PushRequest": [(1, "streams", "*Stream")],
    "Stream": [(1, "labels", "string"), (2, "entries", "*Entry")],
    "Entry": [(1, "timestamp", "Timestamp"), (2, "line", "bytes"), (3, "metadata", "*Pair")],
    "Timestamp": [(1, "seconds", "int64"), (2, "nanos", "int32")],
    "Pair": [(1, "name", "string"), (2, "value", "string")],
}
_NANOSECONDS = 10**9
_NUMBER = re.compile(r"-?[0-9]{1,18}|[1-9][0-9]{18}")


class BodyError(ValueError):
    """A body that is not what Loki's push API takes."""


class Line(NamedTuple):
    """One entry: where it belongs, and the message it becomes."""

    labels: Mapping[str, str]
    payload: bytes


def read(body: bytes, *, kind: str, encoding: str, max_bytes: int) -> list[Line]:
    """Return the entries of a push request.

    Parameters
    ----------
    body
        As it came.
    kind
        Its media type; without one, protocol buffers are meant.
    encoding
        Its ``Content-Encoding``.
    max_bytes
        What it may have after decompression.

    Raises
    ------
    BodyError
        It cannot be read, says something impossible, or is too large.
    """
    if kind == JSON:
        return list(_from_json(_decompressed(body, encoding, max_bytes)))
    if kind in {"", PROTOBUF}:
        return list(_from_protobuf(_unsnapped(body, max_bytes)))
    raise BodyError(f"Content-Type {kind!r:.60} is not supported; expected {JSON} or {PROTOBUF}")


def parse_labels(text: str) -> dict[str, str]:
    """Return stream labels from what Loki writes them as.

    Raises
    ------
    BodyError
        It is no list of labels.

    Examples
    --------
    >>> parse_labels('{app="shop", env="prod"}')
    {'app': 'shop', 'env': 'prod'}
    """
    return dict(_labels(text))


@lru_cache(maxsize=4096)
def _labels(text: str) -> tuple[tuple[str, str], ...]:
    inside = text.strip()
    if not (inside.startswith("{") and inside.endswith("}")):
        raise BodyError(f'error parsing labels {text!r:.100}; expected {{name="value", …}}')
    inside, at, found = inside[1:-1].strip(), 0, []
    while at < len(inside):
        label = _LABEL.match(inside, at)
        if label is None:
            raise BodyError(f"error parsing labels {text!r:.100} at character {at + 2}")
        found.append((label[1], _unquoted(label[2])))
        at = label.end()
    return tuple(found)


def _unquoted(text: str) -> str:
    if text.startswith("`"):
        return text[1:-1]
    try:
        value = str(ast.literal_eval(text))  # Go's escapes are a part of Python's; a literal runs nothing
        value.encode()
    except (ValueError, SyntaxError) as error:
        raise BodyError(f"error parsing label value {text:.100}") from error
    return value


def _decompressed(body: bytes, encoding: str, max_bytes: int) -> bytes:
    if encoding in {"", "identity"}:
        return body
    if encoding not in {"gzip", "deflate"}:
        raise BodyError(f"Content-Encoding {encoding!r:.60} is not supported; expected gzip")
    reader = zlib.decompressobj(wbits=47)  # gzip or zlib, as the first bytes say
    try:
        whole = reader.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise BodyError(f"the body is not valid {encoding}: {error}") from error
    if len(whole) > max_bytes:
        raise BodyError(f"the body has more than {max_bytes} bytes after decompression")
    if not reader.eof:
        raise BodyError(f"the body is not valid {encoding}: it ends too early")
    return whole


def _unsnapped(body: bytes, max_bytes: int) -> bytes:
    try:
        size = cramjam.snappy.decompress_raw_len(body)
        if size > max_bytes:
            raise BodyError(f"the body has {size} bytes after decompression; expected at most {max_bytes}")
        return bytes(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError as error:
        raise BodyError(f"snappy: corrupt input: {error}") from error


def _from_json(body: bytes) -> Iterator[Line]:
    try:
        streams = orjson.loads(body)["streams"]
        for stream in streams:
            labels = _checked(stream["stream"])
            for time, line, *rest in stream["values"]:
                yield _line(labels, _nanosecond(time), _text(line), _checked(rest[0]) if rest else {})
    except orjson.JSONDecodeError as error:
        raise BodyError(f"couldn't parse push request: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, BodyError):
            raise
        raise BodyError(
            "couldn't parse push request: expected "
            '{"streams": [{"stream": {"name": "value"}, "values": [["<nanoseconds>", "<line>"]]}]}'
        ) from error


def _checked(labels: Any) -> dict[str, str]:
    if not all(isinstance(value, str) for value in labels.values()):
        raise BodyError("couldn't parse push request: the value of a label is no string")
    return dict(labels)


def _text(line: Any) -> str:
    if not isinstance(line, str):
        raise BodyError(f"couldn't parse push request: a line is of type {type(line).__name__}; expected a string")
    return line


def _nanosecond(time: Any) -> int:
    if not isinstance(time, str) or not _NUMBER.fullmatch(time):
        raise BodyError(f"couldn't parse push request: timestamp {str(time)!r:.40}; expected nanoseconds as a string")
    return int(time)


def _from_protobuf(body: bytes) -> Iterator[Line]:
    request = _PushRequest()
    try:
        request.ParseFromString(body)
    except DecodeError as error:
        raise BodyError("couldn't parse push request: not the protocol buffer of a push request") from error
    for stream in request.streams:
        labels = parse_labels(stream.labels)
        for entry in stream.entries:
            nanosecond = entry.timestamp.seconds * _NANOSECONDS + entry.timestamp.nanos
            metadata = {pair.name: pair.value for pair in entry.metadata}
            # Agents send whatever stands in a file; what is no UTF-8 must not cost the rest of the request.
            yield _line(labels, nanosecond, entry.line.decode("utf-8", "replace"), metadata)


def _line(labels: Mapping[str, str], nanosecond: int, line: str, metadata: Mapping[str, str]) -> Line:
    if not labels:
        raise BodyError("error at least one label pair is required per stream")
    return Line(labels, as_payload(line, nanosecond, labels, metadata))


def _build() -> Any:
    """Return the class of a push request; four messages are not worth a compiler in the build."""
    file = descriptor_pb2.FileDescriptorProto(name="vigie/loki_push.proto", package="vigie.loki", syntax="proto3")
    kinds = descriptor_pb2.FieldDescriptorProto
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for number, field, kind in fields:
            many, bare = kind.startswith("*"), kind.lstrip("*")
            scalar = bare not in _FIELDS
            message.field.add(
                name=field,
                number=number,
                label=kinds.LABEL_REPEATED if many else kinds.LABEL_OPTIONAL,
                type=getattr(kinds, f"TYPE_{bare.upper()}") if scalar else kinds.TYPE_MESSAGE,
                type_name=None if scalar else f".vigie.loki.{bare}",
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("vigie.loki.PushRequest"))


_PushRequest = _build()
