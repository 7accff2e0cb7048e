from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import a_dimension
from vigie.labels import Origin, Prediction, Question, QuestionKind, Route
from vigie.web.label_texts import actions, setup, texts
from vigie.web.views import (
    MAX_CHARACTERS,
    accuracy_view,
    belief,
    dimension_views,
    group_view,
    parts_of,
    prediction_view,
    question_view,
    status_view,
)
from vigie.web.words import Words, words_in
from web_fakes import FakeServices

EN, FR = words_in("en"), words_in("fr")
PREDICTION = Prediction(
    Route.REVIEW, {"severity": "error"}, {"severity": 0.63}, {"severity": Origin.MODEL}, "disk <*> full", "3"
)


def a_question(text: str = "disk 91% full", *others: str, count: int = 1284) -> Question:
    return Question(7, 5, QuestionKind.STRATEGY, "disk <*> full", count, (text, *others), {"why": "largest"})


def a_view(text: str = "disk 91% full", *others: str, variable: tuple[tuple[int, int], ...] = ()) -> dict[str, object]:
    return question_view(a_question(text, *others), PREDICTION, text, variable=variable, words=EN)


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], [("disk 91% full", False)]),
        ([(0, 13)], [("disk 91% full", True)]),
        ([(9, 13), (0, 4)], [("disk", True), (" 91% ", False), ("full", True)]),
        ([(5, 7), (6, 8)], [("disk ", False), ("91", True), ("%", True), (" full", False)]),
        ([(5, 5)], [("disk 91% full", False)]),
    ],
)
def test_parts_of_when_spans_are_given_then_the_text_is_cut_there(spans: list[tuple[int, int]], expected: Any) -> None:
    assert parts_of("disk 91% full", spans) == expected


@given(st.text(max_size=40), st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=6))
def test_parts_of_when_spans_are_arbitrary_then_no_character_is_lost_or_doubled(
    text: str, spans: list[tuple[int, int]]
) -> None:
    inside = [(min(pair), min(max(pair), len(text))) for pair in spans if min(pair) <= len(text)]

    assert "".join(piece for piece, _ in parts_of(text, inside)) == text


def test_question_view_when_texts_are_short_then_all_is_shown() -> None:
    view = a_view("disk 91% full", "disk 12% full", variable=((5, 8),))

    assert view["id"] == 7
    assert view["parts"] == [("disk ", False), ("91%", True), (" full", False)]
    assert (view["covers"], view["cut"], view["long"]) == ("Labels 1,284 messages", "", False)
    assert (view["samples"], view["samples_title"]) == (["disk 12% full"], "1 more example")


def test_question_view_when_the_text_is_huge_then_it_is_cut_and_says_so() -> None:
    view = a_view("x" * (MAX_CHARACTERS + 1200), variable=((MAX_CHARACTERS - 5, MAX_CHARACTERS + 5), (30_000, 30_002)))

    assert sum(len(piece) for piece, _ in view["parts"]) == MAX_CHARACTERS
    assert view["cut"] == "1,200 more characters are not shown"
    assert view["long"]


def test_question_view_when_the_text_has_many_lines_then_it_is_long() -> None:
    assert a_view("a\n" * 6)["long"]


def test_question_view_when_it_is_an_audit_then_it_is_marked() -> None:
    question = replace(a_question(), kind=QuestionKind.AUDIT)

    assert question_view(question, PREDICTION, "disk", variable=(), words=EN)["audit"]


def test_prediction_view_when_nobody_knows_a_dimension_then_it_is_left_out() -> None:
    unknown = replace(PREDICTION, labels={"severity": None})

    assert prediction_view(unknown, EN) == {"model": "3", "beliefs": {}}


@pytest.mark.parametrize(
    ("origin", "model", "english"),
    [
        (Origin.MODEL, "3", "model, 63% sure"),
        (Origin.RULE, "3", "by a rule"),
        (Origin.HUMAN, "3", "by people"),
        (Origin.DEFAULT, "3", "default"),
        (Origin.DEFAULT, None, "default, nothing learnt yet"),
    ],
)
def test_belief_when_someone_chose_then_it_says_who(origin: Origin, model: str | None, english: str) -> None:
    assert belief(replace(PREDICTION, origin={"severity": origin}, model=model), "severity", EN) == english


def test_dimension_views_when_made_then_each_label_has_its_key_and_guideline() -> None:
    view = dimension_views([a_dimension()])[0]

    assert view["labels"][1] == {"name": "warning", "guideline": "When it is warning.", "key": "2"}


def test_status_view_when_there_is_no_model_then_it_says_so() -> None:
    view = status_view(FakeServices(()).status(), [a_dimension()], EN)

    assert (view["model"], view["model_text"]) == (None, "No model yet")
    assert view["accuracy"] == [{"dimension": "severity", "value": None, "text": "not measured yet"}]
    assert view["nothing"]["heading"] == "No messages yet"


