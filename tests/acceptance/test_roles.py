"""The roles as programs: how they start, come back, and end together."""

import signal
import textwrap
from pathlib import Path

import psutil
import pytest

from programs import (
    LINES,
    ROLES,
    a_free_port,
    a_project,
    descendants,
    get,
    labelled,
    post,
    roles,
    running,
    until,
    vigie,
)
from vigie.cli.exits import INTERRUPTED, USAGE
from vigie.cli.web import listen


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
        assert process.wait(60) == 0


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
        assert process.wait(60) == 0

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
        until(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in left))

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
        shown, _ = process.communicate(timeout=60)

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
        assert process.wait(60) == 0


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
        shown, _ = process.communicate(timeout=60)

    assert process.returncode == 0
    assert shown.count(f"pages and API on {url}") == 2
