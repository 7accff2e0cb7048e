"""Messages from files, folders and standard input."""

import glob
import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Literal

import polars as pl

from vigie.errors import SettingsError, UnavailableError
from vigie.messages import SCHEMA, Position, batch, empty_batch
from vigie.sources.csv_rows import CsvReader
from vigie.sources.generations import Generation, Key, Kind
from vigie.sources.lines import LineReader
from vigie.sources.patience import first_batch
from vigie.sources.rotation import Generations
from vigie.sources.standard_input import StandardInput

STANDARD_INPUT = "-"
SCAN_SECONDS = 0.25
MAX_BATCH_BYTES = 64 << 20
LONGEST_LINES = 16
"""Of a line longer than so many times `max_message_bytes`, which is refused anyway, no more is read."""

logger = logging.getLogger(__name__)


class FilesSource:
    """Messages from a file, all files of a folder, those a pattern names, or standard input.

    A line is a message, as it is, without its end; a row of CSV or Parquet is one as a JSON object. What the extension
    says counts (`.csv`, `.tsv`, `.parquet`, anything else is lines); gzip is found by its first bytes. The stream of a
    message is its path, the offset the byte at which its line starts (uncompressed) or the number of its row, and the
    partition a number made of the first kilobytes of the file, so that a file is known again when it was renamed.

    A broken file is reported (log, `problems`) after everything readable in it was handed on; the others are read on.

    Parameters
    ----------
    name
        The source's name in the settings.
    path
        A file; a folder, for all files right in it that are not hidden; a pattern such as ``logs/**/*.log``; ``-`` for
        standard input.
    follow
        Whether to go on with what is appended and with new files. Rotation is survived, by renaming or by truncating
        after a copy: what was not read yet is read from the file's new place. An unfinished last line waits for its
        end, but `vigie stream --until-end` takes it as it is. One file descriptor stays open for each file.
    file_format
        What the files hold, whatever their names.
    rotated_wait_seconds
        How long a rotated file must have been quiet to count as complete.
    max_message_bytes
        What messages may have at most; a line of 16 times as much is cut there.
    exclude
        Paths never read: Vigie's own output in the same folder.
    clock
        Seconds from any start.
    """

    def __init__(
        self,
        name: str,
        *,
        path: str,
        follow: bool = False,
        file_format: Literal["auto", "lines", "csv", "parquet"] = "auto",
        rotated_wait_seconds: float = 30.0,
        max_message_bytes: int = 1 << 20,
        exclude: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.problems: list[str] = []
        """What is wrong with files, in the order found."""
        self._path = path
        self._follow = follow and path != STANDARD_INPUT
        self._stays_open = follow or path == STANDARD_INPUT
        self._kind: Kind | None = None if file_format == "auto" else file_format
        self._rotated_wait_seconds = rotated_wait_seconds
        self._max_bytes = LONGEST_LINES * max_message_bytes
        self._exclude = frozenset(Path(excluded).absolute() for excluded in exclude)
        self._clock = clock
        self._input = StandardInput()
        self._generations = self._remember({})
        self._left: deque[Path] = deque()
        self._listed: frozenset[Path] = frozenset()
        self._next_scan = 0.0
        self._turn = 0
        if path == STANDARD_INPUT and file_format == "parquet":
            raise SettingsError(f"sources.{name}: Parquet cannot be read from standard input; give a file's path")

    @property
    def exhausted(self) -> bool:
        """Whether all files, as they are, or standard input were read to their end."""
        opened = self._generations.opened.values()
        return not (self._follow or self._left) and all(generation.done for generation in opened)

    def open(self, positions: Sequence[Position]) -> None:
        """Find the files and resume at `positions`.

        Standard input always begins anew: what is piped in now is not what was piped in before.

        Raises
        ------
        SettingsError
            There is nothing at the path, and files are not followed.
        """
        self.close()
        offsets = {(position.stream, position.partition): position.offset for position in positions}
        if self._path == STANDARD_INPUT:
            self._open_standard_input(offsets)
            return
        paths = self._list()
        if not paths and not self._follow:
            raise SettingsError(
                f"sources.{self.name}.path is {self._path}; {self._what_is_missing()}; "
                "put it there, change the path, or say follow = true to wait for it"
            )
        if not any(path.exists() for path in paths):
            logger.warning("sources.%s: there is nothing at %s yet; waiting for it", self.name, self._path)
        self._generations = self._remember(offsets)
        if self._follow:
            self._scan(paths)
        else:
            self._left, self._listed = deque(paths), frozenset(paths)
        if paths:  # an empty folder may be a disk that is not mounted yet
            self._generations.forget_missing(frozenset(paths))

    def poll(self, max_messages: int, timeout_seconds: float) -> pl.DataFrame:
        """Return the next messages, not more than about 64 MiB; ``timestamp`` is when their file was changed last."""
        return first_batch(lambda: self._read(max_messages), timeout_seconds, ended=lambda: self.exhausted)

    def positions(self) -> list[Position]:
        """Return how far each file was read."""
        return sorted(Position(*key, offset) for key, offset in self._generations.offsets.items())

    def membership(self) -> None:
        """Return None: one worker reads the files."""

    def rewind(self, positions: Sequence[Position]) -> None:
        """Go back to `positions`."""
        if not self._stays_open:
            self.open(positions)
            return
        offsets = {(position.stream, position.partition): position.offset for position in positions}
        for key, generation in self._generations.opened.items():
            generation.done = False
            try:
                generation.reader.seek(offsets.get(key, 0))
            except ValueError as error:
                self._report(f"{generation.path}: {error}")
            self._generations.offsets[key] = generation.reader.offset

    def committed(self, positions: Sequence[Position]) -> None:
        """Let go of files that were read to their end, and of standard input before `positions`."""
        offsets = {(position.stream, position.partition): position.offset for position in positions}
        for key, generation in list(self._generations.opened.items()):
            offset = offsets.get(key, 0)
            generation.reader.forget(offset)
            if generation.done and offset >= generation.reader.offset:
                self._generations.close(key)

    def lag(self) -> dict[tuple[str, int], int]:
        """Return how many bytes of each file in hand are waiting (compressed bytes where it is compressed)."""
        return {key: generation.reader.waiting_bytes() for key, generation in self._generations.opened.items()}

    def close(self) -> None:
        """Close all files."""
        for key in list(self._generations.opened):
            self._generations.close(key)
        self._left.clear()

    def _remember(self, offsets: dict[Key, int]) -> Generations:
        alone = self._path != STANDARD_INPUT and Path(self._path).is_file()
        return Generations(
            offsets,
            kind=self._kind,
            max_message_bytes=self._max_bytes,
            follow=self._follow,
            alone=alone,
            clock=self._clock,
            report=self._report,
        )

    def _open_standard_input(self, offsets: dict[Key, int]) -> None:
        number = max((key[1] for key in offsets if key[0] == STANDARD_INPUT), default=-1) + 1
        key = STANDARD_INPUT, number
        reader = (CsvReader if self._kind == "csv" else LineReader)(self._input, self._max_bytes)
        self._generations = self._remember({key: 0})
        self._generations.opened[key] = Generation(key, Path(self._path), (0, 0), b"", reader, time.time_ns(), 0, 0.0)

    def _report(self, problem: str) -> None:
        logger.error("sources.%s: %s", self.name, problem)
        self.problems.append(problem)

    def _list(self) -> list[Path]:
        try:
            return self._found()
        except OSError as error:
            raise UnavailableError(
                f"{self._path} cannot be listed: {error.strerror}", retry_after_seconds=5.0
            ) from error

    def _found(self) -> list[Path]:
        path = Path(self._path)
        if path.is_dir():
            found = [child for child in path.iterdir() if not child.name.startswith(".")]
        elif glob.has_magic(self._path) and not path.exists():
            found = [Path(name) for name in glob.iglob(self._path, recursive=True)]  # noqa: PTH207 - Path.glob needs a folder
        else:
            return [path] if self._follow or path.exists() else []
        return sorted(child for child in found if child.is_file() and child.absolute() not in self._exclude)

    def _what_is_missing(self) -> str:
        path = Path(self._path)
        if path.is_dir():
            return "there is no file in that folder"
        if glob.has_magic(self._path):
            return "there is no file with such a name"
        if not path.parent.is_dir():
            return f"there is no folder {path.parent}"
        return "there is no such file"

    def _scan(self, paths: Sequence[Path]) -> None:
        self._next_scan = self._clock() + SCAN_SECONDS
        self._generations.scan(paths)

    def _read(self, max_messages: int) -> pl.DataFrame:
        if self._follow and self._clock() >= self._next_scan:
            self._scan(self._list())
        frames, n, size = [], 0, 0
        for generation in self._in_turn():
            for part in self._parts(generation, max_messages - n):
                frames.append(part)
                n += part.height
                size += int(part["payload"].bin.size().sum())
                if n >= max_messages or size >= MAX_BATCH_BYTES:
                    return pl.concat(frames)
        return pl.concat(frames) if frames else empty_batch()

    def _in_turn(self) -> Iterator[Generation]:
        """Yield what to read: rotated files first, the others each first at times; opened one by one if not followed."""
        opened = self._generations.opened
        if self._stays_open:
            self._turn += 1
            order = sorted(opened.values(), key=lambda generation: not generation.rotated)
            start = sum(generation.rotated for generation in order)
            current = order[start:]
            turn = self._turn % max(1, len(current))
            yield from [*order[:start], *current[turn:], *current[:turn]]
            return
        while opened or self._left:
            if not opened:
                self._generations.look(self._left.popleft(), self._listed)
            yield from list(opened.values())

    def _parts(self, generation: Generation, n: int) -> Iterator[pl.DataFrame]:
        """Yield what can be read of a file now, and note when that is all."""
        while n > 0 and not generation.done:
            complete = self._is_complete(generation)
            try:
                part = generation.reader.read(n, complete=complete)
            except (ValueError, OSError) as error:
                self._report(f"{generation.path}: {error}")
                generation.done = True
                break
            if part.is_empty():
                generation.done = complete
                break
            n -= part.height
            generation.quiet_since = self._clock()
            self._generations.offsets[generation.key] = generation.reader.offset
            yield _as_batch(part, generation)
        if generation.done and not self._stays_open:
            self._generations.close(generation.key)

    def _is_complete(self, generation: Generation) -> bool:
        if self._path == STANDARD_INPUT:
            return self._input.ended
        quiet_seconds = self._clock() - generation.quiet_since
        return not self._follow or (generation.rotated and quiet_seconds >= self._rotated_wait_seconds)


def _as_batch(part: pl.DataFrame, generation: Generation) -> pl.DataFrame:
    stream, number = generation.key
    changed = pl.lit(generation.changed_ns, dtype=pl.Int64).cast(SCHEMA["timestamp"])
    columns = {"payload": part["payload"], "offset": part["offset"]}
    return batch(columns, stream=stream, partition=number).with_columns(timestamp=changed)
