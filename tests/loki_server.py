"""A server that keeps to what Loki's documentation says of push, query_range and tail; a fake at the network's end."""

import asyncio
import bisect
import gzip
import itertools
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

APP = {"app": "shop"}
QUERY = '{app="shop"}'
SECOND = 10**9
_MATCHER = re.compile(r'(\w+)="([^"]*)"')

Stored = tuple[int, int, dict[str, str], str, dict[str, str]]
"""Nanosecond, number, stream labels, line, structured metadata."""


class LokiServer:
    """Holds entries in the order of their nanoseconds; tests set limits, failures and what the tail leaves out."""

    def __init__(self) -> None:
        self.max_entries = 5000
        self.max_line_bytes = 256 * 1024
        self.max_age_seconds = 7 * 24 * 3600
        self.headers: dict[str, str] = {}  # what each request must carry
        self.failures: list[tuple[int, dict[str, str]]] = []  # the answers to the next requests
        self.tail_drops = False
        self.tail_refused = 0
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.frames = 0
        self._entries: list[Stored] = []
        self._known: set[tuple[Any, ...]] = set()
        self._tails: list[tuple[WebSocket, str]] = []
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.url = ""

    def put(self, *lines: tuple[int, str], labels: Mapping[str, str] = APP, metadata: Mapping[str, str] = {}) -> None:
        """Store lines of one stream as (nanosecond, line); exact duplicates are dropped."""
        fresh = []
        with self._lock:
            for nanosecond, line in lines:
                identity = (tuple(sorted(labels.items())), nanosecond, line)
                if identity not in self._known:
                    self._known.add(identity)
                    stored = (nanosecond, len(self._known), dict(labels), line, dict(metadata))
                    bisect.insort(self._entries, stored, key=lambda entry: entry[:2])
                    fresh.append(stored)
        if self._loop and fresh and self._tails:
            asyncio.run_coroutine_threadsafe(self._send_tails(fresh), self._loop).result(60)

    def lines(self, query: str = "{}") -> list[str]:
        """Return the lines of all streams that a selector names, oldest first."""
        return [entry[3] for entry in self._entries if _selected(query, entry[2])]

    def entries(self, query: str = "{}") -> list[tuple[int, dict[str, str], str, dict[str, str]]]:
        """Return nanosecond, labels, line and structured metadata."""
        return [(at, labels, line, data) for at, _, labels, line, data in self._entries if _selected(query, labels)]

    def close_tails(self, code: int = 1011, reason: str = "reached tail max duration limit") -> int:
        """Close every tail as the server does after an hour, and return how many there were."""
        n = len(self._tails)
        assert self._loop
        for socket, _ in list(self._tails):
            with suppress(WebSocketDisconnect, RuntimeError):  # it went by itself meanwhile
                asyncio.run_coroutine_threadsafe(socket.close(code, reason), self._loop).result(60)
        return n

    @property
    def n_tails(self) -> int:
        return len(self._tails)

    @contextmanager
    def running(self, **tls: str) -> Iterator["LokiServer"]:
        """Serve on a free port; `tls` are uvicorn's names for certificate and key."""
        routes = [
            Route("/loki/api/v1/query_range", self._query_range),
            Route("/loki/api/v1/push", self._push, methods=["POST"]),
            WebSocketRoute("/loki/api/v1/tail", self._tail),
        ]
        config = uvicorn.Config(
            Starlette(routes=routes), port=0, log_level="error", ws="wsproto", timeout_graceful_shutdown=1, **tls
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=self._serve, args=(server,), daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.should_exit = True
            thread.join(10)

    def _serve(self, server: uvicorn.Server) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(server.serve())
        self._loop.close()

    def _refusal(self, request: Request) -> Response | None:
        self.requests.append((request.url.path, dict(request.query_params)))
        if self.failures:
            status, headers = self.failures.pop(0)
            return PlainTextResponse("too many outstanding requests", status, headers)
        if any(request.headers.get(name) != value for name, value in self.headers.items()):
            return PlainTextResponse("no org id", 401)
        return None

    async def _query_range(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        given = request.query_params
        limit = int(given.get("limit", 100))
        if limit > self.max_entries:
            text = f"max entries limit per query exceeded, limit > max_entries_limit_per_query ({limit} > {self.max_entries})"
            return PlainTextResponse(text, 400)
        if not given["query"].endswith("}"):
            return PlainTextResponse("parse error at line 1, col 5: syntax error", 400)
        chosen = self._chosen(given, limit)
        flagged = "categorize-labels" in request.headers.get("X-Loki-Response-Encoding-Flags", "")
        data = {"resultType": "streams", "result": _streams(chosen, flagged=flagged)}
        return Response(orjson.dumps({"status": "success", "data": data}), media_type="application/json")

    def _chosen(self, given: Mapping[str, str], limit: int) -> list[Stored]:
        with self._lock:
            low = bisect.bisect_left(self._entries, (int(given["start"]),), key=lambda entry: entry[:1])
            high = bisect.bisect_left(self._entries, (int(given["end"]),), key=lambda entry: entry[:1])
            order = range(low, high) if given.get("direction") == "forward" else range(high - 1, low - 1, -1)
            wanted = _matchers(given["query"])
            found = (self._entries[n] for n in order if _agrees(wanted, self._entries[n][2]))
            return list(itertools.islice(found, limit))

    async def _push(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        body = await request.body()
        if request.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        refused = ""
        for stream in orjson.loads(body)["streams"]:
            if not stream["stream"]:
                return PlainTextResponse("error at least one label pair is required per stream", 400)
            for time_, line, *rest in stream["values"]:
                if not isinstance(time_, str):
                    return PlainTextResponse("Value looks like Number/Boolean/None, but can't find its end", 400)
                problem = self._problem(int(time_), line)
                refused = refused or problem
                if not problem:
                    metadata = rest[0] if rest else {}
                    await asyncio.to_thread(self.put, (int(time_), line), labels=stream["stream"], metadata=metadata)
        return PlainTextResponse(refused, 400) if refused else Response(status_code=204)

    def _problem(self, nanosecond: int, line: str) -> str:
        if len(line.encode()) > self.max_line_bytes:
            return (
                f"Max entry size '{self.max_line_bytes}' bytes exceeded for stream with an entry of {len(line)} bytes"
            )
        if nanosecond < time.time_ns() - self.max_age_seconds * SECOND:
            return f"entry for stream has timestamp too old: {nanosecond}"
        return ""

    async def _tail(self, socket: WebSocket) -> None:
        if self.tail_refused:
            await socket.send_denial_response(JSONResponse({}, self.tail_refused))
            return
        await socket.accept()
        entry = (socket, socket.query_params["query"])
        self._tails.append(entry)
        try:
            while True:
                await socket.receive_text()
        except WebSocketDisconnect:
            pass
        finally:
            self._tails.remove(entry)

    async def _send_tails(self, fresh: Sequence[Stored]) -> None:
        for socket, query in list(self._tails):
            chosen = [entry for entry in fresh if _selected(query, entry[2])]
            dropped = [{"labels": entry[2], "timestamp": str(entry[0])} for entry in chosen if self.tail_drops]
            sent = [] if self.tail_drops else chosen[:100]
            self.frames += 1
            try:
                await socket.send_text(
                    orjson.dumps({"streams": _streams(sent, flagged=False), "dropped_entries": dropped}).decode()
                )
            except (WebSocketDisconnect, RuntimeError):
                continue


def _matchers(query: str) -> list[tuple[str, str]]:
    return _MATCHER.findall(query)


def _agrees(matchers: Sequence[tuple[str, str]], labels: Mapping[str, str]) -> bool:
    return all(labels.get(name, "") == value for name, value in matchers)


def _selected(query: str, labels: Mapping[str, str]) -> bool:
    return _agrees(_matchers(query), labels)


def _streams(entries: Sequence[Stored], *, flagged: bool) -> list[dict[str, Any]]:
    streams: dict[tuple[Any, ...], dict[str, Any]] = {}
    for nanosecond, _, labels, line, metadata in entries:
        shown = labels if flagged else {**labels, **metadata}
        stream = streams.setdefault(tuple(sorted(shown.items())), {"stream": shown, "values": []})
        extra = [{"structuredMetadata": metadata} if metadata else {}] if flagged else []
        stream["values"].append([str(nanosecond), line, *extra])
    return list(streams.values())[::-1]
