"""The overview: what flows, how it is labelled, how good that is, who is at work."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nicegui import ui

from vigie.errors import VigieError
from vigie.web.elements import Tag
from vigie.web.figures import confidence_figure, labels_figure, messages_figure
from vigie.web.frame import every
from vigie.web.live import Shared
from vigie.web.overview_parts import Chart, Choice, Rebuilt
from vigie.web.overview_quality import Quality
from vigie.web.overview_savings import SavingsCard
from vigie.web.overview_views import roles, routes, tiles, versions
from vigie.web.visit import Visit

if TYPE_CHECKING:
    from vigie.app import Services

REFRESH_SECONDS = 2.0
SPANS = (15, 60, 360, 1440)
"""Minutes that the charts can look back."""


class OverviewPage:
    """One open overview.

    Parameters
    ----------
    services
        Of the project.
    status
        The project's state, shared with the other pages.
    seen_by
        Language, colours, time zone.
    """

    def __init__(self, services: "Services", status: Shared[dict[str, Any]], seen_by: Visit) -> None:
        self._services = services
        self._status = status
        self._seen_by = seen_by
        self._words = seen_by.words
        self._dimensions = services.dimensions
        Tag("h1", "visually-hidden", text=self._words.gettext("Overview"))
        self._problems = Rebuilt("div", "problems", _build_problems, role="alert")
        self._tiles = Rebuilt("div", "tiles", _build_tiles)
        self._routes = Rebuilt("div", "routes", _build_routes)
        self._build_charts()
        self._problem = Tag("p", "banner", role="alert")
        self._problem.set_visibility(False)
        ui.timer(0.01, self._refresh, once=True)
        every(REFRESH_SECONDS, self._refresh)

    def _build_charts(self) -> None:
        say = self._words.gettext
        spans = {minutes: _span(minutes, self._seen_by) for minutes in SPANS}
        with Tag("div", "choices"):
            self._minutes = Choice("minutes", say("Time shown"), spans, self._refresh)
            names = {dimension.name: dimension.name for dimension in self._dimensions}
            self._dimension = Choice("dimension", say("Dimension shown"), names, self._refresh)
        nothing = say("Nothing came in this time.")
        with Tag("div", "charts"):
            self._messages = Chart(say("Messages per second"), nothing)
            self._labels = Chart(say("Labels over time"), nothing)
            self._confidence = Chart(say("Confidence"), say("No label has a confidence in this time."))
            with Tag("section", "chart"):
                Tag("h2", text=say("Model versions"))
                self._versions = Rebuilt("div", "versions", self._build_versions)
            self._quality = Quality(self._words)
            self._savings = SavingsCard(self._words)
        Tag("h2", "section-title", text=say("At work"))
        self._roles = Rebuilt("ul", "roles", self._build_roles)

    async def _refresh(self) -> None:
        try:
            status = await self._status.latest()
            series = await asyncio.to_thread(self._services.series, self._minutes.value)
        except VigieError as error:
            self._problem.set_text(str(error))
            self._problem.set_visibility(True)
            return
        self._problem.set_visibility(False)
        self._show_status(status)
        self._draw(series, status)

    def _show_status(self, status: dict[str, Any]) -> None:
        words, zone = self._words, self._seen_by.zone
        in_frame = self._services.settings_problem  # the frame of every page shows it
        self._problems.show([problem for problem in status["problems"] if problem != in_frame])
        self._tiles.show(tiles(status, words))
        self._routes.show(routes(status["messages"]["by_route"], words))
        self._versions.show(versions(status, self._dimensions, zone=zone, words=words))
        self._roles.show(roles(status, zone, words))
        self._quality.show(status, self._dimension.value)
        self._savings.show(status)

    def _draw(self, series: Any, status: dict[str, Any]) -> None:
        how: dict[str, Any] = {"until": datetime.now(UTC), "zone": self._seen_by.zone, "words": self._words}
        chosen = next(one for one in self._dimensions if one.name == self._dimension.value)
        labels = series.labels.filter(series.labels["dimension"] == chosen.name)
        confidence = series.confidence.filter(series.confidence["dimension"] == chosen.name)
        threshold = (status["passing"].get(chosen.name) or {}).get("threshold")
        self._messages.draw(messages_figure(series.messages, **how) if len(series.messages) else None)
        self._labels.draw(labels_figure(labels, chosen.label_names, **how) if len(labels) else None)
        self._confidence.draw(
            confidence_figure(confidence, chosen.name, threshold, self._words) if len(confidence) else None
        )

    def _build_versions(self, rows: Sequence[dict[str, Any]]) -> None:
        if not rows:
            Tag("p", "empty", text=self._words.gettext("No model yet: the first is trained after the first answers."))
            return
        with Tag("table"):
            with Tag("thead"), Tag("tr"):
                for name in (self._words.gettext("Version"), *(dimension.name for dimension in self._dimensions)):
                    Tag("th", text=name, title=name, scope="col")
            with Tag("tbody"):
                for row in rows:
                    self._build_version(row)

    def _build_version(self, row: dict[str, Any]) -> None:
        with Tag("tr", "champion" if row["champion"] else ""):
            with Tag("th", scope="row"):
                Tag("b", text=row["version"])
                if row["champion"]:
                    Tag("span", "badge", text=self._words.gettext("in use"))
                Tag("small", text=row["created"])
            for accuracy in row["accuracy"]:
                with Tag("td"):
                    Tag("b", text=accuracy["value"])
                    Tag("small", text=accuracy["interval"])

    def _build_roles(self, rows: Sequence[dict[str, str]]) -> None:
        if not rows:
            Tag(
                "li", "empty", text=self._words.gettext("Nothing of this project is at work. “vigie up” starts it all.")
            )
        for row in rows:
            with Tag("li"):
                Tag("i", aria_hidden="true")
                Tag("b", text=row["role"])
                Tag("span", text=row["instance"])
                Tag("small", text=row["since"])
                if row["doing"]:
                    Tag("small", text=row["doing"])


def _span(minutes: int, seen_by: Visit) -> str:
    hours = minutes // 60
    return seen_by.words.gettext("{n} h", n=hours) if hours else seen_by.words.gettext("{n} min", n=minutes)


def _build_problems(problems: Sequence[str]) -> None:
    for problem in problems:
        Tag("p", "banner", text=problem)


def _build_tiles(rows: Sequence[tuple[str, str, str]]) -> None:
    for name, value, remark in rows:
        with Tag("div", "tile"):
            Tag("span", "name", text=name)
            Tag("b", text=value)
            Tag("small", text=remark)


def _build_routes(rows: Sequence[dict[str, Any]]) -> None:
    with Tag("div", "shares", aria_hidden="true"):
        for row in rows:
            Tag("i").style(f"flex-grow: {row['share']:.4f}; background: {row['colour']}")
    for row in rows:
        with Tag("span", "share"):
            Tag("i", aria_hidden="true").style(f"background: {row['colour']}")
            Tag("b", text=row["text"])
            Tag("span", text=row["name"])
            Tag("small", text=row["count"])
