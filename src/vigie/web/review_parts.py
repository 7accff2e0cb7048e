"""What the review page is built of."""

from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from typing import Any

from nicegui.events import GenericEventArguments

from vigie.labels import Dimension
from vigie.web.elements import Tag, button
from vigie.web.review_views import agreement_views, annotator_views
from vigie.web.words import Words

Adopt = Callable[[dict[str, str], GenericEventArguments], Awaitable[None]]
WITH_NAME = "() => emit(JSON.parse(localStorage.getItem('vigie.annotator') || 'null'))"


def build_message(view: Mapping[str, Any], words: Words) -> None:
    """Show the newest message of a group, how many it stands for, and others like it."""
    with Tag("header", "question-head"):
        Tag("span", "covers", text=view["covers"])
        if view["is_gold"]:
            Tag("span", "badge", text=words.gettext("gold"))
        if view["doubt"]:
            Tag("span", "why", text=view["doubt"])
    Tag("pre", "message", text=view["text"], dir="auto", tabindex="0", aria_label=words.gettext("The message"))
    if view["others"]:
        with Tag("details", "samples"):
            Tag("summary", text=view["others_title"])
            for text in view["others"]:
                Tag("pre", "sample", text=text, dir="auto")


def build_answers(view: Mapping[str, Any], dimensions: Sequence[Dimension], words: Words, *, on_choose: Adopt) -> None:
    """Show who said what, when; each answer with a button that settles the group so."""
    with Tag("div", "answers-box"), Tag("table", "answers"):
        with Tag("thead"), Tag("tr"):
            for name in (
                words.gettext("Who"),
                *(dimension.name for dimension in dimensions),
                words.gettext("When"),
                "",
            ):
                Tag("th", text=name, scope="col")
        with Tag("tbody"):
            for answer in view["answers"]:
                _build_answer(answer, dimensions, words, disputed=view["disputed"], on_choose=on_choose)


def _build_answer(
    answer: Mapping[str, Any],
    dimensions: Sequence[Dimension],
    words: Words,
    *,
    disputed: Container[str],
    on_choose: Adopt,
) -> None:
    known = {
        one.name: answer["labels"][one.name] for one in dimensions if answer["labels"].get(one.name) in one.label_names
    }
    with Tag("tr"):
        with Tag("th", scope="row"):
            Tag("b", text=answer["annotator"])
            if answer["settled"]:
                Tag("span", "badge", text=words.gettext("settled"))
        for dimension in dimensions:
            with Tag("td", "disputed" if dimension.name in disputed else "", data_name=dimension.name):
                if dimension.name in answer["labels"]:
                    Tag("span", text=answer["labels"][dimension.name])
        with Tag("td"):
            Tag("span", text=answer["when"])
            if answer["seconds"]:
                Tag("small", "fast" if answer["too_fast"] else "", text=answer["seconds"])
        with Tag("td", "adopt"):
            if known and not answer["settled"]:
                name = words.gettext("Settle as {annotator} said", annotator=answer["annotator"])
                one = button(words.gettext("That is right"), "action outlined", aria_label=name)
                one.on("click", lambda event, known=known: on_choose(known, event), js_handler=WITH_NAME)


def build_agreement(numbers: Mapping[str, Any], words: Words) -> None:
    """Show how far people agree, by dimension."""
    say = words.gettext
    Tag("h2", "section-title", text=say("Do people agree?"))
    columns = {
        "dimension": say("Dimension"),
        "kappa": say("Cohen's kappa"),
        "alpha": say("Krippendorff's alpha"),
        "groups": say("Answered twice"),
    }
    _build_table(columns, agreement_views(numbers, words))
    Tag(
        "p",
        "remark",
        text=say(
            "1 is perfect agreement, 0 what chance would give; 95% intervals. Above 0.8 is good, below 0.67 is not."
        ),
    )


def build_annotators(numbers: Mapping[str, Any], words: Words) -> None:
    """Show what is known of each annotator."""
    say = words.gettext
    Tag("h2", "section-title", text=say("Annotators"))
    columns = {
        "name": say("Who"),
        "answers": say("Answers"),
        "agreement": say("Agrees with others"),
        "gold": say("Gold right"),
        "seconds": say("Usual time"),
        "too_fast": say("Too fast"),
    }
    remarks = {"agreement": "compared", "gold": "gold_interval"}
    _build_table(columns, annotator_views(numbers, words), remarks)


def _build_table(
    columns: Mapping[str, str], rows: Sequence[Mapping[str, str]], remarks: Mapping[str, str] | None = None
) -> None:
    with Tag("div", "measured wide"), Tag("table"):
        with Tag("thead"), Tag("tr"):
            for text in columns.values():
                Tag("th", text=text, scope="col")
        with Tag("tbody"):
            for row in rows:
                with Tag("tr"):
                    for place, name in enumerate(columns):
                        with Tag("th" if place == 0 else "td", scope=None if place else "row"):
                            Tag("b", text=row[name])
                            if remark := row.get((remarks or {}).get(name, ""), ""):
                                Tag("small", text=remark)
