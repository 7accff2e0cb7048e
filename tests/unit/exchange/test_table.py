import gzip
import json
from pathlib import Path

import polars as pl
import pytest

from builders import NOON, a_dimension
from vigie.errors import SettingsError
from vigie.exchange import Answer, Reading, Status, format_named
from vigie.labels import Purpose

DIMENSIONS = [a_dimension(), a_dimension("status", ("up", "down"))]
READING = Reading(DIMENSIONS)


def read(folder: Path, content: bytes | str, name: str = "a.csv", reading: Reading = READING) -> list[Answer]:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(format_named(name.split(".")[1]).read(file, reading))


def test_csv_when_columns_are_few_then_the_rest_is_unknown(tmp_path: Path) -> None:
    answers = read(tmp_path, "\ufefftext,severity,colour\r\na,info,red\r\nb,,\r\n")

    assert answers == [Answer("a", {"severity": "info"}), Answer("b", status=Status.OPEN)]
    assert [answer.line for answer in answers] == [2, 3]


@pytest.mark.parametrize("at", [20, 2000])
def test_csv_when_the_compressed_file_is_broken_then_says_so(at: int, tmp_path: Path) -> None:
    rows = "".join(f"{i * 7919 % 1_000_003},info\n" for i in range(5000))
    content = bytearray(gzip.compress(f"text,severity\n{rows}".encode(), mtime=0))
    content[at : at + 100] = bytes(byte ^ 0x5F for byte in content[at : at + 100])

    with pytest.raises(SettingsError, match=r"a\.csv\.gz cannot be read: Error -3 while decompressing"):
        read(tmp_path, bytes(content), "a.csv.gz")


@pytest.mark.parametrize("between", [",", ";", "\t"])
def test_csv_when_a_spreadsheet_wrote_it_then_what_stands_between_cells_is_found(between: str, tmp_path: Path) -> None:
    rows = [["text", "severity", "id"], ['"a, b; c\td"', "info", "1"]]

    assert read(tmp_path, "".join(between.join(row) + "\r\n" for row in rows)) == [
        Answer("a, b; c\td", {"severity": "info"}, id="1")
    ]


def test_csv_when_a_cell_has_lines_then_the_line_of_the_row_is_where_it_starts(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"a.csv, line 4: 'created_at' is 'never'"):
        read(tmp_path, 'text,created_at\n"a\nb",2026-11-21\n"c\nd\ne",never\n')


def test_csv_when_every_column_is_there_then_all_of_the_answer(tmp_path: Path) -> None:
    header = "id,text,severity,label:status,annotator,created_at,status,purpose,comment,model_version,duration_seconds,is_exception,settled"
    row = "17,a,info,up,ann,2026-11-21T12:00:00Z,withdrawn,audit,why,3,2.5,true,1"

    assert read(tmp_path, f"{header}\n{row}\n") == [
        Answer(
            "a",
            {"severity": "info", "status": "up"},
            annotator="ann",
            created_at=NOON,
            id="17",
            status=Status.WITHDRAWN,
            purpose=Purpose.AUDIT,
            comment="why",
            model_version="3",
            duration_seconds=2.5,
            is_exception=True,
            settled=True,
        )
    ]


