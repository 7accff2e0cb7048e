import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from builders import a_batch
from source_fakes import FileCheckpoints
from vigie.errors import SettingsError, UnavailableError
from vigie.messages import Position
from vigie.sinks.files import FilesSink

AT_TWO = [Position("logs", 0, 2)]


def a_sink(folder: Path, **changes: Any) -> FilesSink:
    given = {"path": str(folder / "out.jsonl"), "checkpoints": FileCheckpoints(folder / "checkpoints.json")}
    return FilesSink("files", **given | changes)


def some(*outputs: bytes) -> pl.DataFrame:
    return a_batch(*outputs).with_columns(output=pl.Series(outputs, dtype=pl.Binary))


def letters(*payloads: bytes | None) -> pl.DataFrame:
    return a_batch(*payloads).with_columns(stage=pl.lit("decode"), error=pl.lit("why"))


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def test_commit_when_batches_were_written_then_files_and_positions_move_together(tmp_path: Path) -> None:
    sink = a_sink(tmp_path)
    assert sink.open("app") == []
    sink.write(some(b"a", b"b"), letters())
    sink.write(some(b"c"), letters(b"bad"))
    assert lines(tmp_path / "out.jsonl") == []
    sink.commit(AT_TWO, None)
    assert lines(tmp_path / "out.jsonl") == [b"a", b"b", b"c"]
    assert len(lines(tmp_path / "dead_letters.jsonl")) == 1
    sink.close()
    assert a_sink(tmp_path).open("app") == AT_TWO


def test_dead_letters_when_committed_then_they_say_everything(tmp_path: Path) -> None:
    sink = a_sink(tmp_path)
    sink.open("app")
    sink.write(some(), letters(b"text", b"\xff", None))
    sink.commit([], None)
    written = [json.loads(line) for line in lines(tmp_path / "dead_letters.jsonl")]
    assert written[0] == {
        "source": "app",
        "stream": "logs",
        "partition": 0,
        "offset": 0,
        "timestamp": "2026-11-21T12:00:00Z",
        "stage": "decode",
        "error": "why",
        "payload": "text",
    }
    assert base64.b64decode(written[1]["payload_base64"]) == b"\xff"
    assert "payload" not in written[1]
    assert written[2]["payload"] is None
    sink.close()


def test_output_when_the_original_had_line_breaks_then_it_is_one_line(tmp_path: Path) -> None:
    sink = a_sink(tmp_path)
    sink.open("app")
    sink.write(some(b'{\r\n "a":\n1}', b"{}"), letters())
    sink.commit([], None)
    assert [json.loads(line) for line in lines(tmp_path / "out.jsonl")] == [{"a": 1}, {}]
    sink.close()


def test_abort_when_batches_were_written_then_they_never_show(tmp_path: Path) -> None:
    sink = a_sink(tmp_path)
    sink.open("app")
    sink.write(some(b"a"), letters(b"bad"))
    sink.abort()
    sink.commit(AT_TWO, None)
    assert lines(tmp_path / "out.jsonl") == []
    assert lines(tmp_path / "dead_letters.jsonl") == []
    sink.close()


def test_commit_when_saving_fails_then_abort_undoes_both_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = a_sink(tmp_path)
    sink.open("app")
    sink.write(some(b"a"), letters(b"bad"))

    def fail(*_: object) -> None:
        raise UnavailableError("the database is locked")

    with monkeypatch.context() as patch:
        patch.setattr(FileCheckpoints, "save", fail)
        with pytest.raises(UnavailableError):
            sink.commit(AT_TWO, None)
    sink.abort()
    assert lines(tmp_path / "out.jsonl") == lines(tmp_path / "dead_letters.jsonl") == []
    sink.write(some(b"a"), letters())
    sink.commit(AT_TWO, None)
    assert lines(tmp_path / "out.jsonl") == [b"a"]
    sink.close()


class KilledError(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("step", ["out", "half", "dead_letters", "save"])
@pytest.mark.parametrize("n_commits", [0, 1])
def test_open_when_worker_was_killed_within_a_commit_then_nothing_is_lost_or_doubled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, n_commits: int
) -> None:
    (tmp_path / "out.jsonl").write_bytes(b"older\n")
    sink = a_sink(tmp_path)
    sink.open("app")
    for number in range(n_commits):
        sink.write(some(b"kept%d" % number), letters(b"kept"))
        sink.commit([Position("logs", 0, number)], None)
    sink.write(some(b"a"), letters(b"bad"))
    with monkeypatch.context() as patch:
        kill_at(patch, step)
        with pytest.raises(KilledError):
            sink.commit(AT_TWO, None)
    gone(sink)
    again = a_sink(tmp_path)
    assert again.open("app") == ([Position("logs", 0, 0)] if n_commits else [])
    again.write(some(b"a"), letters(b"bad"))
    again.commit(AT_TWO, None)
    assert lines(tmp_path / "out.jsonl") == [b"older", *[b"kept0"] * n_commits, b"a"]
    assert len(lines(tmp_path / "dead_letters.jsonl")) == n_commits + 1
    again.close()


