"""How good the labels of one dimension are, as plain values with every text in the visitor's language."""

from collections.abc import Mapping
from typing import Any

from vigie.web.formats import DASH, estimated, fine_interval, fine_percent, percent
from vigie.web.review_views import measure_text
from vigie.web.words import Words

Status = Mapping[str, Any]


def measured(status: Status, dimension: str, words: Words) -> list[dict[str, Any]]:
    """Return how much of the stream is labelled right, then how good the model is: over all, on what it learned from, on new kinds."""
    numbers = status["numbers"].get(dimension)
    if not numbers:
        return []
    accuracy, macro_f1 = numbers["accuracy"], numbers["macro_f1"]
    share = accuracy["share_seen"]
    parts = (
        (words.gettext("the model alone"), 1.0, ""),
        (words.gettext("on kinds it learned from"), share, "seen_"),
        (words.gettext("on new kinds"), 1 - share, "new_"),
    )
    shown, between = _estimated(numbers["labelled"], "", words)
    stream = {
        "name": words.gettext("stream, answers included"),
        "share": percent(1.0, words.language),
        "accuracy": {"value": shown, "interval": between},
        "macro_f1": {"value": DASH, "interval": ""},
    }
    model = [
        {
            "name": name,
            "share": percent(part, words.language),
            "accuracy": _cell(accuracy, prefix, words),
            "macro_f1": _cell(macro_f1, prefix, words),
        }
        for name, part, prefix in parts
    ]
    return [stream, *model]


def audited(status: Status, dimension: str, words: Words) -> str:
    """Say what the numbers rest on; nothing while there are none."""
    numbers = status["numbers"].get(dimension)
    if not numbers:
        return ""
    n = int(numbers["accuracy"]["n_audited"])
    return words.ngettext(
        "From {n} audit answer; 95% intervals. What the model learned from is known, not estimated.",
        "From {n} audit answers; 95% intervals. What the model learned from is known, not estimated.",
        n,
    )


def calibration_text(status: Status, dimension: str, words: Words) -> str:
    """Say how far confidences are off, and how far they would be by chance."""
    numbers = status["numbers"].get(dimension)
    if not numbers:
        return ""
    found = numbers["calibration"]
    return words.gettext(
        "Confidence is off by {error} on average; with so few audit answers chance alone makes it {chance}.",
        error=percent(found["error"], words.language),
        chance=percent(found["by_chance"], words.language),
    )


def passing_view(status: Status, dimension: str, words: Words) -> dict[str, Any]:
    """Return what share passes without a person, from which confidence on, and what would make it more."""
    passing = status["passing"].get(dimension) or {}
    share, together = passing.get("share"), status["automatic"]
    texts = [_threshold(passing, words), _more(passing, words)]
    if together and len(status["passing"]) > 1:
        texts.append(
            words.gettext("All dimensions together: {share} of the messages.", share=_with_interval(together, words))
        )
    shown, between = _estimated(share, "", words) if share else (DASH, "")
    return {
        "share": shown,
        "interval": between,
        "texts": [text for text in texts if text],
    }


def advice_view(status: Status, dimension: str, words: Words) -> dict[str, str]:
    """Return whether more answers are worth the while, as a heading and a sentence."""
    advice = status["advice"]
    found = advice["dimensions"].get(dimension) or {"state": "unknown", "reason": "too_few_audited"}
    headings = {
        "stop": words.gettext("You may stop"),
        "go_on": words.gettext("Go on"),
        "unknown": words.gettext("Not known yet"),
    }
    return {
        "state": found["state"],
        "heading": headings[found["state"]],
        "text": _advice(found, advice, words),
    }


def _cell(estimate: Mapping[str, Any], prefix: str, words: Words) -> dict[str, str]:
    value = estimate[f"{prefix}value"]
    if value is None:
        return {"value": DASH, "interval": ""}
    shown, between = _estimated(estimate, prefix, words)
    return {"value": shown, "interval": between}


