import copy
from typing import Any

import pytest

from vigie.web.overview_savings import savings_view
from vigie.web.words import words_in
from web_fakes import FakeServices

EN, FR = words_in("en"), words_in("fr")
DASH = "\N{EN DASH}"


def a_status(answers: int = 200, **saved: Any) -> dict[str, Any]:
    status = copy.deepcopy(FakeServices(answers=answers).status())
    status["answers_saved"] |= saved
    return status


def test_savings_view_when_known_then_one_number_leads_and_each_dimension_follows() -> None:
    found = savings_view(a_status(), EN)

    assert (found["saved"], found["interval"]) == ("about 120", "42 to 260")
    (text,) = found["texts"]
    assert text.startswith("200 kinds of messages were answered. Drawn at random from the stream, about 320 would have")
    assert text.endswith("for a model as accurate (95% interval: 240 to 460).")
    assert [row["saved"] for row in found["rows"]] == ["about 120", "about 120", "more than 210"]
    assert found["rows"][-1]["interval"] == ""


def test_savings_view_when_the_language_is_french_then_numbers_and_words_are() -> None:
    found = savings_view(a_status(), FR)

    assert (found["saved"], found["interval"]) == ("environ 120", "42 à 260")
    assert "au hasard dans le flux" in found["texts"][0]


def test_savings_view_when_chance_may_have_done_as_well_then_says_so() -> None:
    status = a_status()
    status["answers_saved"]["overall"] |= {"estimate": 12.0, "low": -30.0, "high": 90.0}

    assert savings_view(status, EN)["texts"][1] == "So far chance may have done as well."


def test_savings_view_when_random_asking_never_got_there_then_says_more_than() -> None:
    status = a_status()
    status["answers_saved"]["overall"] = status["answers_saved"]["dimensions"]["category"]

    found = savings_view(status, EN)

    assert (found["saved"], found["interval"]) == ("more than 210", "")
    assert "more than 240 would have been needed" in found["texts"][0]


@pytest.mark.parametrize("words", [EN, FR])
@pytest.mark.parametrize("reason", ["too_few_answers", "no_model", "not_estimated_yet"])
def test_savings_view_when_unknown_then_shows_a_dash_and_why(words: Any, reason: str) -> None:
    found = savings_view(a_status(answers=0, reason=reason), words)

    assert (found["saved"], found["interval"], found["rows"]) == (DASH, "", [])
    assert found["texts"][0].startswith(words.gettext("Not known yet: there is no model.")[:10])
