"""The review page: what people disagree about, doubted and too fast answers, gold, and how annotators fare."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from nicegui import ui
from nicegui.events import GenericEventArguments

from vigie.errors import VigieError
from vigie.web.choices import build_choice, press
from vigie.web.elements import Tag, button
from vigie.web.frame import STATIC_URL, every, stamp
from vigie.web.keys import assign
from vigie.web.review_parts import WITH_NAME, build_agreement, build_annotators, build_answers, build_message
from vigie.web.review_views import case_view, counts, disputed, likely, list_names, nothing
from vigie.web.visit import Visit

if TYPE_CHECKING:
    from vigie.app import Services
    from vigie.quality.review import Case, Cases

REFRESH_SECONDS = 5.0
OWN_KEYS = "jkx"
"""Next, previous, gold: no label has these keys here."""


class ReviewPage:
    """One open review page.

    Parameters
    ----------
    services
        Of the project.
    seen_by
        Language, colours, time zone.
    """

    def __init__(self, services: "Services", seen_by: Visit) -> None:
        self._services = services
        self._seen_by = seen_by
        self._words = seen_by.words
        self._list = "disagreements"
        self._place = 0
        self._cases: Cases | None = None
        self._numbers: dict[str, Any] = {}
        self._chosen: dict[str, str] = {}
        root = ui.context.client.request.scope.get("root_path", "")
        ui.add_head_html(f'<script type="module" src="{root}{STATIC_URL}/review.js?v={stamp("review.js")}"></script>')
        Tag("h1", "page-title", text=self._words.gettext("Review"))
        self._tabs: dict[str, Tag] = {}
        self._counts: dict[str, Tag] = {}
        self._build_tabs()
        self._notice = Tag("p", "notice", role="status")
        self._body = Tag("div", "review")
        ui.timer(0.01, self._load, once=True)
        every(REFRESH_SECONDS, self._refresh)

    async def _refresh(self) -> None:
        """Show new counts; the case being decided stays, unless there is none."""
        try:
            self._numbers = await asyncio.to_thread(self._services.review.numbers)
        except VigieError as error:
            self._say(str(error), "problem")
            return
        self._mark_tabs()
        if self._list == "annotators" or not (self._cases and self._cases.cases):
            await self._load()

    async def _load(self) -> None:
        try:
            self._numbers = await asyncio.to_thread(self._services.review.numbers)
            self._cases = await asyncio.to_thread(self._listed()) if self._list != "annotators" else None
        except VigieError as error:
            self._say(str(error), "problem")
            return
        self._mark_tabs()
        self._show()

    def _listed(self) -> "Callable[[], Cases]":
        review = self._services.review
        return {
            "disagreements": review.disagreements,
            "doubted": review.doubted,
            "too_fast": review.too_fast,
            "gold": review.gold,
        }[self._list]

    def _build_tabs(self) -> None:
        names = list_names(self._words)
        with Tag("div", "switch choice review-tabs", role="group", aria_label=self._words.gettext("What to review")):
            for name, text in names.items():
                with button(text, aria_pressed="false") as one:
                    self._counts[name] = Tag("span", "n")
                one.on("click", lambda name=name: self._choose_list(name))
                self._tabs[name] = one

    def _mark_tabs(self) -> None:
        """Show which part is open, and how much there is of each; the buttons stay, so that no click is lost."""
        shown = counts(self._numbers, self._words)
        for name, one in self._tabs.items():
            one.set(aria_pressed=str(name == self._list).lower())
            self._counts[name].set_text(shown[name])

    async def _choose_list(self, name: str) -> None:
        self._list, self._place = name, 0
        self._say("", "")
        await self._load()

    def _show(self) -> None:
        """Build the case at the current place, or what there is instead."""
        self._body.clear()
        with self._body:
            if self._list == "annotators" and self._numbers["annotators"]:
                build_agreement(self._numbers, self._words)
                build_annotators(self._numbers, self._words)
                return
            case = self._case()
            if case is None:
                heading, advice = nothing(self._list, self._numbers, self._words)
                with Tag("section", "nothing"):
                    Tag("h2", text=heading)
                    Tag("p", text=advice)
                return
            self._chosen = likely(case, self._services.dimensions)
            self._build_case(case)

    def _case(self) -> "Case | None":
        cases = self._cases.cases if self._cases else ()
        self._place = max(0, min(self._place, len(cases) - 1))
        return cases[self._place] if cases else None

    def _build_case(self, case: "Case") -> None:
        view = case_view(case, zone=self._seen_by.zone, words=self._words)
        with Tag("article", "case", data_group=str(case.group_id)):
            self._build_steps()
            build_message(view, self._words)
            build_answers(view, self._services.dimensions, self._words, on_choose=self._adopt)
            self._build_labels()
            self._build_actions(case)

    def _build_steps(self) -> None:
        assert self._cases is not None
        say, n = self._words.gettext, len(self._cases.cases)
        with Tag("div", "steps"):
            for key, text, step in (("k", say("Previous"), -1), ("j", say("Next"), 1)):
                with button("", "action", data_key=key, aria_keyshortcuts=key) as one:
                    Tag("kbd", text=key)
                    Tag("span", text=text)
                one.on("click", lambda step=step: self._step(step))
            Tag("span", "quiet", text=say("{place} of {n}", place=self._place + 1, n=max(n, self._cases.total)))

    def _step(self, step: int) -> None:
        self._place += step
        self._show()

    def _build_labels(self) -> None:
        keys = assign(self._services.dimensions, reserved=OWN_KEYS)
        for dimension in self._services.dimensions:
            buttons = build_choice(dimension, self._chosen.get(dimension.name), keys=keys[dimension.name])
            for name, one in buttons.items():
                one.on("click", self._chooser(dimension.name, name, buttons), js_handler=WITH_NAME)

    def _chooser(
        self, dimension: str, name: str, buttons: Mapping[str, Tag]
    ) -> Callable[[GenericEventArguments], Awaitable[None]]:
        """Return what a click on a label does; where there is one dimension it settles the group at once."""

        async def chosen(event: GenericEventArguments) -> None:
            """Choose the label; with a single dimension, settle the group at once."""
            self._chosen[dimension] = name
            press(buttons, name)
            if len(self._services.dimensions) == 1:
                await self._settle(event)

        return chosen

    def _build_actions(self, case: "Case") -> None:
        say = self._words.gettext
        with Tag("div", "dock"), Tag("div", "actions"):
            with button("", "action primary settle", data_key="Enter", aria_keyshortcuts="Enter") as settle:
                Tag("kbd", text="↵")
                Tag("span", text=say("Settle"))
            settle.on("click", self._settle, js_handler=WITH_NAME)
            with button("", "action gold", data_key="x", aria_keyshortcuts="x") as gold:
                Tag("kbd", text="x")
                Tag("span", text=say("No longer gold") if case.is_gold else say("Settle and mark as gold"))
            gold.on("click", self._unmark if case.is_gold else self._mark, js_handler=WITH_NAME)

    async def _adopt(self, labels: dict[str, str], event: GenericEventArguments) -> None:
        self._chosen = {**self._chosen, **labels}
        await self._settle(event)

    async def _settle(self, event: GenericEventArguments) -> None:
        case, chosen, who = self._case(), dict(self._chosen), _name(event)
        if case is not None:
            await self._decide(
                lambda: self._services.review.settle(case.group_id, chosen, who), self._words.gettext("Settled.")
            )

    async def _mark(self, event: GenericEventArguments) -> None:
        case, chosen, who = self._case(), dict(self._chosen), _name(event)
        if case is not None:
            await self._decide(
                lambda: self._services.review.mark_gold(case.group_id, who, chosen),
                self._words.gettext("Settled, and gold from now on."),
            )

    async def _unmark(self, _event: GenericEventArguments) -> None:
        case = self._case()
        if case is not None:
            await self._decide(
                lambda: self._services.review.unmark_gold(case.group_id), self._words.gettext("No longer gold.")
            )

    def _missing(self) -> str:
        """Say what is still to be chosen; nothing when all is."""
        case = self._case()
        open_ones = sorted(disputed(case) - set(self._chosen)) if case and self._list == "disagreements" else []
        if open_ones:
            return self._words.gettext("Choose a label of {dimension} first.", dimension=open_ones[0])
        return "" if self._chosen else self._words.gettext("Choose at least one label first.")

    async def _decide(self, act: Callable[[], object], done: str) -> None:
        if missing := self._missing():
            self._say(missing, "problem")
            return
        try:
            await asyncio.to_thread(act)
        except VigieError as error:
            self._say(str(error), "problem")
            return
        self._say(done, "news")
        if self._list == "gold":
            self._place += 1
        await self._load()

    def _say(self, text: str, tone: str) -> None:
        self._notice.classes(replace=f"notice {tone}")
        self._notice.set_text(text)


def _name(event: GenericEventArguments) -> str:
    return str(event.args or "").strip()[:60] or "reviewer"
