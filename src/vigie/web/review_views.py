"""What the review page shows, as plain values with every text in the visitor's language."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from babel.numbers import format_decimal

from vigie.labels import Dimension
from vigie.web.formats import DASH, count, date_and_time, interval, percent
from vigie.web.words import Words

if TYPE_CHECKING:
    from vigie.quality.review import Case, Given

MAX_CHARACTERS = 20_000
MAX_SAMPLES = 5


def list_names(words: Words) -> dict[str, str]:
    """Return the names of the page's parts, in order."""
    return {
        "disagreements": words.gettext("Disagreements"),
        "doubted": words.gettext("Doubted"),
        "too_fast": words.gettext("Too fast"),
        "gold": words.gettext("Gold"),
        "annotators": words.gettext("Annotators"),
    }


def counts(numbers: Mapping[str, Any], words: Words) -> dict[str, str]:
    """Return how much there is of each part, as text."""
    found = {
        "disagreements": numbers["disagreements"],
        "doubted": numbers["doubts"],
        "too_fast": numbers["too_fast"],
        "gold": numbers["gold"]["groups"],
        "annotators": len(numbers["annotators"]),
    }
    return {name: count(n, words.language) for name, n in found.items()}


def nothing(name: str, numbers: Mapping[str, Any], words: Words) -> tuple[str, str]:
    """Return a heading and a sentence for a part that is empty."""
    say = words.gettext
    if name == "disagreements" and not any(m for one in numbers["agreement"].values() for m in one.values()):
        return say("Nothing to settle"), say(
            "Too few questions were answered by two people to compare them. Where answers differ, they appear here."
        )
    return {
        "disagreements": (say("Nothing to settle"), say("Wherever two people answered, they agree, or it is settled.")),
        "doubted": (
            say("No answer is in doubt"),
            say("After each training the model looks for answers it would not have given; they appear here."),
        ),
        "too_fast": (say("Nobody rushed"), say("Answers far faster than a person's others would appear here.")),
        "gold": (
            say("No gold yet"),
            say("Mark a group as gold where you are certain; others are then asked about it without knowing."),
        ),
        "annotators": (say("Nobody answered yet"), say("Who answers, and how well, appears here.")),
    }[name]


def case_view(case: "Case", *, zone: ZoneInfo, words: Words) -> dict[str, Any]:
    """Return a group as the page shows it."""
    texts = [text[:MAX_CHARACTERS] for text in case.samples] or [case.template[:MAX_CHARACTERS]]
    others = texts[1:MAX_SAMPLES]
    return {
        "group_id": case.group_id,
        "text": texts[0],
        "others": others,
        "others_title": words.ngettext("{n} more example", "{n} more examples", len(others)),
        "covers": words.ngettext("Labels {n} message", "Labels {n} messages", case.count),
        "is_gold": case.is_gold,
        "doubt": doubt_text(case.doubt, words),
        "disputed": disputed(case),
        "answers": [_answer(one, case.too_fast, zone, words) for one in case.answers],
    }


def doubt_text(doubt: Mapping[str, Any], words: Words) -> str:
    """Say what a model thinks of an answer it doubts; nothing without a doubt."""
    if not doubt:
        return ""
    return words.gettext(
        "The model, had it not learned from this answer, would say {label} ({sure} sure). {annotator} is being asked.",
        label=doubt["label"],
        sure=percent(float(doubt["confidence"]), words.language),
        annotator=doubt.get("asked_of") or DASH,
    )


def likely(case: "Case", dimensions: Sequence[Dimension]) -> dict[str, str]:
    """Return the labels to begin with: what was settled last, else the majority's; none where it is a draw."""
    found = {}
    for dimension in dimensions:
        said = [(one.labels[dimension.name], one.settled) for one in case.answers if dimension.name in one.labels]
        settled = [label for label, is_settled in said if is_settled]
        ranked = Counter(label for label, _ in said if label in dimension.label_names).most_common(2)
        if settled and settled[-1] in dimension.label_names:
            found[dimension.name] = settled[-1]
        elif ranked and (len(ranked) == 1 or ranked[0][1] > ranked[1][1]):
            found[dimension.name] = ranked[0][0]
    return found


def disputed(case: "Case") -> set[str]:
    """Return the dimensions in which answers differ."""
    said: dict[str, set[str]] = {}
    for one in case.answers:
        for dimension, label in one.labels.items():
            said.setdefault(dimension, set()).add(label)
    return {dimension for dimension, labels in said.items() if len(labels) > 1}


def agreement_views(numbers: Mapping[str, Any], words: Words) -> list[dict[str, str]]:
    """Return agreement by dimension: kappa and alpha, each with its interval, and on how many groups."""
    return [
        {
            "dimension": dimension,
            "kappa": measure_text(one["kappa"], words),
            "alpha": measure_text(one["alpha"], words),
            "groups": count(max((m["n_groups"] for m in one.values() if m), default=0), words.language),
        }
        for dimension, one in numbers["agreement"].items()
    ]


def annotator_views(numbers: Mapping[str, Any], words: Words) -> list[dict[str, str]]:
    """Return the annotators, those with most answers first."""
    language = words.language
    return [
        {
            "name": one["name"],
            "answers": count(one["n_answers"], language),
            "agreement": DASH if one["agreement"] is None else percent(one["agreement"], language),
            "compared": words.ngettext("of {n} label", "of {n} labels", one["n_compared"]) if one["n_compared"] else "",
            "gold": percent(one["gold"]["value"], language) if one["gold"] else DASH,
            "gold_interval": _gold(one["gold"], words) if one["gold"] else "",
            "seconds": DASH if one["median_seconds"] is None else _seconds(one["median_seconds"], words),
            "too_fast": count(one["n_too_fast"], language) if one["n_too_fast"] else "",
        }
        for one in numbers["annotators"]
    ]


def measure_text(one: Mapping[str, Any] | None, words: Words) -> str:
    """Return a measure of agreement with its interval; a dash while it is unknown."""
    if one is None:
        return DASH
    value, low, high = (
        str(format_decimal(round(one[name], 2), format="0.00", locale=words.language))
        for name in ("value", "low", "high")
    )
    return f"{value} ({low} {DASH} {high})"


def _gold(one: Mapping[str, Any], words: Words) -> str:
    asked = words.ngettext("of {n} question", "of {n} questions", one["n"])
    return f"{interval(one['low'], one['high'], words.language)}, {asked}"


def _answer(one: "Given", too_fast: Sequence[str], zone: ZoneInfo, words: Words) -> dict[str, Any]:
    return {
        "annotator": one.annotator,
        "labels": dict(one.labels),
        "when": date_and_time(one.created_at.astimezone(zone), words.language),
        "seconds": "" if one.seconds is None else _seconds(one.seconds, words),
        "settled": one.settled,
        "too_fast": one.annotator in too_fast,
    }


def _seconds(seconds: float, words: Words) -> str:
    return words.gettext("{n} s", n=format_decimal(round(seconds, 1), locale=words.language))
