"""Files that several workers append to, each by whole commits, together with where their sources resume."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from vigie.errors import UnavailableError
from vigie.messages import Position
from vigie.sinks import Checkpoints
from vigie.sinks.appending import Output
from vigie.sinks.source_lock import SourceLock


class SharedFiles:
    """What one worker writes to files that other sources' workers of the same project may write to as well.

    How long a file is by its commits belongs to the file, not to a source. Each commit

    1. locks the files, in the order of their names, so that no two workers wait for each other in a circle;
    2. cuts a file back that is longer than its last commit left it: a worker was killed there;
       remembers the length of one that is shorter or new: its user truncated or renamed it;
    3. appends, and flushes to the disk;
    4. saves positions and lengths in one step, and unlocks.

    Two projects cannot share a file: neither knows what the other committed.

    Parameters
    ----------
    *outputs
        Where lines go; each commit gives lines for all of them.
    checkpoints
        Where positions and lengths are saved; the store offers it.
    """

    def __init__(self, *outputs: Output, checkpoints: Checkpoints) -> None:
        self._outputs = outputs
        self._checkpoints = checkpoints
        on_disk = [output.path for output in outputs if output.path != "-"]
        self._owner = SourceLock(on_disk[0])
        self._source = ""

    def open(self, source: str) -> list[Position]:
        """Keep other workers of this source away, undo what one left half written, and return where it resumes.

        Raises
        ------
        SettingsError
            A file cannot be written, or another worker of this source writes to it.
        UnavailableError
            Another process keeps a file locked.
        """
        self.close()
        self._owner.take(source)
        self._source = source
        with self._locked():
            self._align()
        return list(self._checkpoints.load(source))

    def commit(self, lines: Sequence[bytes], positions: Sequence[Position]) -> None:
        """Append lines, as many items as there are outputs, then save positions and lengths.

        Raises
        ------
        UnavailableError
            The disk is full or broken, or another process keeps a file locked; nothing was committed.
        SettingsError
            A file was moved away by its user, and no new one can be made.
        """
        with self._locked():
            self._align()
            lengths = self._append(lines)
            self._checkpoints.save(self._source, positions, lengths)

    def abort(self) -> None:
        """Undo a commit whose positions were not saved; when that cannot be done now, the next commit does it."""
        with suppress(UnavailableError), self._locked():
            recorded = self._checkpoints.lengths([output.path for output in self._outputs])
            for output in self._outputs:
                output.cut(recorded.get(output.path))

    def close(self) -> None:
        """Let go of the files, and of the source; may be called twice."""
        for output in self._outputs:
            output.close()
        self._owner.release()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        outputs = sorted(self._outputs, key=lambda output: output.path)
        try:
            for output in outputs:
                output.lock()
            yield
        finally:
            for output in outputs:
                output.unlock()

    def _align(self) -> None:
        recorded = self._checkpoints.lengths([output.path for output in self._outputs])
        now = {output.path: output.cut(recorded.get(output.path)) for output in self._outputs}
        if now != recorded:
            # Remembered before anything is added, so that the coming commit, too, can be undone.
            self._checkpoints.save(self._source, self._checkpoints.load(self._source), now)

    def _append(self, lines: Sequence[bytes]) -> dict[str, int]:
        try:
            lengths = {output.path: output.append(part) for output, part in zip(self._outputs, lines, strict=True)}
        except UnavailableError:
            for output in self._outputs:
                output.undo()
            raise
        # Of a file renamed this very moment the old length stays: its name belongs to another file already.
        return {output.path: lengths[output.path] for output in self._outputs if output.in_place()}