def _estimated(estimate: Mapping[str, Any], prefix: str, words: Words) -> tuple[str, str]:
    value = estimate[f"{prefix}value"]
    low, high = (estimate.get(f"{prefix}{end}", value) for end in ("low", "high"))
    return estimated(value, low, high, words.language)


def _with_interval(estimate: Mapping[str, Any], words: Words) -> str:
    shown, between = _estimated(estimate, "", words)
    return f"{shown} ({between})" if between else shown


def _threshold(passing: Mapping[str, Any], words: Words) -> str:
    target, threshold = passing.get("target"), passing.get("threshold")
    if target is None:
        return (
            ""
            if threshold is None
            else words.gettext(
                "From a confidence of {threshold} on, a label needs no second look: a fixed threshold, without a promise.",
                threshold=percent(threshold, words.language),
            )
        )
    promised = fine_percent(target, words.language)
    if threshold is None:
        return words.gettext(
            "Promised: {target} right. The audit sample does not prove it for any confidence yet, "
            "so all that no person and no rule has labelled is to be looked at.",
            target=promised,
        )
    return words.gettext(
        "Promised: {target} right. From a confidence of {threshold} on, the audit sample proves it.",
        target=promised,
        threshold=fine_percent(threshold, words.language),
    )


def _more(passing: Mapping[str, Any], words: Words) -> str:
    more = passing.get("more")
    if passing.get("target") is None:
        return ""
    if more is None:
        return words.gettext("More audit answers alone would not raise it: the model would have to get better.")
    if more["share"] is None:
        return words.ngettext(
            "That takes at least {n} audit answer.",
            "That takes at least {n} audit answers, all right.",
            more["n_answers"],
        )
    return words.ngettext(
        "About {n} more audit answer, if right, would make it {share}.",
        "About {n} more audit answers, as right as those so far, would make it {share}.",
        more["n_answers"],
        share=percent(more["share"], words.language),
    )


def _advice(found: Mapping[str, Any], advice: Mapping[str, Any], words: Words) -> str:
    if found["reason"] == "too_few_audited":
        return words.gettext("There are too few audit answers to see where this goes.")
    if found["reason"] == "too_few_versions":
        return words.gettext("There are too few model versions to see where this goes.")
    expected = words.ngettext(
        "The next {n} answer is expected to raise accuracy by {gain} ({interval}).",
        "The next {n} answers are expected to raise accuracy by {gain} ({interval}).",
        advice["next_answers"],
        gain=fine_percent(found["gain"]["value"], words.language),
        interval=fine_interval(found["gain"]["low"], found["gain"]["high"], words.language),
    )
    agree = percent(found["stability"], words.language)
    if found["reason"] == "gain":
        return expected
    if found["reason"] == "unstable":
        return f"{expected} " + words.gettext(
            "But new model versions still change their minds (agreement {agreement}).", agreement=agree
        )
    return f"{expected} " + words.gettext(
        "That is less than {worthwhile}, and new model versions say what the old ones said (agreement {agreement}).",
        worthwhile=fine_percent(advice["worthwhile_gain"], words.language),
        agreement=agree,
    )


def answers_view(status: Status, dimension: str, words: Words) -> dict[str, Any]:
    """Return how far people agree about a dimension, how gold questions were answered, and what waits for a reviewer."""
    found = status["quality"]
    agreement, gold = found["agreement"].get(dimension) or {}, found["gold"]["accuracy"]
    waiting = found["disagreements"] + found["doubts"] + found["too_fast"]
    return {
        "rows": [
            (words.gettext("Cohen's kappa"), measure_text(agreement.get("kappa"), words)),
            (words.gettext("Krippendorff's alpha"), measure_text(agreement.get("alpha"), words)),
            (words.gettext("Gold right"), _gold_text(gold, words)),
        ],
        "link": words.ngettext("{n} answer to review", "{n} answers to review", waiting),
    }


def _gold_text(gold: Mapping[str, Any] | None, words: Words) -> str:
    return _with_interval(gold, words) if gold else DASH
