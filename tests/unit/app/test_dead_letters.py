import json
import threading
from pathlib import Path

import pytest

from command_fixtures import TOML
from vigie.app import DeadLetters, Project
from vigie.cli.dead_letters import summary, told
from vigie.errors import SettingsError


def a_project(folder: Path, field: str) -> Project:
    (folder / "vigie.toml").write_text(TOML.replace("msg", field))
    return Project.open(folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project whose five messages with a `msg` all became dead letters."""
    lines = [*({"msg": f"disk {n}"} for n in range(5)), {"other": "x"}, {"wrong": "fine"}]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    project = a_project(tmp_path, "wrong")
    project.worker("logs").run(threading.Event())
    project.close()
    return tmp_path


def output(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]


def replay(folder: Path, reason: str = "") -> None:
    project = a_project(folder, "msg")
    DeadLetters(project, "logs").worker(reason=reason).run(threading.Event())
    project.close()


def test_waiting_when_messages_failed_then_they_are_counted_by_reason_without_their_text(folder: Path) -> None:
    project = a_project(folder, "msg")
    found = summary(DeadLetters(project, "logs").waiting(), limit=2, show_payload=False)
    project.close()

    assert (found["count"], list(found["reasons"].values())) == (6, [6])
    assert [(letter["stage"], letter["attempt"]) for letter in found["dead_letters"]] == [("decode", 1)] * 2
    assert "disk" not in told(found)
    assert "… and 4 more" in told(found)


def test_waiting_when_payloads_are_asked_for_then_shown(folder: Path) -> None:
    project = a_project(folder, "msg")
    found = summary(DeadLetters(project, "logs").waiting(), limit=1, show_payload=True)
    project.close()

    assert json.loads(found["dead_letters"][0]["payload"]) == {"msg": "disk 0"}


def test_replay_when_the_cause_is_mended_then_the_messages_come_out_once(folder: Path) -> None:
    replay(folder)
    replay(folder)

    assert [line.get("msg") for line in output(folder)] == [None, *(f"disk {n}" for n in range(5))]
    letters = [json.loads(line) for line in (folder / "dead_letters.jsonl").read_text().splitlines()]
    assert [letter.get("attempt") for letter in letters] == [*[None] * 6, 2, 3]


def test_replay_when_done_then_the_source_goes_on_without_losing_or_repeating_anything(folder: Path) -> None:
    replay(folder)
    with (folder / "in.jsonl").open("a") as file:
        file.write('{"msg": "new"}\n')
    project = a_project(folder, "msg")
    project.worker("logs").run(threading.Event())
    groups = project.store.pool.messages()
    project.close()

    assert [line.get("msg") for line in output(folder)] == [None, *(f"disk {n}" for n in range(5)), "new"]
    assert groups == 7


def test_replay_when_a_reason_is_given_then_the_others_wait(folder: Path) -> None:
    replay(folder, reason="no such reason")
    project = a_project(folder, "msg")
    found = summary(DeadLetters(project, "logs").waiting(), limit=9, show_payload=False)
    project.close()

    assert found["count"] == 6
    assert {letter["attempt"] for letter in found["dead_letters"]} == {1}
    assert len(output(folder)) == 1


def test_tried_when_nothing_is_written_then_all_still_wait(folder: Path) -> None:
    project = a_project(folder, "msg")
    letters = DeadLetters(project, "logs")

    assert list(letters.tried()) == [(5, 1)]
    assert list(letters.tried()) == [(5, 1)]
    project.close()
    assert len(output(folder)) == 1


def test_told_when_there_are_none_then_says_so(tmp_path: Path) -> None:
    assert told(summary(iter([]), limit=5, show_payload=False)) == "There are no dead letters."


def test_dead_letters_when_the_source_is_unknown_then_the_error_names_those_there_are(folder: Path) -> None:
    project = a_project(folder, "msg")
    with pytest.raises(SettingsError, match="it has: logs"):
        DeadLetters(project, "other")
    project.close()
