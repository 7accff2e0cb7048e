"""Keeps other web sites away from a server that trusts everyone on this machine.

A page on the internet can make the browser of someone who runs Vigie send requests to 127.0.0.1. Three things stop it:

- a request for a host name that is not this server's is refused (DNS rebinding);
- a request that changes something, or a websocket, is refused when it comes from a page of another origin;
- a body beyond the limit is refused before it fills the memory.
"""

from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
MAX_BODY_BYTES = 32 * 1024 * 1024
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_ANSWER_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
}


class Guard:
    """ASGI middleware that refuses what no page or program of ours sends.

    Parameters
    ----------
    app
        What it protects.
    allowed_hosts
        Returns the host names this server may be called by, besides those of the loopback interface.
    max_body_bytes
        Longer request bodies are refused.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        allowed_hosts: Callable[[], Iterable[str]] = tuple,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        self._app = app
        self._allowed_hosts = allowed_hosts
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or websocket."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if refusal := self._host_refusal(headers) or self._origin_refusal(scope, headers):
            await _refuse(scope, receive, send, *refusal)
            return
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        if refusal := self._size_refusal(headers):
            await _refuse(scope, receive, send, *refusal)
            return
        await self._app(scope, self._limited(receive), _with_headers(send))

    def _host_refusal(self, headers: Headers) -> tuple[int, str] | None:
        given = headers.getlist("host")
        further = {name.lower() for name in self._allowed_hosts()}
        if len(given) == 1 and _host_of(f"//{given[0]}") in LOOPBACK | further:
            return None
        seen = ", ".join(repr(value) for value in given) or "missing"
        known = ", ".join(sorted(LOOPBACK | further))
        return 400, f"the Host header is {seen}; expected one of {known}; add a name under web.allowed_hosts"

    def _origin_refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        if scope["type"] == "http" and scope["method"] in SAFE_METHODS:
            return None
        origin = headers.get("origin")
        if origin is None:
            cross = headers.get("sec-fetch-site") in {"cross-site", "same-site"}
            return (
                (403, "the request comes from a page of another site; expected one of this server") if cross else None
            )
        host = headers["host"].lower()
        if _netloc_of(origin) == host or _host_of(origin) in {name.lower() for name in self._allowed_hosts()}:
            return None
        return 403, f"the request comes from a page of {origin!r:.100}; expected one of this server ({host})"

    def _size_refusal(self, headers: Headers) -> tuple[int, str] | None:
        length = headers.get("content-length", "0")
        if not length.isdecimal():
            return 400, f"the Content-Length header is {length!r:.40}; expected a number of bytes"
        return (413, self._too_large()) if int(length[:20]) > self._max_body_bytes else None

    def _too_large(self) -> str:
        return f"the request body is too large; expected at most {self._max_body_bytes} bytes; send it in parts"

    def _limited(self, receive: Receive) -> Receive:
        """Count the body as it comes: a chunked one says nothing about its length."""
        seen = 0

        async def receive_limited() -> Message:
            """Receive a part of the body, and refuse the request (413) once all parts together are too long."""
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._max_body_bytes:
                raise HTTPException(413, self._too_large(), headers={"Connection": "close"})
            return message

        return receive_limited


def _host_of(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def _netloc_of(url: str) -> str:
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, reason: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": "refused"})
        return
    # The rest of the body is not read, so the connection cannot be used again.
    response = JSONResponse({"detail": reason}, status_code=status, headers={"Connection": "close"})
    await response(scope, receive, send)


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        """Send on, with the headers for browsers added to the start of an answer that lacks them."""
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _ANSWER_HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return send_with_headers
