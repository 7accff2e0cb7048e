from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_fakes import Pieces
from vigie.sources import lines
from vigie.sources.byte_streams import PlainBytes
from vigie.sources.lines import LineReader


def read_all(reader: LineReader, n: int = 100, *, complete: bool = True) -> list[tuple[bytes, int]]:
    rows: list[tuple[bytes, int]] = []
    while (frame := reader.read(n, complete=complete)).height:
        rows += frame.rows()
    return rows


def payloads(*pieces: bytes, complete: bool = True, max_line_bytes: int = 1000) -> list[bytes]:
    return [line for line, _ in read_all(LineReader(Pieces(*pieces), max_line_bytes), complete=complete)]


def test_read_when_lines_end_either_way_then_ends_are_left_out() -> None:
    assert payloads(b"a\nb\r\n\nc\rd\n\r\n") == [b"a", b"b", b"", b"c\rd", b""]


def test_read_when_bytes_are_no_utf8_then_they_are_kept() -> None:
    assert payloads(b"\xff\x00\n\x80") == [b"\xff\x00", b"\x80"]


def test_read_when_file_begins_with_a_mark_then_it_is_no_text() -> None:
    reader = LineReader(Pieces(b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n"), 100)
    assert read_all(reader) == [(b"a", 0), (b"\xef\xbb\xbfb", 5)]


def test_read_when_last_line_is_unfinished_then_it_waits_unless_the_file_is_complete() -> None:
    reader = LineReader(Pieces(b"a\nb"), 100)
    assert read_all(reader, complete=False) == [(b"a", 0)]
    assert reader.offset == 2
    assert read_all(reader, complete=False) == []
    assert read_all(reader) == [(b"b", 2)]
    assert reader.offset == 3


def test_read_when_a_line_comes_in_pieces_then_it_is_one() -> None:
    assert payloads(b"a", b"b\r", b"\nc", b"", b"d\n", complete=False) == [b"ab"]
    assert payloads(b"a", b"b\r", b"\nc", b"d\n") == [b"ab", b"cd"]


def test_read_when_fewer_are_asked_for_then_the_offset_is_where_the_next_starts() -> None:
    reader = LineReader(Pieces(b"aa\nbbb\nc\n"), 100)
    assert reader.read(1, complete=True).rows() == [(b"aa", 0)]
    assert reader.offset == 3
    assert reader.read(1, complete=True).rows() == [(b"bbb", 3)]
    assert reader.offset == 7


@pytest.mark.parametrize("pieces", [(b"x" * 25 + b"\nb\n",), (b"x" * 9, b"x" * 9, b"x" * 7, b"\nb\n")])
def test_read_when_a_line_is_too_long_then_it_is_cut_and_positions_stay_right(pieces: tuple[bytes, ...]) -> None:
    reader = LineReader(Pieces(b"a\n", *pieces), max_line_bytes=10)
    assert read_all(reader) == [(b"a", 0), (b"x" * 10, 2), (b"b", 28)]
    assert reader.offset == 30


def test_read_when_a_line_never_ends_then_memory_is_bounded() -> None:
    reader = LineReader(Pieces(*[b"x" * 1000] * 50), max_line_bytes=10)
    assert reader.read(1, complete=False).is_empty()
    assert sum(map(len, reader._unfinished)) == 10
    assert reader.waiting_bytes() == 50_000
    assert read_all(reader) == [(b"x" * 10, 0)]
    assert reader.offset == 50_000


def test_waiting_bytes_when_some_lines_were_handed_on_then_the_others_wait(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"aa\nbb\ncc")
    reader = LineReader(PlainBytes(tmp_path / "a"), 100)
    assert reader.waiting_bytes() == 8
    reader.read(1, complete=False)
    assert reader.waiting_bytes() == 5
    reader.close()


def test_cut_when_content_is_gone_then_what_was_read_is_handed_on() -> None:
    reader = LineReader(Pieces(b"a\nb\n"), 100)
    reader.read(1, complete=False)
    reader.cut()
    assert read_all(reader) == [(b"b", 2)]
    with pytest.raises(ValueError, match="it was truncated"):
        reader.seek(0)


@given(
    content=st.lists(st.sampled_from([b"\n", b"\r\n", b"a", b"bc", b"\xff"])).map(b"".join),
    size=st.integers(1, 5),
    n=st.integers(1, 3),
)
def test_read_when_content_is_cut_anywhere_then_lines_are_the_same(content: bytes, size: int, n: int) -> None:
    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    expected = [line.removesuffix(b"\r") for line in content.split(b"\n")[:-1]]
    rest = content.rpartition(b"\n")[2]
    rows = read_all(LineReader(Pieces(*pieces), 100), n)
    assert [line for line, _ in rows] == expected + ([rest] if rest else [])


@given(lines_=st.lists(st.binary(max_size=5).map(lambda line: line.replace(b"\n", b"-"))), data=st.data())
def test_seek_when_at_any_offset_then_the_rest_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, lines_: list[bytes], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("lines") / "a"
    path.write_bytes(b"".join(line + b"\n" for line in lines_))
    start = data.draw(st.integers(0, len(lines_)))
    reader = LineReader(PlainBytes(path), 100)
    rows = read_all(reader)
    reader.seek(rows[start][1] if start < len(rows) else reader.offset)
    assert read_all(reader, 2) == rows[start:]
    reader.close()


def test_read_when_there_are_more_lines_than_a_chunk_then_all_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "CHUNK_BYTES", 7)
    (tmp_path / "a").write_bytes(b"".join(b"%d\n" % number for number in range(100)))
    reader = LineReader(PlainBytes(tmp_path / "a"), 100)
    assert [int(line) for line, _ in read_all(reader, 3)] == list(range(100))
    reader.close()
