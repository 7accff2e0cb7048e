"""What the overview is built of: charts, choices, and parts that are built anew when what they show has changed."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import ui

from vigie.web.elements import Tag, button
from vigie.web.figures import Figure


class Chart:
    """A chart with a heading, and a sentence in its place while there is nothing to draw."""

    def __init__(self, title: str, empty: str) -> None:
        with Tag("section", "chart") as self.section:
            Tag("h2", text=title)
            self._empty = Tag("p", "empty", text=empty)
            with Tag("div", "plot", role="img", aria_label=title) as self._frame:
                self._plot = ui.plotly({"data": [], "layout": {"height": 250}})
        self._shown: Figure = {}
        self._empty.set_visibility(False)  # until something is known, there is nothing to say
        self._frame.set_visibility(False)

    def draw(self, figure: Figure | None) -> None:
        """Show a figure, or that there is none; nothing happens when it is the one already shown."""
        self._empty.set_visibility(figure is None)
        self._frame.set_visibility(figure is not None)
        if figure is not None and figure != self._shown:
            self._shown = figure
            self._plot.update_figure(figure)


class Choice:
    """A row of buttons of which one is pressed; the page's address says which, so that a reload and a link keep it.

    Parameters
    ----------
    name
        In the address.
    title
        For those who hear the page.
    options
        What the buttons say, by value.
    on_change
        Called once another button is pressed.
    """

    def __init__(
        self, name: str, title: str, options: dict[Any, str], on_change: Callable[[], Awaitable[None]]
    ) -> None:
        asked = ui.context.client.request.query_params.get(name)
        self.value = next((value for value in options if str(value) == asked), next(iter(options)))
        self._name, self._on_change = name, on_change
        with Tag("div", "switch choice", role="group", aria_label=title):
            self._buttons = {value: button(text, aria_pressed="false") for value, text in options.items()}
        for value, pressed in self._buttons.items():
            pressed.set(title=options[value])
            pressed.on("click", lambda value=value: self._choose(value))
        self._mark()

    async def _choose(self, value: Any) -> None:
        self.value = value
        self._mark()
        set_it = f"url.searchParams.set({json.dumps(self._name)}, {json.dumps(str(value))})"
        ui.run_javascript(f"const url = new URL(location); {set_it}; history.replaceState({{}}, '', url)")
        await self._on_change()

    def _mark(self) -> None:
        for value, one in self._buttons.items():
            one.set(aria_pressed=str(value == self.value).lower())


class Rebuilt:
    """A part of the page that is built anew when what it shows has changed."""

    def __init__(self, tag: str, classes: str, build: Callable[[Any], None], **attributes: Any) -> None:
        self._element = Tag(tag, classes, **attributes)
        self._build = build
        self._shown: Any = None

    def show(self, value: Any) -> None:
        """Build from a value, unless it is the one shown."""
        if value == self._shown:
            return
        self._shown = value
        self._element.clear()
        with self._element:
            self._build(value)