def gone(sink: FilesSink) -> None:
    """Let go of what the system closes when a process ends, and no more."""
    for held in (*sink._files._outputs, sink._files._owner):
        os.close(held._descriptor)
        held._descriptor = None


def kill_at(patch: pytest.MonkeyPatch, step: str) -> None:
    write, fsyncs = os.write, iter(["out", "dead_letters"])

    def half(descriptor: int, content: bytes) -> int:
        write(descriptor, content[:1])
        raise KilledError

    def fsync(_: int) -> None:
        if next(fsyncs) == step:
            raise KilledError

    def save(*_: object) -> None:
        raise KilledError

    patch.setattr(os, "fsync", fsync)
    if step == "half":
        patch.setattr(os, "write", half)
    if step == "save":
        patch.setattr(FileCheckpoints, "save", save)


WORKER = """
import sys
sys.path[:0] = {path!r}
from test_files import *
sink = a_sink(Path({folder!r}))
[position] = sink.open("app") or [Position("logs", 0, 0)]
for number in range(position.offset, 10_000):
    sink.write(some(b"%d" % number), letters(b"x"))
    sink.commit([Position("logs", 0, number + 1)], None)
    print(number, flush=True)
"""


def test_worker_when_killed_again_and_again_then_each_message_is_written_once(tmp_path: Path) -> None:
    program = WORKER.format(path=[*sys.path, str(Path(__file__).parent)], folder=str(tmp_path))
    for n_commits in (1, 7, 30):
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as worker:
            for _ in range(n_commits):
                worker.stdout.readline()
            worker.send_signal(signal.SIGKILL)
    sink = a_sink(tmp_path)
    [position] = sink.open("app")
    sink.close()
    assert position.offset >= 38
    assert lines(tmp_path / "out.jsonl") == [b"%d" % number for number in range(position.offset)]
    assert len(lines(tmp_path / "dead_letters.jsonl")) == position.offset


def test_open_when_another_worker_has_the_source_then_it_is_refused_until_that_one_is_gone(tmp_path: Path) -> None:
    sink = a_sink(tmp_path)
    sink.open("app/1")
    with pytest.raises(SettingsError, match=r"out\.jsonl is being written by another worker of the source app/1"):
        a_sink(tmp_path).open("app/1")
    other = a_sink(tmp_path)
    other.open("other")
    sink.open("app/1")
    sink.close()
    again = a_sink(tmp_path)
    again.open("app/1")
    again.close()
    other.close()
    assert not list(tmp_path.glob(".*.lock"))


def test_commit_when_a_worker_of_another_source_was_killed_then_its_half_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dying, living = a_sink(tmp_path), a_sink(tmp_path)
    dying.open("dying")
    living.open("living")
    dying.write(some(b"dying"), letters(b"bad"))
    with monkeypatch.context() as patch:
        kill_at(patch, "half")
        with pytest.raises(KilledError):
            dying.commit(AT_TWO, None)
    gone(dying)
    assert (tmp_path / "out.jsonl").read_bytes() == b"d"
    living.write(some(b"living"), letters())
    living.commit(AT_TWO, None)
    again = a_sink(tmp_path)
    assert again.open("dying") == []
    again.write(some(b"dying"), letters(b"bad"))
    again.commit(AT_TWO, None)
    assert lines(tmp_path / "out.jsonl") == [b"living", b"dying"]
    assert len(lines(tmp_path / "dead_letters.jsonl")) == 1
    again.close()
    living.close()


def test_commit_when_the_file_was_rotated_then_both_sources_go_on_in_the_new_one(tmp_path: Path) -> None:
    sinks = [a_sink(tmp_path), a_sink(tmp_path)]
    for number, sink in enumerate(sinks):
        sink.open(f"source{number}")
        sink.write(some(b"a long line of source %d" % number), letters())
        sink.commit(AT_TWO, None)
    (tmp_path / "out.jsonl").rename(tmp_path / "out.jsonl.1")
    for _ in range(2):
        for number, sink in enumerate(sinks):
            sink.write(some(b"%d" % number), letters())
            sink.commit(AT_TWO, None)
    assert len(lines(tmp_path / "out.jsonl.1")) == 2
    assert lines(tmp_path / "out.jsonl") == [b"0", b"1", b"0", b"1"]
    for sink in sinks:
        sink.close()


