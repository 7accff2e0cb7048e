"""Why a question was asked, and why there is none, as sentences."""

from collections.abc import Mapping
from typing import Any

from vigie.labels import Question, QuestionKind
from vigie.web.formats import percent
from vigie.web.words import Words


def why(question: Question, confidence: Mapping[str, float], words: Words) -> str:
    """Say why a question was asked.

    Parameters
    ----------
    question
        Its ``reason`` has at least ``why``: a strategy's name, or ``largest``; a reason nobody foresaw is left out.
    confidence
        Of the current prediction, by dimension, in [0, 1].
    words
        The visitor's language.
    """
    if question.kind is QuestionKind.AUDIT:
        return words.gettext("Drawn at random from the stream, to measure how good the labels are. It never trains.")
    name = str(question.reason.get("why", "")).partition(".")[0]
    if name == "largest":
        return words.gettext("One of the most frequent kinds of message that nobody has labelled.")
    if name == "random":
        return words.gettext("Drawn at random.")
    if name in {"margin", "entropy", "least_confidence"}:
        return _unsure(name, question.reason, confidence, words)
    return ""


def _unsure(name: str, reason: Mapping[str, object], confidence: Mapping[str, float], words: Words) -> str:
    dimension = str(reason.get("dimension") or min(confidence, key=lambda key: confidence[key], default=""))
    if not dimension:
        return words.gettext("The model is unsure about it.")
    candidates = reason.get("labels")
    if name == "margin" and isinstance(candidates, list | tuple) and len(candidates) == 2:  # noqa: PLR2004 — two labels nearly tie
        first, second = candidates
        return words.gettext("The model hesitates between {first} and {second}.", first=first, second=second)
    if name == "entropy":
        return words.gettext("The model finds many answers likely for {dimension}.", dimension=dimension)
    if dimension not in confidence:
        return words.gettext("The model is unsure about it.")
    sure = percent(confidence[dimension], words.language)
    return words.gettext("The model is least sure about {dimension}: {sure}.", dimension=dimension, sure=sure)


def nothing_to_ask(status: Mapping[str, Any], words: Words) -> tuple[str, str]:
    """Say why there is no question now, and what to do about it.

    Returns
    -------
    A heading and a sentence.
    """
    roles = {role["role"] for role in status["roles"]}
    if not status["messages"]["total"] and not status["groups"]["total"]:
        if "stream" not in roles:
            return words.gettext("No messages yet"), words.gettext(
                "No stream worker is running. Start one with “vigie up” or “vigie stream”; "
                "this page comes alive with the first message."
            )
        return words.gettext("Listening"), words.gettext(
            "The stream worker is running and no message has come yet. This page comes alive with the first one."
        )
    if status["questions"].get("leased", 0):
        return words.gettext("Nothing left for you right now"), words.gettext(
            "The open questions are with other people. New ones appear here by themselves."
        )
    return words.gettext("All caught up"), words.gettext(
        "Every kind of message seen so far has an answer. The next new one appears here by itself."
    )
