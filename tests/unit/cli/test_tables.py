import codecs
import gzip
from pathlib import Path
from typing import Any

import pytest

from table_fixtures import a_table
from vigie.cli.tables import batches
from vigie.errors import SettingsError

ROWS = {
    "text": ["disk 1 failed", "disk 2 failed", "link up, again", None],
    "sev": ["error", "warning", "info", "info"],
}


def a_file(folder: Path, name: str, rows: dict[str, list[Any]] | None = None) -> Path:
    return a_table(folder / name, rows or ROWS)


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl", "a.ndjson", "a.jsonl.gz", "a.parquet", "a.b.csv"])
def test_batches_when_the_file_is_of_a_known_kind_then_the_columns_come_as_texts(name: str, tmp_path: Path) -> None:
    (rows,) = batches(a_file(tmp_path, name), ["text", "sev"])

    assert rows["sev"].to_list() == ROWS["sev"]
    assert rows["text"].to_list() == ROWS["text"]


def test_batches_when_labels_are_numbers_then_they_come_as_texts(tmp_path: Path) -> None:
    (rows,) = batches(a_file(tmp_path, "a.parquet", {"text": ["a"], "sev": [4]}), ["text", "sev"])

    assert rows["sev"].to_list() == ["4"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("gone.csv", None, "there is no file"),
        ("a.xlsx", b"", "is of no known kind; expected .csv"),
        ("a.csv", b"other\n1\n", "has no column 'text'; it has: other"),
        ("a.csv", b"", "cannot be read"),
        ("a.parquet", b"nonsense", "cannot be read"),
        ("a.jsonl", b"{", r"^/[^ ]+/a\.jsonl, line 1: wrong JSON"),
        ("a.jsonl", b'{"text": "a"}\n{"text": }\n', r"^/[^ ]+/a\.jsonl, line 2: wrong JSON"),
        ("a.csv", b"text\n\xff\xfe\n", r"^/[^ ]+/a\.csv, line 2: byte 0xff is not UTF-8"),
        ("a.csv", b"text\na\nb\n\xff\xfe\n", r"^/[^ ]+/a\.csv, line 4: byte 0xff is not UTF-8"),
        ("a.csv", codecs.BOM_UTF16_LE + "text\na\n".encode("utf-16-le"), r"a\.csv, line 1: byte 0xff is not UTF-8"),
        ("a.csv", "été\na\n".encode("latin-1"), r"a\.csv, line 1: byte 0xe9 is not UTF-8"),
        ("a.csv", b"text,sev\na,info\nb, c,info\n", r"^/[^ ]+/a\.csv, line 3: 3 cells; expected 2, as in the header"),
        ("a.csv", b"c" * 1000 + b",d" * 30 + b"\n1\n", r"it has: c{60}….* and 11 more$"),
        ("a.csv.gz", b"text\na\n", r"a\.csv\.gz cannot be read: Not a gzipped file"),
        ("a.csv.gz", gzip.compress(b"text\na\n", mtime=0)[:-9], r"^\S+ cannot be read: (?!.*cannot be read)"),
    ],
)
def test_batches_when_the_file_cannot_be_used_then_says_why(
    name: str, content: bytes | None, reason: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)

    with pytest.raises(SettingsError, match=reason):
        list(batches(tmp_path / name, ["text"]))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "text;sev\nlink up, again;info\n"),
        ("a.csv", "text\tsev\nlink up, again\tinfo\n"),
        ("a.csv", '\ufeff"text";"sev"\r\n"link up, again";"info"\r\n'),
        ("a.jsonl", '\ufeff{"text": "link up, again", "sev": "info"}\n'),
    ],
)
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_batches_when_a_spreadsheet_wrote_the_file_then_it_is_read_as_well(
    name: str, content: str, ending: str, tmp_path: Path
) -> None:
    file = tmp_path / f"{name}{ending}"
    file.write_bytes(gzip.compress(content.encode()) if ending else content.encode())

    (rows,) = batches(file, ["text", "sev"])

    assert rows.rows() == [("link up, again", "info")]


@pytest.mark.parametrize("labels", [[["error"], ["info"]], [{"a": "error"}, {"a": "info"}]])
def test_batches_when_a_column_holds_lists_or_objects_then_says_so(labels: list[Any], tmp_path: Path) -> None:
    file = a_file(tmp_path, "a.parquet", {"text": ["a", "b"], "sev": labels})

    with pytest.raises(SettingsError, match=r"^column 'sev' of .* holds (List|Struct)\(.*; expected a text, a number"):
        list(batches(file, ["text", "sev"]))
