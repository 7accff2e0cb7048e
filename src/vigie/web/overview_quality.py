"""The part of the overview that says how good the labels of one dimension are."""

from typing import Any

from vigie.web.elements import Tag
from vigie.web.figures import calibration_figure
from vigie.web.overview_numbers import advice_view, answers_view, audited, calibration_text, measured, passing_view
from vigie.web.overview_parts import Chart, Rebuilt
from vigie.web.words import Words


class Quality:
    """Five cards: what was measured, whether confidence keeps its word, what passes, whether to go on, how good answers are.

    Parameters
    ----------
    words
        The visitor's language.
    """

    def __init__(self, words: Words) -> None:
        self._words = words
        say = words.gettext
        with Tag("section", "chart"):
            Tag("h2", text=say("How often labels are right"))
            self._measured = Rebuilt("div", "measured", self._build_measured)
            self._audited = Tag("p", "remark")
        self._calibration = Chart(say("Does confidence keep its word?"), say("Not measured yet."))
        with self._calibration.section:
            self._calibrated = Tag("p", "remark")
        with Tag("section", "chart"):
            Tag("h2", text=say("Without a person"))
            self._passing = Rebuilt("div", "passing", self._build_passing)
        with Tag("section", "chart"):
            Tag("h2", text=say("Are more answers worth the while?"))
            self._advice = Rebuilt("div", "advice", self._build_advice)
        with Tag("section", "chart wide"):
            Tag("h2", text=say("How good are the answers?"))
            self._answers = Rebuilt("div", "answers-quality", self._build_answers)

    def show(self, status: dict[str, Any], dimension: str) -> None:
        """Show what is known of a dimension."""
        words, numbers = self._words, status["numbers"].get(dimension)
        self._measured.show(measured(status, dimension, words))
        self._audited.set_text(audited(status, dimension, words))
        self._calibration.draw(calibration_figure(numbers["calibration"], words) if numbers else None)
        self._calibrated.set_text(calibration_text(status, dimension, words))
        self._passing.show(passing_view(status, dimension, words))
        self._advice.show(advice_view(status, dimension, words))
        self._answers.show(answers_view(status, dimension, words))

    def _build_measured(self, rows: list[dict[str, Any]]) -> None:
        say = self._words.gettext
        if not rows:
            Tag("p", "empty", text=say("Not measured yet: every so many questions one is drawn at random, to measure."))
            return
        with Tag("table"):
            with Tag("thead"), Tag("tr"):
                for name in ("", say("of messages"), say("accuracy"), say("macro-F1")):
                    Tag("th", text=name, scope="col")
            with Tag("tbody"):
                for row in rows:
                    self._build_row(row)

    def _build_row(self, row: dict[str, Any]) -> None:
        with Tag("tr"):
            Tag("th", text=row["name"], scope="row")
            Tag("td", text=row["share"])
            for cell in (row["accuracy"], row["macro_f1"]):
                with Tag("td"):
                    Tag("b", text=cell["value"])
                    Tag("small", text=cell["interval"])

    def _build_passing(self, view: dict[str, Any]) -> None:
        with Tag("p", "figure"):
            Tag("b", text=view["share"])
            Tag("small", text=view["interval"])
        for text in view["texts"]:
            Tag("p", text=text)

    def _build_advice(self, view: dict[str, str]) -> None:
        with Tag("p", "figure"):
            Tag("b", text=view["heading"])
        Tag("p", text=view["text"])

    def _build_answers(self, view: dict[str, Any]) -> None:
        for name, value in view["rows"]:
            with Tag("p", "figure"):
                Tag("span", text=name)
                Tag("b", text=value)
        Tag("a", text=view["link"], href="/review")
