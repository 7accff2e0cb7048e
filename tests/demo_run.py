"""The demo as a person uses it: the real command, a real browser, keys only."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.sync_api import Page, sync_playwright

from kafka_server import free_ports

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
STOPWATCH = """() => {
  window.times = [];
  let pressed = 0;
  let shown = document.querySelector("[data-question]").dataset.question;
  addEventListener("keydown", (event) => { if (event.key === "Enter") pressed = performance.now(); }, true);
  new MutationObserver(() => {
    const now = document.querySelector("[data-question]")?.dataset.question;
    if (now === undefined || now === shown) return;
    shown = now;
    if (pressed) window.times.push(performance.now() - pressed);
    pressed = 0;
  }).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
}"""
SEVERITIES = (
    (re.compile(r"(?i)panic|critical|machine check|out of memory|lost quorum"), "critical"),
    (re.compile(r"(?i)error|fail|exception|fatal|refused|\" 5\d\d "), "error"),
    (re.compile(r"(?i)warn|retry|slow|timeout|timed out|denied|\" 4\d\d "), "warning"),
)


@contextmanager
def running_demo(folder: Path) -> Iterator[str]:
    """Run `vigie demo` and yield the address of its pages, once they answer."""
    port = free_ports(1)[0]
    command = [sys.executable, "-m", "vigie", "demo", "--no-browser", "--port", str(port), "--keep", str(folder)]
    with Path(f"{folder}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_for(f"http://127.0.0.1:{port}/readyz")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def wait_for(url: str, timeout_seconds: float = 90.0) -> None:
    """Return when a page answers that all is well."""
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        try:
            if httpx.get(url, timeout=5).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise TimeoutError(f"{url} did not answer")


@contextmanager
def open_page(url: str) -> Iterator[Page]:
    """Open a page in Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        try:
            page = browser.new_page(viewport={"width": 1280, "height": 860})
            page.goto(url)
            yield page
        finally:
            browser.close()


def question(page: Page) -> str:
    """Wait until a question takes keys, and return its id."""
    asked = page.locator("[data-question][data-armed]")
    asked.wait_for()
    return asked.get_attribute("data-question") or ""


def answer(page: Page) -> str:
    """Answer the question on the page by keys, wait for the next, and return the answered one's id.

    Severity is told by keyword; what the page suggests for the rest is accepted.
    """
    asked = question(page)
    severity = severity_of(page.locator(".message").inner_text())
    page.keyboard.press(str(("info", "warning", "error", "critical").index(severity) + 1))
    page.keyboard.press("Enter")
    wait_for_another(page, asked)
    return asked


def wait_for_another(page: Page, asked: str) -> None:
    """Return when the page shows another question than `asked`."""
    page.wait_for_function(
        "(asked) => document.querySelector('[data-question][data-armed]') && "
        "document.querySelector('[data-question]').dataset.question !== asked",
        arg=asked,
    )
    page.wait_for_timeout(260)  # the same key within a quarter of a second counts as an accident


def severity_of(text: str) -> str:
    """Return the severity that a person in a hurry would choose."""
    return next((label for pattern, label in SEVERITIES if pattern.search(text)), "info")
