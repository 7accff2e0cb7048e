"""Why a question was asked, and why there is none, as sentences."""

from collections.abc import Mapping
from typing import Any

from vigie.labels import Question, QuestionKind
from vigie.web.formats import percent
from vigie.web.words import Words


def why(question: Question, words: Words) -> str:
    """Say why a question was asked; nothing when a strategy gave a reason that is not known here.

    Parameters
    ----------
    question
        Its ``reason`` says ``why``: ``uncertain`` (with ``dimension`` and ``margin``, ``confidence`` or ``entropy``),
        ``disagreement`` (with ``dimension``), ``doubt`` (with ``dimension``, ``label``, ``confidence`` and ``earlier``),
        ``different``, ``typical``, ``frequent``, ``largest``, ``similar``, ``random`` or ``exception``; and
        perhaps that the group is ``new``, or that a rule says otherwise in one dimension, ``contested``.
    words
        The visitor's language.
    """
    if question.reason.get("why") == "exception":
        return words.gettext("It was excepted from the answer to its group.")
    if question.kind is QuestionKind.AUDIT:
        return words.gettext("Drawn at random from the stream, to measure how good the labels are. It never trains.")
    sentence = _sentence(question.reason, words)
    new = words.gettext("This kind of message is new.") if question.reason.get("new") else ""
    contested = words.gettext("A rule contradicts the model.") if question.reason.get("contested") else ""
    return " ".join(part for part in (sentence, contested, new) if part)


def _sentence(reason: Mapping[str, object], words: Words) -> str:
    why = reason.get("why")
    if why in {"uncertain", "doubt"}:
        return _unsure(reason, words) if why == "uncertain" else _doubtful(reason, words)
    if why == "disagreement":
        dimension = str(reason.get("dimension", ""))
        return words.gettext(
            "Several models that learned the same answers disagree about {dimension}.", dimension=dimension
        )
    return _plain(words).get(str(why), "")


def _plain(words: Words) -> dict[str, str]:
    """Return the sentences of reasons that need nothing but their name."""
    frequent = words.gettext("One of the most frequent kinds of message that nobody has labelled.")
    return {
        "largest": frequent,
        "frequent": frequent,
        "typical": words.gettext("Many messages that nobody has labelled are like this one."),
        "different": words.gettext("It is unlike everything labelled so far."),
        "similar": words.gettext("It took the answer to a similar one along; nobody was asked about it."),
        "random": words.gettext("Drawn at random."),
    }


def _doubtful(reason: Mapping[str, object], words: Words) -> str:
    dimension, said, sure = str(reason.get("dimension", "")), reason.get("earlier"), reason.get("confidence")
    return words.gettext(
        "Are you sure? You said {said}; had it not learned from that, the model would say {label} ({sure}).",
        said=said.get(dimension, "") if isinstance(said, Mapping) else "",
        label=reason.get("label", ""),
        sure=percent(float(sure) if isinstance(sure, float | int) else 0.0, words.language),
    )


def _unsure(reason: Mapping[str, object], words: Words) -> str:
    dimension = str(reason.get("dimension", ""))
    margin, sure = reason.get("margin"), reason.get("confidence")
    if isinstance(margin, float | int):
        apart = percent(float(margin), words.language)
        return words.gettext(
            "The two likeliest labels of {dimension} are {apart} apart.", dimension=dimension, apart=apart
        )
    if isinstance(sure, float | int):
        shown = percent(float(sure), words.language)
        return words.gettext("The model is least sure about {dimension}: {sure}.", dimension=dimension, sure=shown)
    if "entropy" in reason:
        return words.gettext("The model finds many labels likely for {dimension}.", dimension=dimension)
    return words.gettext("The model is unsure about it.")


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
    if "learner" not in roles:
        return words.gettext("No learner is running"), words.gettext(
            "It chooses the questions and learns from the answers. Start one with “vigie up” or “vigie learner”; "
            "questions then appear here by themselves."
        )
    return _nothing_chosen(status, words)


def _nothing_chosen(status: Mapping[str, Any], words: Words) -> tuple[str, str]:
    """Say where the questions are while the learner works."""
    groups, questions = status["groups"], status["questions"]
    if questions.get("leased", 0):
        return words.gettext("Nothing left for you right now"), words.gettext(
            "The open questions are with other people. New ones appear here by themselves."
        )
    if not any(questions.values()):
        return words.gettext("Choosing the first questions"), words.gettext(
            "The learner is looking at the messages that came. The first question appears here by itself."
        )
    if groups["answered"] < groups["total"]:
        return words.gettext("Nothing left for you right now"), words.gettext(
            "What has no answer yet was skipped or put aside, or is being chosen. New questions appear here by themselves."
        )
    return words.gettext("All caught up"), words.gettext(
        "Every kind of message seen so far has an answer. The next new one appears here by itself."
    )
