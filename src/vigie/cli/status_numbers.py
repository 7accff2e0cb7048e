"""How good the model in use is, as lines of `vigie status`."""

from collections.abc import Iterator, Mapping
from typing import Any

Lines = Iterator[tuple[str, str]]

_ADVICE = {
    "too_few_audited": "not known yet: too few audit answers",
    "too_few_versions": "not known yet: too few model versions",
    "gain": "go on",
    "unstable": "go on: new versions still change their minds",
    "settled": "you may stop: they would gain next to nothing, and new versions say what the old ones said",
}

_UNKNOWN = {
    "too_few_answers": "not known yet: estimated from {n} answers on",
    "no_model": "not known yet: there is no model",
    "not_estimated_yet": "not known yet: the learner estimates it when nothing else is to be done",
}


def numbers(found: Mapping[str, Any]) -> Lines:
    """Return what is known of each dimension, as pairs of a name and a sentence.

    Parameters
    ----------
    found
        What `Services.status` returns.
    """
    for dimension, one in found["numbers"].items():
        yield from _dimension(dimension, one)
        yield "  without a person", _passing(found["passing"][dimension])
        yield f"  next {found['advice']['next_answers']} answers", _advice(found["advice"]["dimensions"][dimension])
    yield from _savings(found["answers_saved"])
    if found["automatic"] and len(found["numbers"]) > 1:
        yield "without a person", f"{_share(found['automatic'])} of all messages, all dimensions together"


def _savings(found: Mapping[str, Any]) -> Lines:
    if found["overall"] is None:
        yield "answers saved", _UNKNOWN[found["reason"]].format(n=found["from_answers"])
        return
    yield "answers saved", f"{_saved(found['overall'])}, against random asking; {found['n_answers']:,} were given"
    if len(found["dimensions"]) > 1:
        for name, one in found["dimensions"].items():
            yield f"  {name}", _saved(one)


def _saved(one: Mapping[str, Any]) -> str:
    if one["high"] is None:
        return f"more than {one['low']:,.0f}"
    return f"about {one['estimate']:,.0f} (95 %: {one['low']:,.0f} to {one['high']:,.0f})"


def _dimension(dimension: str, one: Mapping[str, Any] | None) -> Lines:
    if one is None:
        yield f"{dimension} right", "not known yet: no audit question was answered"
        return
    labelled, accuracy, macro_f1 = one["labelled"], one["accuracy"], one["macro_f1"]
    interval = f"95 %: {labelled['low']:.1%} to {labelled['high']:.1%}"
    yield (
        f"{dimension} right",
        f"{labelled['value']:.1%} of all messages ({interval}; audit answers: {accuracy['n_audited']})",
    )
    yield "  by the model alone", _share(accuracy)
    if accuracy["seen_value"] is not None:
        yield "  what it learned from", f"{accuracy['seen_value']:.1%} ({accuracy['share_seen']:.1%} of the messages)"
    yield "  new kinds", _new(accuracy)
    yield "  macro-F1", f"{_share(macro_f1)}; new kinds {_new(macro_f1)}"
    error = one["calibration"]
    yield "  confidence", f"off by {error['error']:.1%} on average; by chance alone {error['by_chance']:.1%}"


def _new(one: Mapping[str, Any]) -> str:
    return f"{one['new_value']:.1%} ({one['new_low']:.1%} to {one['new_high']:.1%})"


def _passing(passing: Mapping[str, Any]) -> str:
    share = f"{_share(passing['share'])} of the messages" if passing["share"] else "not known yet"
    if passing["target"] is None:
        return f"{share}, from a confidence of {passing['threshold']:g} on"
    promised = f"{passing['target']:g} promised"
    if passing["threshold"] is None:
        return f"{share}; {promised}, and not proven yet for any confidence; {_more(passing['more'])}"
    return f"{share}, from a confidence of {passing['threshold']:g} on ({promised}); {_more(passing['more'])}"


def _more(more: Mapping[str, Any] | None) -> str:
    if more is None:
        return "more audit answers alone would not raise it"
    if more["share"] is None:
        return f"that takes at least {more['n_answers']:,} audit answers"
    return f"about {more['n_answers']:,} more audit answers would make it {more['share']:.1%}"


def _advice(advice: Mapping[str, Any]) -> str:
    text = _ADVICE[advice["reason"]]
    if advice["state"] == "unknown":
        return text
    gain = advice["gain"]
    return f"{gain['value']:+.1%} expected ({gain['low']:.1%} to {gain['high']:.1%}); {text}"


def _share(interval: Mapping[str, Any]) -> str:
    if interval["low"] == interval["high"]:
        return f"{interval['value']:.1%}"
    return f"{interval['value']:.1%} ({interval['low']:.1%} to {interval['high']:.1%})"
