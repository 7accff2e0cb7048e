"""The pages over services in memory, in Chromium, and what an annotator does there."""

import os
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from demo_run import CHROMIUM, FLAGS
from web_fakes import FakeServices
from web_server import Stage, served

expect.set_options(timeout=60_000)  # a busy machine is slow, not wrong; the limit holds for all tests of the pages


@pytest.fixture(scope="session")
def running() -> Iterator[Stage]:
    with served() as stage:
        yield stage


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        if os.environ.get("CI") == "true":
            pytest.fail("Chromium is missing; install it with: apt-get install chromium")
        pytest.skip("Chromium is missing; install it with: apt-get install chromium")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)


@pytest.fixture
def stage(running: Stage) -> Stage:
    running.services = FakeServices(answers=37)
    return running


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open pages as new visitors; none may run into a script error."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def visit(url: str, **options: object) -> Page:
        contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 860}, **options}))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto(url)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert errors == []


def armed(page: Page) -> str:
    """Wait until the question on the page takes keys, and return its id."""
    question = page.locator("[data-question][data-armed]")
    question.wait_for()
    return question.get_attribute("data-question") or ""


def answer(page: Page, *keys: str) -> str:
    """Answer the question on the page, wait for the next, and return the answered one's id."""
    asked = armed(page)
    for key in (*keys, "Enter"):
        page.keyboard.press(key)
    page.wait_for_function(
        "(asked) => document.querySelector('[data-question]')?.dataset.question !== asked", arg=asked
    )
    page.wait_for_timeout(260)  # the same key within a quarter of a second counts as an accident
    return asked


def chosen(page: Page) -> list[str]:
    return [one.get_attribute("data-label") or "" for one in page.locator(".label[aria-checked=true]").all()]


def eventually(check: Callable[[], bool], seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while not check() and time.monotonic() < end:
        time.sleep(0.05)
    return check()
