"""The label page: one question at a time, answered by keys."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from nicegui import ui
from nicegui.client import Client
from nicegui.element import Element
from nicegui.events import GenericEventArguments
from pydantic import TypeAdapter, ValidationError

from vigie.errors import VigieError
from vigie.web.desk import Applied, Desk, Journal, Refusal, Reply
from vigie.web.elements import Tag
from vigie.web.frame import every
from vigie.web.label_texts import applied_text, setup
from vigie.web.live import Shared
from vigie.web.views import earlier, group_view, prediction_view, question_view, similar_view, status_view
from vigie.web.visit import Visit

if TYPE_CHECKING:
    from vigie.app import Services
    from vigie.labelling import Asked

log = logging.getLogger(__name__)
REPLY = TypeAdapter(Reply)
TICK_SECONDS = 1.0
CLOSE_SECONDS = 2.0
MAX_KEPT = 30
"""Of a group's messages that are shown; to find what varies in one takes 25 ms."""


class DeskElement(Element, component="static/label_desk.js", esm={"vigie-desk": "static/desk"}):
    """The part of the page that runs in the browser; see `static/label_desk.js`."""

    def __init__(self, first_setup: dict[str, Any]) -> None:
        super().__init__()
        self._props["setup"] = first_setup

    def change_setup(self, new: dict[str, Any]) -> None:
        """Show other dimensions, if they changed."""
        if new != self._props["setup"]:
            self._props["setup"] = new
            self.update()


