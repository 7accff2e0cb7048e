"""Reading request bodies strictly: UTF-8, JSON without NaN, forms; what is wrong is said, nothing is guessed."""

from collections.abc import Callable, Coroutine, Iterable
from typing import Annotated, Any
from urllib.parse import parse_qsl

import orjson
from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from starlette.datastructures import FormData

from vigie.api.problems import RefusedError

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
MAX_FIELDS = 100
MAX_TEXT_CHARACTERS = 1_000_000

_JSON_KINDS = {
    list: "an array",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "a boolean",
    type(None): "null",
}


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("is blank; expected some text")
    return text


def _not_too_long(text: str) -> str:
    if len(text) > MAX_TEXT_CHARACTERS:
        raise ValueError(f"has {len(text)} characters; expected at most {MAX_TEXT_CHARACTERS}")
    return text


Text = Annotated[
    str,
    StringConstraints(min_length=1, pattern=r"\S"),
    AfterValidator(_not_too_long),
    Field(
        description=f"One message, at most {MAX_TEXT_CHARACTERS:,} characters.",
        examples=["ERROR: could not connect to 10.0.0.7:5432"],
    ),
]
Annotator = Annotated[
    str,
    StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$"),
    AfterValidator(_not_blank),
    Field(description="Who answers; any name, the same each time.", examples=["marie"]),
]
DEFAULT_ANNOTATOR = "api"


class Body(BaseModel):
    """A JSON object: unknown keys and values of the wrong type are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _StrictRequest(Request):
    async def json(self) -> Any:
        """Return the body; unlike the standard library's, orjson refuses NaN, bad UTF-8 and lone surrogates."""
        if not hasattr(self, "_json"):
            self._json = orjson.loads(await self.body())
        return self._json


class StrictRoute(APIRoute):
    """A route whose queries and JSON bodies are read strictly."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what handles a request."""
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            """Hand the route a request whose body is read strictly, unless its query holds what nobody asked for."""
            self._check_query(request.scope["query_string"])
            return await handle(_StrictRequest(request.scope, request.receive))

        return handle_strictly

    def _check_query(self, query: bytes) -> None:
        known = [parameter.alias for parameter in self.dependant.query_params]
        for name, _ in _pairs(query, "the query"):
            if name not in known:
                raise RefusedError(422, f"the query says {name!r:.60}; expected {' or '.join(known) or 'no query'}")


def content_type(request: Request) -> str:
    """Return the media type of a request's body, in lower case, without parameters; empty when it says none."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _raw_body(request: Request) -> bytes:
    return await request.body()


async def _fields(request: Request) -> dict[str, Any]:
    kind = content_type(request)
    if kind == JSON or kind.endswith("+json"):
        return parse_object(await request.body())
    if kind == FORM:
        return _parse_form(await request.body())
    if kind == MULTIPART:
        return _once((await _multipart(request)).multi_items())
    seen = f"{kind!r:.60}" if kind else "missing"
    raise RefusedError(415, f"the content type is {seen}; expected {JSON}, {FORM} or {MULTIPART}")


RawBody = Annotated[bytes, Depends(_raw_body)]
Fields = Annotated[dict[str, Any], Depends(_fields)]


def parse_json(raw: bytes, what: str = "the body") -> Any:
    """Return what some JSON says.

    Raises
    ------
    RefusedError
        It is not JSON, or not UTF-8.
    """
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise RefusedError(422, f"{what} is not valid JSON: {error}") from error


def parse_object(raw: bytes) -> dict[str, Any]:
    """Return the JSON object that a body is.

    Raises
    ------
    RefusedError
        It is no JSON, or no object.
    """
    value = parse_json(raw)
    if not isinstance(value, dict):
        raise RefusedError(422, f"the body is {_JSON_KINDS[type(value)]}; expected an object")
    return value


def reply(content: Any, *, status: int = 200) -> Response:
    """Return JSON as it is, without copying it through a model."""
    return Response(orjson.dumps(content), status_code=status, media_type=JSON, headers={"Cache-Control": "no-store"})


def _parse_form(raw: bytes) -> dict[str, Any]:
    return _once(_pairs(raw, "the form"))


def _pairs(raw: bytes, what: str) -> list[tuple[str, str]]:
    """Return the names and values of something URL-encoded."""
    try:
        return parse_qsl(
            raw.decode("utf-8"), keep_blank_values=True, encoding="utf-8", errors="strict", max_num_fields=MAX_FIELDS
        )
    except UnicodeDecodeError as error:
        raise RefusedError(400, f"{what} is not URL-encoded UTF-8") from error
    except ValueError as error:
        raise RefusedError(400, f"{what} cannot be read: {error}") from error


async def _multipart(request: Request) -> FormData:
    try:
        return await request.form(max_files=0, max_fields=MAX_FIELDS, max_part_size=4 * MAX_TEXT_CHARACTERS)
    except (UnicodeError, ValueError, LookupError) as error:
        raise RefusedError(400, "the form cannot be read: its parts are not as multipart/form-data says") from error


def _once(pairs: Iterable[tuple[str, object]]) -> dict[str, Any]:
    """Return a form's fields; those left empty in a browser are as good as absent."""
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in fields:
            raise RefusedError(422, f"{name!r:.60} is given twice; expected it once")
        if value != "":
            fields[name] = value
    return fields
