"""Dead letters as the messages they were, for those who list or replay them.

Batches have the columns of `messages.SCHEMA`, as the message had them before it failed, and

====================  ======  ===========================================================================
``letter:stage``      String  where it failed
``letter:error``      String  why
``letter:attempt``    Int32   how often it was tried, at least 1
``letter:cut``        Bool    whether its value was cut to fit the dead-letter topic, so that it cannot be replayed
``letter:stream``     String  where the dead letter stands: topic or file …
``letter:partition``  Int32   … partition or 0 …
``letter:offset``     Int64   … offset or byte
====================  ======  ===========================================================================
"""

import base64
import contextlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl

from vigie.messages import ATTEMPT, ERRORS, SCHEMA

CUT = "vigie.value.bytes"
LETTER: Mapping[str, pl.DataType] = {
    "letter:stage": pl.String(),
    "letter:error": pl.String(),
    "letter:attempt": pl.Int32(),
    "letter:cut": pl.Boolean(),
    "letter:stream": pl.String(),
    "letter:partition": pl.Int32(),
    "letter:offset": pl.Int64(),
}

Headers = Sequence[Mapping[str, Any]]


def no_letters() -> pl.DataFrame:
    """Return a batch without dead letters."""
    return letters([])


def letters(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Return dead letters as a batch; what a row lacks is null."""
    return pl.DataFrame(rows, schema={**SCHEMA, **LETTER}, orient="row")


def from_topic(row: Mapping[str, Any], source: str) -> dict[str, Any] | None:
    """Return the message in a dead letter of Kafka; None when another source read it.

    Parameters
    ----------
    row
        A message of the dead-letter topic, columns of `messages.SCHEMA`.
    source
        Whose dead letters are wanted. One that does not say whose it is belongs to everyone.
    """
    headers: Headers = row["headers"] or ()
    said = {header["name"]: header["value"] or b"" for header in headers}
    why = {name.removeprefix(ERRORS): value.decode(errors="replace") for name, value in said.items()}
    if why.get("connector.name", source) != source:
        return None
    own = [header for header in headers if not header["name"].startswith((ERRORS, CUT))]
    return {
        **{name: row[name] for name in ("payload", "key", "timestamp")},
        "headers": own or None,
        "stream": why.get("topic", row["stream"]),
        "partition": _number(why.get("partition"), row["partition"]),
        "offset": _number(why.get("offset"), row["offset"]),
        "letter:stage": why.get("stage"),
        "letter:error": why.get("exception.message"),
        "letter:attempt": _number(said.get(ATTEMPT, b"").decode(errors="replace"), 1),
        "letter:cut": CUT in said,
        **{f"letter:{name}": row[name] for name in ("stream", "partition", "offset")},
    }


def from_line(line: Mapping[str, Any], source: str) -> dict[str, Any] | None:
    """Return the message in a line of a file of dead letters; None when another source read it.

    What the file does not keep (key, headers) stays unknown.
    """
    if line.get("source", source) != source:
        return None
    payload = line.get("payload")
    encoded = line.get("payload_base64")
    attempt = _number(str(line.get("attempt")), 1)
    return {
        "payload": base64.b64decode(encoded) if encoded is not None else None if payload is None else payload.encode(),
        "headers": [{"name": ATTEMPT, "value": str(attempt).encode()}] if attempt > 1 else None,
        "timestamp": _time(line.get("timestamp")),
        **{name: line.get(name) for name in ("stream", "partition", "offset")},
        "letter:stage": line.get("stage"),
        "letter:error": line.get("error"),
        "letter:attempt": attempt,
        "letter:cut": False,
    }


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text is not None and text.isdecimal() else otherwise


def _time(text: str | None) -> datetime | None:
    with contextlib.suppress(ValueError, TypeError):
        return datetime.fromisoformat(str(text)).astimezone(UTC)
    return None