def test_commit_when_the_file_is_rotated_within_it_then_the_new_one_is_not_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = a_sink(tmp_path)
    sink.open("app")

    def rotate(_: int) -> None:
        (tmp_path / "out.jsonl").rename(tmp_path / "out.jsonl.1")
        (tmp_path / "out.jsonl").write_bytes(b"")

    sink.write(some(b"a"), letters())
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", rotate)
        sink.commit(AT_TWO, None)
    sink.write(some(b"longer than before"), letters())
    sink.commit(AT_TWO, None)
    assert lines(tmp_path / "out.jsonl.1") == [b"a"]
    assert lines(tmp_path / "out.jsonl") == [b"longer than before"]
    sink.close()


class DyingCheckpoints(FileCheckpoints):
    """Checkpoints of a process that ends just before every fifth save, or just after."""

    saves = 0

    def save(self, source: str, positions: Sequence[Position], output_bytes: Mapping[str, int]) -> None:
        self.saves += 1
        if positions and self.saves % 10 == 5:
            raise KilledError
        super().save(source, positions, output_bytes)
        if positions and self.saves % 10 == 0:
            raise KilledError


def stream(folder: Path, source: str, n: int) -> None:
    """Write n numbered messages, ten to a commit, through any number of kills."""
    checkpoints = DyingCheckpoints(folder / "checkpoints.json")
    while True:
        sink = a_sink(folder, checkpoints=checkpoints)
        try:
            [position] = sink.open(source) or [Position("logs", 0, 0)]
            for start in range(position.offset, n, 10):
                sink.write(some(*(f"{source} {k}".encode() for k in range(start, start + 10))), letters(b"x"))
                sink.commit([Position("logs", 0, start + 10)], None)
        except KilledError:
            gone(sink)
        else:
            sink.close()
            return


def of(source: str, found: list[bytes]) -> list[int]:
    return [int(line.split()[1]) for line in found if line.split()[0] == source.encode()]


def test_sources_when_they_share_files_and_are_killed_then_nothing_is_lost_doubled_or_torn(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(stream, tmp_path, source, 2_000) for source in ("one", "two")]:
            done.result(120)
    found = lines(tmp_path / "out.jsonl")
    assert of("one", found) == of("two", found) == list(range(2_000))
    assert len(found) == 4_000
    errors = [json.loads(line)["source"] for line in lines(tmp_path / "dead_letters.jsonl")]
    assert (errors.count("one"), errors.count("two"), len(errors)) == (200, 200, 400)


TWO_WORKERS = """
import sys
sys.path[:0] = {path!r}
from test_files import *
stream(Path({folder!r}), {source!r}, 1_000_000)
"""


def test_processes_when_one_is_killed_while_another_goes_on_then_each_line_stands_once(tmp_path: Path) -> None:
    paths = [*sys.path, str(Path(__file__).parent)]
    for n_bytes in (2_000, 20_000, 60_000):
        programs = [TWO_WORKERS.format(path=paths, folder=str(tmp_path), source=source) for source in ("one", "two")]
        workers = [subprocess.Popen([sys.executable, "-c", program]) for program in programs]
        deadline = time.monotonic() + 60
        while not (tmp_path / "out.jsonl").exists() or (tmp_path / "out.jsonl").stat().st_size < n_bytes:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        for worker in workers:
            worker.kill()
            worker.wait()
    last = a_sink(tmp_path)
    for source in ("one", "two"):
        reached = sum(position.offset for position in last.open(source))
        assert of(source, lines(tmp_path / "out.jsonl")) == list(range(reached))
    last.close()


def test_files_when_both_paths_are_one_then_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"sinks\.files: path and dead_letters are both"):
        a_sink(tmp_path, dead_letters=str(tmp_path / "." / "out.jsonl"))


def test_open_when_source_is_another_then_files_it_did_not_write_are_kept(tmp_path: Path) -> None:
    sink = a_sink(tmp_path)
    sink.open("app")
    sink.write(some(b"a"), letters())
    sink.commit(AT_TWO, None)
    sink.close()
    other = a_sink(tmp_path)
    assert other.open("other") == []
    other.close()
    assert lines(tmp_path / "out.jsonl") == [b"a"]


def test_standard_output_when_committed_then_lines_are_there_at_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sink = a_sink(tmp_path, path="-")
    sink.open("app")
    sink.write(some(b"a"), letters(b"bad"))
    assert capfd.readouterr().out == ""
    sink.commit(AT_TWO, None)
    assert capfd.readouterr().out == "a\n"
    assert len(lines(tmp_path / "dead_letters.jsonl")) == 1
    sink.close()
    sink.close()
