from typing import Any

import pytest

from vigie.labels import Question, QuestionKind
from vigie.web.reasons import nothing_to_ask, why
from vigie.web.words import words_in

EN, FR = words_in("en"), words_in("fr")


def a_question(reason: dict[str, object], kind: QuestionKind = QuestionKind.STRATEGY) -> Question:
    return Question(1, 1, kind, "t", 3, ("t",), reason)


def a_status(
    *,
    total: int = 9,
    groups: int = 3,
    answered: int = 3,
    leased: int = 0,
    roles: tuple[str, ...] = ("stream", "learner"),
) -> dict[str, object]:
    return {
        "messages": {"total": total},
        "groups": {"total": groups, "answered": answered},
        "questions": {"leased": leased, "answered": answered, "flagged": 0},
        "roles": [{"role": role} for role in roles],
    }


@pytest.mark.parametrize(
    ("reason", "english", "french"),
    [
        ({"why": "largest"}, "most frequent", "plus fréquentes"),
        ({"why": "frequent", "size": 9}, "most frequent", "plus fréquentes"),
        ({"why": "random"}, "at random", "au hasard"),
        ({"why": "uncertain", "dimension": "severity", "margin": 0.031}, "labels of severity are 3% apart", "à 3"),
        ({"why": "uncertain", "dimension": "severity", "confidence": 0.41}, "severity: 41%", "severity, 41"),
        ({"why": "uncertain", "dimension": "severity", "entropy": 0.9}, "many labels likely", "plusieurs étiquettes"),
        ({"why": "uncertain"}, "The model is unsure", "Le modèle hésite"),
        ({"why": "disagreement", "dimension": "severity", "votes": 0.9}, "disagree about severity", "sur severity"),
        ({"why": "typical", "alike": 40}, "are like this one", "lui ressemblent"),
        ({"why": "different", "similarity": 0.1}, "unlike everything", "ne ressemble à rien"),
        ({"why": "similar", "to": 7, "size": 4}, "took the answer to a similar one", "réponse donnée à un message"),
        ({"why": "random", "contested": "severity"}, "random. A rule contradicts", "hasard. Une règle contredit"),
        ({"why": "random", "new": 1}, "at random. This kind of message is new.", "hasard. Cette sorte"),
    ],
)
def test_why_when_a_strategy_asked_then_the_sentence_says_so(
    reason: dict[str, object], english: str, french: str
) -> None:
    assert english in why(a_question(reason), EN)
    assert french in why(a_question(reason), FR)


def test_why_when_it_is_an_audit_then_it_says_that_it_never_trains() -> None:
    question = a_question({"why": "largest"}, QuestionKind.AUDIT)

    assert "never trains" in why(question, EN)
    assert "Ne sert jamais à entraîner" in why(question, FR)


@pytest.mark.parametrize("reason", [{}, {"why": "a reason of somebody else"}, {"why": None}])
def test_why_when_the_reason_is_unknown_then_nothing_is_said(reason: dict[str, object]) -> None:
    assert why(a_question(reason), EN) == ""


@pytest.mark.parametrize(
    ("status", "heading", "advice"),
    [
        (a_status(total=0, groups=0, roles=()), "No messages yet", "vigie stream"),
        (a_status(total=0, groups=0, roles=("stream",)), "Listening", "first one"),
        (a_status(roles=("stream", "web"), leased=1), "No learner is running", "vigie learner"),
        (a_status(answered=0), "Choosing the first questions", "looking at the messages"),
        (a_status(leased=2), "Nothing left for you right now", "other people"),
        (a_status(answered=2), "Nothing left for you right now", "skipped or put aside"),
        (a_status(), "All caught up", "by itself"),
    ],
)
def test_nothing_to_ask_when_there_is_no_question_then_it_says_why_and_what_to_do(
    status: dict[str, Any], heading: str, advice: str
) -> None:
    found = nothing_to_ask(status, EN)

    assert found[0] == heading
    assert advice in found[1]
