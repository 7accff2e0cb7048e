"""The real command line as a program: what people type, what they see, how it ends."""

import base64
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from programs import LINES, a_project, labelled, running, until, vigie
from vigie.cli.exits import FAILURE, INTERRUPTED, USAGE

COMMANDS = ("demo", "init", "up", "status", "web", "stream", "learner", "import", "train", "predict")
HEAVY = ("polars", "pydantic", "sqlalchemy", "sklearn", "mlflow", "nicegui", "fastapi", "uvicorn", "numpy", "rich")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_when_asked_for_then_shows_an_example(command: str) -> None:
    shown = vigie(command, "--help", COLUMNS="200")

    assert shown.returncode == 0
    assert f"Example: vigie {command}" in shown.stdout
    assert "--json" in shown.stdout
    assert "--project" in shown.stdout


def test_help_when_asked_for_then_names_every_exit_code_and_imports_nothing_heavy() -> None:
    code = f"import sys, vigie.cli; print([name for name in {HEAVY!r} if name in sys.modules])"

    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert shown.stdout == "[]\n"
    assert all(f"\n {code}  " in vigie("--help").stdout for code in (0, 1, 2, 3, 75, 130))


def test_version_when_asked_for_then_shown() -> None:
    assert vigie("--version").stdout.startswith("vigie 0.")


def test_error_when_there_is_no_project_then_one_line_and_exit_code_two(tmp_path: Path) -> None:
    failed = vigie("status", "--project", tmp_path)

    assert failed.returncode == USAGE
    assert failed.stderr.startswith("vigie: there is no vigie.toml in ")
    assert failed.stderr.count("\n") == 1
    assert failed.stdout == ""


def test_error_when_debugging_then_the_traceback_is_there_too(tmp_path: Path) -> None:
    failed = vigie("status", "--project", tmp_path, "--debug")

    assert "Traceback" in failed.stderr
    assert failed.stderr.splitlines()[-1].startswith("vigie: there is no vigie.toml")


def test_error_when_an_option_is_unknown_then_exit_code_two() -> None:
    assert vigie("status", "--jsn").returncode == USAGE


def test_project_when_named_in_the_environment_then_used(tmp_path: Path) -> None:
    failed = vigie("status", VIGIE_PROJECT=str(tmp_path / "there"))

    assert str(tmp_path / "there") in failed.stderr


def test_settings_when_broken_then_the_line_is_named(tmp_path: Path) -> None:
    a_project(tmp_path)
    settings = tmp_path / "vigie.toml"
    settings.write_text(settings.read_text().replace("confidence = 0.75", "confidence = 1.75"))

    failed = vigie("stream", "--project", tmp_path, "--until-end")

    assert failed.returncode == USAGE
    assert "routing.confidence is 1.75" in failed.stderr
    assert "vigie.toml, line " in failed.stderr


def test_stream_when_until_end_then_every_line_comes_out_once_and_the_counts_are_json(tmp_path: Path) -> None:
    a_project(tmp_path, *LINES)

    done = vigie("stream", "--project", tmp_path, "--source", "app", "--until-end", "--json")

    assert done.returncode == 0, done.stderr
    assert {**json.loads(done.stdout), "seconds": 0} == {"messages": len(LINES), "dead_letters": 0, "seconds": 0}
    assert [message["message"] for message in labelled(tmp_path)] == LINES
    assert {message["severity"] for message in labelled(tmp_path)} <= {"info", "warning", "error", "critical"}

    again = vigie("stream", "--project", tmp_path, "--source", "app", "--until-end", "--json")
    assert json.loads(again.stdout)["messages"] == 0


def test_stream_when_the_source_is_unknown_then_names_those_there_are(tmp_path: Path) -> None:
    failed = vigie("stream", "--project", a_project(tmp_path), "--source", "ap")

    assert failed.returncode == USAGE
    assert "'ap'" in failed.stderr
    assert "it has: app" in failed.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, INTERRUPTED)])
def test_stream_when_a_signal_comes_then_stops_with_its_code(number: signal.Signals, code: int, tmp_path: Path) -> None:
    a_project(tmp_path, *LINES)

    with running("stream", "--project", tmp_path) as process:
        until(lambda: len(labelled(tmp_path)) == len(LINES))
        process.send_signal(number)
        assert process.wait(60) == code


