"""What all pages share: the head of the document, the header, the banners."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from nicegui import ui

from vigie.web.elements import Tag, button
from vigie.web.visit import THEMES, Visit, visit
from vigie.web.words import LANGUAGES, Words

if TYPE_CHECKING:
    from vigie.app import Services

STATIC = Path(__file__).parent / "static"
STATIC_URL = "/_vigie/static"
SHEETS = ("theme.css", "frame.css", "label.css", "pages.css", "review.css")
NAMES = {"en": "English", "fr": "Français"}
POLL_SECONDS = 2.0


def current_visit(services: "Services") -> Visit:
    """Return who looks at the page being built."""
    request = ui.context.client.request
    return visit(request.cookies, request.headers, services.settings.project)


@contextmanager
def frame(services: "Services", seen_by: Visit, path: str, title: str) -> Iterator[None]:
    """Build a page around its content.

    Parameters
    ----------
    services
        Of the project.
    seen_by
        Language and colours.
    path
        Of this page, to mark it in the navigation.
    title
        Of the document.
    """
    words = seen_by.words
    ui.page_title(f"{title} · {services.settings.project.name}")
    ui.add_head_html(_head(ui.context.client.request.scope.get("root_path", ""), seen_by))
    with Tag("header", "top"):
        Tag("a", "skip-link", text=words.gettext("Skip to the content"), href="#content")
        _brand(services.settings.project.name)
        _navigation(path, words)
        _switches(seen_by)
    _problem_banner(services, words)
    with Tag("main", "content", id="content", tabindex="-1"):
        yield


def _head(root: str, seen_by: Visit) -> str:
    """Return what must be known before the first paint, so that neither colours nor language flicker."""
    words = seen_by.words
    sheets = "".join(f'<link rel="stylesheet" href="{root}{STATIC_URL}/{name}?v={stamp(name)}">' for name in SHEETS)
    lost = words.gettext("Connection lost. Trying again…")
    return (
        f"<script>document.documentElement.lang='{words.language}';"
        f"document.documentElement.dataset.theme='{seen_by.theme}'</script>{sheets}"
        f'<script defer src="{root}{STATIC_URL}/page.js?v={stamp("page.js")}" data-lost="{escape(lost)}"></script>'
    )


@cache
def stamp(name: str) -> str:
    """Return what changes when a static file does, for its address."""
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:10]


def _brand(project: str) -> None:
    with Tag("a", "brand", href="/"):
        Tag("span", "mark", aria_hidden="true")
        Tag("b", text="Vigie")
        Tag("span", "project", text=project)


def _navigation(path: str, words: Words) -> None:
    pages = {
        "/": words.gettext("Label"),
        "/overview": words.gettext("Overview"),
        "/review": words.gettext("Review"),
        "/try": words.gettext("Try"),
    }
    with Tag("nav", "pages", aria_label=words.gettext("Pages")):
        for target, name in pages.items():
            Tag("a", text=name, href=target, aria_current="page" if target == path else None)


def _switches(seen_by: Visit) -> None:
    words = seen_by.words
    with Tag("div", "switches"):
        with Tag("div", "switch", role="group", aria_label=words.gettext("Language")):
            for language in LANGUAGES:
                pressed = str(language == words.language).lower()
                button(
                    language.upper(), lang=language, title=NAMES[language], aria_pressed=pressed, data_language=language
                )
        names = {"auto": words.gettext("System"), "light": words.gettext("Light"), "dark": words.gettext("Dark")}
        with Tag("div", "switch themes", role="group", aria_label=words.gettext("Colours")):
            for theme in THEMES:
                pressed = str(theme == seen_by.theme).lower()
                button(
                    "",
                    f"theme-{theme}",
                    aria_label=names[theme],
                    title=names[theme],
                    aria_pressed=pressed,
                    data_theme_choice=theme,
                )


def _problem_banner(services: "Services", words: Words) -> None:
    """Show, while it lasts, why changed settings are not in force."""
    with Tag("div", "settings-problem", role="alert") as banner:
        Tag("b", text=words.gettext("The change is not in force; the settings before it still are."))
        problem = Tag("span")

    def look() -> None:
        """Show what is wrong with the settings, or hide the banner."""
        found = services.settings_problem
        banner.set_visibility(found is not None)
        problem.set_text(found or "")

    look()
    every(POLL_SECONDS, look)


def every(seconds: float, act: Callable[[], object]) -> ui.timer:
    """Call something again and again while the page is open; the first time after `seconds`."""
    return ui.timer(seconds, act, immediate=False)
