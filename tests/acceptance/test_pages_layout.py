"""How the pages hold up with what projects bring: many labels, long names, long and foreign messages."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from vigie.labels import Dimension, Label
from web_fakes import LINES, FakeServices
from web_server import Stage

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


def many_dimensions() -> tuple[Dimension, ...]:
    names = [f"dimension {n} with a rather long name" for n in range(8)]
    return tuple(Dimension(name, tuple(Label(f"label {n} of {name}") for n in range(3))) for name in names)


@pytest.mark.parametrize("path", ["/", "/overview", "/review", "/try"])
@pytest.mark.parametrize("width", [1280, 390])
def test_pages_when_dimensions_are_many_and_have_long_names_then_nothing_is_cut_off(
    stage: Stage, visitor: Callable[..., Page], width: int, path: str
) -> None:
    stage.services = FakeServices(dimensions=many_dimensions(), answers=37)
    page = visitor(stage.url + path, viewport={"width": width, "height": 844})
    page.wait_for_timeout(500)
    if path == "/try":
        page.get_by_label("A message").fill(LINES[3])
        expect(page.locator(".verdict").first).to_be_visible()

    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_overview_when_something_is_wrong_then_it_says_what(stage: Stage, visitor: Callable[..., Page]) -> None:
    status = stage.services.status()
    problem = "model version 4 cannot be read; version 3 stays in use"
    stage.services.status = lambda: {**status, "problems": [problem]}  # type: ignore[method-assign]

    page = visitor(stage.url + "/overview")

    expect(page.locator(".problems .banner")).to_have_text(problem)
