import gzip
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from vigie.errors import SettingsError
from vigie.exchange import reading
from vigie.exchange.reading import rows


def a_file(folder: Path, content: bytes, name: str = "a.json") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def found(file: Path) -> list[tuple[int, Any]]:
    return [(row.line, row.values) for row in rows(file)]


def test_rows_when_one_object_a_line_then_blank_lines_are_skipped_and_lines_counted(tmp_path: Path) -> None:
    assert found(a_file(tmp_path, b'{"a": 1}\r\n\n{"a": "\xc3\xa9"}')) == [(1, {"a": 1}), (3, {"a": "é"})]


def test_rows_when_an_array_then_each_has_the_line_where_it_starts(tmp_path: Path) -> None:
    file = a_file(tmp_path, b' [\n  {"a": 1},\n\n {"b":\n [2]} ,{"c": {}}\n]\n')

    assert found(file) == [(2, {"a": 1}), (4, {"b": [2]}), (5, {"c": {}})]


@pytest.mark.parametrize("content", [b"", b"\n \n", b"[]", b"[ \n]\n"])
def test_rows_when_the_file_is_empty_then_there_are_none(content: bytes, tmp_path: Path) -> None:
    assert found(a_file(tmp_path, content)) == []


@pytest.mark.parametrize("content", [b'{"a": 1}\n', b'[{"a": 1}]'])
def test_rows_when_the_file_has_a_mark_or_is_compressed_then_the_same(content: bytes, tmp_path: Path) -> None:
    assert found(a_file(tmp_path, b"\xef\xbb\xbf" + content)) == [(1, {"a": 1})]
    assert found(a_file(tmp_path, gzip.compress(content), "b.json.gz")) == [(1, {"a": 1})]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("indent", [None, 1])
def test_rows_when_read_in_pieces_of_any_size_then_the_same(
    size: int, indent: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = [{"t": 'é"\\\n😀' * n, "n": -1.5e-7, "x": [True, None, {}]} for n in range(5)]
    file = a_file(tmp_path, json.dumps(values, ensure_ascii=False, indent=indent).encode())
    monkeypatch.setattr(reading, "CHUNK", size)

    assert [row.values for row in rows(file)] == values


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"a": 1}\n{"a": }\n', "line 2: wrong JSON: Expecting value, character 7"),
        (b'{"a": 1}\n7\n', r"line 2: expected an object \{…\}"),
        (b'{"a": 1}\n{"a": "\xff"}\n', "line 2: byte 0xff is not UTF-8; save the file as UTF-8"),
        ('{"a": "é"}'.encode("utf-16"), "line 1: byte 0xff is not UTF-8"),
        (b'[{"a": 1},\n{"a": 1}', "line 2: wrong JSON: expected ']'"),
        (b'[{"a": 1},\n{"a" 1}]', "line 2: wrong JSON: Expecting ':'"),
        (b'[{"a": 1},\n{"a": "x', "line 2: wrong JSON: Unterminated string"),
        (b'[{"a": 1}\n,\n"x"]', r"line 3: expected an object \{…\}"),
        (b'[{"a": 1}]\n{}', "line 2: wrong JSON: expected the end of the file"),
        (b'[{"a": 1},\n{"a":\n "\xe9"}]', "line 3: byte 0xe9 is not UTF-8"),
        (b"[" * 100_000, "wrong JSON: maximum recursion"),
        (b'{"a":' * 100_000, "wrong JSON: maximum recursion"),
    ],
)
def test_rows_when_something_is_wrong_then_says_what_and_where(content: bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"a.json, {reason}" if reason.startswith("line") else reason):
        found(a_file(tmp_path, content))


@pytest.mark.parametrize("content", [b"no gzip", gzip.compress(b'{"a": 1}' * 1000, mtime=0)[:-20]])
def test_rows_when_the_compressed_file_is_broken_then_says_so(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        found(a_file(tmp_path, content, "a.jsonl.gz"))


def test_rows_when_there_is_no_file_then_says_so(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no file"):
        found(tmp_path / "gone.json")


@pytest.mark.parametrize(
    "content", [b'{"a": "xxxxxxxxxxxxxxxxxxxxxxxxxxx"}', b'[{"a": "xxxxxxxxxxxxxxxxxxxxxxxxxxx"}]']
)
def test_rows_when_one_is_longer_than_memory_allows_then_refused(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LONGEST", 8)
    monkeypatch.setattr(reading, "CHUNK", 4)

    with pytest.raises(SettingsError, match="line 1: a row longer than"):
        found(a_file(tmp_path, content))


@pytest.mark.parametrize("before", ["", "["])
def test_rows_when_the_file_is_large_then_memory_is_bounded(before: str, tmp_path: Path) -> None:
    row = json.dumps({"text": "x" * 1000}) + ("," if before else "")
    file = a_file(tmp_path, (before + "\n".join([row] * 20_000) + ("\n{}]" if before else "")).encode())
    tracemalloc.start()

    n = sum(1 for _ in rows(file))

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert n in {20_000, 20_001}
    assert peak < file.stat().st_size / 2