class Desks:
    """The desks of all open tabs, by tab and annotator: a reload comes back to the question it left.

    Parameters
    ----------
    services
        Of the project.
    """

    def __init__(self, services: "Services") -> None:
        self.services = services
        self._journal = Journal()
        self._open: dict[tuple[str, str], tuple[Desk, str]] = {}

    def sit(self, client: Client, annotator: str) -> Desk:
        """Return the desk of a tab, a new one unless its page was only loaded again."""
        key = (client.tab_id or client.id, annotator)
        desk, _ = self._open.get(key, (None, ""))
        desk = desk or Desk(self.services.labelling, annotator, self._journal)
        self._open[key] = (desk, client.id)
        return desk

    async def leave(self, client_id: str) -> None:
        """Give back what a closed page held, unless the same tab came back."""
        gone = [key for key, (_, owner) in self._open.items() if owner == client_id]
        for desk in [self._open.pop(key)[0] for key in gone]:
            await desk.release()

    async def close(self) -> None:
        """Give back what all pages hold, if that is quick: a lease that stays runs out by itself."""
        desks = [desk for desk, _ in self._open.values()]
        self._open.clear()
        with suppress(VigieError, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await asyncio.gather(*(desk.release() for desk in desks))


class LabelPage:
    """One open label page.

    Parameters
    ----------
    desks
        Of the process.
    status
        The project's state, shared with the other pages.
    seen_by
        Language and colours.
    """

    def __init__(self, desks: Desks, status: Shared[dict[str, Any]], seen_by: Visit) -> None:
        self._desks = desks
        self._services = desks.services
        self._status = status
        self._words = seen_by.words
        self._desk: Desk | None = None
        self._told: dict[str, Any] = {}
        self._model: str | None = None
        self._ticks = 0
        self._in_trouble = False
        self._client = ui.context.client
        Tag("h1", "visually-hidden", text=self._words.gettext("Label"))
        self._element = DeskElement(self._setup())
        self._element.on("sit", self._sit)
        self._element.on("reply", self._reply)
        self._element.on("undo", self._undo)
        self._element.on("open", self._open)
        self._element.on("similar", self._similar)
        self._client.on_delete(lambda: desks.leave(self._client.id))
        every(TICK_SECONDS, self._tick)

    def _setup(self) -> dict[str, Any]:
        return setup(self._services.dimensions, self._services.settings.project.goal, self._words)

    async def _sit(self, event: GenericEventArguments) -> None:
        name = str(event.args.get("annotator", "")).strip()[:60] or "guest"
        if self._desk is not None and self._desk.annotator != name:
            await self._desks.leave(self._client.id)
        self._desk = self._desks.sit(self._client, name)
        self._told = {}
        await self._deliver(list(self._desk.held.values()))
        with suppress(VigieError):  # likewise
            await self._refill()
            await self._tell()

    async def _reply(self, event: GenericEventArguments) -> None:
        if self._desk is None:
            return
        nonce = str(event.args.get("nonce", ""))
        stored = await self._stored(self._desk, event.args)
        if isinstance(stored, Refusal):
            self._element.run_method("refuse", nonce, stored.gone, stored.problem)
        else:
            self._element.run_method("confirm", nonce)
        if excepted := self._desk.take_excepted():
            self._element.run_method("deliverNext", await asyncio.to_thread(self._views, excepted))
        if isinstance(stored, Applied):
            self._element.run_method("applied", stored.taken, stored.closed, applied_text(stored, self._words))
        with suppress(VigieError):  # the next tick tries again, and says what is wrong
            await self._refill()

    async def _stored(self, desk: Desk, args: Any) -> Refusal | Applied | None:
        try:
            return await desk.reply(REPLY.validate_python(args))
        except ValidationError:
            return Refusal(gone=True, problem=self._words.gettext("the page sent something the server does not know"))
        except Exception as error:  # the outermost loop of a request: whatever happened, the annotator must hear of it
            log.exception("a reply was not stored", extra={"action": "reply_failed"})
            return Refusal(gone=False, problem=type(error).__name__)

    async def _undo(self) -> None:
        if self._desk is None:
            return
        try:
            undone = await self._desk.undo()
        except VigieError as error:
            self._element.run_method("say", str(error), "problem")
            return
        if undone is None:
            self._element.run_method("say", self._words.gettext("There is nothing to take back."), "")
            return
        n, text = len(undone.also), self._words.gettext("Taken back. Answer it anew.")
        if n:
            text = self._words.ngettext(
                "Taken back, with {n} similar group. Answer it anew.",
                "Taken back, with {n} similar groups. Answer it anew.",
                n,
            )
        view = (await asyncio.to_thread(self._views, [undone.asked]))[0]
        n_answers = n + 1 if undone.action == "answered" else 0
        dropped, exceptions = list(undone.dropped), list(undone.exceptions)
        self._element.run_method("restore", view, dict(undone.labels), text, n_answers, dropped, exceptions)

    async def _open(self, event: GenericEventArguments) -> None:
        """Show the messages of the group that a question is about."""
        asked = self._desk.held.get(event.args.get("question_id")) if self._desk else None
        if asked is not None:
            self._element.run_method("showGroup", await asyncio.to_thread(self._group, asked))

    def _group(self, asked: "Asked") -> dict[str, Any]:
        kept = self._services.unlike_first(asked)[:MAX_KEPT]
        spans = self._services.variable_parts
        return group_view(asked.question, [(text, spans(text)) for text in kept], self._words)

    async def _similar(self, event: GenericEventArguments) -> None:
        """Look for groups that may take an answer along, and hand them to the panel."""
        question_id = event.args.get("question_id")
        if self._desk is None or not isinstance(question_id, int):
            return
        try:
            similar = await self._desk.similar(question_id)
            if similar is None:
                self._element.run_method(
                    "noneAlike", question_id, self._words.gettext("The question is not yours any more.")
                )
                return
            view = await asyncio.to_thread(similar_view, similar, self._services.variable_parts, self._words)
        except VigieError as error:
            self._element.run_method("noneAlike", question_id, str(error))
            return
        self._element.run_method("alike", question_id, view)

    async def _tick(self) -> None:
        self._ticks += 1
        self._element.change_setup(self._setup())
        if self._desk is None:
            return
        try:
            await self._tell()
            await self._refill()
            if self._ticks % self._renew_every == 0 and (lost := await self._desk.renew()):
                self._element.run_method("withdraw", lost)
        except VigieError as error:
            self._trouble(str(error))
        else:
            self._trouble("")

    def _trouble(self, problem: str) -> None:
        """Say what is wrong while it lasts; the next tick tries again."""
        if problem or self._in_trouble:
            self._element.run_method("say", problem, "problem")
        self._in_trouble = bool(problem)

    @property
    def _renew_every(self) -> int:
        return max(int(self._services.settings.learning.lease_seconds / 4 / TICK_SECONDS), 1)

    async def _refill(self) -> None:
        if self._desk is not None and (new := await self._desk.fill()):
            await self._deliver(new)

    async def _deliver(self, asked: "Sequence[Asked]") -> None:
        if asked:
            self._services.prepare_similar()
            self._element.run_method("deliver", await asyncio.to_thread(self._views, asked))

    def _views(self, asked: "Sequence[Asked]") -> list[dict[str, Any]]:
        return [self._view(one) for one in asked]

    def _view(self, one: "Asked") -> dict[str, Any]:
        spans = self._services.variable_parts(one.text)
        view = question_view(one.question, one.prediction, one.text, variable=spans, words=self._words)
        said = earlier(one.question, self._services.dimensions)
        return view | {"chosen": said} if said else view

    async def _tell(self) -> None:
        status = await self._status.latest()
        told = status_view(status, self._services.dimensions, self._words)
        if told != self._told:
            self._told = told
            self._element.run_method("tell", told)
        if told["model"] != self._model:
            self._model = told["model"]
            await self._repredict()

    async def _repredict(self) -> None:
        """Give the questions that wait in the browser the new model's predictions; the one being read stays as it is."""
        if self._desk is None or not self._desk.held:
            return
        held = list(self._desk.held.values())
        texts = [asked.text for asked in held]
        predictions = await asyncio.to_thread(self._services.predict, texts)
        views = {
            asked.question.id: prediction_view(prediction, self._words)
            for asked, prediction in zip(held, predictions, strict=True)
        }
        self._element.run_method("repredict", views)
