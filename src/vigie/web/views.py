"""What the label page shows, as plain values with every text already written in the visitor's language."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vigie.labels import Dimension, Origin, Prediction, Question
from vigie.web.formats import ROUGH, count, interval, percent
from vigie.web.keys import assign
from vigie.web.reasons import nothing_to_ask, why
from vigie.web.words import Words

if TYPE_CHECKING:
    from vigie.labelling import Similar

MAX_CHARACTERS = 20_000
"""Of a message that are shown; a browser lays out this much within one frame."""

HALF = 0.5
"""Below this similarity groups stand under a line of their own: few share all labels of the question (docs/how-to/similar.md)."""

MAX_CHARACTERS_IN_A_ROW = 400
"""Of a message that is one of many."""

Part = tuple[str, bool]


def parts_of(text: str, variable: Sequence[tuple[int, int]]) -> list[Part]:
    """Cut a text where its variable parts begin and end.

    Parameters
    ----------
    text
        A message.
    variable
        Spans of characters, in any order; overlapping ones are joined.

    Returns
    -------
    Pieces whose concatenation is the text, each with whether it varies.

    Examples
    --------
    >>> parts_of("disk 91% full", [(5, 8)])
    [('disk ', False), ('91%', True), (' full', False)]
    """
    pieces: list[Part] = []
    end = 0
    for start, stop in sorted(variable):
        begin = max(start, end)
        if stop <= begin:
            continue
        pieces += [(text[end:begin], False), (text[begin:stop], True)]
        end = stop
    return [piece for piece in [*pieces, (text[end:], False)] if piece[0]]


def dimension_views(dimensions: Sequence[Dimension]) -> list[dict[str, Any]]:
    """Return the rows of labels with their keys."""
    keys = assign(dimensions)
    return [
        {
            "name": dimension.name,
            "question": dimension.question,
            "labels": [
                {"name": label.name, "guideline": label.guideline, "key": keys[dimension.name].get(label.name, "")}
                for label in dimension.labels
            ],
        }
        for dimension in dimensions
    ]


def question_view(
    question: Question, prediction: Prediction, text: str, *, variable: Sequence[tuple[int, int]], words: Words
) -> dict[str, Any]:
    """Return one question as the page shows it."""
    shown = text[:MAX_CHARACTERS]
    others = [sample for sample in question.samples if sample != text]
    return {
        "id": question.id,
        "parts": parts_of(shown, [(start, min(stop, len(shown))) for start, stop in variable if start < len(shown)]),
        "cut": _cut(len(text) - len(shown), words),
        "long": len(shown) > 320 or shown.count("\n") > 4,  # noqa: PLR2004 — what still reads well in the large face
        "count": question.count,
        "covers": _covers(question, words),
        "single": question.parent_id is not None,
        "why": why(question, words),
        "audit": question.kind.value == "audit",
        "samples": [sample[:MAX_CHARACTERS] for sample in others],
        "samples_title": words.ngettext("{n} more example", "{n} more examples", len(others)),
        **prediction_view(prediction, words),
    }


def group_view(
    question: Question, kept: Sequence[tuple[str, Sequence[tuple[int, int]]]], words: Words
) -> dict[str, Any]:
    """Return the panel of a question's group.

    Parameters
    ----------
    question
        About the whole group.
    kept
        Messages of the group with their variable parts, in the order to show them.
    words
        The visitor's language.
    """
    n = words.ngettext("{n} message is kept", "{n} messages are kept", len(kept))
    return {
        "id": question.id,
        "about": words.gettext(
            "{kept} of {n}, the most unlike first.", kept=n, n=count(question.count, words.language)
        ),
        "alone": words.gettext("There is nothing to compare it with.") if len(kept) <= 1 else "",
        "messages": [_kept_view(text, variable, words) for text, variable in kept],
    }


def _kept_view(text: str, variable: Sequence[tuple[int, int]], words: Words) -> dict[str, Any]:
    shown = text[:MAX_CHARACTERS]
    return {
        "text": shown,
        "parts": parts_of(shown, [(start, min(stop, len(shown))) for start, stop in variable if start < len(shown)]),
        "can_tick": len(shown) == len(text),
        "note": "" if len(shown) == len(text) else words.gettext("Too long to be asked about by itself."),
    }


def earlier(question: Question, dimensions: Sequence[Dimension]) -> dict[str, str]:
    """Return what the annotator said before of a question that doubts it, as far as it can still be said; else nothing."""
    said = question.reason.get("earlier")
    labels = said if question.reason.get("why") == "doubt" and isinstance(said, Mapping) else {}
    return {one.name: str(labels[one.name]) for one in dimensions if labels.get(one.name) in one.label_names}


def similar_view(
    similar: "Similar", variable_parts: Callable[[str], Sequence[tuple[int, int]]], words: Words
) -> dict[str, Any]:
    """Return the groups that may take an answer along, as the panel shows them."""
    progress = words.gettext(
        "{looked_at} of {of} kinds of message are compared so far; the others are being read.",
        looked_at=count(similar.looked_at, words.language),
        of=count(similar.of, words.language),
    )
    return {
        "progress": progress if similar.looked_at < similar.of else "",
        "groups": [
            {
                "id": group.group_id,
                "parts": _row_parts(group.text, variable_parts(group.text)),
                "count": group.count,
                "covers": words.ngettext("{n} message", "{n} messages", group.count),
                "similarity": words.gettext(
                    "{similarity} alike", similarity=percent(max(group.similarity, 0.0), words.language)
                ),
                "share": min(max(group.similarity, 0.0), 1.0),
                "far": group.similarity < HALF,
                **prediction_view(group.prediction, words),
            }
            for group in similar.groups
        ],
    }


def prediction_view(prediction: Prediction, words: Words) -> dict[str, Any]:
    """Return a prediction as the page shows it beside a question."""
    return {
        "model": prediction.model,
        "beliefs": {
            dimension: {
                "label": label,
                "confidence": prediction.confidence.get(dimension, 0.0),
                "text": belief(prediction, dimension, words),
            }
            for dimension, label in prediction.labels.items()
            if label is not None
        },
    }


def belief(prediction: Prediction, dimension: str, words: Words) -> str:
    """Say who chose a label and how sure that is."""
    origin = prediction.origin.get(dimension)
    sure = percent(prediction.confidence.get(dimension, 0.0), words.language)
    if origin is Origin.RULE:
        return words.gettext("by a rule")
    if origin is Origin.HUMAN:
        return words.gettext("by people")
    if origin is Origin.DEFAULT:
        return words.gettext("default, nothing learnt yet") if prediction.model is None else words.gettext("default")
    return words.gettext("model, {confidence} sure", confidence=sure)


def status_view(status: Mapping[str, Any], dimensions: Sequence[Dimension], words: Words) -> dict[str, Any]:
    """Return progress and accuracy as the label page's margin shows them."""
    version = status["model"]["champion"]
    heading, advice = nothing_to_ask(status, words)
    return {
        "model": version,
        "model_text": words.gettext("Model v{version}", version=version) if version else words.gettext("No model yet"),
        "model_changed": words.gettext("Model v{version} is in use now.", version=version),
        "answers": count(status["answers"], words.language),
        "answers_text": words.ngettext("answer in all", "answers in all", status["answers"]),
        "training": _training(status, words),
        "waiting": words.ngettext("{n} question waiting", "{n} questions waiting", status["questions"].get("open", 0)),
        "accuracy": [accuracy_view(dimension.name, status["numbers"], words) for dimension in dimensions],
        "nothing": {"heading": heading, "advice": advice},
    }


