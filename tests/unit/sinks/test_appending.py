import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from vigie.errors import SettingsError, UnavailableError
from vigie.sinks.appending import AppendedFile, StandardOutput


@pytest.fixture
def output(tmp_path: Path) -> Iterator[AppendedFile]:
    file = AppendedFile(tmp_path / "deep" / "out.jsonl")
    file.open(None)
    yield file
    file.close()


def content(output: AppendedFile) -> bytes:
    return Path(output.path).read_bytes()


def test_append_when_settled_then_it_stays(output: AppendedFile) -> None:
    assert output.append(b"a\n") == 2
    output.settle()
    output.undo()
    assert content(output) == b"a\n"


def test_append_when_undone_then_the_file_is_as_before(output: AppendedFile) -> None:
    output.append(b"a\n")
    output.settle()
    output.append(b"b\n")
    output.undo()
    assert content(output) == b"a\n"


def test_append_when_called_again_without_settling_then_lines_stand_once(output: AppendedFile) -> None:
    output.append(b"a\n")
    output.append(b"a\n")
    assert content(output) == b"a\n"


def test_close_when_something_is_not_settled_then_it_is_undone(output: AppendedFile) -> None:
    output.append(b"a\n")
    output.close()
    output.close()
    assert content(output) == b""


def test_open_when_file_is_longer_than_its_checkpoint_then_it_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"a\nb\nhal")
    output = AppendedFile(path)
    assert output.open(4) == 4
    assert path.read_bytes() == b"a\nb\n"
    output.close()


@pytest.mark.parametrize("size", [None, 9])
def test_open_when_file_is_unknown_or_shorter_then_it_is_left_alone(tmp_path: Path, size: int | None) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"a\n")
    output = AppendedFile(path)
    assert output.open(size) == 2
    output.close()
    assert path.read_bytes() == b"a\n"


def test_append_when_user_renamed_the_file_then_a_new_one_is_written(output: AppendedFile) -> None:
    output.append(b"a\n")
    output.settle()
    rotated = Path(output.path).rename(output.path + ".1")
    assert output.append(b"b\n") == 2
    assert content(output) == b"b\n"
    assert rotated.read_bytes() == b"a\n"


def test_append_when_user_deleted_or_truncated_the_file_then_it_goes_on(output: AppendedFile) -> None:
    output.append(b"a\n")
    output.settle()
    os.truncate(output.path, 0)
    output.append(b"b\n")
    output.settle()
    Path(output.path).unlink()
    output.append(b"c\n")
    assert content(output) == b"c\n"


def test_append_when_user_cut_within_a_line_then_the_next_line_is_whole(output: AppendedFile) -> None:
    output.append(b"abc\n")
    output.settle()
    os.truncate(output.path, 2)
    output.append(b"d\n")
    assert content(output) == b"ab\nd\n"


def test_undo_when_user_wrote_to_the_file_then_that_stays(output: AppendedFile) -> None:
    output.append(b"a\n")
    output.settle()
    with Path(output.path).open("ab") as file:
        file.write(b"mine\n")
    output.undo()
    output.append(b"b\n")
    output.undo()
    assert content(output) == b"a\nmine\n"


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


def test_open_when_another_writer_has_it_then_it_is_refused_until_that_one_is_gone(output: AppendedFile) -> None:
    other = AppendedFile(output.path)
    with pytest.raises(SettingsError, match=r"out\.jsonl is being written by another worker"):
        other.open(None)
    output.close()
    other.open(None)
    other.close()


def test_open_when_path_is_a_folder_then_the_error_names_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"cannot write to {tmp_path}: Is a directory"):
        AppendedFile(tmp_path).open(None)


def test_append_when_not_open_then_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not open"):
        AppendedFile(tmp_path / "out").append(b"a\n")


def test_standard_output_when_appended_then_lines_are_written(capfd: pytest.CaptureFixture[str]) -> None:
    output = StandardOutput()
    assert output.open(7) == 0
    assert output.append(b"a\nb\n") == 0
    output.settle()
    output.undo()
    output.close()
    assert capfd.readouterr().out == "a\nb\n"
