import copy
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from vigie.cli.status import report

STATUS: dict[str, Any] = {
    "project": {"name": "logs", "goal": "Know how serious it is.", "text": "logs"},
    "messages": {"total": 16000, "per_second": 85.3, "dead_letters": 2, "by_route": {"auto": 12000, "review": 3998}},
    "groups": {"total": 812, "answered": 40, "evicted": 0},
    "questions": {"open": 50, "leased": 1},
    "answers": 41,
    "training": {"answers_since": 1, "retrain_after": 10, "running": True, "embedded": 1200, "to_embed": 5600},
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
    "numbers": {
        "severity": {
            "labelled": {"value": 0.953, "low": 0.891, "high": 0.991},
            "accuracy": {
                "value": 0.912,
                "low": 0.85,
                "high": 0.95,
                "n_audited": 13,
                "share_seen": 0.5,
                "seen_value": 0.99,
                "new_value": 0.84,
                "new_low": 0.7,
                "new_high": 0.93,
            },
            "macro_f1": {"value": 0.8, "low": 0.7, "high": 0.9, "new_value": 1.0, "new_low": 0.41, "new_high": 1.0},
            "calibration": {"error": 0.043, "by_chance": 0.061, "bins": []},
        },
        "category": None,
    },
    "passing": {
        "severity": {
            "target": 0.98,
            "threshold": 0.873,
            "share": {"value": 0.74, "low": 0.61, "high": 0.83},
            "more": {"n_answers": 41, "share": 0.8},
        },
        "category": {"target": None, "threshold": 0.75, "share": None, "more": None},
    },
    "quality": {
        "agreement": {
            "severity": {
                "kappa": {"value": 0.81, "low": 0.7, "high": 0.9, "n_groups": 1204, "n_annotators": 3},
                "alpha": {"value": 0.79, "low": 0.68, "high": 0.88, "n_groups": 1204, "n_annotators": 3},
            },
            "category": {"kappa": None, "alpha": None},
        },
        "gold": {"groups": 4, "accuracy": {"value": 0.9, "low": 0.6, "high": 0.98, "n": 10}},
        "disagreements": 2,
        "doubts": 0,
        "too_fast": 1,
        "second_looks": 3,
        "annotators": [],
    },
    "automatic": {"value": 0.6, "low": 0.5, "high": 0.7},
    "answers_saved": {
        "n_answers": 100,
        "version": "3",
        "overall": {"estimate": 61.7, "low": 21.0, "high": 130.0},
        "dimensions": {
            "severity": {"estimate": 70.0, "low": 30.0, "high": 150.0},
            "category": {"estimate": None, "low": 210.2, "high": None},
        },
        "reason": None,
        "from_answers": 50,
    },
    "advice": {
        "next_answers": 50,
        "worthwhile_gain": 0.005,
        "stable_from": 0.99,
        "dimensions": {
            "severity": {
                "state": "go_on",
                "reason": "gain",
                "gain": {"value": 0.012, "low": 0.004, "high": 0.02},
                "stability": 0.97,
            },
            "category": {"state": "unknown", "reason": "too_few_audited", "gain": None, "stability": None},
        },
    },
    "roles": [{"role": "web", "instance": "host-1", "pid": 77, "seen_at": "2026-11-21T12:00:00", "details": {}}],
    "problems": [],
}


def shown(**changes: Any) -> str:
    written = StringIO()
    console = Console(file=written, width=220)
    for part in report({**copy.deepcopy(STATUS), **changes}):
        console.print(part)
    return written.getvalue()


