import json
from pathlib import Path

import pytest

from vigie.errors import SettingsError
from vigie.exchange import format_named, format_of

PRODIGY = {"text": "a", "accept": ["x"], "answer": "accept"}
DOCCANO = {"id": 1, "text": "a", "label": ["x"]}
TASK = {"id": 1, "data": {"text": "a"}, "annotations": []}
RECORD = {"id": "r", "fields": {"text": "a"}, "responses": {}}
FLAT = {"text": "a", "severity.responses": ["x"]}
TABLE = {"text": "a", "severity": "x", "label": "y"}


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.ndjson", "a.b.json"])
@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (PRODIGY, "prodigy"),
        (DOCCANO, "doccano"),
        (TASK, "label_studio"),
        (RECORD, "argilla"),
        (FLAT, "argilla"),
        (TABLE, "jsonl"),
    ],
)
def test_format_of_when_the_file_is_json_then_what_is_in_it_says(
    row: object, expected: str, name: str, tmp_path: Path
) -> None:
    file = tmp_path / name
    file.write_text(json.dumps([row]) if name.endswith(".json") else json.dumps(row))

    assert format_of(file).name == expected


def test_format_of_when_the_first_rows_say_nothing_then_later_ones_do(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text("\n".join(map(json.dumps, [{"text": "a"}, {"text": "b"}, PRODIGY])))

    assert format_of(file).name == "prodigy"


@pytest.mark.parametrize(("name", "expected"), [("a.csv", "csv"), ("a.csv.gz", "csv"), ("a.parquet", "parquet")])
def test_format_of_when_the_name_says_then_the_file_is_not_opened(name: str, expected: str, tmp_path: Path) -> None:
    assert format_of(tmp_path / name).name == expected
    assert format_of(tmp_path / name, to_write=True).name == expected


@pytest.mark.parametrize(("name", "to_write"), [("a.xlsx", False), ("a", False), ("a.json", True), ("a.gz", True)])
def test_format_of_when_it_cannot_be_told_then_asks(name: str, to_write: bool, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"format of a.* cannot be told; say --format csv\|jsonl"):
        format_of(tmp_path / name, to_write=to_write)


def test_format_named_when_there_is_none_then_lists_them() -> None:
    with pytest.raises(SettingsError, match="--format is 'xml'; expected one of csv, jsonl, parquet, label_studio"):
        format_named("xml")
