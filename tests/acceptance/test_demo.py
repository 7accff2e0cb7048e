"""The demo: a stream, a browser, thirty answers, a better model."""

import json
import os
from pathlib import Path

import pytest
from playwright.sync_api import Page

from demo_run import CHROMIUM, answer, open_page, question, running_demo, wait_for_another

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(autouse=True)
def chromium() -> None:
    if not CHROMIUM.exists():
        reason = "Chromium is missing; install it with: apt-get install chromium"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)


def test_demo_when_thirty_questions_are_answered_by_keys_then_a_champion_comes_and_accuracy_is_told(
    tmp_path: Path,
) -> None:
    with running_demo(tmp_path / "project") as url, open_page(url) as page:
        question(page)
        page.evaluate("window.sameLoad = true")
        assert page.locator("[data-model]").get_attribute("data-model") == ""
        asked = [answer(page) for _ in range(12)]

        page.wait_for_function("document.querySelector('[data-model]').dataset.model !== ''", timeout=200_000)
        first = page.locator("[data-model]").get_attribute("data-model")
        undone = take_back(page, 2)
        asked = asked[:-2] + [answer(page) for _ in range(20)]
        page.wait_for_function(
            "(first) => document.querySelector('[data-model]').dataset.model !== first", arg=first, timeout=200_000
        )

        assert undone == asked[10:12]
        assert len(set(asked)) == 30
        accuracy = page.locator(".accuracy[data-dimension=severity] .value")
        page.wait_for_function("document.querySelector('.accuracy .value').textContent.includes('%')", timeout=200_000)
        assert "%" in accuracy.inner_text()
        page.wait_for_function("document.querySelector('.answers').textContent === '30'", timeout=200_000)
        assert page.evaluate("window.sameLoad") is True
    labelled = [json.loads(line) for line in (tmp_path / "project" / "labelled.jsonl").read_text().splitlines()]
    assert len({line["vigie"]["model"] for line in labelled}) >= 2
    assert len(labelled) <= len((tmp_path / "project" / "demo.log").read_text().splitlines())


def take_back(page: Page, n: int) -> list[str]:
    """Undo answers and return the ids of their questions, oldest first."""
    found: list[str] = []
    for _ in range(n):
        shown = question(page)
        page.keyboard.press("u")
        wait_for_another(page, shown)
        found.insert(0, question(page))
    return found
