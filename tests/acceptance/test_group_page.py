"""The panel of one group in Chromium, over services in memory, and how it goes with that of similar groups."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from page_fixtures import answer, armed, eventually
from web_server import Stage

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


def except_the_second(page: Page) -> None:
    page.keyboard.press("o")
    expect(page.get_by_role("option")).to_have_count(4)
    page.keyboard.press("j")
    page.keyboard.press("Space")
    expect(page.locator(".kept [aria-selected=true]")).to_have_count(1)


def test_group_when_opened_then_exceptions_are_asked_next_and_undone_with_the_answer(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(stage.url)
    first = armed(page)
    page.keyboard.press("o")
    options = page.get_by_role("option")
    expect(options).to_have_count(4)
    expect(page.get_by_role("dialog")).to_contain_text("4 messages are kept of")
    assert page.locator(".kept mark.varies").count() > 0

    for key in ("j", "j", "Space", "ArrowUp", "Space", "k", "Space", "Space", "4"):
        page.keyboard.press(key)
    ticked = [one.inner_text() for one in page.locator(".kept [aria-selected=true] pre").all()]
    expect(page.locator(".group-dialog .primary")).to_contain_text("Accept all but 2")
    page.keyboard.press("Enter")

    expect(page.locator(".covers")).to_have_text("Labels this message alone")
    expect(page.locator(".message")).to_have_text(ticked[1])
    given = stage.labelling.given[0]
    assert (given[0], given[2].question.id, given[3]["severity"]) == ("answered", int(first), "critical")
    page.keyboard.press("o")
    expect(page.locator(".notice")).to_have_text("This question is about one message only.")
    page.keyboard.press("u")
    expect(page.locator(f"[data-question='{first}']")).to_be_visible()
    page.keyboard.press("o")
    expect(page.locator(".kept [aria-selected=true]")).to_have_count(2)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert stage.labelling.n_answers() == 0


def test_group_when_used_by_mouse_then_the_same_happens(stage: Stage, visitor: Callable[..., Page]) -> None:
    page = visitor(stage.url)
    armed(page)
    page.get_by_role("button", name="Group", exact=False).first.click()
    page.get_by_role("option").nth(1).click()
    text = page.get_by_role("option").nth(1).locator("pre").inner_text()
    page.locator(".group-dialog .primary").click()

    expect(page.locator(".message")).to_have_text(text)
    armed(page)
    answer(page, "3")
    assert eventually(lambda: stage.labelling.n_answers() == 2)
    assert stage.labelling.given[1][2].text == text


def test_group_when_only_one_message_is_kept_then_it_says_so(stage: Stage, visitor: Callable[..., Page]) -> None:
    asked = stage.labelling.waiting[0]
    only = replace(asked, question=replace(asked.question, samples=()))
    stage.labelling.waiting[0] = only
    page = visitor(stage.url)
    armed(page)
    page.keyboard.press("o")

    expect(page.get_by_role("option")).to_have_count(1)
    expect(page.locator(".alone")).to_have_text("There is nothing to compare it with.")


def test_group_when_a_question_is_about_one_message_then_similar_groups_are_not_offered_either(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(stage.url)
    armed(page)
    except_the_second(page)
    page.keyboard.press("Enter")
    expect(page.locator(".covers")).to_have_text("Labels this message alone")
    armed(page)

    page.keyboard.press("m")

    expect(page.locator(".notice")).to_have_text("This question is about one message only.")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_group_when_one_panel_is_open_then_the_key_of_the_other_does_nothing(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(stage.url)
    armed(page)

    page.keyboard.press("o")
    expect(page.get_by_role("option")).to_have_count(4)
    page.keyboard.press("m")
    expect(page.locator("dialog[open]")).to_have_count(1)
    expect(page.locator(".group-dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("m")
    page.locator(".similar-list[data-armed]").wait_for(state="attached")
    page.keyboard.press("o")

    expect(page.locator("dialog[open]")).to_have_count(1)
    expect(page.locator(".similar-dialog")).to_be_visible()


def test_group_when_messages_were_ticked_but_similar_groups_are_applied_then_both_panels_keep_their_own_ticks(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(stage.url)
    first = armed(page)
    except_the_second(page)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("m")
    page.locator(".similar-list[data-armed]").wait_for(state="attached")
    ticked = page.locator(".similar-group[aria-selected=true]")
    while ticked.count():
        ticked.first.click()
    page.locator(".similar-group").first.click()

    page.keyboard.press("Enter")

    expect(page.locator(".notice")).to_contain_text("1 similar group took the answer too.")
    assert len(stage.labelling.along[int(first)]) == 1
    assert stage.labelling.n_answers() == 2
    page.keyboard.press("u")
    expect(page.locator(f"[data-question='{first}']")).to_be_visible()
    assert stage.labelling.n_answers() == 0
