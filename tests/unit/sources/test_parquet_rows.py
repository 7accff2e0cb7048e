import gzip
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from vigie.sources.parquet_rows import ParquetReader


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"n": range(1000), "text": [f"é {number}" for number in range(1000)]}).write_parquet(
        path, row_group_size=300
    )
    return path


def read_all(reader: ParquetReader, n: int = 70) -> list[bytes]:
    payloads: list[bytes] = []
    while (frame := reader.read(n, complete=True)).height:
        assert frame["offset"].to_list() == list(range(reader.offset - frame.height, reader.offset))
        payloads += frame["payload"].to_list()
    return payloads


def test_read_when_file_is_whole_then_each_row_is_an_object(path: Path) -> None:
    reader = ParquetReader(path)
    payloads = read_all(reader)
    assert [json.loads(payload)["n"] for payload in payloads] == list(range(1000))
    assert payloads[7] == '{"n":7,"text":"é 7"}'.encode()
    assert reader.waiting_bytes() == 0
    reader.close()


@pytest.mark.parametrize("start", [0, 1, 299, 300, 650, 1000])
def test_seek_when_at_any_row_then_the_rest_comes(path: Path, start: int) -> None:
    reader = ParquetReader(path)
    reader.seek(start)
    assert reader.offset == start
    assert [json.loads(payload)["n"] for payload in read_all(reader)] == list(range(start, 1000))
    reader.close()


def test_read_when_compressed_as_a_whole_then_it_is_the_same(path: Path) -> None:
    compressed = path.with_suffix(".parquet.gz")
    compressed.write_bytes(gzip.compress(path.read_bytes()))
    reader = ParquetReader(compressed)
    assert len(read_all(reader)) == 1000
    reader.close()


def test_read_when_values_are_of_all_types_then_they_are_json(tmp_path: Path) -> None:
    path = tmp_path / "types.parquet"
    row = {
        "binary": b"\xff",
        "bytes": b"text",
        "date": date(2026, 11, 21),
        "decimal": Decimal("1.50"),
        "list": [1, None],
        "none": None,
        "struct": {"inner": b"x"},
        "time": datetime(2026, 11, 21, 12, tzinfo=UTC),
    }
    frame = pl.DataFrame([row], schema_overrides={"none": pl.String})
    frame.write_parquet(path)
    reader = ParquetReader(path)
    [payload] = read_all(reader)
    assert json.loads(payload) == {
        "binary": "/w==",
        "bytes": "text",
        "date": "2026-11-21",
        "decimal": "1.50",
        "list": [1, None],
        "none": None,
        "struct": {"inner": "x"},
        "time": "2026-11-21T12:00:00+00:00",
    }
    reader.close()


def test_open_when_file_was_cut_off_then_the_error_says_so(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match="it is no complete Parquet file"):
        ParquetReader(path)


def test_open_when_compressed_file_was_cut_off_then_the_error_says_so(path: Path) -> None:
    path.write_bytes(gzip.compress(path.read_bytes())[:-20])
    with pytest.raises(ValueError, match="ends too early"):
        ParquetReader(path)


def test_read_when_a_row_group_is_broken_then_those_before_come(path: Path) -> None:
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = b"\xff" * 200
    path.write_bytes(content)
    reader = ParquetReader(path)
    n_rows = 0
    with pytest.raises(ValueError, match="Parquet data is broken after row"):  # noqa: PT012 - how far it gets counts
        while (frame := reader.read(50, complete=True)).height:
            n_rows += frame.height
    assert n_rows >= 300
    reader.close()