def test_status_view_when_there_is_a_model_then_it_tells_version_and_progress() -> None:
    view = status_view(FakeServices(answers=37).status(), [a_dimension()], FR)

    assert view["model_text"] == "Modèle v3"
    assert view["answers_text"] == "réponses en tout"
    assert view["training"] == {
        "share": 0.7,
        "running": False,
        "works": True,
        "text": "3 réponses avant le prochain entraînement",
    }


@pytest.mark.parametrize(
    ("training", "text"),
    [
        ({"answers_since": 9, "retrain_after": 10, "running": False}, "1 answer until the next training"),
        ({"answers_since": 12, "retrain_after": 10, "running": False}, "Training starts now"),
        ({"answers_since": 10, "retrain_after": 10, "running": True}, "Training now"),
    ],
)
def test_status_view_when_training_nears_then_it_says_how_near(training: dict[str, Any], text: str) -> None:
    status = {**FakeServices(answers=37).status(), "training": training}

    assert status_view(status, [a_dimension()], EN)["training"]["text"] == text


def test_status_view_when_no_learner_runs_then_it_says_that_nothing_is_learned() -> None:
    status = {**FakeServices(answers=40).status(), "roles": [{"role": "web"}, {"role": "stream"}]}

    training = status_view(status, [a_dimension()], EN)["training"]

    assert (training["works"], training["text"][:21]) == (False, "No learner is running")


def test_accuracy_view_when_it_is_measured_then_value_interval_and_number_are_told() -> None:
    numbers = {"severity": {"labelled": {"value": 0.93, "low": 0.86, "high": 0.97}, "accuracy": {"n_audited": 42}}}

    view = accuracy_view("severity", numbers, EN)

    assert view["value"] == "93%"
    assert view["text"] == "86\N{EN DASH}97% · 42 audit answers"


@pytest.mark.parametrize(
    ("words", "n_audited", "value", "text"),
    [
        (EN, 5, "42\N{EN DASH}98%", "5 audit answers say no more"),
        (EN, 1, "42\N{EN DASH}98%", "1 audit answer says no more"),
        (
            FR,
            5,
            "42\N{EN DASH}98\N{NO-BREAK SPACE}%",
            "5 réponses de contrôle n\N{RIGHT SINGLE QUOTATION MARK}en disent pas plus",
        ),
    ],
)
def test_accuracy_view_when_its_interval_is_wide_then_no_single_number_is_told(
    words: Words, n_audited: int, value: str, text: str
) -> None:
    labelled = {"value": 0.97, "low": 0.42, "high": 0.98}
    numbers = {"severity": {"labelled": labelled, "accuracy": {"n_audited": n_audited}}}

    view = accuracy_view("severity", numbers, words)

    assert (view["value"], view["text"]) == (value, text)


@pytest.mark.parametrize("words", [EN, FR])
def test_texts_when_the_browser_fills_names_in_then_they_are_still_there(words: Words) -> None:
    found = texts(words)

    assert "{problem}" in found["gone"]
    assert "{problem}" in found["not_stored"]
    assert "{n}" in found["accept_some"]
    assert "{labels}" in found["saved"]


def test_setup_when_made_then_actions_have_their_keys() -> None:
    keys = [action["key"] for action in setup([a_dimension()], "goal", EN)["actions"]]

    assert keys == ["u", "s", "f", "o", "m", "g", "?"]
    assert [action["name"] for action in actions(EN) if action["needs_question"]] == [
        "skip",
        "flag",
        "open",
        "similar",
        "find",
    ]


def test_group_view_when_messages_are_kept_then_each_can_be_excepted_unless_it_is_too_long() -> None:
    long = "x" * (MAX_CHARACTERS + 1)

    view = group_view(a_question(), [("disk 3% full", [(5, 7)]), (long, [(0, MAX_CHARACTERS + 1)])], EN)

    assert (view["id"], view["alone"]) == (7, "")
    assert view["about"] == "2 messages are kept of 1,284, the most unlike first."
    first, second = view["messages"]
    assert first == {
        "text": "disk 3% full",
        "parts": [("disk ", False), ("3%", True), (" full", False)],
        "can_tick": True,
        "note": "",
    }
    assert (second["can_tick"], len(second["text"]), second["note"]) == (
        False,
        MAX_CHARACTERS,
        "Too long to be asked about by itself.",
    )


def test_group_view_when_one_message_is_kept_then_it_says_so() -> None:
    view = group_view(a_question(), [("disk 3% full", [])], FR)

    assert view["alone"].endswith("a rien à quoi le comparer.")
    assert view["about"].startswith("1 message gardé sur 1")


def test_question_view_when_it_is_an_exception_then_it_is_about_one_message() -> None:
    question = replace(a_question(), parent_id=3, reason={"why": "exception"})

    view = question_view(question, PREDICTION, "disk 91% full", variable=(), words=EN)

    assert (view["single"], view["covers"]) == (True, "Labels this message alone")
    assert view["why"] == "It was excepted from the answer to its group."
    assert a_view()["single"] is False
