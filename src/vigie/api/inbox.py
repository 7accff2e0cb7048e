"""Messages pushed in over HTTP: `/api/messages`."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from vigie.api.bodies import JSON, RawBody, StrictRoute, content_type, parse_json, reply
from vigie.api.problems import RefusedError, problem, responses
from vigie.errors import InboxFullError

if TYPE_CHECKING:
    from vigie.app import Services

LINES_OF_JSON = ("application/x-ndjson", "application/jsonl", "application/x-jsonlines")
PLAIN = "text/plain"

_BLANKS = " \t\r\n"
_TEXT_OR_OBJECT = [{"type": "string", "minLength": 1, "pattern": r"\S"}, {"type": "object"}]
_LIST = {"type": "array", "minItems": 1, "items": {"oneOf": _TEXT_OR_OBJECT}}
_REQUEST_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        JSON: {
            "schema": {"oneOf": [_LIST, *_TEXT_OR_OBJECT]},
            "example": [{"message": "disk sda failed", "host": "node-7"}, "plain text is fine too"],
        },
        LINES_OF_JSON[0]: {
            "schema": {"type": "string", "minLength": 1},
            "example": '{"message": "disk sda failed"}\n{"message": "link up"}\n',
        },
        PLAIN: {"schema": {"type": "string", "minLength": 1}, "example": "disk sda failed\nlink up\n"},
    },
}


class Accepted(BaseModel):
    """How many messages wait for a worker now."""

    accepted: int = Field(description="How many messages were taken: all, or the request fails.")


def inbox(services: "Services") -> APIRouter:
    """Return the route that takes messages."""
    router = APIRouter(route_class=StrictRoute, tags=["messages"])

    @router.post(
        "/api/messages",
        status_code=202,
        response_model=Accepted,
        response_description="All messages were taken",
        responses=responses(400, 403, 409, 413, 415, 422, 429, 503),
        openapi_extra={"requestBody": _REQUEST_BODY},
    )
    def push(request: Request, raw: RawBody) -> Response:
        """Push messages into the stream: all of them or, where something is wrong, none.

        A JSON list of objects and texts, or one of them; one JSON value a line (`application/x-ndjson`); or plain text,
        one message a line. Objects are kept byte for byte. 429 says that too many messages wait.
        """
        messages = _messages(content_type(request), raw)
        _check_sizes(messages, services.settings.stream.max_message_bytes)
        _check_number(messages, services.settings.pool.max_inbox)
        try:
            return reply({"accepted": services.push(messages)}, status=202)
        except InboxFullError as error:
            return problem(429, str(error), retry_after_seconds=error.retry_after_seconds)

    return router


def _messages(kind: str, raw: bytes) -> list[bytes]:
    if kind == JSON:
        messages = list(_from_json(raw))
    elif kind in LINES_OF_JSON:
        messages = [_payload(parse_json(line, where), line, where) for where, line in _lines(raw)]
    elif kind == PLAIN:
        messages = [line for _, line in _lines(raw)]
    else:
        expected = ", ".join((JSON, LINES_OF_JSON[0], PLAIN))
        raise RefusedError(415, f"the content type is {kind or 'missing'!r:.60}; expected one of {expected}")
    if not messages:
        raise RefusedError(422, "the body holds no message; expected at least one")
    return messages


def _from_json(raw: bytes) -> Iterator[bytes]:
    """Cut a JSON list into its elements as they stand, so that no number or escape changes on the way."""
    values = parse_json(raw)
    if not isinstance(values, list):
        yield _payload(values, raw.strip(_BLANKS.encode()), "the body")
        return
    text = raw.decode("utf-8")
    decoder = json.JSONDecoder(parse_int=str, parse_float=str)
    at = _skip(text, text.index("[") + 1)
    for number, value in enumerate(values, start=1):
        end = _end_of_value(decoder, text, at, number)
        yield _payload(value, text[at:end].encode(), f"message {number}")
        at = _skip(text, end)


def _end_of_value(decoder: json.JSONDecoder, text: str, at: int, number: int) -> int:
    try:
        return decoder.raw_decode(text, at)[1]
    except RecursionError as error:
        raise RefusedError(422, f"message {number} is nested too deeply") from error


def _skip(text: str, at: int) -> int:
    while text[at] in _BLANKS or text[at] == ",":
        at += 1
    return at


def _payload(value: Any, raw: bytes, where: str) -> bytes:
    if isinstance(value, dict):
        return raw
    if not isinstance(value, str):
        raise RefusedError(422, f"{where} is {orjson.dumps(value).decode():.40}; expected an object or a text")
    if not value.strip():
        raise RefusedError(422, f"{where} is blank; expected some text")
    return value.encode()


def _lines(raw: bytes) -> Iterator[tuple[str, bytes]]:
    for number, line in enumerate(raw.split(b"\n"), start=1):
        where = f"line {number}"
        try:
            blank = not line.decode("utf-8").strip()
        except UnicodeDecodeError as error:
            raise RefusedError(400, f"{where} is not UTF-8: byte {error.start} is 0x{line[error.start]:02x}") from error
        if not blank:
            yield where, line.rstrip(b"\r")


def _check_number(messages: list[bytes], max_messages: int) -> None:
    if len(messages) > max_messages:
        raise RefusedError(
            413, f"the body holds {len(messages)} messages; expected at most {max_messages} at once (pool.max_inbox)"
        )


def _check_sizes(messages: list[bytes], max_bytes: int) -> None:
    for number, message in enumerate(messages, start=1):
        if len(message) > max_bytes:
            raise RefusedError(
                413,
                f"message {number} has {len(message)} bytes; expected at most {max_bytes} (stream.max_message_bytes)",
            )
