"""Telling the messages that can be labelled from those that cannot."""

import polars as pl

from vigie.messages import SCHEMA


def split(decoded: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return messages and dead letters, each in the order polled; together they are all of the batch.

    Parameters
    ----------
    decoded
        What `decode` returns, perhaps with more columns, which the messages keep. Dead letters have those of
        `messages.SCHEMA`, ``stage`` and ``error``.
    """
    failed = decoded["error"].is_not_null()
    return decoded.filter(~failed), decoded.filter(failed).select(*SCHEMA, "stage", "error")
