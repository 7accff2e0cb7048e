import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigie.sources.generations import (
    HEAD_BYTES,
    content_bytes,
    family,
    is_copy,
    is_whole,
    kind_of,
    number_of,
    possible_numbers,
    read_head,
    siblings,
)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.txt", "lines"),
        ("a", "lines"),
        ("a.ndjson.gz", "lines"),
        ("a.CSV", "csv"),
        ("a.tsv.gz", "csv"),
        ("a.parquet", "parquet"),
        ("a.pq", "parquet"),
        ("a.csv.1", "lines"),
    ],
)
def test_kind_when_named_so_then_extension_says_it(name: str, kind: str) -> None:
    assert kind_of(Path(name)) == kind


@pytest.mark.parametrize(
    "name",
    [
        "app.log.1",
        "app.log.12.gz",
        "app-20261121.log",
        "app.log-20261121.gz",
        "app.log.2026-11-21",
        "app.log.old",
        "app.1.log",
    ],
)
def test_family_when_rotated_in_any_usual_way_then_it_is_the_first_name(name: str) -> None:
    assert family(Path("/logs") / name) == Path("/logs/app.log")


@pytest.mark.parametrize("name", ["app2.log", "app.log.json", "other.log", "app"])
def test_family_when_it_is_another_file_then_it_is_not_the_same(name: str) -> None:
    assert family(Path(name)) != Path("app.log")


def test_siblings_when_there_are_rotated_files_then_the_newest_comes_first(tmp_path: Path) -> None:
    import os

    for place, name in enumerate(["app.log.3", "app.log", "app.log.1", "b.log", "app.log.2.gz"]):
        (tmp_path / name).write_text(name)
        os.utime(tmp_path / name, (place, place))
    (tmp_path / "app.log.9").mkdir()
    assert [path.name for path in siblings(tmp_path / "app.log")] == ["app.log.2.gz", "app.log.1", "app.log.3"]


def test_head_when_file_is_long_then_it_is_its_first_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"0123456789abcde\n" * 1000 + b"rest")
    assert read_head(path, "lines") == b"0123456789abcde\n" * (HEAD_BYTES // 16)
    path.write_bytes(b"x" * 10_000)
    assert read_head(path, "lines") == b"x" * HEAD_BYTES
    assert is_whole(b"x" * HEAD_BYTES)
    path.write_bytes(b"half a li")
    assert read_head(path, "lines") == b"half a li"
    assert not is_whole(b"half a li")


def test_head_when_compressed_then_it_is_that_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one\ntwo\n" * 2000)
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"one\ntwo\n" * 2000))
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"one\ntwo\n")[:15])
    assert read_head(tmp_path / "a", "lines") == read_head(tmp_path / "a.gz", "lines")
    assert read_head(tmp_path / "cut.gz", "lines") in {b"", b"one\n", b"one\ntwo\n"}
    assert content_bytes(tmp_path / "a") == content_bytes(tmp_path / "a.gz") == 16_000


@given(st.lists(st.binary(max_size=3000).map(lambda line: line.replace(b"\n", b" ") + b"\n"), min_size=1), st.data())
def test_numbers_when_a_file_grows_then_the_one_it_had_is_among_them(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("heads") / "a"
    path.write_bytes(b"".join(lines[: data.draw(st.integers(1, len(lines)))]))
    number = number_of(read_head(path, "lines"))
    path.write_bytes(b"".join(lines) + b"half")
    assert number in set(possible_numbers(read_head(path, "lines")))
    assert 0 <= number < 1 << 31


def test_is_copy_when_it_begins_and_ends_alike_then_it_is_one(tmp_path: Path) -> None:
    original, copy = tmp_path / "app.log", tmp_path / "app.log.1"
    original.write_bytes(b"start\n" + b"a\n" * 9000)
    copy.write_bytes(original.read_bytes()[:15_000])
    assert is_copy(copy, original)
    copy.write_bytes(original.read_bytes()[:15_000] + b"b\n")
    assert not is_copy(copy, original)
    assert not is_copy(original, copy)
