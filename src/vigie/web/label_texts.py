"""The texts and keys that the label page hands to the browser."""

from collections.abc import Sequence
from typing import Any

from vigie.labels import Dimension
from vigie.web.desk import Applied
from vigie.web.keys import ACTIONS
from vigie.web.views import dimension_views
from vigie.web.words import Words

SURE_FROM = 0.9
"""A similar group is ticked when the model says the same with this confidence in every dimension; see docs/how-to/similar.md."""


def setup(dimensions: Sequence[Dimension], goal: str, words: Words) -> dict[str, Any]:
    """Return what the desk needs besides questions."""
    views = dimension_views(dimensions)
    all_have_keys = all(label["key"] for view in views for label in view["labels"])
    return {
        "dimensions": views,
        "goal": goal,
        "actions": [one for one in actions(words) if one["name"] != "find" or not all_have_keys],
        "group_keys": group_keys(words),
        "similar_keys": similar_keys(words),
        "texts": texts(words) | similar_texts(words) | find_texts(words),
        "sure_from": SURE_FROM,
    }


def actions(words: Words) -> list[dict[str, Any]]:
    """Return the keys that do not choose a label, in the order of their buttons."""
    named = {
        "undo": (words.gettext("Undo"), words.gettext("Take back the last answer, as often as you like")),
        "skip": (words.gettext("Skip"), words.gettext("Leave this question to others")),
        "flag": (words.gettext("Flag"), words.gettext("Put it aside: something is wrong with this message")),
        "open": (words.gettext("Group"), words.gettext("Look at the messages of the group, and except some of them")),
        "similar": (
            words.gettext("More like this"),
            words.gettext("Give the chosen labels to similar messages as well"),
        ),
        "find": (words.gettext("Find"), words.gettext("Choose a label by typing a part of its name")),
        "guidelines": (words.gettext("Guidelines"), words.gettext("What each label means")),
        "keys": (words.gettext("Keys"), words.gettext("This overview")),
    }
    return [
        {
            "name": name,
            "key": ACTIONS[name],
            "text": text,
            "explained": explained,
            "needs_question": name in {"skip", "flag", "open", "similar", "find"},
        }
        for name, (text, explained) in named.items()
    ]


def group_keys(words: Words) -> list[dict[str, str]]:
    """Return the keys of the panel of a group."""
    return [
        {"key": "j k", "explained": words.gettext("Go down and up; so do the arrows")},
        {"key": "␣", "explained": words.gettext("Except the message, or take it in again")},
        {"key": "↵", "explained": words.gettext("Answer for the rest; what is excepted is asked about next")},
        {"key": words.gettext("Esc"), "explained": words.gettext("Close the group")},
    ]


def similar_keys(words: Words) -> list[dict[str, str]]:
    """Return the keys of the panel of similar groups."""
    return [
        {"key": "j k", "explained": words.gettext("Go down and up; so do the arrows")},
        {"key": "␣", "explained": words.gettext("Tick the group, or untick it")},
        {"key": "↵", "explained": words.gettext("Give the answer to this group and to all that are ticked")},
        {"key": words.gettext("Esc"), "explained": words.gettext("Close, without an answer")},
    ]


def texts(words: Words) -> dict[str, str]:
    """Return the other texts; ``{names}`` in them are filled in by the browser."""
    say = words.gettext
    return {
        "accept": say("Accept"),
        "accept_all": say("Accept the chosen labels and go on"),
        "accept_but": say("Accept all but {n}", n="{n}"),
        "accept_but_one": say("Accept all but one"),
        "accept_some": say("Accept {n} of {all}", n="{n}", all="{all}"),
        "accuracy": say("Accuracy on the live stream"),
        "annotator": say("Answering as"),
        "audit": say("audit"),
        "choose_first": say("Choose at least one label first."),
        "close": say("Close"),
        "flagged": say("Flagged and put aside."),
        "gone": say("Not stored: the question is not yours any more ({problem}).", problem="{problem}"),
        "group": say("Messages of this group"),
        "group_keys": say("j k to move, space to except, Esc to close"),
        "group_labels": say("Answer: {labels}", labels="{labels}"),
        "group_messages": say("Kept messages, the most unlike first; what is selected is excepted"),
        "group_open": say("In the group"),
        "guidelines": say("Guidelines"),
        "keys": say("Keys"),
        "message": say("The message"),
        "model": say("Model"),
        "name_hint": say("Put your name here, so that your answers are known as yours."),
        "not_stored": say("Not stored: {problem}. The question is back; try again.", problem="{problem}"),
        "one_message": say("This question is about one message only."),
        "progress": say("Progress"),
        "saved": say("Saved: {labels}", labels="{labels}"),
        "saves_on_key": say("One key saves and goes on"),
        "skipped": say("Skipped."),
        "today": say("by you today"),
        "withdrawn": say("The question went to someone else meanwhile; here is the next one."),
        "unsent_many": say(
            "{n} answers are not sent yet. They are kept here and go out as soon as the server is back.", n="{n}"
        ),
        "unsent_one": say("One answer is not sent yet. It is kept here and goes out as soon as the server is back."),
    }


def similar_texts(words: Words) -> dict[str, str]:
    """Return the texts of the panel of similar groups; ``{names}`` in them are filled in by the browser."""
    say = words.gettext
    return {
        "similar": say("More like this"),
        "similar_alone": say(
            "This question measures how good the labels are, so its answer is given to no other message."
        ),
        "similar_apply": say("Apply"),
        "similar_covers_one": say("{n} message in {groups}", n="{n}", groups="{groups}"),
        "similar_covers_many": say("{n} messages in {groups}", n="{n}", groups="{groups}"),
        "similar_groups_one": say("this group alone"),
        "similar_groups_many": say("{n} groups", n="{n}"),
        "similar_keys": say(
            "Space ticks or unticks, ↑ ↓ or j k move, ↵ applies, Esc closes; the keys of labels change them."
        ),
        "similar_far": say("Less than half alike: look twice."),
        "similar_none": say("Nothing that nobody has labelled is like this one."),
        "similar_none_advice": say("↵ saves the answer for this one alone."),
        "similar_rule": say("The most alike first. Ticked is where the model is sure of the same labels."),
        "similar_same": say("the model agrees"),
        "similar_unknown": say("the model does not know yet"),
        "similar_wait": say("Looking for similar messages…"),
    }


def find_texts(words: Words) -> dict[str, str]:
    """Return the texts of the panel that finds labels."""
    say = words.gettext
    return {
        "find": say("Find a label"),
        "find_hint": say("A part of its name, or of its guideline"),
        "find_none": say("No label is called so."),
    }


def applied_text(applied: Applied, words: Words) -> str:
    """Say how many groups took an answer along, and why not all did."""
    took = words.ngettext(
        "{n} similar group took the answer too.", "{n} similar groups took the answer too.", applied.taken
    )
    missed = applied.wanted - applied.taken
    if not missed:
        return took
    left_out = words.ngettext(
        "{n} did not: someone else has it, or it only measures.",
        "{n} did not: someone else has them, or they only measure.",
        missed,
    )
    return f"{took} {left_out}"
