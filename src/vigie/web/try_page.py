"""The try page: type a message, see what the system makes of it and why, and say whether that is right."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from nicegui import ui
from nicegui.events import GenericEventArguments

from vigie.errors import VigieError
from vigie.labels import Dimension, Prediction, WordWeight
from vigie.web.choices import build_choice, press
from vigie.web.elements import Tag, button
from vigie.web.formats import DASH
from vigie.web.frame import STATIC_URL, stamp
from vigie.web.try_views import heaviest, highlights, known_labels, verdicts
from vigie.web.visit import Visit

if TYPE_CHECKING:
    from vigie.app import Services

MAX_CHARACTERS = 20_000
PAUSE_SECONDS = 0.25
WITH_NAME = "() => emit(JSON.parse(localStorage.getItem('vigie.annotator') || 'null'))"


class TryPage:
    """One open try page.

    Parameters
    ----------
    services
        Of the project.
    seen_by
        Language and colours.
    """

    def __init__(self, services: "Services", seen_by: Visit) -> None:
        self._services = services
        self._words = seen_by.words
        self._text = ""
        self._predicted = ""
        self._prediction: Prediction | None = None
        self._weights: dict[str, list[WordWeight]] = {}
        self._dimension = ""
        self._pressed: dict[str, Tag] = {}
        self._chosen: dict[str, str] = {}
        self._build()

    def _build(self) -> None:
        say = self._words.gettext
        root = ui.context.client.request.scope.get("root_path", "")
        ui.add_head_html(f'<script type="module" src="{root}{STATIC_URL}/try.js?v={stamp("try.js")}"></script>')
        Tag("h1", "page-title", text=say("Try a message"))
        with Tag("div", "try"):
            self._input = Tag(
                "textarea",
                "message-input",
                id="message",
                rows="3",
                maxlength=str(MAX_CHARACTERS),
                spellcheck="false",
                dir="auto",
                aria_label=say("A message"),
                placeholder=say("Paste or type a message, such as a line of a log"),
            )
            self._input.on(
                "input",
                self._typed,
                js_handler="(e) => emit(e.target.value)",
                throttle=PAUSE_SECONDS,
                leading_events=False,
            )
            self._result = Tag("div", "result", aria_live="polite")
            self._feedback = Tag("div", "feedback")
            self._notice = Tag("p", "notice", role="status", tabindex="-1")

    async def _typed(self, event: GenericEventArguments) -> None:
        self._text = str(event.args)[:MAX_CHARACTERS]
        self._notice.set_text("")
        await self._predict()

    async def _predict(self) -> None:
        text = self._text
        if not text.strip():
            self._prediction = None
            self._show()
            return
        try:
            prediction, weights = await asyncio.to_thread(self._ask, text)
        except VigieError as error:
            self._prediction = None  # what stands there is about another text
            self._show()
            self._say(str(error), "problem")
            return
        if text == self._text:  # else a later text is already on its way
            self._predicted, self._prediction, self._weights = text, prediction, weights
            self._chosen = known_labels(prediction)
            self._show()

    def _ask(self, text: str) -> tuple[Prediction, dict[str, list[WordWeight]]]:
        return self._services.predict([text])[0], self._services.explain(text)

    def _show(self) -> None:
        self._result.clear()
        self._feedback.clear()
        if self._prediction is None:
            return
        with self._result:
            self._build_verdicts(self._prediction)
            if self._weights:
                self._build_reasons()
        with self._feedback:
            self._build_question()

    def _build_verdicts(self, prediction: Prediction) -> None:
        with Tag("div", "verdicts"):
            for verdict in verdicts(prediction, self._services.dimensions, self._words):
                with Tag("div", "verdict", data_dimension=verdict["dimension"]):
                    Tag("span", "name", text=verdict["dimension"])
                    Tag("b", text=verdict["label"] or DASH)
                    with Tag("span", "meter", aria_hidden="true"):
                        Tag("i").style(f"width: {verdict['confidence'] * 100:.0f}%")
                    Tag("small", text=verdict["text"])

    def _build_reasons(self) -> None:
        say = self._words.gettext
        names = [name for name in self._weights if self._weights[name]]
        if not names:
            return
        self._dimension = self._dimension if self._dimension in names else names[0]
        with Tag("div", "reasons-head"):
            Tag("h2", text=say("The words that weighed most"))
            with Tag("div", "switch choice", role="group", aria_label=say("Dimension shown")):
                self._pressed = {name: self._build_look(name) for name in names}
        weights = self._weights[self._dimension]
        with Tag("pre", "message weighed", dir="auto", tabindex="0", aria_label=say("The words that weighed most")):
            for piece in highlights(weights, self._predicted):
                _build_piece(piece.text, piece.weight)
        with Tag("ul", "weights"):
            for word, weight in heaviest(weights):
                self._build_weight(word, weight)

    def _build_weight(self, word: str, weight: float) -> None:
        side = "for" if weight > 0 else "against"
        with Tag("li", side):
            Tag("code", text=word)
            with Tag("span", "bar", aria_hidden="true"):
                Tag("i").style(f"width: {abs(weight) * 100:.0f}%")
            Tag("small", text=self._words.gettext("for it") if weight > 0 else self._words.gettext("against it"))

    def _build_look(self, dimension: str) -> Tag:
        pressed = str(dimension == self._dimension).lower()
        one = button(dimension, title=dimension, aria_pressed=pressed)
        one.on("click", lambda: self._look_at(dimension))
        return one

    def _look_at(self, dimension: str) -> None:
        self._dimension = dimension
        self._show()
        self._pressed[dimension].run_method("focus")

    def _build_question(self) -> None:
        say = self._words.gettext
        with Tag("div", "was-it-right"):
            Tag("h2", text=say("Was it right?"))
            if self._chosen:
                button(say("Yes"), "action outlined yes").on("click", self._store, js_handler=WITH_NAME)
            button(say("Correct it"), "action outlined correct").on("click", self._correct)

    def _correct(self) -> None:
        self._feedback.clear()
        with self._feedback:
            heading = Tag("h2", text=self._words.gettext("What is right?"), tabindex="-1")
            for dimension in self._services.dimensions:
                self._build_row(dimension)
            button(self._words.gettext("Save the correction"), "action primary save").on(
                "click", self._store, js_handler=WITH_NAME
            )
        heading.run_method("focus")  # the button that was pressed is gone

    def _build_row(self, dimension: Dimension) -> None:
        buttons = build_choice(dimension, self._chosen.get(dimension.name), heading="h3")
        for name, one in buttons.items():
            one.on("click", lambda name=name: self._choose(dimension.name, name, buttons))

    def _choose(self, dimension: str, name: str, buttons: Mapping[str, Tag]) -> None:
        self._chosen[dimension] = name
        press(buttons, name)

    async def _store(self, event: GenericEventArguments) -> None:
        annotator = str(event.args or "guest").strip()[:60] or "guest"
        try:
            await asyncio.to_thread(self._services.labelling.annotate, self._predicted, dict(self._chosen), annotator)
        except VigieError as error:
            self._say(str(error), "problem")
            return
        self._feedback.clear()
        self._say(
            self._words.gettext("Thank you. It is stored as an answer and counts from the next training on."), "news"
        )
        self._notice.run_method("focus")

    def _say(self, text: str, tone: str) -> None:
        self._notice.classes(replace=f"notice {tone}")
        self._notice.set_text(text)


def _build_piece(text: str, weight: float) -> None:
    if not weight:
        Tag("span", text=text)
        return
    strength = f"--strength: {abs(weight) * 100:.0f}%"
    Tag("mark", "for" if weight > 0 else "against", text=text).style(strength)
