import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_fakes import Pieces
from vigie.sources.byte_streams import PlainBytes
from vigie.sources.csv_rows import CsvReader


def read_all(reader: CsvReader, n: int = 100, *, complete: bool = True) -> list[bytes]:
    payloads: list[bytes] = []
    while (frame := reader.read(n, complete=complete)).height:
        assert frame["offset"].to_list() == list(range(reader.offset - frame.height, reader.offset))
        payloads += frame["payload"].to_list()
    return payloads


def rows(*pieces: bytes, complete: bool = True) -> list[dict[str, Any]]:
    return [json.loads(payload) for payload in read_all(CsvReader(Pieces(*pieces), 1000), complete=complete)]


def test_read_when_header_names_fields_then_rows_are_objects_of_text() -> None:
    assert rows(b"id,text\n007,a\n1.50,b\n") == [{"id": "007", "text": "a"}, {"id": "1.50", "text": "b"}]


def test_read_when_a_field_has_line_breaks_and_quotes_then_the_row_is_one() -> None:
    assert rows(b'a,b\r\n"1\n2","say ""x"", y"\r\n3,4') == [{"a": "1\n2", "b": 'say "x", y'}, {"a": "3", "b": "4"}]


def test_read_when_pieces_cut_a_quoted_field_then_the_row_is_one() -> None:
    assert rows(b"a,b\n1,", b'"x\ny', b'\nz"\n2,3\n') == [{"a": "1", "b": "x\ny\nz"}, {"a": "2", "b": "3"}]


@pytest.mark.parametrize("delimiter", [";", "\t", "|", ","])
def test_read_when_header_is_cut_by_another_delimiter_then_it_is_found(delimiter: str) -> None:
    content = "a,b\n1,x\n".replace(",", delimiter).encode()
    assert rows(content) == [{"a": "1", "b": "x"}]


def test_read_when_rows_are_ragged_then_nothing_is_lost() -> None:
    assert rows(b"a,b\n1\n1,2,3\n\n4,5\n") == [{"a": "1"}, {"a": "1", "b": "2", "column_3": "3"}, {"a": "4", "b": "5"}]


def test_read_when_names_repeat_or_lack_then_each_value_has_its_own() -> None:
    assert rows(b"a,,a, b \n1,2,3,4\n") == [{"a": "1", "column_2": "2", "a_3": "3", "b": "4"}]


def test_read_when_file_begins_with_a_mark_then_the_first_name_is_clean() -> None:
    assert rows(b"\xef\xbb\xbfa,b\n1,2\n") == [{"a": "1", "b": "2"}]


def test_read_when_bytes_are_no_utf8_then_they_are_kept() -> None:
    [payload] = read_all(CsvReader(Pieces(b"a\n\xe9t\xe9 \xc3\xa9\n"), 1000))
    assert payload == b'{"a": "\xe9t\xe9 \xc3\xa9"}'


def test_read_when_file_grows_then_an_unfinished_row_waits() -> None:
    stream = Pieces(b'a,b\n1,2\n3,"x\n')
    reader = CsvReader(stream, 1000)
    assert len(read_all(reader, complete=False)) == 1
    stream.pieces += [b'y"\n5']
    assert [json.loads(row) for row in read_all(reader, complete=False)] == [{"a": "3", "b": "x\ny"}]
    assert [json.loads(row) for row in read_all(reader)] == [{"a": "5"}]


def test_read_when_a_quote_is_never_closed_then_rows_before_come_and_the_error_names_it() -> None:
    reader = CsvReader(Pieces(b'a,b\n1,2\n3,"x\n4,5\n6,7\n'), 1000)
    assert reader.read(10, complete=True).height == 1
    with pytest.raises(ValueError, match="a quote in its row 2 is never closed; 3 lines were left out"):
        reader.read(10, complete=True)


def test_read_when_a_line_never_ends_then_memory_is_bounded() -> None:
    reader = CsvReader(Pieces(b"a\n", *[b"x" * 600] * 3), 1000)
    with pytest.raises(ValueError, match="row 1 is longer than 1000 bytes"):
        reader.read(10, complete=True)


def test_read_when_there_is_only_a_header_or_nothing_then_there_are_no_rows() -> None:
    assert rows(b"a,b") == rows(b"") == rows(b"\n\n") == []


def test_seek_when_at_any_row_then_the_rest_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'a,b\n1,"x\ny"\n\n2,z\n3,w\n')
    reader = CsvReader(PlainBytes(path), 1000)
    whole = read_all(reader)
    for start in (3, 1, 0, 2):
        reader.seek(start)
        assert read_all(reader, 1) == whole[start:]
    assert reader.waiting_bytes() == 0
    reader.close()


@given(
    table=st.lists(st.tuples(st.text('ab"\n,;é', max_size=4), st.text('xy "\n,', max_size=4)), max_size=6),
    size=st.integers(1, 9),
)
def test_read_when_any_table_is_cut_anywhere_then_it_reads_back(table: list[tuple[str, str]], size: int) -> None:
    quoted = ["first,second", *(",".join('"' + field.replace('"', '""') + '"' for field in row) for row in table)]
    content = "\n".join(quoted).encode()
    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    assert [tuple(row.values()) for row in rows(*pieces)] == table
