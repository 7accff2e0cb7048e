"""How the pages hold up with what projects bring: many labels, long names, long and foreign messages."""

import threading
from collections.abc import Callable, Sequence

import pytest
from playwright.sync_api import Page, expect

from page_fixtures import answer, armed, chosen
from vigie.errors import UnavailableError
from vigie.labels import Dimension, Label, Prediction
from web_fakes import LINES, FakeServices
from web_server import Stage

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


def many_dimensions() -> tuple[Dimension, ...]:
    names = [f"dimension {n} with a rather long name" for n in range(7)] + ["Unbroken" * 12]
    return tuple(
        Dimension(name, tuple(Label(f"label {n} of {name}") for n in range(3)), question=f"What of {name}?")
        for name in names
    )


@pytest.mark.parametrize("path", ["/", "/overview", "/review", "/try"])
@pytest.mark.parametrize("width", [1280, 360])
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


def test_try_when_the_language_changes_then_the_message_stays(stage: Stage, visitor: Callable[..., Page]) -> None:
    page = visitor(stage.url + "/try")
    page.get_by_label("A message").fill(LINES[3])
    expect(page.locator(".verdict")).to_have_count(3)

    page.locator("[data-language=fr]").click()

    expect(page.get_by_label("Un message")).to_have_value(LINES[3])
    expect(page.locator(".was-it-right h2")).to_have_text("Était-ce juste ?")


def test_try_when_only_keys_are_used_then_the_focus_is_never_lost(stage: Stage, visitor: Callable[..., Page]) -> None:
    page = visitor(stage.url + "/try")
    page.get_by_label("A message").fill(LINES[3])

    page.get_by_role("button", name="event_type").press("Space")
    expect(page.get_by_role("button", name="event_type")).to_be_focused()
    expect(page.get_by_role("button", name="event_type")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Correct it").press("Enter")
    expect(page.get_by_role("heading", name="What is right?")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    row = page.get_by_role("radiogroup", name="severity")
    expect(row.locator("[aria-checked=true]")).to_be_focused()
    page.get_by_role("button", name="Save the correction").press("Enter")
    expect(page.locator(".notice")).to_be_focused()

    assert stage.services.labelling.annotated[0][1]["severity"] == "error"


def test_try_when_the_next_message_cannot_be_labelled_then_labels_of_the_last_one_go(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(stage.url + "/try")
    page.get_by_label("A message").fill(LINES[3])
    expect(page.locator(".verdict")).to_have_count(3)

    def broken(texts: Sequence[str]) -> list[Prediction]:
        raise UnavailableError("the registry does not answer")

    stage.services.predict = broken  # type: ignore[method-assign]
    page.get_by_label("A message").fill("something else")

    expect(page.locator(".notice.problem")).to_have_text("the registry does not answer")
    expect(page.locator(".verdict, .was-it-right")).to_have_count(0)


def test_try_when_the_next_message_is_still_being_read_then_the_answer_is_about_the_one_shown(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(stage.url + "/try")
    page.get_by_label("A message").fill(LINES[3])
    expect(page.locator(".verdict")).to_have_count(3)
    go_on, predict = threading.Event(), stage.services.predict

    def slow(texts: Sequence[str]) -> list[Prediction]:
        go_on.wait(60)
        return predict(texts)

    stage.services.predict = slow  # type: ignore[method-assign]
    page.get_by_label("A message").fill("something else")
    page.wait_for_timeout(600)
    page.get_by_role("button", name="Yes").click()
    expect(page.locator(".notice.news")).to_be_visible()
    go_on.set()

    assert [text for text, _, _ in stage.services.labelling.annotated] == [LINES[3]]


def test_label_when_the_next_message_is_shorter_or_alone_then_the_labels_stay_where_they_are(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    stage.services = FakeServices([line for line in LINES if "\n" not in line], answers=137)
    page = visitor(stage.url)
    places = set()

    for _ in range(12):  # one of them an audit question, some without other messages
        answer(page)
        armed(page)
        places.add(page.locator(".labels").first.evaluate("(row) => Math.round(row.getBoundingClientRect().top)"))

    assert len(places) == 1


def test_label_when_a_screen_is_low_then_all_rows_are_in_sight(stage: Stage, visitor: Callable[..., Page]) -> None:
    page = visitor(stage.url, viewport={"width": 1280, "height": 700}, locale="fr-FR")
    armed(page)

    last = page.locator(".labels").last.bounding_box()
    dock = page.locator(".dock").bounding_box()

    assert last is not None
    assert dock is not None
    assert last["y"] + last["height"] <= dock["y"]


def test_label_when_labels_are_many_then_the_suggested_one_is_named_above_them(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    labels = tuple(Label(f"intent {n}") for n in range(77))
    stage.services = FakeServices(dimensions=(Dimension("intent", labels),), answers=37)
    page = visitor(stage.url)
    armed(page)

    assert page.locator(".belief b").inner_text() == chosen(page)[0]


def test_label_when_a_message_is_written_from_right_to_left_then_it_reads_so(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    stage.services = FakeServices(["رحلتي تأخرت 3 ساعات ولم يخبرني أحد"], answers=37)
    page = visitor(stage.url)
    armed(page)

    assert page.locator(".message").evaluate("(box) => getComputedStyle(box).direction") == "rtl"


def test_label_when_on_a_phone_then_the_guidelines_can_be_opened(stage: Stage, visitor: Callable[..., Page]) -> None:
    page = visitor(stage.url, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    armed(page)

    page.locator(".action-guidelines").tap()

    expect(page.locator(".drawer")).to_be_visible()
    expect(page.locator(".label kbd").first).to_be_hidden()
