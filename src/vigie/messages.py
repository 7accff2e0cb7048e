"""The columns of a batch, and positions.

A batch is a Polars data frame with one row per message, in the order polled. Sources fill the first group of columns,
`stream.decode` adds the second, `stream.labeller` the third.

======================  ===============================  ==========================================================
column                  type                             holds
======================  ===============================  ==========================================================
``payload``             Binary                           the message as it came, byte for byte; null for a tombstone
``key``                 Binary                           Kafka's message key; null elsewhere
``headers``             List(Struct(name, value))        Kafka's headers, in order; null elsewhere
``timestamp``           Datetime(ns, UTC)                when the message was made, as its source says
``stream``              String                           topic, path or Loki stream
``partition``           Int32                            Kafka's partition; 0 elsewhere
``offset``              Int64                            Kafka's offset, byte, inbox id or nanosecond of this message
``text``                String                           what is labelled; null when undecodable
``is_object``           Boolean                          whether the payload was taken for a JSON object
``stage``               String                           where it failed (``decode``); null otherwise
``error``               String                           why it is undecodable; null otherwise
``template``            String                           the normalised text, variable parts masked
``label:<d>``           String                           the label in dimension *d*; null when nobody knows
``confidence:<d>``      Float64                          calibrated probability of that label, in [0, 1]
``origin:<d>``          String                           model, rule, human or default
``route``               String                           auto, rule or review
``model``               String                           the model version that predicted; null when there is none
======================  ===============================  ==========================================================
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

HEADERS = pl.List(pl.Struct({"name": pl.String, "value": pl.Binary}))

ERRORS = "__connect.errors."
"""What the headers of a dead letter begin with, as Kafka Connect has them (KIP-298)."""

ATTEMPT = "vigie.attempt"
"""The header of a dead letter that counts how often the message was tried; without it: once."""

SCHEMA: Mapping[str, pl.DataType] = {
    "payload": pl.Binary(),
    "key": pl.Binary(),
    "headers": HEADERS,
    "timestamp": pl.Datetime("ns", "UTC"),
    "stream": pl.String(),
    "partition": pl.Int32(),
    "offset": pl.Int64(),
}


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Where reading resumes: the first offset of a stream's partition that was not polled yet."""

    stream: str
    partition: int
    offset: int


def batch(columns: Mapping[str, Sequence[Any] | pl.Series], **constants: object) -> pl.DataFrame:
    """Build a batch: columns by name, one value for all rows as keyword; what is left out is null.

    Parameters
    ----------
    columns
        Equally long; names of `SCHEMA`.
    constants
        The same value in every row.

    Examples
    --------
    >>> batch({"payload": [b"a", b"b"], "offset": [7, 8]}, stream="logs", partition=0).shape
    (2, 7)
    """
    frame = pl.DataFrame(dict(columns), schema={name: SCHEMA[name] for name in columns})
    rest = [pl.lit(constants.get(name), dtype=kind).alias(name) for name, kind in SCHEMA.items() if name not in columns]
    return frame.with_columns(rest).select(list(SCHEMA))


def empty_batch() -> pl.DataFrame:
    """Return a batch without messages."""
    return pl.DataFrame(schema=dict(SCHEMA))


def label_column(dimension: str) -> str:
    """Name the column that holds the label in a dimension."""
    return f"label:{dimension}"


def confidence_column(dimension: str) -> str:
    """Name the column that holds the confidence in a dimension."""
    return f"confidence:{dimension}"


def origin_column(dimension: str) -> str:
    """Name the column that says who set the label in a dimension."""
    return f"origin:{dimension}"
