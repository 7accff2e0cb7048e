from zoneinfo import ZoneInfo

import pytest

from review_fakes import FakeReview, given, some_cases
from vigie.quality.review import Case
from vigie.web.formats import DASH
from vigie.web.review_views import (
    agreement_views,
    annotator_views,
    case_view,
    counts,
    disputed,
    likely,
    list_names,
    measure_text,
    nothing,
)
from vigie.web.words import words_in
from web_fakes import LINES, the_dimensions

EN, FR = words_in("en"), words_in("fr")
PARIS = ZoneInfo("Europe/Paris")


def a_case(*answers, **changes) -> Case:
    return Case(7, "disk <n>", 1200, ("disk 1", "disk 2"), answers, **changes)


def test_case_view_when_people_disagree_then_who_said_what_when_and_how_fast() -> None:
    case = a_case(given("ann", severity="info"), given("bob", 5, severity="error", seconds=0.24), too_fast=("bob",))

    view = case_view(case, zone=PARIS, words=EN)

    assert (view["text"], view["others"], view["covers"]) == ("disk 1", ["disk 2"], "Labels 1,200 messages")
    assert view["answers"][1] == {
        "annotator": "bob",
        "labels": {"severity": "error"},
        "when": "26 Nov 10:17",
        "seconds": "0.2 s",
        "settled": False,
        "too_fast": True,
    }
    assert view["disputed"] == {"severity"}
    assert case_view(case, zone=PARIS, words=FR)["answers"][1]["seconds"] == "0,2 s"


def test_case_view_when_no_message_was_kept_then_the_template_stands_for_it() -> None:
    view = case_view(Case(7, "disk <n>", 1, (), ()), zone=PARIS, words=EN)

    assert (view["text"], view["others"]) == ("disk <n>", [])


def test_case_view_when_a_message_is_huge_then_it_is_cut() -> None:
    assert len(case_view(Case(7, "", 1, ("x" * 10**6,), ()), zone=PARIS, words=EN)["text"]) == 20_000


def test_case_view_when_an_answer_is_doubted_then_says_what_the_model_thinks() -> None:
    doubt = {"label": "error", "confidence": 0.834, "asked_of": "ann"}

    text = case_view(a_case(doubt=doubt), zone=PARIS, words=EN)["doubt"]

    assert text == ("The model, had it not learned from this answer, would say error (83% sure). ann is being asked.")


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([given("a", severity="info"), given("b", severity="error")], {}),
        (
            [given("a", severity="info"), given("b", severity="error"), given("c", severity="error")],
            {"severity": "error"},
        ),
        ([given("a", severity="info"), given("r", severity="error", settled=True)], {"severity": "error"}),
        ([given("a", severity="gone"), given("b", severity="info")], {"severity": "info"}),
        ([given("a", severity="gone")], {}),
        ([], {}),
    ],
    ids=["a draw", "a majority", "settled", "a label that left", "only such", "nobody"],
)
def test_likely_when_answers_are_so_then_these_labels_are_chosen(answers, expected) -> None:
    assert likely(a_case(*answers), the_dimensions()) == expected


def test_disputed_when_one_dimension_differs_then_only_that() -> None:
    case = a_case(given("a", severity="info", category="Data"), given("b", severity="error", category="Data"))

    assert disputed(case) == {"severity"}


def test_numbers_when_they_are_known_then_with_intervals_in_the_visitors_language() -> None:
    numbers = FakeReview(LINES).numbers()

    assert agreement_views(numbers, EN)[0] == {
        "dimension": "severity",
        "kappa": f"0.79 (0.66 {DASH} 0.89)",
        "alpha": f"0.79 (0.66 {DASH} 0.89)",
        "groups": "64",
    }
    assert agreement_views(numbers, FR)[2] == {"dimension": "category", "kappa": DASH, "alpha": DASH, "groups": "0"}
    assert measure_text({"value": 1.0, "low": 1.0, "high": 1.0}, FR) == f"1,00 (1,00 {DASH} 1,00)"
    marie, _, zoe = annotator_views(numbers, EN)
    assert (marie["agreement"], marie["gold"], marie["gold_interval"]) == (
        "91%",
        "90%",
        f"60{DASH}98%, of 10 questions",
    )
    assert (zoe["agreement"], zoe["gold"], zoe["seconds"], zoe["too_fast"]) == (DASH, DASH, DASH, "")


@pytest.mark.parametrize("words", [EN, FR])
def test_parts_when_they_are_empty_then_each_has_a_kind_sentence(words) -> None:
    names = list_names(words)

    assert set(counts(FakeReview().numbers(), words)) == set(names)
    for review in (FakeReview(), FakeReview(LINES)):
        assert all(all(nothing(name, review.numbers(), words)) for name in names)


def test_disagreements_when_nobody_could_be_compared_then_it_does_not_say_that_all_agree() -> None:
    assert "Too few questions" in nothing("disagreements", FakeReview().numbers(), EN)[1]
    assert "they agree" in nothing("disagreements", FakeReview(LINES).numbers(), EN)[1]


def test_some_cases_when_used_in_tests_then_every_list_has_one() -> None:
    assert all(some_cases(LINES).values())
