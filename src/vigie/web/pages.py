"""The routes of the pages."""

from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from fastapi.exception_handlers import http_exception_handler
from nicegui import Client, ui
from nicegui import app as pages
from starlette.exceptions import HTTPException

from vigie.web.elements import Tag
from vigie.web.frame import STATIC, STATIC_URL, current_visit, frame
from vigie.web.label_page import Desks, LabelPage
from vigie.web.live import Shared
from vigie.web.overview_page import OverviewPage
from vigie.web.review_page import ReviewPage
from vigie.web.try_page import TryPage

if TYPE_CHECKING:
    from vigie.app import Services

RECONNECT_SECONDS = 10.0


def add(app: FastAPI, services: "Services", secret: str) -> None:
    """Register the pages and mount them; see `vigie.web.install`."""
    status = Shared(services.status)
    desks = Desks(services)

    @ui.page("/", dark=None)
    def label() -> None:
        """Build the page that asks questions."""
        seen_by = current_visit(services)
        with frame(services, seen_by, "/", seen_by.words.gettext("Label")):
            LabelPage(desks, status, seen_by)

    @ui.page("/overview", dark=None)
    def overview() -> None:
        """Build the page that shows figures about stream, answers and models."""
        seen_by = current_visit(services)
        with frame(services, seen_by, "/overview", seen_by.words.gettext("Overview")):
            OverviewPage(services, status, seen_by)

    @ui.page("/review", dark=None)
    def review() -> None:
        """Build the page where people's contradicting and doubtful answers are settled."""
        seen_by = current_visit(services)
        with frame(services, seen_by, "/review", seen_by.words.gettext("Review")):
            ReviewPage(services, seen_by)

    @ui.page("/try", dark=None)
    def try_it() -> None:
        """Build the page that labels a text somebody types."""
        seen_by = current_visit(services)
        with frame(services, seen_by, "/try", seen_by.words.gettext("Try")):
            TryPage(services, seen_by)

    _add_missing(services)
    pages.on_shutdown(desks.close)
    pages.add_static_files(STATIC_URL, STATIC, max_cache_age=31_536_000)
    ui.run_with(
        app,
        title="Vigie",
        favicon=STATIC / "mark.svg",
        dark=None,
        tailwind=False,
        reconnect_timeout=RECONNECT_SECONDS,
        storage_secret=secret,
        show_welcome_message=False,
    )


def _add_missing(services: "Services") -> None:
    @pages.exception_handler(404)
    async def missing(request: Request, error: HTTPException) -> Response:
        """Say that there is no such page: to people in their language, to programs in JSON."""
        if "text/html" not in request.headers.get("accept", ""):
            return await http_exception_handler(request, error)
        with Client(ui.page("", dark=None), request=request) as client:
            seen_by = current_visit(services)
            say = seen_by.words.gettext
            with frame(services, seen_by, "", say("No such page")), Tag("section", "nothing"):
                Tag("h1", text=say("There is no such page."))
                with Tag("p"):
                    Tag("a", text=say("Go and label"), href="/")
        return client.build_response(request, 404)
