"""Putting dead letters through the stream once more."""

from collections.abc import Callable
from typing import Any

import polars as pl

from vigie.messages import ATTEMPT, HEADERS, SCHEMA

Process = Callable[[pl.DataFrame], tuple[pl.DataFrame, pl.DataFrame]]


def replaying(process: Process, *, reason: str = "") -> Process:
    """Return what turns dead letters into enriched messages, or into dead letters again.

    What fails again says so with one attempt more. What has another reason than asked for, or was cut and so is not
    the message any more, comes back as the dead letter that it was.

    Parameters
    ----------
    process
        What the stream does with a batch.
    reason
        Only dead letters whose error has this in it, in whatever case; all of them when empty.
    """

    def replay(batch: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return the messages that can be processed now, and the letters that failed again or were not chosen."""
        chosen = batch.select(chosen_letters(reason)).to_series()
        messages, failed = process(_tried_again(batch.filter(chosen)))
        kept = batch.filter(~chosen).rename({"letter:stage": "stage", "letter:error": "error"})
        columns = [*SCHEMA, "stage", "error"]
        return _untouched(messages), pl.concat([failed.select(columns), kept.select(columns)])

    return replay


def chosen_letters(reason: str) -> pl.Expr:
    """Tell which dead letters are to be replayed: those that are whole and have this in their error."""
    error = pl.col("letter:error").fill_null("").str.to_lowercase()
    return error.str.contains(reason.lower(), literal=True) & ~pl.col("letter:cut")


def _tried_again(batch: pl.DataFrame) -> pl.DataFrame:
    pairs = zip(batch["headers"].to_list(), batch["letter:attempt"].to_list(), strict=True)
    headers = [[*_own(own), {"name": ATTEMPT, "value": str(attempt + 1).encode()}] for own, attempt in pairs]
    return batch.with_columns(pl.Series("headers", headers, dtype=HEADERS))


def _untouched(messages: pl.DataFrame) -> pl.DataFrame:
    headers = [_own(own) or None for own in messages["headers"].to_list()]
    return messages.with_columns(pl.Series("headers", headers, dtype=HEADERS))


def _own(headers: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    return [header for header in headers or () if header["name"] != ATTEMPT]
