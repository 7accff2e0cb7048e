"""Fakes at the boundaries of sources and sinks: what a file gives, the inbox, the checkpoints."""

import fcntl
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl

from builders import NOON
from vigie.messages import Position
from vigie.sources.byte_streams import NoBytes


class Pieces(NoBytes):
    """A stream that gives its bytes in pieces of any size, some of them later."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)

    def read(self, n_bytes: int) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""


class ListInbox:
    """The store's inbox, kept in a list: a fake at the boundary to the database."""

    def __init__(self, *payloads: bytes) -> None:
        self.rows = [(number, payload, NOON + timedelta(seconds=number)) for number, payload in enumerate(payloads, 1)]

    def read(self, after_id: int, n: int) -> pl.DataFrame:
        rows = [row for row in self.rows if row[0] > after_id][:n]
        schema = {"id": pl.Int64, "payload": pl.Binary, "received_at": pl.Datetime("us", "UTC")}
        return pl.DataFrame(rows, schema=schema, orient="row")

    def forget(self, up_to_id: int) -> None:
        self.rows = [row for row in self.rows if row[0] > up_to_id]

    def waiting(self) -> int:
        return len(self.rows)


class FileCheckpoints:
    """Checkpoints in a JSON file, replaced by renaming, for any number of processes: a fake of the database."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self, source: str) -> list[Position]:
        return [Position(*position) for position in self._whole()["positions"].get(source, [])]

    def lengths(self, paths: Sequence[str]) -> dict[str, int]:
        lengths = self._whole()["lengths"]
        return {path: lengths[path] for path in paths if path in lengths}

    def save(self, source: str, positions: Sequence[Position], output_bytes: Mapping[str, int]) -> None:
        with self.path.with_suffix(".lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            whole = self._whole()
            whole["positions"][source] = [[p.stream, p.partition, p.offset] for p in positions]
            whole["lengths"] |= output_bytes
            self.path.with_suffix(".new").write_text(json.dumps(whole))
            self.path.with_suffix(".new").replace(self.path)

    def _whole(self) -> Any:
        return json.loads(self.path.read_text()) if self.path.exists() else {"positions": {}, "lengths": {}}
