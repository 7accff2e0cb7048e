"""Which generation of which file lies under each path, through renaming, truncation and restarts."""

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vigie.sources.generations import (
    MASK,
    Generation,
    Identity,
    Key,
    Kind,
    content_bytes,
    family,
    identity,
    is_copy,
    is_whole,
    kind_of,
    number_of,
    open_reader,
    possible_numbers,
    read_head,
    siblings,
)
from vigie.sources.lines import LineReader

MAX_SAME_HEADS = 4
"""How many generations of one file may begin alike and still be told apart after a restart."""
NOBODY: Identity = (0, 0)
BROKEN = -1


@dataclass(slots=True)
class Place:
    """What lies under a path: whose file, which generation, and how it looked last."""

    identity: Identity
    key: Key
    size: int
    changed_ns: int

    def looks_like(self, status: os.stat_result) -> bool:
        """Return whether nothing was written since."""
        return (self.size, self.changed_ns) == (status.st_size, status.st_mtime_ns)


class Generations:
    """The generations of some files: those that are being read, and how far all of them were.

    Parameters
    ----------
    offsets
        Where reading resumes, by stream and partition.
    kind
        What the files hold; None: their names say it.
    max_message_bytes
        What is longer is cut.
    follow
        Whether files grow and are rotated; otherwise each is read once, as it is.
    alone
        Whether there is just one path, whose rotated files are worth a look, too.
    clock
        Seconds from any start.
    report
        Called with what is wrong with a file.
    """

    def __init__(
        self,
        offsets: Mapping[Key, int],
        *,
        kind: Kind | None,
        max_message_bytes: int,
        follow: bool,
        alone: bool,
        clock: Callable[[], float],
        report: Callable[[str], None],
    ) -> None:
        self.offsets = dict(offsets)
        self.opened: dict[Key, Generation] = {}
        self._kind = kind
        self._max_message_bytes = max_message_bytes
        self._follow = follow
        self._rotates = follow or alone
        self._clock = clock
        self._report = report
        self._places: dict[Path, Place] = {}
        self._suspects: dict[Path, str] = {}
        self._since_ns: dict[str, int] = {}
        self._unseen: defaultdict[str, set[Key]] = defaultdict(set)
        for key in offsets:
            self._unseen[key[0]].add(key)

    def scan(self, paths: Sequence[Path]) -> None:
        """Find out what lies under each path now; generations that moved away are read on."""
        listed = frozenset(paths)
        for generation in self.opened.values():
            if not generation.reader.is_intact(generation.head):
                self._set_aside(generation)
        for path in paths:
            self.look(path, listed)
        for path in self._places.keys() - listed:
            del self._places[path]
        current = {place.key for path, place in self._places.items() if str(path) == place.key[0]}
        for key, generation in self.opened.items():
            generation.rotated = key not in current
        found = {place.key for place in self._places.values()}.union(self.opened, *self._unseen.values())
        for key in self.offsets.keys() - found:
            del self.offsets[key]

    def look(self, path: Path, listed: Collection[Path]) -> None:
        """Find out what lies under one path; `listed` are all that are read on their own account."""
        try:
            status = path.stat()
        except FileNotFoundError:
            self._find_rotated(path, listed)
            return
        try:
            before = self._places.get(path)
            if before and self._is_as_before(path, before, status):
                before.size, before.changed_ns = status.st_size, status.st_mtime_ns
                return
            key = self._recognise(path, status)
            self._find_rotated(path, listed)
            self._drop(self._unseen.pop(str(path), ()))
            key = key or self._begin(path, status, stream=str(path))
        except (ValueError, OSError) as error:
            key = str(path), BROKEN
            self._broken(path, error)
        else:
            self._suspects.pop(path, None)
        self._places.pop(path, None)
        if key:
            self._places[path] = Place(identity(status), key, status.st_size, status.st_mtime_ns)

    def forget_missing(self, listed: Collection[Path]) -> None:
        """Forget how far files were read that are neither listed nor there any more."""
        for stream in [stream for stream in self._unseen if Path(stream) not in listed and not Path(stream).exists()]:
            self._drop(self._unseen.pop(stream))

    def close(self, key: Key) -> None:
        """Let go of a generation; how far it was read is remembered while its file can be found."""
        self.opened.pop(key).reader.close()

    def _drop(self, keys: Collection[Key]) -> None:
        for key in keys:
            self.offsets.pop(key, None)

    def _kind_of(self, path: Path) -> Kind:
        return self._kind or kind_of(path)

    def _broken(self, path: Path, error: Exception) -> None:
        """Report a broken file at once, or, as it may still be being written, when it stays as it is."""
        problem = f"{path} cannot be read: {error}"
        if self._follow:
            self._suspects[path] = problem
        else:
            self._report(problem)

    def _is_as_before(self, path: Path, before: Place, status: os.stat_result) -> bool:
        """Return whether a path still holds the same generation."""
        if before.identity != identity(status):
            return False
        if before.looks_like(status):
            if path in self._suspects:
                self._report(self._suspects.pop(path))
            return True
        generation = self.opened.get(before.key)
        if generation is None or generation.identity != before.identity:
            return False  # a copy that grows is none, and a broken file may have been mended
        if self._kind_of(path) == "parquet" and read_head(path, "parquet") != generation.head:
            generation.identity, generation.done = NOBODY, True
            return False
        generation.changed_ns, generation.size = status.st_mtime_ns, status.st_size
        self._since_ns[generation.key[0]] = status.st_mtime_ns
        return True

    def _set_aside(self, generation: Generation) -> None:
        """Read a generation on from the copy that was made before its file was truncated."""
        generation.identity = NOBODY
        stream, reader = Path(generation.key[0]), generation.reader
        for other in siblings(stream) if self._kind_of(stream) == "lines" else ():
            if generation.key[1] in _numbers(read_head(other, "lines")) and content_bytes(other) >= reader.offset:
                offset = reader.offset
                reader.close()
                generation.reader = open_reader(other, "lines", self._max_message_bytes)
                generation.reader.seek(offset)
                generation.path, generation.identity = other, identity(other.stat())
                return
        if isinstance(reader, LineReader):
            lost = reader.taken_bytes() < generation.size
            reader.cut()
        else:
            lost = generation.done = True
        if lost:
            self._report(f"{generation.path} was truncated before all of it was read, and there is no copy of it")

    def _recognise(self, path: Path, status: os.stat_result) -> Key | None:
        """Return the generation a file is known as, opened if need be; None when it is new."""
        kind = self._kind_of(path)
        head = read_head(path, kind)
        for key, generation in self.opened.items():
            if generation.identity == identity(status) and head.startswith(generation.head):
                generation.path = path
                return key
        numbers = _numbers(head)
        for key in self._unseen[str(path)]:
            if key[1] in numbers and key not in self.opened and content_bytes(path) >= self.offsets[key]:
                self._open(key, path, status, head)
                return key
        if self._follow and kind == "lines":
            return self._recognise_copy(path, status, head)
        return None

    def _recognise_copy(self, path: Path, status: os.stat_result, head: bytes) -> Key | None:
        """Return the generation of another path that a file is, renamed while nobody looked, copied or compressed."""
        numbers = _numbers(head)
        for key in [key for key in self.offsets if key[1] in numbers and key[0] != str(path)]:
            if family(Path(key[0])) == family(path) and self._is_copy(path, key):
                if key in self._unseen[key[0]] and key not in self.opened:
                    self._open(key, path, status, head).rotated = True
                return key
        return None

    def _is_copy(self, path: Path, key: Key) -> bool:
        original = Path(key[0])
        if original.exists() and key[1] in _numbers(read_head(original, "lines")):
            return is_copy(path, original)
        if key in self.opened or key in self._unseen[key[0]]:
            return content_bytes(path) >= self.offsets[key]
        return content_bytes(path) == self.offsets[key]

    def _find_rotated(self, path: Path, listed: Collection[Path]) -> None:
        """Open what had this path before: the generations that were being read, then those nobody saw."""
        wanted = self._unseen.get(str(path), set()).copy()
        if not self._rotates or self._kind_of(path) != "lines" or not (wanted or str(path) in self._since_ns):
            return
        others = siblings(path)
        for other in others:
            self._resume_rotated(other, wanted)
        for other in reversed(others):
            if other not in listed:
                self._begin_unseen(other, str(path))

    def _resume_rotated(self, path: Path, wanted: Collection[Key]) -> None:
        """Open the wanted generation a file is, if it is one."""
        status = path.stat()
        head = read_head(path, "lines")
        numbers = _numbers(head)
        for key in wanted:
            if key[1] in numbers and key not in self.opened and content_bytes(path) >= self.offsets[key]:
                self._open(key, path, status, head).rotated = True

    def _begin_unseen(self, path: Path, stream: str) -> None:
        """Begin a generation that came and went between two looks: newer than those known, but not at its path."""
        status = path.stat()
        known = {number for name, number in self.offsets if name == stream}
        newest_ns = self._since_ns.get(stream, status.st_mtime_ns)
        if status.st_mtime_ns > newest_ns and known.isdisjoint(possible_numbers(read_head(path, "lines"))):
            key = self._begin(path, status, stream=stream)
            if key:
                self.opened[key].rotated = True

    def _begin(self, path: Path, status: os.stat_result, *, stream: str) -> Key | None:
        """Open a new generation at its start; None while it has not one whole line."""
        head = read_head(path, self._kind_of(path))
        if not head or (self._follow and not is_whole(head) and self._kind_of(path) != "parquet"):
            return None
        key = stream, number_of(head)
        while key in self.offsets:
            key = stream, (key[1] + 1) & MASK
        self.offsets[key] = 0
        try:
            self._open(key, path, status, head)
        except ValueError:
            del self.offsets[key]
            raise
        return key

    def _open(self, key: Key, path: Path, status: os.stat_result, head: bytes) -> Generation:
        reader = open_reader(path, self._kind_of(path), self._max_message_bytes)
        reader.seek(self.offsets[key])
        self._unseen[key[0]].discard(key)
        self._since_ns[key[0]] = max(status.st_mtime_ns, self._since_ns.get(key[0], 0))
        changed = status.st_mtime_ns, status.st_size
        self.opened[key] = Generation(key, path, identity(status), head, reader, *changed, self._clock())
        return self.opened[key]


def _numbers(head: bytes) -> frozenset[int]:
    """Return all numbers a file may have, those included that tell apart generations that begin alike."""
    numbers = possible_numbers(head) if head else ()
    return frozenset((number + more) & MASK for number in numbers for more in range(MAX_SAME_HEADS))
