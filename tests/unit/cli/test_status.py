import copy
from io import StringIO
from typing import Any

from rich.console import Console

from vigie.cli.status import report

STATUS: dict[str, Any] = {
    "project": {"name": "logs", "goal": "Know how serious it is.", "text": "logs"},
    "messages": {"total": 16000, "per_second": 85.3, "dead_letters": 2, "by_route": {"auto": 12000, "review": 3998}},
    "groups": {"total": 812, "answered": 40, "evicted": 0},
    "questions": {"open": 50, "leased": 1},
    "answers": 41,
    "training": {"answers_since": 1, "retrain_after": 10, "running": True},
    "model": {
        "champion": "3",
        "versions": [
            {
                "version": "3",
                "created_at": "2026-11-21T12:00:00+00:00",
                "alias": "champion",
                "metrics": {"accuracy.severity": 0.91234, "fit_seconds": 0.5},
            },
            {"version": "2", "created_at": "2026-11-21T11:00:00+00:00", "aliases": [], "metrics": {}},
        ],
    },
    "accuracy": {"severity": {"value": 0.912, "low": 0.85, "high": 0.95, "n_audited": 13}, "category": None},
    "roles": [{"role": "web", "instance": "host-1", "pid": 77, "seen_at": "2026-11-21T12:00:00", "details": {}}],
    "problems": [],
}


def shown(**changes: Any) -> str:
    written = StringIO()
    console = Console(file=written, width=160)
    for part in report({**copy.deepcopy(STATUS), **changes}):
        console.print(part)
    return written.getvalue()


def test_report_when_all_is_well_then_shows_every_figure() -> None:
    text = shown()

    for expected in (
        "16,000 (85.3 a second): 12,000 auto, 3,998 review",
        "812, 40 of them answered",
        "50 open, 1 leased",
        "41 (training after 1/10, running now)",
        "version 3",
        "91.2% of all messages (95 %: 85.0% to 95.0%; audit answers: 13)",
        "not known yet",
        "severity 91.2%",
        "host-1",
    ):
        assert expected in text


def test_report_when_nothing_happened_yet_then_says_what_to_start() -> None:
    empty = {"total": 0, "per_second": 0.0, "dead_letters": 0, "by_route": {}}

    text = shown(messages=empty, roles=[], questions={}, accuracy={}, model={"champion": None, "versions": []})

    assert "0 (0 a second)" in text
    assert "none yet" in text
    assert "Start them with: vigie up" in text


def test_report_when_something_is_wrong_then_says_so() -> None:
    assert "! vigie.toml, line 3: broken" in shown(problems=["vigie.toml, line 3: broken"])
