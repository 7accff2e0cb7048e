"""Pages of Loki's `query_range`, in the order of their nanoseconds."""

import re
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple, Self

import httpx
import orjson

from vigie.errors import SettingsError, UnavailableError
from vigie.loki import LABELLED_BY, QUERY_PATH, Access, as_payload, shortened

DIGEST_BYTES = 16
_FLAGS = {"X-Loki-Response-Encoding-Flags": "categorize-labels"}
_CAP = re.compile(r"max entries limit per query exceeded.*\(\d+ > (\d+)\)")


class Entry(NamedTuple):
    """One line of Loki: when it was made, what tells it from all others, and the message it becomes."""

    nanosecond: int
    digest: bytes
    payload: bytes


class Page(NamedTuple):
    """Entries in the order of their nanoseconds; `full` says that there may be more from the last nanosecond on."""

    entries: list[Entry]
    full: bool
    last: int | None
    """The last nanosecond on the page, that of an entry left out included; None when the page is blank."""


class Pages:
    """Asks one Loki server one query, page by page.

    Parameters
    ----------
    access
        The server.
    query
        LogQL that selects lines.
    page_entries
        How many entries to ask for at once. A server that allows fewer says so in its refusal, and is asked for that
        many from then on.
    """

    def __init__(self, access: Access, query: str, *, page_entries: int) -> None:
        self._access = access
        self._query = query
        self._limit = page_entries
        self._client: httpx.Client | None = None

    def read(self, start: int, end: int) -> Page:
        """Return the first entries from nanosecond `start` up to `end`, which is left out.

        A page that one single nanosecond fills says nothing about what follows, so it is asked for again with the
        limit doubled, up to what the server allows. Reading goes on at the last nanosecond, that one included.

        Raises
        ------
        UnavailableError
            The server does not answer now.
        SettingsError
            The server refuses the query, or one nanosecond holds more than it hands out.
        """
        limit, least = self._limit, 0  # of which one nanosecond is known to hold more
        while True:
            answer = self._ask(start, end, limit)
            if isinstance(answer, int):
                if answer <= least:
                    raise self._crowded(start, answer)
                limit, self._limit = answer, min(answer, self._limit)
                continue
            page = _page(answer, limit)
            if not page.full or page.last != start:
                return page
            least, limit = limit, 2 * limit

    def close(self) -> None:
        """Let go of the connection; may be called twice."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def anew(self) -> Self:
        """Return the same without a connection."""
        return type(self)(self._access, self._query, page_entries=self._limit)

    def _ask(self, start: int, end: int, limit: int) -> list[dict[str, Any]] | int:
        """Return the streams of one answer, or how many entries the server allows where that is fewer than `limit`."""
        if self._client is None:
            self._client = self._access.client()
        params = {"query": self._query, "start": start, "end": end, "limit": limit, "direction": "forward"}
        response = self._access.send(self._client, "GET", QUERY_PATH, params=params, headers=_FLAGS)
        if response.is_success:
            return self._streams(response.content)
        cap = _CAP.search(response.text)
        if cap and 0 < int(cap[1]) < limit:
            return int(cap[1])
        raise SettingsError(
            f"{self._access.owner}: Loki refuses the query {self._query!r:.200}: {shortened(response.text)}"
        )

    def _streams(self, body: bytes) -> list[dict[str, Any]]:
        try:
            data = orjson.loads(body)["data"]
            kind, streams = data["resultType"], data["result"]
        except (ValueError, KeyError, TypeError) as error:
            raise UnavailableError(
                f"{self._access.owner}: {self._access.url} gives an answer that is not Loki's"
            ) from error
        if kind != "streams":
            raise SettingsError(
                f'{self._access.owner}.query gives a {kind}; expected a query that selects lines, such as {{app="x"}}'
            )
        return list(streams)

    def _crowded(self, nanosecond: int, cap: int) -> SettingsError:
        return SettingsError(
            f"{self._access.owner}: nanosecond {nanosecond} holds more than the {cap} entries that Loki gives at once; "
            "nothing of it was left out yet: raise max_entries_limit_per_query in Loki, or narrow the query"
        )


def _count(streams: list[dict[str, Any]]) -> int:
    return sum(len(stream["values"]) for stream in streams)


def _page(streams: list[dict[str, Any]], limit: int) -> Page:
    entries = sorted((entry for stream in streams for entry in _entries(stream)), key=lambda entry: entry[0])
    nanoseconds = (int(stream["values"][-1][0]) for stream in streams if stream["values"])
    return Page(entries, _count(streams) >= limit, max(nanoseconds, default=None))


def _entries(stream: Mapping[str, Any]) -> Iterator[Entry]:
    labels = stream["stream"]
    if LABELLED_BY.items() <= labels.items():
        return
    prefix = blake2b(orjson.dumps(labels, option=orjson.OPT_SORT_KEYS), digest_size=DIGEST_BYTES)
    for time, line, *rest in stream["values"]:
        metadata, parsed = _categories(rest)
        identity = prefix.copy()
        identity.update(b"%s\0%s" % (time.encode(), line.encode()))
        if metadata:
            identity.update(b"\0" + orjson.dumps(metadata, option=orjson.OPT_SORT_KEYS))
        nanosecond = int(time)
        yield Entry(nanosecond, identity.digest(), as_payload(line, nanosecond, labels, metadata, parsed))


def _categories(rest: list[Any]) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return structured metadata and parsed labels; servers before Loki 3 send neither."""
    found = rest[0] if rest and isinstance(rest[0], dict) else {}
    return found.get("structuredMetadata") or {}, found.get("parsed") or {}