def test_import_train_predict_and_status_when_used_in_turn_then_the_model_has_learned(tmp_path: Path) -> None:
    a_project(tmp_path)
    rows = [
        json.dumps({"line": f"{word} module {chr(97 + n)} state {chr(98 + n)}", "level": level})
        for n in range(12)
        for word, level in (("frobnicated", "error"), ("greeted", "info"))
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows))

    brought = vigie(
        "import",
        tmp_path / "rows.jsonl",
        "--text",
        "line",
        "--label",
        "severity=level",
        "--project",
        tmp_path,
        "--json",
    )
    trained = vigie("train", "--project", tmp_path, "--json")
    predicted = vigie("predict", "-", "--project", tmp_path, stdin="frobnicated module z\ngreeted module y\n")
    status = vigie("status", "--project", tmp_path, "--json")

    assert brought.returncode == 0, brought.stderr
    assert json.loads(brought.stdout)["messages"] == 24
    assert trained.returncode == 0, trained.stderr
    assert predicted.returncode == 0, predicted.stderr
    lines = [json.loads(line) for line in predicted.stdout.splitlines()]
    assert [(line["message"], line["severity"]) for line in lines] == [
        ("frobnicated module z", "error"),
        ("greeted module y", "info"),
    ]
    found = json.loads(status.stdout)
    assert found["model"]["champion"] == lines[0]["vigie"]["model"]
    assert found["answers"] == found["groups"]["answered"]


def test_import_when_labels_are_unknown_then_lists_them_and_writes_nothing(tmp_path: Path) -> None:
    a_project(tmp_path)
    (tmp_path / "rows.csv").write_text("text,level\na b,fatal\nc d,info\n")

    failed = vigie(
        "import", tmp_path / "rows.csv", "--text", "text", "--label", "severity=level", "--project", tmp_path
    )

    assert failed.returncode == FAILURE
    assert "'fatal' (1 times)" in failed.stderr
    assert json.loads(vigie("status", "--project", tmp_path, "--json").stdout)["groups"]["total"] == 0


def test_train_when_there_are_no_answers_then_says_so(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    settings = project / "vigie.toml"
    settings.write_text(settings.read_text().replace("hybrid.v1", "linear.v1"))  # the other one begins with label names
    failed = vigie("train", "--project", project)

    assert failed.returncode == FAILURE
    assert "answer" in failed.stderr


def test_predict_when_a_message_cannot_be_read_then_the_others_are_labelled_and_the_code_says_so(
    tmp_path: Path,
) -> None:
    a_project(tmp_path)
    (tmp_path / "mixed.log").write_bytes(b"disk failed\n\xff\xfe broken\nlink up\n")

    done = vigie("predict", tmp_path / "mixed.log", "--project", tmp_path)

    assert done.returncode == FAILURE
    assert [json.loads(line)["message"] for line in done.stdout.splitlines()] == ["disk failed", "link up"]
    assert "cannot be read" in done.stderr

    for_machines = vigie("predict", tmp_path / "mixed.log", "--project", tmp_path, "--json")
    assert for_machines.stdout == done.stdout
    said = [json.loads(line) for line in for_machines.stderr.splitlines()]
    assert [one["level"] for one in said] == ["warning", "warning"]  # that there is no model yet is the other


def test_stream_when_messages_are_broken_then_each_says_why_and_the_others_are_labelled(tmp_path: Path) -> None:
    broken = {
        b"caf\xe9 \xff\xfe": "UTF-8",
        b'{"message": "cut off': "JSON",
        b'{"msg": "no text here"}': "message, log, text",
        b'{"message": 5}': "number",
        b'{"message": "  "}': "empty",
        b"x" * 5_000_000: "5000000",
    }
    a_project(tmp_path)
    (tmp_path / "app.log").write_bytes(b"".join(b"fine %d\n%s\n" % (n, one) for n, one in enumerate(broken)))

    done = vigie("stream", "--project", tmp_path, "--source", "app", "--until-end", "--json")

    assert done.returncode == 0, done.stderr
    assert [message["message"] for message in labelled(tmp_path)] == [f"fine {n}" for n in range(len(broken))]
    letters = [json.loads(line) for line in (tmp_path / "dead_letters.jsonl").read_text().splitlines()]
    assert {key: value for key, value in json.loads(done.stdout).items() if key != "seconds"} == {
        "messages": len(broken),
        "dead_letters": len(broken),
    }
    for letter, reason in zip(letters, broken.values(), strict=True):
        assert reason in letter["error"]
    assert [kept(letter) for letter in letters] == list(broken)


def kept(letter: dict[str, str]) -> bytes:
    """Return the message that a dead letter holds, byte for byte."""
    return base64.b64decode(letter["payload_base64"]) if "payload_base64" in letter else letter["payload"].encode()
