"""Enriched messages as lines of JSON in a file, dead letters in another."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from vigie.errors import SettingsError
from vigie.messages import Position
from vigie.sinks import Checkpoints
from vigie.sinks.appending import AppendedFile, Output, StandardOutput
from vigie.sinks.dead_letters import dead_letter_lines

DEAD_LETTERS = "dead_letters.jsonl"


class FilesSink:
    """Two JSONL files that grow by whole commits.

    What was written is kept in memory until `commit`, which

    1. appends it to both files and flushes them to the disk,
    2. saves the positions together with the lengths of the files, in one step.

    `open` cuts both files back to the lengths saved last. So a worker that is killed at any moment loses nothing and
    writes nothing twice. A file that became shorter or was renamed since is left to its user: writing goes on at the
    end of what has the name now.

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
        self._output: Output = StandardOutput() if path == "-" else AppendedFile(path)
        self._dead_letters = AppendedFile(dead_letters or Path(path).with_name(DEAD_LETTERS))
        self._checkpoints = checkpoints
        self._source = ""
        self._pending: tuple[list[bytes], list[bytes]] = ([], [])
        if self._output.path == self._dead_letters.path:
            raise SettingsError(
                f"sinks.{name}: path and dead_letters are both {self._output.path}; they need two files"
            )

    def open(self, source: str) -> list[Position]:
        """Lock both files, undo what was not committed, and return where the source resumes.

        Raises
        ------
        SettingsError
            A file cannot be written, or another worker writes to it.
        """
        self.close()
        self._source = source
        positions, lengths = self._checkpoints.load(source)
        now = {output.path: output.open(lengths.get(output.path)) for output in self._outputs()}
        # A file met for the first time is remembered before anything is added to it, so that the first commit, too,
        # can be undone.
        self._checkpoints.save(source, positions, now)
        return list(positions)

    def write(self, messages: pl.DataFrame, dead_letters: pl.DataFrame) -> None:
        """Keep a batch in memory until `commit`."""
        for pending, lines in zip(self._pending, (_lines(messages), self._letters(dead_letters)), strict=True):
            pending.append(lines)

    def commit(self, positions: Sequence[Position], membership: object | None) -> None:  # noqa: ARG002 - Kafka's
        """Append what was written, then save positions and lengths.

        Raises
        ------
        UnavailableError
            The disk is full or broken; nothing was committed.
        SettingsError
            A file was moved away by its user, and another worker took the new one.
        """
        pairs = zip(self._outputs(), self._pending, strict=True)
        lengths = {output.path: output.append(b"".join(pending)) for output, pending in pairs}
        self._checkpoints.save(self._source, positions, lengths)
        for output in self._outputs():
            output.settle()
        self._forget()

    def abort(self) -> None:
        """Forget what was written, and undo a commit that failed half-way."""
        for output in self._outputs():
            output.undo()
        self._forget()

    def close(self) -> None:
        """Unlock both files; what was not committed is undone."""
        for output in self._outputs():
            output.close()
        self._forget()

    def _outputs(self) -> tuple[Output, Output]:
        return self._output, self._dead_letters

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
