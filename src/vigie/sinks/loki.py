"""Enriched messages as lines in Grafana Loki, their labels in structured metadata."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import polars as pl

from vigie.errors import SettingsError
from vigie.loki import NANOSECONDS, PUSH_PATH, Access, shortened
from vigie.messages import SCHEMA, Position
from vigie.parameters import Bundle
from vigie.sinks import Checkpoints
from vigie.sinks.appending import AppendedFile
from vigie.sinks.dead_letters import dead_letter_lines
from vigie.sinks.loki_entries import Entry, Form, body, entries, requests
from vigie.sinks.shared_files import SharedFiles

STAGE = "write"
WEEK_SECONDS = 7 * 24 * 3600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits(Bundle):
    """What Loki takes.

    Parameters
    ----------
    max_request_bytes
        Lines and metadata in one request, before compression.
    max_line_bytes
        Longer lines are dead letters (Loki's ``max_line_size``).
    max_age_seconds
        Older lines are dead letters (Loki's ``reject_old_samples_max_age``); 0: let Loki say.
    """

    max_request_bytes: int = 1_000_000
    max_line_bytes: int = 256 * 1024
    max_age_seconds: float = WEEK_SECONDS

    def check(self, owner: str) -> None:
        """Refuse limits that no line is within.

        Raises
        ------
        SettingsError
            One is out of its range; the message names it as one of the table `owner`.
        """
        for name, value in (("max_request_bytes", self.max_request_bytes), ("max_line_bytes", self.max_line_bytes)):
            if value < 1:
                raise SettingsError(f"{owner}.{name} is {value}; expected at least 1")
        if not self.max_age_seconds >= 0:
            raise SettingsError(f"{owner}.max_age_seconds is {self.max_age_seconds}; expected a number not below 0")


class LokiSink:
    """Pushes lines to Loki, labels in structured metadata; what Loki does not take becomes a dead letter.

    What was written is kept in memory until `commit`, which

    1. pushes it, in requests of at most `max_request_bytes`;
    2. appends dead letters to their file and flushes it to the disk: those of the stream, and lines that are too long, too
       old, or that Loki refuses one by one (400), with its reason;
    3. saves the positions together with the length of that file, in one step.

    Loki has no transactions: a worker that stops between 1 and 3 pushes again what it pushed already. Loki drops an entry
    that it holds with the same stream labels, nanosecond and line, so readers see it once. That holds for lines of the
    Loki source, and for any source whose messages carry the same timestamp each time.

    Lines that come from Loki keep their stream labels and nanosecond. They need a label more, else Loki would take them
    for what it holds already: `labels`, by default ``labelled_by="vigie"``, which the Loki source leaves out.

    Parameters
    ----------
    name
        Its name in the settings.
    access
        The server, and as whom it is written to.
    checkpoints
        Where positions are saved; the store offers it.
    form
        What becomes of a message.
    limits
        What Loki takes.
    dead_letters
        The file for dead letters; `dead_letters.jsonl` in the project directory when left out.
    folder
        The project directory.
    clock
        Nanoseconds since 1970.
    """

    def __init__(
        self,
        name: str,
        *,
        access: Access,
        checkpoints: Checkpoints,
        form: Form,
        limits: Limits,
        dead_letters: str | None = None,
        folder: Path | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        if not form.labels:
            raise SettingsError(f"sinks.{name}.labels is empty; Loki needs at least one label for each stream")
        limits.check(access.owner)
        self._access = access
        self._form = form
        self._limits = limits
        self._clock = clock
        self._dead_letters = AppendedFile(dead_letters or (folder or Path()) / "dead_letters.jsonl")
        self._files = SharedFiles(self._dead_letters, checkpoints=checkpoints)
        self._client: httpx.Client | None = None
        self._source = ""
        self._pending: list[tuple[pl.DataFrame, pl.DataFrame]] = []

    def open(self, source: str) -> list[Position]:
        """Undo what a worker left half written in the file for dead letters, and return where the source resumes.

        Raises
        ------
        SettingsError
            The file cannot be written, or another worker writes what this source says to it.
        """
        self.close()
        self._source = source
        self._client = self._access.client()
        return self._files.open(source)

    def write(self, messages: pl.DataFrame, dead_letters: pl.DataFrame) -> None:
        """Keep a batch in memory until `commit`."""
        self._pending.append((messages, dead_letters))

    def commit(self, positions: Sequence[Position], membership: object | None) -> None:  # noqa: ARG002 - Kafka's
        """Push what was written, append the dead letters, then save the positions.

        Raises
        ------
        UnavailableError
            Loki does not answer now, or asks to be left alone for a while (429); no position was saved, and what was
            pushed is pushed again, which Loki drops.
        SettingsError
            Loki refuses who writes, or knows no such address.
        """
        lines = b""
        for messages, dead_letters in self._pending:
            refused = self._push_all(messages)
            lines += dead_letter_lines(dead_letters, self._source) + dead_letter_lines(refused, self._source)
        self._files.commit([lines], positions)
        self._pending.clear()

    def abort(self) -> None:
        """Forget what was written, and undo dead letters of a commit that failed half-way."""
        self._pending.clear()
        self._files.abort()

    def close(self) -> None:
        """Let go of connection and file; what was not committed is undone."""
        self._files.close()
        self._pending.clear()
        if self._client is not None:
            self._client.close()
            self._client = None

    def _push_all(self, messages: pl.DataFrame) -> pl.DataFrame:
        """Push messages, and return those that are dead letters."""
        reasons: dict[int, str] = {}
        found = entries(messages, self._form)
        for entry in found:
            if reason := self._reason(entry):
                reasons[entry.row] = reason
        good = (entry for entry in found if entry.row not in reasons)
        for part in requests(good, max_bytes=self._limits.max_request_bytes):
            self._push(part, reasons)
        return _letters(messages, reasons)

    def _reason(self, entry: Entry) -> str | None:
        """Return why Loki would not take an entry."""
        size = len(entry.line.encode())
        if size > self._limits.max_line_bytes:
            return f"the line has {size} bytes; Loki takes at most {self._limits.max_line_bytes} (max_line_bytes)"
        age = (self._clock() - entry.nanosecond) / NANOSECONDS
        if 0 < self._limits.max_age_seconds < age:
            return f"the line is {age:.0f} s old; Loki takes it up to {self._limits.max_age_seconds:.0f} s (max_age_seconds)"
        return None

    def _push(self, part: Sequence[Entry], reasons: dict[int, str]) -> None:
        """Push entries; a request that Loki refuses is halved until the entries at fault are alone."""
        if self._client is None:
            raise ValueError(f"{self._access.owner} is not open")
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        response = self._access.send(self._client, "POST", PUSH_PATH, content=body(part), headers=headers)
        if response.is_success:
            return
        if "structured metadata" in response.text:
            raise SettingsError(
                f"{self._access.owner}: Loki does not take structured metadata: {shortened(response.text)}; "
                "set allow_structured_metadata: true there, with schema v13"
            )
        if len(part) == 1:
            reasons[part[0].row] = f"Loki answers {response.status_code}: {shortened(response.text)}"
            return
        middle = len(part) // 2
        self._push(part[:middle], reasons)
        self._push(part[middle:], reasons)


def _letters(messages: pl.DataFrame, reasons: Mapping[int, str]) -> pl.DataFrame:
    rows = messages.select(list(SCHEMA))[sorted(reasons)]
    errors = pl.Series([reasons[row] for row in sorted(reasons)], dtype=pl.String)
    return rows.with_columns(stage=pl.lit(STAGE), error=errors)
