"""The real command line as a program: what people type, what they see, how it ends."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest

from vigie.cli.exits import FAILURE, INTERRUPTED, USAGE
from vigie.cli.web import listen

COMMANDS = ("demo", "init", "up", "status", "web", "stream", "learner", "import", "train", "predict")
HEAVY = ("polars", "pydantic", "sqlalchemy", "sklearn", "mlflow", "nicegui", "fastapi", "uvicorn", "numpy", "rich")
ROLES = {"web", "stream", "learner"}
T = TypeVar("T")
VIGIE = (sys.executable, "-m", "vigie")

ERRORS = [f"ERROR disk sd{letter} failed: input/output error {n}" for n, letter in enumerate("abcde")]
LINES = [*ERRORS, *(f"INFO user {n} logged in from 10.0.0.{n}" for n in range(5))]


def vigie(*arguments: object, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*VIGIE, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**clean_environment(), **environment},
    )


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("VIGIE_")}


def a_project(folder: Path, *lines: str) -> Path:
    """Make a project that reads `app.log`."""
    assert vigie("init", folder, "--template", "logs").returncode == 0
    (folder / "app.log").write_text("".join(f"{line}\n" for line in lines))
    settings = folder / "vigie.toml"
    text = settings.read_text().replace("[sources.http]", "[sources.app]")
    settings.write_text(text.replace('type = "http"', 'type = "files"\npath = "app.log"\nfollow = true'))
    return folder


@contextmanager
def running(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run a command in the background; whatever of it is left at the end is killed."""
    with subprocess.Popen(
        [*VIGIE, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=clean_environment(),
    ) as process:
        try:
            yield process
        finally:
            family = [*descendants(process.pid)]
            process.kill()
            for one in family:
                one.kill()


def descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def role_of(process: psutil.Process) -> str | None:
    try:
        words = process.cmdline()
    except psutil.Error:
        return None
    return next((word for word in words if word in ROLES), None)


def roles(pid: int) -> dict[str, psutil.Process]:
    return {role: process for process in psutil.Process(pid).children() if (role := role_of(process))}


def until(look: Callable[[], T], *, seconds: float = 60.0) -> T:
    """Look until there is something, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
    return found


def get(url: str) -> Any:
    """Return what a page answers; None while nobody does."""
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            body = response.read().decode()
    except (urllib.error.URLError, OSError):
        return None
    return json.loads(body) if response.headers.get_content_type() == "application/json" else body or None


def post(url: str, body: Mapping[str, Any] | list[Any]) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.loads(response.read())


def labelled(folder: Path) -> list[dict[str, Any]]:
    path = folder / "labelled.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def a_free_port() -> int:
    with listen("127.0.0.1", 0) as listening:
        return int(listening.getsockname()[1])


@pytest.mark.parametrize("command", COMMANDS)
def test_help_when_asked_for_then_shows_an_example(command: str) -> None:
    shown = vigie(command, "--help", COLUMNS="200")

    assert shown.returncode == 0
    assert f"Example: vigie {command}" in shown.stdout


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
def test_stream_when_a_signal_comes_then_stops_within_ten_seconds_with_its_code(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    a_project(tmp_path, *LINES)

    with running("stream", "--project", tmp_path) as process:
        until(lambda: len(labelled(tmp_path)) == len(LINES))
        process.send_signal(number)
        assert process.wait(10) == code


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
    failed = vigie("train", "--project", a_project(tmp_path))

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


def test_web_when_the_address_can_be_reached_from_elsewhere_then_refused(tmp_path: Path) -> None:
    failed = vigie("web", "--project", a_project(tmp_path), "--host", "0.0.0.0")

    assert failed.returncode == USAGE
    assert "only this machine can reach" in failed.stderr


def test_web_when_the_port_is_in_use_then_says_so(tmp_path: Path) -> None:
    a_project(tmp_path)
    with listen("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]

        failed = vigie("web", "--project", tmp_path, "--port", port)

    assert failed.returncode == USAGE
    assert f"port {port} of 127.0.0.1 is in use" in failed.stderr


def test_web_when_asked_to_stop_then_ends_within_ten_seconds(tmp_path: Path) -> None:
    port = a_free_port()

    with running("web", "--project", a_project(tmp_path), "--port", port) as process:
        until(lambda: get(f"http://127.0.0.1:{port}/healthz"))
        assert get(f"http://127.0.0.1:{port}/readyz")["ready"]
        process.terminate()
        assert process.wait(10) == 0


@pytest.mark.slow
def test_up_when_roles_are_killed_then_all_come_back_and_a_signal_stops_everything(tmp_path: Path) -> None:
    port = a_free_port()
    url = f"http://127.0.0.1:{port}"

    with running("up", "--project", a_project(tmp_path, *LINES), "--port", port) as process:
        until(lambda: get(f"{url}/healthz"))
        until(lambda: len(labelled(tmp_path)) == len(LINES))
        first = roles(process.pid)
        assert set(first) == ROLES
        for role in first.values():
            role.kill()
        until(lambda: set(roles(process.pid)) == ROLES)
        until(lambda: get(f"{url}/healthz"))
        with (tmp_path / "app.log").open("a") as file:
            file.write("one more line\n")
        until(lambda: len(labelled(tmp_path)) == len(LINES) + 1)
        second = roles(process.pid)
        process.terminate()
        assert process.wait(10) == 0

    assert not {role.pid for role in first.values()} & {role.pid for role in second.values()}
    assert not any(role.is_running() for role in second.values())
    assert [message["message"] for message in labelled(tmp_path)] == [*LINES, "one more line"]


@pytest.mark.slow
def test_up_when_it_is_killed_itself_then_no_role_is_left(tmp_path: Path) -> None:
    port = a_free_port()

    with running("up", "--project", a_project(tmp_path), "--port", port) as process:
        until(lambda: get(f"http://127.0.0.1:{port}/healthz"))
        left = descendants(process.pid)
        process.kill()
        until(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in left), seconds=15)

    assert len(left) >= len(ROLES)


def test_up_when_the_settings_cannot_be_used_then_ends_at_once(tmp_path: Path) -> None:
    a_project(tmp_path)
    settings = tmp_path / "vigie.toml"
    settings.write_text(settings.read_text().replace('path = "app.log"', 'pat = "app.log"'))

    failed = vigie("up", "--project", tmp_path, "--port", a_free_port())

    assert failed.returncode == USAGE
    assert "sources.app.pat is no setting" in failed.stderr


@pytest.mark.slow
def test_demo_when_started_then_lines_stream_and_questions_can_be_answered(tmp_path: Path) -> None:
    port = a_free_port()
    url = f"http://127.0.0.1:{port}"

    with running("demo", "--no-browser", "--port", port, "--keep", tmp_path) as process:
        until(lambda: get(f"{url}/healthz"))
        until(lambda: len(labelled(tmp_path)) > 50)
        question = until(lambda: get(f"{url}/get_message?annotator=marie"))
        answer = {"question_id": question["question_id"], "annotator": "marie", "severity": "info"}
        assert post(f"{url}/send", answer)["status"] == "stored"
        assert "vigie_messages_total" in get(f"{url}/metrics")
        process.send_signal(signal.SIGINT)
        shown, _ = process.communicate(timeout=10)

    assert process.returncode == INTERRUPTED
    assert url in shown
    assert f"tail -f {tmp_path / 'labelled.jsonl'}" in shown
    assert "Traceback" not in shown


@pytest.mark.slow
def test_demo_when_a_file_is_given_then_that_is_streamed(tmp_path: Path) -> None:
    mine = tmp_path / "mine.log"
    mine.write_text(textwrap.dedent("first line\nsecond line\n"))

    with running("demo", "--no-browser", "--port", 0, "--keep", tmp_path / "project", "--source", mine) as process:
        until(lambda: len(labelled(tmp_path / "project")) == 2)
        process.terminate()
        assert process.wait(10) == 0


@pytest.mark.slow
def test_web_when_settings_change_that_need_it_then_it_starts_anew_by_itself(tmp_path: Path) -> None:
    port = a_free_port()
    url = f"http://127.0.0.1:{port}"

    with running("web", "--project", a_project(tmp_path), "--port", port) as process:
        until(lambda: get(f"{url}/healthz"))
        settings = tmp_path / "vigie.toml"
        settings.write_text(settings.read_text().replace("audit_every = 10 ", "audit_every = 5 "))
        until(lambda: not get(f"{url}/healthz"))
        until(lambda: get(f"{url}/healthz"))
        process.terminate()
        shown, _ = process.communicate(timeout=10)

    assert process.returncode == 0
    assert shown.count(f"pages and API on {url}") == 2