def accuracy_view(dimension: str, numbers: Mapping[str, Any], words: Words) -> dict[str, Any]:
    """Return how much of the stream is labelled right in one dimension, with its 95 % interval; without a value while nobody knows."""
    known = numbers.get(dimension)
    if not known:
        return {"dimension": dimension, "value": None, "text": words.gettext("not measured yet")}
    found, n_audited = known["labelled"], int(known["accuracy"]["n_audited"])
    audited = words.ngettext("{n} audit answer", "{n} audit answers", n_audited)
    between, is_rough = interval(found["low"], found["high"], words.language), found["high"] - found["low"] > ROUGH
    rough = words.ngettext("{n} audit answer says no more", "{n} audit answers say no more", n_audited)
    return {
        "dimension": dimension,
        "value": between if is_rough else percent(found["value"], words.language),
        "share": found["value"],
        "low": found["low"],
        "high": found["high"],
        "text": rough if is_rough else f"{between} · {audited}",
    }


def _training(status: Mapping[str, Any], words: Words) -> dict[str, Any]:
    training, works = status["training"], any(role["role"] == "learner" for role in status["roles"])
    after, since = max(training["retrain_after"], 1), training["answers_since"]
    missing = max(after - since, 0)
    text = words.ngettext("{n} answer until the next training", "{n} answers until the next training", missing)
    if training["running"]:
        text = words.gettext("Training now")
    elif missing == 0:
        text = words.gettext("Training starts now")
    if not works:
        text = words.gettext("No learner is running: answers are kept, and nothing is learned from them.")
    return {"share": min(since / after, 1.0), "running": bool(training["running"]), "text": text, "works": works}


def _covers(question: Question, words: Words) -> str:
    if question.parent_id is not None:
        return words.gettext("Labels this message alone")
    return words.ngettext("Labels {n} message", "Labels {n} messages", question.count)


def _row_parts(text: str, variable: Sequence[tuple[int, int]]) -> list[Part]:
    shown = text[:MAX_CHARACTERS_IN_A_ROW]
    parts = parts_of(shown, [(start, min(stop, len(shown))) for start, stop in variable if start < len(shown)])
    return parts if shown == text else [*parts, ("…", False)]


def _cut(left_out: int, words: Words) -> str:
    if left_out <= 0:
        return ""
    return words.ngettext("{n} more character is not shown", "{n} more characters are not shown", left_out)
