"""`vigie predict` as it is typed, on small projects of their own."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from command_fixtures import TOML, rows, run
from vigie.app import Project
from vigie.cli.exits import FAILURE, OK, code_of
from vigie.errors import UnavailableError, VigieError


def problem(folder: Path, *words: str) -> str:
    error = run(folder, *words).exception
    assert isinstance(error, VigieError), error
    return str(error)


def predicted(folder: Path, content: bytes, name: str = "lines.log") -> Any:
    (folder / name).write_bytes(content)
    return run(folder, "predict", str(folder / name))


def test_predict_when_a_file_has_a_message_that_cannot_be_read_then_the_others_come_in_their_order(
    folder: Path,
) -> None:
    found = run(folder, "predict", str(folder / "in.jsonl"), "--text", "msg")

    written = rows(found.stdout)
    assert [row["msg"] for row in written] == ["disk 1 failed", "link up", "disk 2 failed"]
    assert [row["severity"] for row in written] == ["error", "info", "error"]
    assert [row["vigie"]["origin"]["severity"] for row in written] == ["rule", "default", "rule"]
    assert found.exit_code == FAILURE


def test_predict_when_the_file_has_lines_then_each_is_labelled(folder: Path) -> None:
    found = predicted(folder, b"disk 3 failed\nall is well\n")

    assert [row["severity"] for row in rows(found.stdout)] == ["error", "info"]
    assert found.exit_code == OK


def test_predict_when_the_registry_is_away_then_nothing_is_labelled_without_its_champion(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_project: Project) -> str:
        raise UnavailableError("the registry does not answer")

    monkeypatch.setattr(Project, "use_champion", away)
    found = predicted(folder, b"disk 3 failed\n")

    assert isinstance(found.exception, UnavailableError)
    assert found.stdout == ""


def test_predict_when_the_file_breaks_off_then_what_was_readable_is_labelled_and_it_is_said(folder: Path) -> None:
    broken = gzip.compress(b"".join(b"disk %d failed\n" % (i * 7919) for i in range(5000)), mtime=0)[:-20]
    found = predicted(folder, broken, "lines.log.gz")

    assert "its gzip data" in found.stderr
    assert str(found.exception).endswith("lines.log.gz was not read to its end; what comes before is labelled")
    assert code_of(found.exception) == FAILURE
    assert len(rows(found.stdout)) > 1000


def test_predict_when_the_file_is_empty_then_nothing_is_written(folder: Path) -> None:
    found = predicted(folder, b"")

    assert (found.stdout, found.exit_code) == ("", OK)


def test_predict_when_bytes_are_no_text_then_they_are_named_and_the_rest_is_labelled(folder: Path) -> None:
    found = predicted(folder, b"disk failed\n\xff\xfe\nlink up\n")

    assert [row["severity"] for row in rows(found.stdout)] == ["error", "info"]
    assert found.exit_code == FAILURE


def test_predict_when_a_message_is_too_long_then_it_is_left_out(folder: Path) -> None:
    (folder / "vigie.toml").write_text(f"{TOML}\n[stream]\nmax_message_bytes = 100\n")

    found = predicted(folder, b"x" * 101 + b"\nlink up\n")

    assert [row["message"] for row in rows(found.stdout)] == ["link up"]
    assert found.exit_code == FAILURE


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b\x08"])
def test_predict_when_a_compressed_file_is_broken_then_nothing_is_made_up(folder: Path, content: bytes) -> None:
    found = predicted(folder, content, "lines.log.gz")

    assert rows(found.stdout) == []


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no parquet"])
def test_predict_when_a_parquet_file_is_broken_then_nothing_is_made_up(folder: Path, content: bytes) -> None:
    found = predicted(folder, content, "rows.parquet")

    assert rows(found.stdout) == []


def test_predict_when_many_messages_cannot_be_read_then_only_the_first_are_named(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import polars as pl

    from vigie.cli.predict import complain

    letters = pl.DataFrame({"stream": "a.log", "line": range(1, 5), "error": [f"reason {n}" for n in range(1, 5)]})
    complain(letters, n_before=0)
    complain(letters, n_before=4)

    said = [record.getMessage() for record in caplog.records]
    assert said[:5] == [f"line {n} of a.log cannot be read: reason {n}" for n in (1, 2, 3, 4, 1)]
    assert said[5:] == ["there are more that cannot be read"]


def test_predict_when_many_messages_cannot_be_read_then_their_number_is_said_in_the_end(folder: Path) -> None:
    found = predicted(folder, b'{"message": "disk 3 failed"}\n' + b'{"other": 1}\n' * 7, "lines.jsonl")

    assert len(rows(found.stdout)) == 1
    assert found.stderr.rstrip().endswith("7 messages in all cannot be read; the others are labelled")


def complaints(found: Any) -> list[str]:
    """Return what is said to be unreadable, without time and level."""
    assert "there is no model yet: " in found.stderr
    return [
        line[line.index(kind) :]
        for line in found.stderr.splitlines()
        for kind in ("line ", "row ")
        if kind in line and "cannot be read" in line
    ]


def test_predict_when_messages_cannot_be_read_then_their_lines_are_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vigie.cli.predict.MAX_BATCH", 2)
    found = predicted(folder, b"a\n\nb\n\xff\n\xfe\n")

    assert [warning.partition(" cannot")[0] for warning in complaints(found)] == [
        f"line {n} of {folder / 'lines.log'}" for n in (2, 4, 5)
    ]


def test_predict_when_rows_cannot_be_read_then_they_are_named_and_so_is_the_option(
    folder: Path,
) -> None:
    found = predicted(folder, b"text,other\n,x\na,\n", "rows.csv")

    assert len(rows(found.stdout)) == 1
    assert complaints(found) == [f"row 1 of {folder / 'rows.csv'} cannot be read: the text of the message is empty"]


@pytest.mark.parametrize(
    ("name", "content"),
    [("rows.csv", b"a,b\n1,2\n3,4\n"), ("rows.jsonl", b'{"a": 1, "b": 2}\n{"a": 3}\n'), ("rows.tsv", b"a\tb\n1\t2\n")],
)
def test_predict_when_the_text_has_another_name_then_one_error_says_how_to_name_it(
    folder: Path, name: str, content: bytes
) -> None:
    (folder / name).write_bytes(content)
    file = str(folder / name)

    assert problem(folder, "predict", file, "--text", "txt") == (
        f"no message of {file} has a field 'txt'; say what holds the text with --text; it has: a, b"
    )
    assert "there is no model" not in run(folder, "predict", file).stderr
    assert "has a field 'message' or 'log' or 'text' or 'payload.message'; say what" in problem(folder, "predict", file)


def test_predict_when_only_some_messages_lack_the_field_then_the_others_are_labelled(
    folder: Path,
) -> None:
    found = predicted(folder, b'{"a": 1}\n{"text": "disk failed"}\n', "rows.jsonl")

    assert [row["severity"] for row in rows(found.stdout)] == ["error"]
    assert complaints(found)[0].endswith("is there; name the field with the text with --text")


def test_predict_when_there_is_no_model_then_it_is_said(folder: Path) -> None:
    found = predicted(folder, b"disk failed\n")

    assert found.exit_code == OK
    assert complaints(found) == []


@pytest.mark.parametrize("words", [("gone.log",), ("gone.log", "--text", "msg")])
def test_predict_when_there_is_no_file_then_says_so(folder: Path, words: tuple[str, ...]) -> None:
    assert problem(folder, "predict", *words) == "there is no file gone.log"
