"""Loki's `tail` over a WebSocket: a hint that something is new, and where."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import orjson
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.sync.client import ClientConnection, connect

from vigie.loki import TAIL_PATH, Access, retry_after

logger = logging.getLogger(__name__)

LIMIT = 100
OPEN_SECONDS = 5.0
RECEIVE_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0
MAX_FRAME_BYTES = 64 * 1024 * 1024


class Tail:
    """Listens in a thread of its own, and says at which nanosecond something is new.

    The server leaves entries out when it is pressed, closes after an hour and refuses when too many listen. So what
    a frame holds is not used: only its oldest nanosecond is, that of an entry left out included, and `query_range`
    reads on from there. Whatever ends the connection, it is made again after a wait; `look` is called each time it
    stands, since something may have come in between.

    Parameters
    ----------
    access
        The server.
    query
        LogQL that selects lines.
    look
        Called with a nanosecond, or None: look where reading ended.
    clock
        Nanoseconds since 1970.
    """

    def __init__(
        self,
        access: Access,
        query: str,
        *,
        look: Callable[[int | None], object],
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._access = access
        self._query = query
        self._look = look
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{access.owner} tail", daemon=True)
        self.listening = False
        """Whether the connection stands."""

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def close(self) -> None:
        """Stop listening; may be called twice."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(2 * RECEIVE_SECONDS)

    def _run(self) -> None:
        wait = 1.0
        while not self._stop.is_set():
            begun = time.monotonic()
            asked = self._listen_once()
            if time.monotonic() - begun > LONGEST_WAIT_SECONDS:
                wait = 1.0  # it stood for a while: this is the hour's end, not a server that cannot
            self._stop.wait(max(wait, asked))
            wait = min(LONGEST_WAIT_SECONDS, 2 * wait)

    def _listen_once(self) -> float:
        """Listen until the connection ends, and return the seconds to wait that the server asked for."""
        try:
            with self._connect() as connection:
                self.listening = True
                self._look(None)
                self._listen(connection)
        except InvalidStatus as refusal:
            response = refusal.response
            logger.info("%s: tail is refused with %d; going on with queries", self._access.owner, response.status_code)
            return retry_after(response.headers.get("Retry-After"))
        except ConnectionClosed as end:
            logger.info("%s: tail ended (%s); connecting again", self._access.owner, end)
        except (OSError, InvalidHandshake, InvalidURI) as problem:
            logger.info("%s: no tail (%s); going on with queries", self._access.owner, type(problem).__name__)
        finally:
            self.listening = False
            self._look(None)
        return 0.0

    def _connect(self) -> ClientConnection:
        parameters = urlencode({"query": self._query, "start": self._clock(), "limit": LIMIT, "delay_for": 0})
        return connect(
            f"ws{self._access.url.rstrip('/').removeprefix('http')}{TAIL_PATH}?{parameters}",
            additional_headers=self._access.headers,
            user_agent_header=None,
            ssl=self._access.trust(),
            open_timeout=OPEN_SECONDS,
            close_timeout=RECEIVE_SECONDS,
            max_size=MAX_FRAME_BYTES,
        )

    def _listen(self, connection: ClientConnection) -> None:
        while not self._stop.is_set():
            try:
                frame = connection.recv(RECEIVE_SECONDS)
            except TimeoutError:
                continue
            self._look(oldest(frame))


def oldest(frame: str | bytes) -> int | None:
    """Return the oldest nanosecond in a frame of `tail`, of entries sent or left out; None when it names none.

    Examples
    --------
    >>> oldest('{"streams": [{"stream": {}, "values": [["17", "a"]]}], "dropped_entries": [{"timestamp": "15"}]}')
    15
    """
    try:
        return min(_nanoseconds(orjson.loads(frame)), default=None)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None  # not what Loki sends: looking costs one query


def _nanoseconds(frame: dict[str, Any]) -> Iterator[int]:
    for stream in frame.get("streams") or ():
        yield from (int(value[0]) for value in stream["values"])
    for dropped in frame.get("dropped_entries") or ():
        yield int(dropped["timestamp"])
