import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any

import pytest
import typer

from vigie.cli import running
from vigie.cli.exits import INTERRUPTED, OK, RESTART, code_of
from vigie.cli.running import Ending, ending, kept_up_to_date, present
from vigie.errors import LabelError, ModelError, SettingsError, UnavailableError, UnknownPartError


@pytest.fixture(autouse=True)
def process_that_lives_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A role insists on ending its process, which here is the tests' own."""
    monkeypatch.setattr(running, "STOP_SECONDS", 1e6)


class FakeRoster:
    """Writes down who said what; stays away while `away` is set."""

    def __init__(self) -> None:
        self.beats: list[tuple[str, str, Mapping[str, Any]]] = []
        self.left: list[tuple[str, str]] = []
        self.heard = threading.Event()
        self.away = False

    def beat(self, role: str, instance: str, details: Mapping[str, Any]) -> None:
        self.heard.set()
        if self.away:
            raise UnavailableError("the database is away")
        self.beats.append((role, instance, details))

    def leave(self, role: str, instance: str) -> None:
        if self.away:
            raise UnavailableError("the database is away")
        self.left.append((role, instance))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SettingsError(), 2),
        (UnknownPartError(), 2),
        (LabelError(), 1),
        (ModelError(), 1),
        (UnavailableError(), 3),
    ],
)
def test_code_of_when_something_failed_then_says_what_a_script_can_do(error: Any, code: int) -> None:
    assert code_of(error) == code


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, OK), (signal.SIGINT, INTERRUPTED)])
def test_ending_when_a_signal_comes_then_exits_with_its_code_and_the_old_handlers(number: int, code: int) -> None:
    before = signal.getsignal(number)

    with pytest.raises(typer.Exit) as left, ending() as wished:  # noqa: PT012 — the exit comes with the block's end
        os.kill(os.getpid(), number)
        assert wished.wait(60)

    assert left.value.exit_code == code
    assert signal.getsignal(number) is before


def test_ending_when_nobody_wished_it_then_exits_well() -> None:
    with pytest.raises(typer.Exit) as left, ending() as wished:
        assert not wished.wait(0.01)

    assert left.value.exit_code == OK


def test_ending_when_the_block_fails_then_its_error_goes_on() -> None:
    with pytest.raises(SettingsError), ending():
        raise SettingsError


def test_ending_when_a_restart_is_wished_under_a_supervisor_then_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "is_supervised", lambda: True)

    with pytest.raises(typer.Exit) as left, ending() as wished:
        wished.ask(RESTART)

    assert left.value.exit_code == RESTART


def test_ending_when_a_restart_is_wished_without_a_supervisor_then_the_program_replaces_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(running, "is_supervised", lambda: False)
    monkeypatch.setattr("sys.argv", ["vigie", "web", "--port", "1"])
    replaced: list[list[str]] = []
    monkeypatch.setattr(running.os, "execv", lambda _path, command: replaced.append(command[1:]))

    with pytest.raises(typer.Exit), ending() as wished:
        wished.ask(RESTART)

    assert replaced == [["-m", "vigie", "web", "--port", "1"]]


def test_wish_when_asked_twice_then_the_first_code_counts_and_every_wait_is_over() -> None:
    asked: list[int] = []
    wished = Ending(lambda: asked.append(1))

    wished.ask(RESTART)
    wished.ask(OK)

    assert wished.code == RESTART
    assert all(wished.wait(0) for _ in range(5))
    assert len(asked) == 2


def test_present_when_a_role_runs_then_it_says_so_and_takes_leave() -> None:
    roster = FakeRoster()

    with present(roster, "web", lambda: {"n": 1}):  # type: ignore[arg-type]
        assert roster.heard.wait(60)

    ((role, instance, details),) = roster.beats
    assert (role, details) == ("web", {"n": 1})
    assert str(os.getpid()) in instance
    assert roster.left == [("web", instance)]


def test_present_when_the_database_is_away_then_the_role_goes_on() -> None:
    roster = FakeRoster()
    roster.away = True

    with present(roster, "web"):  # type: ignore[arg-type]
        assert roster.heard.wait(60)


def test_kept_up_to_date_when_the_first_look_fails_then_the_project_is_still_closed() -> None:
    calls: list[str] = []

    class Fake:
        def __getattr__(self, name: str) -> Any:
            def call() -> None:
                calls.append(name)
                if name == "start":
                    raise SettingsError

            return call

    with pytest.raises(SettingsError), kept_up_to_date(Fake(), Fake()):  # type: ignore[arg-type]
        pytest.fail("not started")

    assert calls == ["start", "stop", "close"]


def test_insist_when_a_role_does_not_stop_then_the_process_ends_with_the_code_wished() -> None:
    code = """
import threading
from vigie.cli.running import Ending
wished = Ending()
threading.Thread(target=wished.insist, args=(0.1,), daemon=True).start()
wished.ask(75)
wished.ask(1)
threading.Event().wait(300)
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=90, check=False).returncode == RESTART
