"""Rotation as logrotate, loggers and people do it, at any moment, with restarts and failed commits in between."""

import gzip
import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.messages import Position
from vigie.sources.files import FilesSource

WAIT_SECONDS = 10.0


class World:
    """A program that logs, a rotation that interferes, and a worker that reads, commits and crashes."""

    def __init__(self, folder: Path, pattern: str) -> None:
        self.log = folder / "app.log"
        self.pattern = str(folder / pattern)
        self.now = 0.0
        self.written = 0
        self.half: bytes = b""
        self.committed: list[bytes] = []
        self.pending: list[bytes] = []
        self.positions: list[Position] = []
        self.start()

    def start(self) -> None:
        self.source = FilesSource(
            "app",
            path=self.pattern,
            follow=True,
            rotated_wait_seconds=WAIT_SECONDS,
            clock=lambda: self.now,
        )
        self.source.open(self.positions)
        self.pending = []

    def append(self) -> None:
        self.write(self.half + b"line %d\n" % self.written if not self.half else b"\n")
        self.written += 1
        self.half = b""

    def append_many(self) -> None:
        for _ in range(40):
            self.append()

    def append_half(self) -> None:
        if not self.half:
            self.half = b"line %d" % self.written
            self.write(self.half)

    def write(self, content: bytes) -> None:
        with self.log.open("ab") as file:
            file.write(content)
        os.utime(self.log, ns=(0, self.tick()))

    def tick(self) -> int:
        self.now += 0.01
        return int(self.now * 1e9) + 10**15

    def shift(self) -> None:
        """Make room for app.log.1, compressing what was older, as logrotate does with delaycompress."""
        for number in range(len(list(self.log.parent.iterdir())), 1, -1):
            old = self.log.with_name(f"app.log.{number}.gz")
            if old.exists():
                old.rename(self.log.with_name(f"app.log.{number + 1}.gz"))
        first = self.log.with_name("app.log.1")
        if first.exists():
            compressed = self.log.with_name("app.log.2.gz")
            compressed.write_bytes(gzip.compress(first.read_bytes()))
            os.utime(compressed, ns=(0, first.stat().st_mtime_ns))
            first.unlink()

    def rename(self) -> None:
        if self.log.exists():
            self.finish()
            self.shift()
            self.log.rename(self.log.with_name("app.log.1"))

    def copytruncate(self) -> None:
        if self.log.exists():
            self.finish()
            self.shift()
            shutil.copy2(self.log, self.log.with_name("app.log.1"))
            os.truncate(self.log, 0)
            os.utime(self.log, ns=(0, self.tick()))

    def finish(self) -> None:
        if self.half:
            self.append()

    def poll(self, n: int = 7) -> int:
        self.now += 0.3
        polled = self.source.poll(n, 0)["payload"].to_list()
        self.pending += polled
        return len(polled)

    def commit(self) -> None:
        self.positions = self.source.positions()
        self.committed += self.pending
        self.pending = []
        self.source.committed(self.positions)

    def fail(self) -> None:
        self.source.rewind(self.positions)
        self.pending = []

    def crash(self) -> None:
        self.source.close()
        self.start()

    def rest(self) -> None:
        self.now += WAIT_SECONDS + 1

    def read_all(self) -> list[bytes]:
        self.finish()
        for _ in range(4):
            while self.poll(1000):
                pass
            self.rest()
        self.commit()
        return self.committed

    def expected(self) -> list[bytes]:
        return [b"line %d" % number for number in range(self.written)]


READING = ("poll", "commit", "fail", "crash", "rest")
WRITING = ("append", "append_many", "append_half")


def run(steps: list[str], pattern: str) -> None:
    with TemporaryDirectory() as folder:
        world = World(Path(folder), pattern)
        for step in steps:
            getattr(world, step)()
        read = world.read_all()
        world.source.close()
        assert sorted(read) == sorted(world.expected()), world.source.problems


@pytest.mark.parametrize("pattern", ["app.log", "app.log*", "."])
@pytest.mark.parametrize("rotations", [("rename",), ("copytruncate",), ("rename", "copytruncate")])
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_lines_when_files_are_rotated_at_any_moment_then_each_comes_once(
    pattern: str, rotations: tuple[str, ...], data: st.DataObject
) -> None:
    steps = data.draw(st.lists(st.sampled_from([*READING, *WRITING, *rotations]), max_size=20))
    run(["append", "poll", "commit", *steps], pattern)


@pytest.mark.parametrize("pattern", ["app.log", "app.log*", "."])
@pytest.mark.parametrize(
    "steps",
    [
        "append rename crash",
        "rename append_many rename",
        "copytruncate poll append_half copytruncate",
        "copytruncate append_many rename",
        "append_many poll rename crash commit fail",
        "append_many copytruncate append poll rename crash",
    ],
)
def test_lines_when_it_once_went_wrong_then_each_comes_once(pattern: str, steps: str) -> None:
    run(["append", "poll", "commit", *steps.split()], pattern)
