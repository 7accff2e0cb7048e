"""Enriched messages as lines of JSON in a file, dead letters in another."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from vigie.errors import SettingsError
from vigie.messages import Position
from vigie.sinks import Checkpoints
from vigie.sinks.appending import AppendedFile, Output, StandardOutput
from vigie.sinks.dead_letters import dead_letter_lines
from vigie.sinks.shared_files import SharedFiles

DEAD_LETTERS = "dead_letters.jsonl"


class FilesSink:
    """Two JSONL files that grow by whole commits; sources of one project may share them.

    What was written is kept in memory until `commit`, which appends it to both files, flushes them to the disk, and
    saves the positions together with the lengths of the files, in one step (see `SharedFiles`).

    A worker that is killed at any moment loses nothing and writes nothing twice: whoever writes next cuts both files
    back to the lengths saved last. A file that became shorter or was renamed since is left to its user: writing goes
    on at the end of what has the name now.

    Parameters
    ----------
    name
        The sink's name in the settings.
    path
        Where enriched messages go; ``-`` is standard output, where nothing can be undone.
    dead_letters
        Where dead letters go: one object a line with source, stream, partition, offset, timestamp, stage, error, and
        ``payload`` or ``payload_base64``. None: `dead_letters.jsonl` beside the output (standard output: here).
    checkpoints
        Where positions and lengths are saved; the store offers it.

    Raises
    ------
    SettingsError
        Both paths are the same.
    """

    def __init__(self, name: str, *, path: str, checkpoints: Checkpoints, dead_letters: str | None = None) -> None:
        self.name = name
        output: Output = StandardOutput() if path == "-" else AppendedFile(path)
        self._dead_letters = AppendedFile(dead_letters or Path(path).with_name(DEAD_LETTERS))
        if output.path == self._dead_letters.path:
            raise SettingsError(f"sinks.{name}: path and dead_letters are both {output.path}; they need two files")
        self._files = SharedFiles(output, self._dead_letters, checkpoints=checkpoints)
        self._source = ""
        self._pending: tuple[list[bytes], list[bytes]] = ([], [])

    def open(self, source: str) -> list[Position]:
        """Undo what a worker left half written in both files, and return where the source resumes.

        Raises
        ------
        SettingsError
            A file cannot be written, or another worker writes what this source says to it.
        UnavailableError
            Another process keeps a file locked.
        """
        self._forget()
        self._source = source
        return self._files.open(source)

    def write(self, messages: pl.DataFrame, dead_letters: pl.DataFrame) -> None:
        """Keep a batch in memory until `commit`."""
        for pending, lines in zip(self._pending, (_lines(messages), self._letters(dead_letters)), strict=True):
            pending.append(lines)

    def commit(self, positions: Sequence[Position], membership: object | None) -> None:  # noqa: ARG002 - Kafka's
        """Append what was written, then save positions and lengths.

        Raises
        ------
        UnavailableError
            The disk is full or broken, or another process keeps a file locked; nothing was committed.
        SettingsError
            A file was moved away by its user, and no new one can be made.
        """
        self._files.commit([b"".join(lines) for lines in self._pending], positions)
        self._forget()

    def abort(self) -> None:
        """Forget what was written, and undo a commit that failed half-way."""
        self._forget()
        self._files.abort()

    def close(self) -> None:
        """Let go of both files; what was not committed is forgotten."""
        self._forget()
        self._files.close()

    def _letters(self, dead_letters: pl.DataFrame) -> bytes:
        return dead_letter_lines(dead_letters, self._source)

    def _forget(self) -> None:
        self._pending = ([], [])


def _lines(messages: pl.DataFrame) -> bytes:
    outputs = messages["output"].to_list()
    lines = b"\n".join([*outputs, b""])
    if lines.count(b"\n") > len(outputs):
        # In JSON a line break can only stand between two parts of an object, where a space means the same.
        lines = b"\n".join([*(output.translate(_BREAKS) for output in outputs), b""])
    return lines


_BREAKS = bytes.maketrans(b"\r\n", b"  ")
