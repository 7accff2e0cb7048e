"""Small projects for tests of commands, and commands as they are typed in them."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from vigie.cli import app

TOML = """
[[dimensions]]
name = "severity"
labels = ["info", "error"]
default = "info"

[sources.logs]
type = "files"
path = "in.jsonl"
text_fields = ["msg"]

[sinks.files]
type = "files"
path = "out.jsonl"
"""
RULES = """
[[rules]]
name = "failed"
pattern = 'failed'
labels = { severity = "error" }
"""
LINES = [{"msg": "disk 1 failed"}, {"msg": "link up"}, {"other": "x"}, {"msg": "disk 2 failed"}]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "vigie.toml").write_text(TOML)
    (tmp_path / "rules.toml").write_text(RULES)
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LINES))
    return tmp_path


def run(folder: Path, *words: str) -> Any:
    return CliRunner().invoke(app, [*words, "--project", str(folder)], env={"COLUMNS": "200"})


def rows(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]
