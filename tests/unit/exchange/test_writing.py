import gzip
import json
from pathlib import Path

import pytest

from builders import a_dimension
from vigie.exchange import FORMATS, Answer, Reading
from vigie.exchange.writing import by_text, text_file, write_array, write_lines

VALUES = [{"a": "é\n😀"}, {"b": [1]}]


def test_text_file_when_the_name_says_so_then_it_is_compressed(tmp_path: Path) -> None:
    for name in ("a.txt", "a.txt.gz"):
        with text_file(tmp_path / name) as stream:
            stream.write("é\r\n\n")

    assert (
        (tmp_path / "a.txt").read_bytes() == gzip.decompress((tmp_path / "a.txt.gz").read_bytes()) == b"\xc3\xa9\r\n\n"
    )


@pytest.mark.parametrize("values", [[], VALUES[:1], VALUES])
def test_write_array_when_there_are_any_values_then_it_is_json(values: list[dict[str, object]], tmp_path: Path) -> None:
    write_array(values, tmp_path / "a.json")

    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == values


def test_write_lines_when_there_are_values_then_one_a_line(tmp_path: Path) -> None:
    write_lines(VALUES, tmp_path / "a.jsonl")

    assert [json.loads(line) for line in (tmp_path / "a.jsonl").read_text("utf-8").splitlines()] == VALUES


def test_by_text_when_answers_follow_one_another_then_they_are_together() -> None:
    answers = [Answer("a", annotator="1"), Answer("a", annotator="2"), Answer("b"), Answer("a")]

    assert [(text, len(those)) for text, those in by_text(answers)] == [("a", 2), ("b", 1), ("a", 1)]


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "parquet"])
def test_write_when_the_file_is_to_be_compressed_then_it_is_and_reads_again(name: str, tmp_path: Path) -> None:
    file = tmp_path / ("a.csv.gz" if name == "csv" else "a.json.gz")
    answer = Answer("a", {"severity": "info"}, annotator="ann")
    dimensions = [a_dimension()]

    FORMATS[name].write([answer], file, dimensions)

    assert file.read_bytes().startswith(b"\x1f\x8b")
    assert list(FORMATS[name].read(file, Reading(dimensions))) == [answer]
