import copy
from typing import Any

import pytest

from vigie.web.overview_numbers import advice_view, audited, calibration_text, measured, passing_view
from vigie.web.words import words_in
from web_fakes import FakeServices

EN, FR = words_in("en"), words_in("fr")
DASH = "\N{EN DASH}"


def a_status(answers: int = 137, **passing: Any) -> dict[str, Any]:
    """Return the state of a project; `passing` changes what is said of severity."""
    status = copy.deepcopy(FakeServices(answers=answers).status())
    status["passing"]["severity"] |= passing
    return status


def advised(**found: Any) -> dict[str, Any]:
    status = a_status()
    status["advice"]["dimensions"]["severity"] = {
        "state": "go_on",
        "reason": "gain",
        "gain": {"value": 0.004, "low": 0.001, "high": 0.02},
        "stability": 0.9931,
        **found,
    }
    return status


def test_measured_when_nothing_was_audited_then_there_are_no_rows() -> None:
    status = a_status(answers=0)

    assert measured(status, "severity", EN) == []
    assert audited(status, "severity", EN) == calibration_text(status, "severity", EN) == ""


def test_measured_when_known_then_stream_model_seen_and_new_stand_apart() -> None:
    status = a_status()
    status["numbers"]["severity"]["labelled"] = {"value": 0.971, "low": 0.94, "high": 0.99}
    status["numbers"]["severity"]["accuracy"] |= {"value": 0.912, "low": 0.86, "high": 0.95, "seen_value": 0.99}

    rows = measured(status, "severity", EN)

    names = ["stream, answers included", "the model alone", "on kinds it learned from", "on new kinds"]
    assert [row["name"] for row in rows] == names
    assert [row["share"] for row in rows] == ["100%", "100%", "38%", "62%"]
    assert rows[0]["accuracy"] == {"value": "97%", "interval": f"94{DASH}99%"}
    assert rows[0]["macro_f1"] == {"value": DASH, "interval": ""}
    assert rows[1]["accuracy"] == {"value": "91%", "interval": f"86{DASH}95%"}
    assert rows[2]["accuracy"] == {"value": "99%", "interval": ""}
    assert rows[3]["macro_f1"]["interval"]


def test_measured_when_few_audit_answers_speak_then_only_the_interval_is_shown() -> None:
    status = a_status()
    status["numbers"]["severity"]["macro_f1"] |= {"new_value": 1.0, "new_low": 0.17, "new_high": 1.0}

    assert measured(status, "severity", EN)[3]["macro_f1"] == {"value": f"17{DASH}100%", "interval": ""}


def test_measured_when_nothing_was_learned_from_then_that_is_a_dash() -> None:
    status = a_status()
    status["numbers"]["severity"]["accuracy"] |= {"seen_value": None, "share_seen": 0.0}

    assert measured(status, "severity", EN)[2]["accuracy"] == {"value": DASH, "interval": ""}


def test_audited_when_known_then_says_how_many_answers_it_rests_on() -> None:
    assert audited(a_status(), "severity", EN).startswith("From 13 audit answers;")
    assert "13 réponses de contrôle" in audited(a_status(), "severity", FR)


def test_calibration_text_when_known_then_says_what_chance_would_do() -> None:
    assert "off by 4% on average" in calibration_text(a_status(), "severity", EN)
    assert "6\xa0%" in calibration_text(a_status(), "severity", FR)


def test_passing_view_when_a_promise_is_proven_then_says_from_where_on_and_what_raises_it() -> None:
    found = passing_view(a_status(), "severity", EN)

    assert (found["share"], found["interval"]) == ("74%", f"61{DASH}83%")
    assert found["texts"][0] == "Promised: 95% right. From a confidence of 87.3% on, the audit sample proves it."
    assert found["texts"][1] == "About 41 more audit answers, as right as those so far, would make it 81%."
    assert "All dimensions together: 61%" in found["texts"][2]


def test_passing_view_when_a_promise_is_not_proven_then_all_is_to_be_looked_at() -> None:
    found = passing_view(a_status(answers=0), "severity", EN)

    assert (found["share"], found["interval"]) == (DASH, "")
    assert "does not prove it for any confidence yet" in found["texts"][0]
    assert found["texts"][1] == "That takes at least 72 audit answers, all right."


def test_passing_view_when_nothing_passes_for_sure_then_there_is_no_interval() -> None:
    found = passing_view(a_status(share={"value": 0.38, "low": 0.38, "high": 0.38}), "severity", EN)

    assert (found["share"], found["interval"]) == ("38%", "")


def test_passing_view_when_more_answers_would_not_help_then_says_so() -> None:
    assert "would not raise it" in passing_view(a_status(more=None), "severity", EN)["texts"][1]


def test_passing_view_when_the_threshold_is_fixed_then_nothing_is_promised() -> None:
    found = passing_view(a_status(), "category", EN)

    assert "a fixed threshold, without a promise" in found["texts"][0]
    assert len(found["texts"]) == 2


def test_passing_view_when_a_dimension_is_new_then_it_has_nothing_to_say() -> None:
    status = a_status()
    status["automatic"] = None

    assert passing_view(status, "colour", EN) == {"share": DASH, "interval": "", "texts": []}


@pytest.mark.parametrize("words", [EN, FR])
@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("go_on", "gain"),
        ("go_on", "unstable"),
        ("stop", "settled"),
        ("unknown", "too_few_audited"),
        ("unknown", "too_few_versions"),
    ],
)
def test_advice_view_when_given_then_every_reason_has_a_sentence(words: Any, state: str, reason: str) -> None:
    found = advice_view(advised(state=state, reason=reason), "severity", words)

    assert found["state"] == state
    assert found["heading"]
    assert found["text"]


def test_advice_view_when_one_may_stop_then_says_why() -> None:
    text = advice_view(advised(state="stop", reason="settled"), "severity", EN)["text"]

    assert text.startswith(f"The next 50 answers are expected to raise accuracy by 0.4% (0.1{DASH}2%).")
    assert "less than 0.5%" in text
    assert "agreement 99%" in text


def test_advice_view_when_a_dimension_is_new_then_is_unknown() -> None:
    assert advice_view(a_status(), "colour", EN)["state"] == "unknown"
