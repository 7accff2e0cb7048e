import json
import logging
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO

import pytest
from rich.console import Console

from vigie.cli.board import Board
from vigie.cli.figures import Figures

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
METRICS = """# HELP vigie_messages_total Messages labelled.
# TYPE vigie_messages_total counter
vigie_messages_total{route="auto",source="demo"} 900.0
vigie_messages_total{route="review",source="demo"} 300.0
vigie_answers 21.0
vigie_model_info{alias="champion",version="3"} 1.0
vigie_accuracy_ratio{dimension="severity"} 0.875
"""


def a_board(*, terminal: bool = False, as_json: bool = False, port: int = 1) -> tuple[Board, StringIO]:
    written = StringIO()
    console = Console(file=written, force_terminal=terminal, width=100, highlight=False)
    return Board(host="127.0.0.1", port=port, as_json=as_json, console=console), written


def plain(written: StringIO) -> str:
    return re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", written.getvalue())


@contextmanager
def a_server() -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(METRICS.encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


def test_figures_when_metrics_were_read_twice_then_the_line_has_a_speed() -> None:
    figures = Figures()

    figures.read(METRICS, at=NOON)
    figures.read(METRICS.replace("900.0", "1000.0"), at=NOON + timedelta(seconds=2))

    assert figures.line("http://127.0.0.1:80").plain == (
        "  1,300 messages  ·  50 a second  ·  23% to review  ·  21 answers  ·  model 3 labels"
        "  ·  88% severity right   http://127.0.0.1:80"
    )


def test_figures_when_nothing_happened_yet_then_says_so() -> None:
    figures = Figures()

    assert figures.line("x").plain == "  0 messages  ·  0 a second  ·  0 answers  ·  no model yet   x"

    figures.read("", at=NOON)
    assert "no model yet" in figures.line("x").plain


def test_figures_when_a_count_begins_anew_then_the_speed_is_not_negative() -> None:
    figures = Figures()
    figures.read(METRICS, at=NOON)
    figures.read("", at=NOON + timedelta(seconds=1))

    assert "  ·  0 a second" in figures.line("x").plain


def test_figures_when_there_are_several_sources_then_those_to_review_are_of_all() -> None:
    figures = Figures()
    figures.read(METRICS + 'vigie_messages_total{route="review",source="other"} 800.0\n', at=NOON)

    assert "2,000 messages" in figures.line("x").plain
    assert "55% to review" in figures.line("x").plain


@pytest.mark.parametrize(
    ("written", "shown"), [("a}b", "a}b"), (r"say \"x\"", 'say "x"'), (r"a\\b", r"a\b"), ("a,b=c", "a,b=c")]
)
def test_figures_when_a_dimension_has_an_odd_name_then_its_accuracy_is_shown(written: str, shown: str) -> None:
    figures = Figures()
    figures.read(f'vigie_accuracy_ratio{{dimension="{written}"}} 0.5\n', at=NOON)

    assert f"50% {shown} right" in figures.line("x").plain


@pytest.mark.parametrize(
    "rubbish", ["<html>{}</html>", "vigie_answers many", "vigie_answers{ 3", "\x00", "vigie_answers NaN"]
)
def test_figures_when_what_answers_is_no_vigie_then_there_is_nothing_to_show(rubbish: str) -> None:
    figures = Figures()
    figures.read(rubbish, at=NOON)

    assert "0 answers" in figures.line("x").plain


def test_board_when_not_in_a_terminal_then_lines_are_plain_and_whole() -> None:
    board, written = a_board()

    board.show("title", ["Go to", board.link()])
    board.collect("web", "12:00:00 INFO    " + "x" * 200)

    assert written.getvalue() == "Go to\n  http://127.0.0.1:1\n" + f"     web 12:00:00 INFO    {'x' * 200}\n"


def test_board_when_in_a_terminal_then_instructions_stand_in_a_box_and_errors_are_red() -> None:
    board, written = a_board(terminal=True)

    board.show("Vigie", ["Go to"])
    board.collect("web", "12:00:00 ERROR   broken")

    assert "╭" in written.getvalue()
    assert "\x1b[31m12:00:00 ERROR   broken" in written.getvalue()


def test_board_when_a_line_looks_like_markup_then_it_is_shown_as_it_is() -> None:
    board, written = a_board()

    board.collect("stream", "[bold]x[/] \x1b[31m[/oops]")

    assert "[bold]x[/]" in written.getvalue()


def test_board_when_the_roles_log_json_then_every_line_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    board, written = a_board(as_json=True)

    board.show("title", ["Go to"])
    board.collect("web", '{"message": "a"}')
    board.collect("web", "Segmentation fault")

    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert lines == [{"message": "a"}, {"role": "web", "level": "error", "message": "Segmentation fault"}]
    assert written.getvalue() == ""


def test_board_when_the_pages_answer_then_it_is_told() -> None:
    with a_server() as port, a_board(port=port)[0] as board:
        assert board.served.wait(60)


def test_board_when_in_a_terminal_then_the_last_line_shows_figures() -> None:
    with a_server() as port:
        board, written = a_board(terminal=True, port=port)
        with board:
            assert board.served.wait(60)
            deadline = time.monotonic() + 60
            while "21 answers" not in plain(written) and time.monotonic() < deadline:
                time.sleep(0.05)

    assert "21 answers" in plain(written)


def test_url_when_the_host_is_ipv6_then_it_stands_in_brackets() -> None:
    assert Board(host="::1", port=81, console=Console(file=StringIO())).url == "http://[::1]:81"


def test_board_when_this_process_logs_itself_then_the_line_looks_like_those_of_the_roles() -> None:
    board, written = a_board()
    before = logging.getLogger().handlers[:]

    with board:
        logging.getLogger("vigie.supervisor").warning("web was ended")

    assert re.fullmatch(r"   vigie \d\d:\d\d:\d\d WARNING web was ended\n", written.getvalue())
    assert logging.getLogger().handlers == before
