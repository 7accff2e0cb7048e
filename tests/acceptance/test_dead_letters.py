"""What could not be labelled, looked at and put through once more by the real command line."""

import json
from pathlib import Path

import pytest

from programs import a_project, labelled, vigie


@pytest.mark.slow
def test_dead_letters_when_the_cause_is_mended_then_a_replay_labels_them_once(tmp_path: Path) -> None:
    project = ("--project", a_project(tmp_path, '{"msg": "secret text"}'))
    assert vigie("stream", *project, "--until-end").returncode == 0
    listed = vigie("dead-letters", "list", *project)
    assert "1 dead letters" in listed.stdout
    assert "secret" not in listed.stdout
    assert "secret" in vigie("dead-letters", "list", *project, "--show-payload", "--json").stdout
    settings = tmp_path / "vigie.toml"
    settings.write_text(settings.read_text().replace('path = "app.log"', 'path = "app.log"\ntext_fields = ["msg"]', 1))

    tried = vigie("dead-letters", "replay", *project, "--dry-run", "--json")
    done = [json.loads(vigie("dead-letters", "replay", *project, "--json").stdout) for _ in range(2)]

    assert json.loads(tried.stdout) == {"labelled": 1, "dead_letters": 0, "dry_run": True}
    assert [outcome["labelled"] for outcome in done] == [1, 0]
    assert [line["msg"] for line in labelled(tmp_path)] == ["secret text"]


@pytest.mark.parametrize("command", ["list", "replay"])
def test_help_when_asked_for_then_shows_an_example(command: str) -> None:
    assert f"Example: vigie dead-letters {command}" in vigie("dead-letters", command, "--help", COLUMNS="200").stdout