def test_csv_when_columns_have_other_names_then_they_can_be_named(tmp_path: Path) -> None:
    reading = Reading(DIMENSIONS, "body", {"sev": "severity"})

    assert read(tmp_path, "body,sev\na,info\n", reading=reading) == [Answer("a", {"severity": "info"})]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"body\na\n", r"line 2: it has no 'text'; it has: 'body'"),
        (b"text,a\nx\n", r"line 2: 1 cells; expected 2, as in the header"),
        (b"text,a\nx,1\ny,1,2\n", r"line 3: 3 cells; expected 2"),
        (b'text\n"x" y\n', r"line 2: wrong CSV"),
        (b'text\nx\n"y\n', r"line 3: wrong CSV: unexpected end of data"),
        (b"text\nx\n\xe9\n", r"line 3: byte 0xe9 is not UTF-8"),
        ("text\nx\n".encode("utf-16"), r"line 1: byte 0xff is not UTF-8"),
        (b"text,status\nx,done\n", r"line 2: 'status' is 'done'; expected one of answered, withdrawn"),
        (b"text,purpose\nx,fun\n", r"line 2: 'purpose' is 'fun'; expected one of train, audit"),
        (b"text,duration_seconds\nx,long\n", r"line 2: 'duration_seconds' is 'long'; expected a number"),
    ],
)
def test_csv_when_something_is_wrong_then_says_what_and_where(content: bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"a.csv, {reason}"):
        read(tmp_path, content)


def test_csv_when_a_message_is_longer_than_the_usual_limit_then_it_is_read(tmp_path: Path) -> None:
    assert len(read(tmp_path, f"text\n{'x' * 200_000}\n")[0].text) == 200_000


def test_csv_when_it_is_written_then_other_programs_can_read_it(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"

    format_named("csv").write([Answer('a "b",\nc', {"severity": "info"}, id="1")], file, DIMENSIONS)

    (row,) = pl.read_csv(file).to_dicts()
    assert (row["text"], row["severity"], row["label:status"], row["status"]) == ('a "b",\nc', "info", None, "answered")


def test_csv_when_it_is_of_a_project_with_other_dimensions_then_they_are_kept_for_the_check(tmp_path: Path) -> None:
    (answer,) = read(tmp_path, "id,text,severity,mood,annotator,status\n1,a,info,sad,ann,answered\n")

    assert answer.labels == {"severity": "info", "mood": "sad"}


def test_jsonl_when_values_are_typed_then_they_are_taken(tmp_path: Path) -> None:
    rows = [{"text": "a", "severity": "info", "id": 7, "created_at": NOON.timestamp(), "duration_seconds": 2}]

    assert read(tmp_path, json.dumps(rows), "a.jsonl") == [
        Answer("a", {"severity": "info"}, id="7", created_at=NOON, duration_seconds=2.0)
    ]


def test_jsonl_when_a_label_is_of_an_unknown_dimension_then_it_is_kept_for_the_check(tmp_path: Path) -> None:
    assert read(tmp_path, '{"text": "a", "label:mood": "sad"}', "a.jsonl") == [Answer("a", {"mood": "sad"})]


@pytest.mark.parametrize(
    "column",
    [
        pl.Series([NOON]),
        pl.Series([NOON.replace(tzinfo=None)]),
        pl.Series(["2026-11-21T12:00Z"]),
        pl.Series([NOON.date()]),
    ],
)
def test_parquet_when_columns_are_typed_then_they_are_taken(column: pl.Series, tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    category = pl.Series(["info"], dtype=pl.Categorical)
    pl.DataFrame({"text": ["a"], "id": [7], "created_at": column, "severity": category}).write_parquet(file)

    (answer,) = format_named("parquet").read(file, READING)

    assert (answer.text, answer.labels, answer.id) == ("a", {"severity": "info"}, "7")
    assert answer.created_at in {NOON, NOON.replace(hour=0)}


def test_parquet_when_a_column_is_of_another_kind_then_says_so(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    pl.DataFrame({"text": ["a", "b"], "severity": [None, ["info"]]}).write_parquet(file)

    with pytest.raises(SettingsError, match=r"a.parquet, line 2: 'severity' is a list; expected a text"):
        list(format_named("parquet").read(file, READING))


@pytest.mark.parametrize(("content", "reason"), [(None, "there is no file"), (b"nonsense", "cannot be read")])
def test_parquet_when_the_file_cannot_be_used_then_says_why(content: bytes | None, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    if content:
        file.write_bytes(content)

    with pytest.raises(SettingsError, match=reason):
        list(format_named("parquet").read(file, READING))
