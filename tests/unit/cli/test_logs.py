import json
import logging
import sys
import warnings
from collections.abc import Iterator
from io import StringIO

import pytest

from vigie.cli import logs


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root, vigie = logging.getLogger(), logging.getLogger("vigie")
    before = (root.handlers[:], root.level, vigie.level)
    others = {name: logging.getLogger(name).level for name in ("mlflow", "alembic", "uvicorn.error")}
    with warnings.catch_warnings():
        yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    vigie.setLevel(before[2])
    for name, level in others.items():
        logging.getLogger(name).setLevel(level)


def test_lines_when_for_people_then_time_level_and_message(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("web")

    logging.getLogger("vigie.cli").info("listening on %d", 80, extra={"action": "listening"})

    assert capsys.readouterr().err[8:] == " INFO    listening on 80\n"


def test_lines_when_for_programs_then_json_with_role_and_action(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("web", as_json=True)

    logging.getLogger("vigie.cli").warning("été %s", "a", extra={"action": "listening", "port": 80})

    line = json.loads(capsys.readouterr().err)
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "warning",
        "role": "web",
        "logger": "vigie.cli",
        "message": "été a",
        "action": "listening",
        "port": 80,
    }


def test_lines_when_a_fault_is_logged_then_json_has_the_traceback_in_the_same_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.set_up(as_json=True)

    try:
        int("broken")
    except ValueError:
        logging.getLogger("vigie").exception("fault")

    assert "ValueError: invalid literal" in json.loads(capsys.readouterr().err)["traceback"]


def test_levels_when_not_debugging_then_others_speak_from_warnings_on_and_vigie_from_info_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.set_up("web")

    logging.getLogger("other").info("no")
    logging.getLogger("other").warning("yes")
    logging.getLogger("vigie").info("yes")
    logging.getLogger("vigie").debug("no")
    logging.getLogger("mlflow.store").warning("no")

    assert capsys.readouterr().err.count("\n") == 2


def test_levels_when_a_command_ends_by_itself_then_it_logs_only_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up()

    logging.getLogger("vigie").info("no")
    logging.getLogger("vigie").warning("yes")

    assert capsys.readouterr().err.count("\n") == 1


def test_levels_when_debugging_then_vigie_says_everything(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(debug=True)

    logging.getLogger("vigie.store").debug("yes")

    assert "DEBUG   yes" in capsys.readouterr().err


def test_set_up_when_called_twice_then_lines_come_once(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("web")
    logs.set_up("web")

    logging.getLogger("vigie").info("once")

    assert capsys.readouterr().err.count("once") == 1


def test_lines_when_standard_error_is_replaced_later_then_they_go_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.set_up("web")
    bar = StringIO()
    monkeypatch.setattr(sys, "stderr", bar)

    logging.getLogger("vigie").info("above the bar")

    assert "above the bar" in bar.getvalue()
    assert not capsys.readouterr().err


def test_colours_when_in_a_terminal_then_warnings_stand_out() -> None:
    record = logging.makeLogRecord({"levelno": logging.WARNING, "levelname": "WARNING", "msg": "careful"})

    assert logs.Plain(colours=True).format(record).startswith("\x1b[33m")
    assert "\x1b" not in logs.Plain().format(record)
