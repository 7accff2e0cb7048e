"""The part of the overview that says how many answers the choice of questions has saved."""

from collections.abc import Mapping
from typing import Any

from vigie.web.elements import Tag
from vigie.web.formats import DASH, rough
from vigie.web.overview_parts import Rebuilt
from vigie.web.words import Words


class SavingsCard:
    """One card for all dimensions together, and each.

    Parameters
    ----------
    words
        The visitor's language.
    """

    def __init__(self, words: Words) -> None:
        self._words = words
        with Tag("section", "chart wide"):
            Tag("h2", text=words.gettext("Answers saved against random asking"))
            self._savings = Rebuilt("div", "savings", self._build)

    def show(self, status: Mapping[str, Any]) -> None:
        """Show what is known."""
        self._savings.show(savings_view(status, self._words))

    def _build(self, view: dict[str, Any]) -> None:
        with Tag("div", "saved"):
            with Tag("p", "figure"):
                Tag("b", text=view["saved"])
                Tag("small", text=view["interval"])
            for text in view["texts"]:
                Tag("p", text=text)
        if view["rows"]:
            with Tag("dl", "by-dimension"):
                for row in view["rows"]:
                    with Tag("div"):
                        Tag("dt", text=row["name"])
                        with Tag("dd"):
                            Tag("b", text=row["saved"])
                            if row["interval"]:
                                Tag("small", text=row["interval"])


def savings_view(status: Mapping[str, Any], words: Words) -> dict[str, Any]:
    """Return what was saved in all dimensions together and in each, with every text in the visitor's language."""
    found = status["answers_saved"]
    overall = found["overall"]
    if overall is None:
        return {"saved": DASH, "interval": "", "texts": [_reason(found, words)], "rows": []}
    each = found["dimensions"]
    rows = [{"name": name, **_saved(one, words)} for name, one in each.items() if one] if len(each) > 1 else []
    return {**_saved(overall, words), "texts": _texts(overall, found["n_answers"], words), "rows": rows}


def _saved(one: Mapping[str, Any], words: Words) -> dict[str, str]:
    language = words.language
    if one["high"] is None:
        return {"saved": words.gettext("more than {n}", n=rough(one["low"], language)), "interval": ""}
    interval = words.gettext("{low} to {high}", low=rough(one["low"], language), high=rough(one["high"], language))
    return {"saved": words.gettext("about {n}", n=rough(one["estimate"], language)), "interval": interval}


def _texts(overall: Mapping[str, Any], n_answers: int, words: Words) -> list[str]:
    needed, language = overall["random_needed"], words.language
    if needed["high"] is None:
        asked = words.ngettext(
            "{n} kind of message was answered. Drawn at random from the stream, more than {low} would have been needed "
            "for a model as accurate.",
            "{n} kinds of messages were answered. Drawn at random from the stream, more than {low} would have been needed "
            "for a model as accurate.",
            n_answers,
            low=rough(needed["low"], language),
        )
        return [asked]
    asked = words.ngettext(
        "{n} kind of message was answered. Drawn at random from the stream, about {value} would have been needed "
        "for a model as accurate (95% interval: {low} to {high}).",
        "{n} kinds of messages were answered. Drawn at random from the stream, about {value} would have been needed "
        "for a model as accurate (95% interval: {low} to {high}).",
        n_answers,
        **{name: rough(needed[name], language) for name in ("value", "low", "high")},
    )
    if overall["low"] <= 0:
        return [asked, words.gettext("So far chance may have done as well.")]
    return [asked]


def _reason(found: Mapping[str, Any], words: Words) -> str:
    if found["reason"] == "too_few_answers":
        return words.ngettext(
            "Not known yet: estimated from {n} answer on.",
            "Not known yet: estimated from {n} answers on.",
            found["from_answers"],
        )
    if found["reason"] == "no_model":
        return words.gettext("Not known yet: there is no model.")
    return words.gettext("Not known yet: the learner estimates it when nothing else is to be done.")
