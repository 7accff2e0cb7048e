import errno
import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from vigie.errors import SettingsError, UnavailableError
from vigie.sinks.appending import AppendedFile, StandardOutput


@pytest.fixture
def output(tmp_path: Path) -> Iterator[AppendedFile]:
    file = AppendedFile(tmp_path / "deep" / "out.jsonl", patience_seconds=0.05)
    file.lock()
    file.cut(None)
    yield file
    file.close()
    file.close()


def content(output: AppendedFile) -> bytes:
    return Path(output.path).read_bytes()


def commit(output: AppendedFile, lines: bytes) -> int:
    """Do what a worker does that knows no length."""
    output.unlock()
    output.lock()
    output.cut(None)
    return output.append(lines)


def test_append_when_cut_again_then_it_stays(output: AppendedFile) -> None:
    assert output.append(b"a\n") == 2
    assert output.cut(2) == 2
    output.undo()
    assert content(output) == b"a\n"


def test_append_when_undone_then_the_file_is_as_before(output: AppendedFile) -> None:
    output.append(b"a\n")
    output.cut(2)
    output.append(b"b\n")
    output.undo()
    output.undo()
    assert content(output) == b"a\n"


def test_cut_when_file_is_longer_than_its_commits_then_it_is_cut(output: AppendedFile) -> None:
    Path(output.path).write_bytes(b"a\nb\nhal")
    assert output.cut(4) == 4
    assert content(output) == b"a\nb\n"


@pytest.mark.parametrize("size", [None, 9])
def test_cut_when_file_is_unknown_or_shorter_then_it_is_left_alone(output: AppendedFile, size: int | None) -> None:
    Path(output.path).write_bytes(b"a\n")
    assert output.cut(size) == 2
    assert content(output) == b"a\n"


def test_lock_when_user_renamed_the_file_then_a_new_one_is_written(output: AppendedFile) -> None:
    output.append(b"a\n")
    rotated = Path(output.path).rename(output.path + ".1")
    assert not output.in_place()
    assert commit(output, b"b\n") == 2
    assert output.in_place()
    assert content(output) == b"b\n"
    assert rotated.read_bytes() == b"a\n"


def test_lock_when_user_renamed_the_file_meanwhile_then_the_new_one_is_taken(
    output: AppendedFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock, renamed = fcntl.flock, []

    def rename_first(descriptor: int, operation: int) -> None:
        if operation != fcntl.LOCK_UN and not renamed:
            renamed.append(Path(output.path).rename(output.path + ".1"))
        flock(descriptor, operation)

    output.unlock()
    monkeypatch.setattr(fcntl, "flock", rename_first)
    output.lock()
    output.cut(None)
    output.append(b"b\n")
    assert content(output) == b"b\n"
    assert renamed[0].read_bytes() == b""


def test_lock_when_user_deleted_or_truncated_the_file_then_it_goes_on(output: AppendedFile) -> None:
    output.append(b"a\n")
    os.truncate(output.path, 0)
    commit(output, b"b\n")
    assert content(output) == b"b\n"
    Path(output.path).unlink()
    commit(output, b"c\n")
    assert content(output) == b"c\n"


def test_append_when_user_cut_within_a_line_then_the_next_line_is_whole(output: AppendedFile) -> None:
    output.append(b"abc\n")
    os.truncate(output.path, 2)
    commit(output, b"d\n")
    assert content(output) == b"ab\nd\n"


def test_path_when_the_folder_has_two_names_then_the_file_has_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "alias").symlink_to(tmp_path / "real")
    assert AppendedFile(tmp_path / "alias" / "out").path == AppendedFile(tmp_path / "real" / "out").path


def test_append_when_disk_is_full_then_nothing_is_left_and_it_says_so(
    output: AppendedFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    calls = []

    def half(descriptor: int, view: memoryview) -> int:
        calls.append(descriptor)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, view[:2])

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(UnavailableError, match="No space left on device") as raised:
        output.append(b"abcd\n")
    assert raised.value.retry_after_seconds > 0
    assert content(output) == b""


def test_lock_when_another_writer_has_it_then_waits_and_names_the_file(output: AppendedFile) -> None:
    other = AppendedFile(output.path, patience_seconds=0.05)
    with pytest.raises(UnavailableError, match=r"out\.jsonl has been locked by another process"):
        other.lock()
    output.unlock()
    other.lock()
    other.close()


def test_lock_when_the_other_writer_is_done_soon_then_it_goes_on(output: AppendedFile) -> None:
    other = AppendedFile(output.path)
    timer = threading.Timer(0.05, output.unlock)
    timer.start()
    other.lock()
    timer.join()
    other.close()


def test_open_when_path_is_a_folder_then_the_error_names_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"cannot write to {tmp_path}: Is a directory"):
        AppendedFile(tmp_path).lock()


def test_append_when_not_open_then_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not open"):
        AppendedFile(tmp_path / "out").append(b"a\n")


def test_standard_output_when_appended_then_lines_are_written(capfd: pytest.CaptureFixture[str]) -> None:
    output = StandardOutput()
    output.lock()
    assert output.cut(7) == 0
    assert output.append(b"a\nb\n") == 0
    output.undo()
    assert output.in_place()
    output.unlock()
    output.close()
    assert capfd.readouterr().out == "a\nb\n"
