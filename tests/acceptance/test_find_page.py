"""Finding a label by typing, in Chromium, over services in memory."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from page_fixtures import armed, chosen, eventually
from vigie.labels import Dimension, Label
from web_fakes import FakeServices
from web_server import Stage

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

FILLERS = tuple(Label(f"topic {n}") for n in range(40))
INTENTS = (
    Label("card_arrival", "The card that was ordered has not come."),
    Label("lost card"),
    Label("Réclamation", "Somebody complains."),
    Label("refund pending"),
    *FILLERS,
)


def two_dimensions() -> tuple[Dimension, ...]:
    return Dimension("sentiment", (Label("bad"), Label("good"))), Dimension("intent", INTENTS)


def found(page: Page) -> list[str]:
    return [one.inner_text() for one in page.locator(".found b").all()]


def test_find_when_a_part_of_a_name_is_typed_then_enter_chooses_the_best_fit(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    stage.services = FakeServices(dimensions=two_dimensions(), answers=37)
    page = visitor(stage.url)
    first = armed(page)
    page.keyboard.press("/")
    expect(page.locator(".found li")).to_have_count(len(INTENTS) + 2)

    page.keyboard.type("card")
    assert found(page) == ["card_arrival", "lost card"]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")

    expect(page.get_by_role("dialog")).to_have_count(0)
    assert chosen(page)[1] == "lost card"
    page.wait_for_timeout(260)
    page.keyboard.press("Enter")
    assert eventually(lambda: stage.labelling.n_answers() == 1)
    given = stage.labelling.given[0]
    assert (given[2].question.id, given[3]["intent"]) == (int(first), "lost card")


def test_find_when_typed_without_accents_or_from_the_guideline_then_the_label_is_there(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    stage.services = FakeServices(dimensions=two_dimensions(), answers=37)
    page = visitor(stage.url)
    armed(page)
    page.locator(".action-find").click()
    box = page.get_by_role("combobox")

    for typed, names in (("recla", ["Réclamation"]), ("pend ref", ["refund pending"]), ("ordered", ["card_arrival"])):
        box.fill(typed)
        assert found(page) == names, typed
    box.fill("<b>nothing</b>")
    expect(page.locator(".find-none")).to_have_text("No label is called so.")
    box.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    box.press("Escape")

    expect(page.get_by_role("dialog")).to_have_count(0)
    assert stage.labelling.given == []


def test_find_when_one_key_saves_then_the_label_that_is_clicked_saves_too(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    stage.services = FakeServices(dimensions=two_dimensions()[1:], answers=37)
    page = visitor(stage.url)
    first = armed(page)
    page.keyboard.press("/")
    page.locator(".found li", has_text="refund pending").click()

    assert eventually(lambda: stage.labelling.n_answers() == 1)
    given = stage.labelling.given[0]
    assert (given[2].question.id, given[3]) == (int(first), {"intent": "refund pending"})


def test_find_when_every_label_has_a_key_then_slash_does_nothing(stage: Stage, visitor: Callable[..., Page]) -> None:
    page = visitor(stage.url)
    armed(page)

    page.keyboard.press("/")

    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(".action-find")).to_have_count(0)


@pytest.mark.parametrize("locale", ["en-GB", "fr-FR"])
def test_find_when_its_button_is_there_then_all_of_them_stand_in_one_row(
    stage: Stage, visitor: Callable[..., Page], locale: str
) -> None:
    stage.services = FakeServices(dimensions=two_dimensions(), answers=37)
    page = visitor(stage.url, locale=locale)
    armed(page)

    middles = page.locator(".actions > .action").evaluate_all(
        "(all) => all.map((one) => { const box = one.getBoundingClientRect(); return Math.round(box.top + box.height / 2); })"
    )

    assert len(middles) == 9
    assert max(middles) - min(middles) <= 1