def test_report_when_all_is_well_then_shows_every_figure() -> None:
    text = shown()

    for expected in (
        "16,000 (85.3 a second): 12,000 auto, 3,998 review",
        "812, 40 of them answered",
        "50 open, 1 leased",
        "41; a training runs now",
        "1,200 of 5,600 groups",
        "version 3",
        "95.3% of all messages (95 %: 89.1% to 99.1%; audit answers: 13)",
        "by the model alone",
        "91.2% (85.0% to 95.0%)",
        "not known yet: no audit question was answered",
        "99.0% (50.0% of the messages)",
        "84.0% (70.0% to 93.0%)",
        "80.0% (70.0% to 90.0%); new kinds 100.0% (41.0% to 100.0%)",
        "off by 4.3% on average; by chance alone 6.1%",
        "74.0% (61.0% to 83.0%) of the messages, from a confidence of 0.873 on (0.98 promised)",
        "about 41 more audit answers would make it 80.0%",
        "answers saved",
        "about 62 (95 %: 21 to 130), against random asking; 100 were given",
        "more than 210",
        "+1.2% expected (0.4% to 2.0%); go on",
        "not known yet: too few audit answers",
        "60.0% (50.0% to 70.0%) of all messages, all dimensions together",
        "severity 91.2%",
        "host-1",
    ):
        assert expected in text


def test_report_when_answers_were_checked_then_says_how_good_they_are() -> None:
    text = shown()

    for expected in (
        "severity agreed",
        "Cohen's kappa 0.81 (0.70 to 0.90); Krippendorff's alpha 0.79 (0.68 to 0.88); groups answered twice: 1,204",
        "90.0% right (60.0% to 98.0%; answers: 10)",
        "2 people disagree, 1 too fast",
    ):
        assert expected in text
    assert "category agreed" not in text
    assert "doubted" not in text


def test_report_when_nothing_happened_yet_then_says_what_to_start() -> None:
    empty = {"total": 0, "per_second": 0.0, "dead_letters": 0, "by_route": {}}

    text = shown(
        messages=empty, roles=[], questions={}, numbers={}, automatic=None, model={"champion": None, "versions": []}
    )

    assert "0 (0 a second)" in text
    assert "none yet" in text
    assert "Start them with: vigie up" in text


@pytest.mark.parametrize("reason", ["too_few_answers", "no_model", "not_estimated_yet"])
def test_report_when_answers_saved_are_unknown_then_says_why(reason: str) -> None:
    unknown = {**STATUS["answers_saved"], "overall": None, "dimensions": {}, "reason": reason}

    assert "not known yet: " in shown(answers_saved=unknown).split("answers saved")[1].splitlines()[0]


@pytest.mark.parametrize(
    ("answers_since", "role", "expected"),
    [
        (1, "learner", "41; the next training starts after 9 more"),
        (12, "learner", "41; the next training starts soon"),
        (0, "web", "41; no learner runs to train with them"),
    ],
)
def test_report_when_no_training_runs_then_says_when_the_next_one_does(
    answers_since: int, role: str, expected: str
) -> None:
    training = {**STATUS["training"], "answers_since": answers_since, "running": False}

    assert expected in shown(training=training, roles=[{**STATUS["roles"][0], "role": role}])


def test_report_when_there_is_one_dimension_then_what_passes_is_said_once() -> None:
    only = {name: {"severity": STATUS[name]["severity"]} for name in ("numbers", "passing")}

    assert shown().count("without a person") == 3
    assert shown(**only).count("without a person") == 1


def test_report_when_something_is_wrong_then_says_so() -> None:
    assert "! vigie.toml, line 3: broken" in shown(problems=["vigie.toml, line 3: broken"])


def test_report_when_a_promise_is_not_proven_then_says_what_it_takes() -> None:
    passing = copy.deepcopy(STATUS["passing"])
    passing["severity"] |= {"threshold": None, "more": None}
    passing["category"] |= {"target": 0.9, "threshold": None, "more": {"n_answers": 29, "share": None}}

    text = shown(passing=passing)

    assert "0.98 promised, and not proven yet for any confidence; more audit answers alone would not raise it" in text
    assert "not known yet; 0.9 promised" in text
    assert "that takes at least 29 audit answers" in text


def test_report_when_predictions_settled_then_one_may_stop() -> None:
    advice = copy.deepcopy(STATUS["advice"])
    advice["dimensions"]["severity"] |= {"state": "stop", "reason": "settled"}

    assert "you may stop" in shown(advice=advice)


def test_report_when_nothing_was_learned_from_then_only_new_kinds_are_told() -> None:
    numbers = copy.deepcopy(STATUS["numbers"])
    numbers["severity"]["accuracy"]["seen_value"] = None

    text = shown(numbers=numbers)

    assert "what it learned from" not in text
    assert "new kinds" in text
