"""Labelled tables in files of every kind, for tests of what reads them."""

import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl


def a_table(path: Path, rows: Mapping[str, Sequence[Any]]) -> Path:
    """Write a table as the ending of its name says (.csv, .jsonl, .ndjson, also .gz, or .parquet), and return its path."""
    frame, kind = pl.DataFrame(rows), path.name.removesuffix(".gz").rpartition(".")[2]
    if kind == "parquet":
        frame.write_parquet(path)
        return path
    text = frame.write_csv() if kind == "csv" else frame.write_ndjson()
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path
