"""Enriched messages as Loki entries, and those as bodies of push requests."""

import gzip
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import orjson
import polars as pl

from vigie.loki import DETAILS, LABELLED_BY
from vigie.parameters import Bundle

Line = Literal["original", "enriched"]

SPEED = 1
"""gzip's fastest level: log lines shrink to a sixth with it, to a seventh with the default at four times the cost."""
OVERHEAD_BYTES = 64
_NO_NAME = re.compile(r"[^A-Za-z0-9_]")
_PREFIXES = ("label:", "confidence:", "origin:")


@dataclass(frozen=True, kw_only=True, slots=True)
class Form(Bundle):
    """What becomes of a message in Loki.

    Parameters
    ----------
    labels
        Stream labels of every line; few values, please: each combination is a stream.
    keep_labels
        Whether a line that came from Loki keeps its stream labels beside `labels`, which win.
    line
        ``original``: the line as it came (the whole payload when it is not from Loki); ``enriched``: the JSON object with the
        labels in it.
    """

    labels: Mapping[str, str] = field(default_factory=lambda: LABELLED_BY)
    keep_labels: bool = True
    line: Line = "original"


class Entry(NamedTuple):
    """One line for Loki, and the number of the message it was made of."""

    row: int
    stream: tuple[tuple[str, str], ...]
    nanosecond: int
    line: str
    metadata: Mapping[str, str]

    @property
    def size_bytes(self) -> int:
        """Return about what the entry takes in a request."""
        return len(self.line.encode()) + OVERHEAD_BYTES + sum(len(k) + len(v) for k, v in self.metadata.items())


def entries(messages: pl.DataFrame, form: Form) -> list[Entry]:
    """Return the entry of each message.

    A message that came from Loki (the field ``loki``) keeps its nanosecond and structured metadata, and its stream labels
    where the form says so. What Vigie found out is structured metadata: the label of each dimension under the dimension's name,
    ``<dimension>_confidence``, ``vigie_route`` and ``vigie_model``. Cost: about 8 µs each.

    Parameters
    ----------
    messages
        As a sink is given them.
    form
        What becomes of them.
    """
    columns = [name for name in messages.columns if name.startswith(_PREFIXES[:2]) or name in {"route", "model"}]
    rows = messages.select("payload", "output", pl.col("timestamp").dt.epoch("ns").alias("ns"), *columns)
    found = []
    for number, row in enumerate(rows.iter_rows(named=True)):
        text, details = _original(row["payload"])
        own = details.get("labels", {}) if form.keep_labels else {}
        stream = tuple(sorted({**own, **form.labels}.items()))
        shown = _text(row["output"]) if form.line == "enriched" else text
        metadata = {**details.get("metadata", {}), **_metadata(row)}
        found.append(Entry(number, stream, int(details.get("timestamp", row["ns"])), shown, metadata))
    return found


def requests(entries: Iterable[Entry], *, max_bytes: int) -> Iterator[list[Entry]]:
    """Cut entries into lists of at most `max_bytes`, or of one entry."""
    part: list[Entry] = []
    size = 0
    for entry in entries:
        if part and size + entry.size_bytes > max_bytes:
            yield part
            part, size = [], 0
        part.append(entry)
        size += entry.size_bytes
    if part:
        yield part


def body(entries: Sequence[Entry]) -> bytes:
    """Return a push request in JSON, gzipped; the entries of one stream stand together, in their order."""
    streams: dict[tuple[tuple[str, str], ...], list[Any]] = {}
    for entry in entries:
        value = (
            [str(entry.nanosecond), entry.line, entry.metadata]
            if entry.metadata
            else [str(entry.nanosecond), entry.line]
        )
        streams.setdefault(entry.stream, []).append(value)
    parts = [{"stream": dict(stream), "values": values} for stream, values in streams.items()]
    return gzip.compress(orjson.dumps({"streams": parts}), SPEED, mtime=0)


def _original(payload: bytes | None) -> tuple[str, dict[str, Any]]:
    """Return the line a message is about, and what it says of its place in Loki."""
    if payload is None:
        return "", {}
    try:
        message = orjson.loads(payload)
        details = message[DETAILS]
        if isinstance(message["message"], str) and _is_place(details):
            return message["message"], details
    except (ValueError, KeyError, TypeError, IndexError):
        pass  # a message from elsewhere
    return _text(payload), {}


def _is_place(details: Any) -> bool:
    if not isinstance(details, dict):
        return False
    maps = [details.get(name, {}) for name in ("labels", "metadata")]
    texts = all(isinstance(found, dict) and all(isinstance(value, str) for value in found.values()) for found in maps)
    return texts and str(details.get("timestamp", "")).isdecimal()


def _metadata(row: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for column, value in row.items():
        unknown = column.startswith("confidence:") and row.get(f"label:{column.partition(':')[2]}") is None
        if value is not None and not unknown and (column.startswith(_PREFIXES) or column in {"route", "model"}):
            kind, _, dimension = column.partition(":")
            name = {"label": dimension, "confidence": f"{dimension}_confidence"}.get(kind, f"vigie_{kind}")
            found[_NO_NAME.sub("_", name)] = f"{value:.4g}" if kind == "confidence" else str(value)
    return found


def _text(payload: bytes) -> str:
    return payload.decode("utf-8", "replace")
