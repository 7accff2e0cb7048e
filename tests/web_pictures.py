"""Take the pictures of the pages that the documents show.

Run `python tests/web_pictures.py FOLDER [URL]`; without a URL the pages run over fake services.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from web_fakes import LINES, FakeServices

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
SETTLE_MS = 2500


@dataclass(frozen=True)
class Picture:
    """One picture: its name, the page, and how it is looked at."""

    name: str
    path: str = "/"
    locale: str = "en-GB"
    dark: bool = False
    size: tuple[int, int] = (1280, 860)


PICTURES = (
    Picture("label"),
    Picture("label-dark-fr", locale="fr-FR", dark=True),
    Picture("label-narrow", size=(390, 844)),
    Picture("overview", "/overview", size=(1280, 1080)),
    Picture("overview-dark-fr", "/overview", locale="fr-FR", dark=True, size=(1280, 1080)),
    Picture("review", "/review", size=(1280, 1000)),
    Picture("try", "/try", size=(1280, 720)),
)


def take(browser: Browser, url: str, picture: Picture, folder: Path) -> None:
    """Take one picture."""
    width, height = picture.size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if picture.dark else "light",
        locale=picture.locale,
    )
    context.add_cookies([{"name": "vigie_language", "value": picture.locale[:2], "url": url}])
    page = context.new_page()
    page.goto(url + picture.path)
    page.wait_for_timeout(SETTLE_MS)
    prepare(page, picture)
    page.screenshot(path=folder / f"{picture.name}.png")
    context.close()


def prepare(page: Page, picture: Picture) -> None:
    """Do what a visitor would have done before."""
    if picture.path == "/try":
        page.locator("textarea").fill(LINES[3])
        page.locator(".verdict").first.wait_for()
    elif picture.path == "/":
        page.locator("[data-armed]").wait_for()
        page.keyboard.press("3")
    page.mouse.move(0, 0)
    page.wait_for_timeout(400)


@contextmanager
def pages(arguments: list[str]) -> Iterator[str]:
    """Return the address given, or serve the pages over fake services."""
    if arguments:
        yield arguments[0].rstrip("/")
        return
    from web_server import served

    with served() as stage:
        stage.services = FakeServices(LINES * 8, answers=137)
        yield stage.url


if __name__ == "__main__":
    target = Path(sys.argv[1])
    with pages(sys.argv[2:]) as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for wanted in PICTURES:
            take(chromium, address, wanted, target)
        chromium.close()
