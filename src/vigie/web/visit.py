"""Who looks at a page: their language, colours and time zone, from their cookies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from vigie.web.words import Words, choose, words_in

LANGUAGE_COOKIE = "vigie_language"
THEME_COOKIE = "vigie_theme"
ZONE_COOKIE = "vigie_zone"
THEMES = ("auto", "light", "dark")


@dataclass(frozen=True, slots=True)
class Visit:
    """One page view.

    Parameters
    ----------
    words
        In the visitor's language.
    theme
        One of `THEMES`; auto follows the system.
    zone
        In which they read times; UTC until the browser has said.
    """

    words: Words
    theme: str
    zone: ZoneInfo


def visit(cookies: Mapping[str, str], headers: Mapping[str, str], project: Any) -> Visit:
    """Read a page view from a request.

    Parameters
    ----------
    cookies, headers
        Of the request.
    project
        The settings' project section; a language that was written there goes before the browser's.
    """
    configured = project.language if "language" in project.model_fields_set else None
    language = choose(cookies.get(LANGUAGE_COOKIE), configured, headers.get("accept-language", ""))
    theme = cookies.get(THEME_COOKIE, "auto")
    return Visit(words_in(language), theme if theme in THEMES else "auto", _zone(cookies.get(ZONE_COOKIE, "")))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(unquote(name) or "UTC")
    except (ValueError, KeyError, OSError):  # a cookie may say anything
        return ZoneInfo("UTC")
