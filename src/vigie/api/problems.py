"""Every failure as `{"detail": reason}`: the value seen, what was expected, and the status a program can act on."""

import logging
import math
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from vigie.errors import LabelError, QuestionError, SettingsError, UnavailableError, UnknownQuestionError, VigieError

logger = logging.getLogger(__name__)

_STATUS: tuple[tuple[type[VigieError], int], ...] = (
    (LabelError, 422),
    (UnknownQuestionError, 404),
    (QuestionError, 409),
    (SettingsError, 409),
    (UnavailableError, 503),
    (VigieError, 500),
)
_SHOWN = 80
_EXPECTED = dict.fromkeys(("model_type", "model_attributes_type", "dict_type"), "expected an object") | {
    "string_pattern_mismatch": "expected some visible characters"
}


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str = Field(examples=["severity 'eror' is unknown; expected one of info, warning, error, critical"])


class RefusedError(Exception):
    """A request that cannot be served, with the status that says so.

    Parameters
    ----------
    status
        The HTTP status, 4xx.
    reason
        The value seen, what was expected, what to do.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def install_problems(app: FastAPI) -> None:
    """Make an application answer failures with `Problem`."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(VigieError, _failed)


def problem(status: int, reason: str, *, retry_after_seconds: float | None = None) -> JSONResponse:
    """Return a response that says why a request was not served."""
    headers = {} if retry_after_seconds is None else {"Retry-After": str(max(1, math.ceil(retry_after_seconds)))}
    return JSONResponse({"detail": reason}, status_code=status, headers=headers)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the failures of an operation for OpenAPI."""
    return {status: {"model": Problem, "description": _DESCRIPTIONS[status]} for status in statuses}


def explain(errors: Sequence[Any]) -> str:
    """Return the first of pydantic's errors as a sentence: what it is about, the value seen, what was expected."""
    error = errors[0]
    if error["type"] == "json_invalid":
        return f"the body is not valid JSON: {error.get('ctx', {}).get('error', 'cannot be read')}"
    place = _place([part for part in error["loc"] if part not in {"body", "query", "one", "many"}])
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "missing":
        return f"{place} is missing"
    if error["type"] == "extra_forbidden":
        return f"{place} is unknown here; remove it"
    if error["type"] == "value_error":
        return f"{place} {message}"
    expected = _EXPECTED.get(error["type"]) or message.replace("Input should be", "expected")
    return f"{place} is {_shown(error.get('input'))}; {expected[:1].lower()}{expected[1:]}"


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if isinstance(first.get("input"), bytes):  # FastAPI leaves a body of another content type unread
        return problem(415, "the body is not marked as JSON; send it with Content-Type: application/json")
    return problem(422, explain([first]))


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RefusedError)
    return problem(error.status, error.reason)


async def _failed(request: Request, error: Exception) -> JSONResponse:
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("%s %s failed: %s", request.method, request.url.path, error, extra={"action": "request_failed"})
    after = error.retry_after_seconds if isinstance(error, UnavailableError) else None
    return problem(status, str(error), retry_after_seconds=after)


def _place(parts: Sequence[str | int]) -> str:
    name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return name.removeprefix(".") or "the body"


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    # What a client sent goes back to it alone, and only the beginning: a message may be long.
    text = "null" if value is None else repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


_DESCRIPTIONS = {
    400: "The request cannot be read",
    403: "The request comes from a page of another site",
    404: "There is no such thing",
    409: "Not possible now: the question is answered, expired or another's, or the project is not set up for it",
    413: "The body, or a message in it, is too large",
    415: "The content type is not understood",
    422: "Something in the request is not what was expected",
    429: "Too many messages wait; try again after `Retry-After` seconds",
    503: "A part Vigie needs does not answer; try again after `Retry-After` seconds",
}
