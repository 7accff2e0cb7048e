"""Loki's own push API, so that an agent which sends to Loki sends to Vigie with another URL."""

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from vigie.api.bodies import RawBody, content_type
from vigie.api.guard import MAX_BODY_BYTES
from vigie.api.loki_bodies import BodyError, Line, read
from vigie.errors import InboxFullError, SettingsError, UnavailableError
from vigie.loki import PUSH_PATH

if TYPE_CHECKING:
    from vigie.app import Services


def loki(services: "Services") -> APIRouter:
    """Return the routes that Promtail, Alloy, Fluent Bit and Vector call; they are Loki's, so the schema leaves them out.

    They answer as Loki does, in plain text: agents try again after 429 and 5xx, and log any other text while they drop
    what they sent.
    """
    router = APIRouter(include_in_schema=False)

    @router.post(PUSH_PATH)
    def push(request: Request, raw: RawBody) -> Response:
        """Take the entries of a push request as messages."""
        encoding = request.headers.get("content-encoding", "").strip().lower()
        try:
            lines = read(raw, kind=content_type(request), encoding=encoding, max_bytes=MAX_BODY_BYTES)
        except BodyError as error:
            return _plain(400, str(error))
        good, refused = _split(lines, services.settings.stream.max_message_bytes)
        if good:
            try:
                services.push([line.payload for line in good])
            except UnavailableError as error:
                status = 429 if isinstance(error, InboxFullError) else 503
                return _plain(status, str(error), retry_after_seconds=error.retry_after_seconds)
            except SettingsError as error:
                return _plain(409, str(error))
        return _plain(400, refused) if refused else Response(status_code=204)

    @router.get("/ready")
    def ready() -> Response:
        """Say whether entries are taken now; Vector asks before it sends."""
        problems = [f"{part}: {problem}" for part, problem in services.ready().items() if problem]
        return _plain(503, "; ".join(problems), retry_after_seconds=5) if problems else _plain(200, "ready")

    return router


def _split(lines: list[Line], max_bytes: int) -> tuple[list[Line], str]:
    """Return the lines that can be taken, and what to say about the others; Loki, too, takes the good ones of a request."""
    good = [line for line in lines if len(line.payload) <= max_bytes]
    if len(good) == len(lines):
        return good, ""
    first = next(line for line in lines if len(line.payload) > max_bytes)
    labels = ", ".join(f"{name}={value!r}" for name, value in first.labels.items())
    n = len(lines) - len(good)
    return (
        good,
        f"max entry size {max_bytes} bytes exceeded for {n} of {len(lines)} entries, first in stream {{{labels}}}",
    )


def _plain(status: int, text: str, *, retry_after_seconds: float | None = None) -> Response:
    headers = {} if retry_after_seconds is None else {"Retry-After": str(max(1, round(retry_after_seconds)))}
    return Response(f"{text}\n", status_code=status, media_type="text/plain", headers=headers)
