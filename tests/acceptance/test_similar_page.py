"""The panel of similar groups in Chromium, over services in memory."""

import itertools
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from page_fixtures import armed, chosen, eventually
from vigie.errors import UnavailableError
from web_fakes import LINES, FakeServices, the_dimensions
from web_server import Stage

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
FIRST = "disk /dev/sdb1 is 91% full, 48213 MB left"


@pytest.fixture
def alike(stage: Stage) -> Stage:
    """One dimension, and after the first question six groups like it, whose second and fourth the model is sure are warnings."""
    single = the_dimensions()[:1]
    probe = FakeServices((), single, answers=37)

    def sure(text: str) -> bool:
        said = probe.predict([text])[0]
        return said.labels["severity"] == "warning" and said.confidence["severity"] >= 0.9

    texts = (f"disk {letter}{n} is 80% full, {n} MB left" for n in itertools.count() for letter in "abcdefg")
    pool = list(itertools.islice(texts, 400))
    known, unknown = [text for text in pool if sure(text)], [text for text in pool if not sure(text)]
    lines = [FIRST, unknown[0], known[0], unknown[1], known[1], unknown[2], unknown[3]]
    stage.services = FakeServices(lines, single, answers=37)
    return stage


def open_panel(page: Page, *keys: str) -> None:
    armed(page)
    for key in (*keys, "m"):
        page.keyboard.press(key)
    page.locator(".similar-list[data-armed]").wait_for(state="attached")


def rows(page: Page) -> list[str]:
    return [row.inner_text() for row in page.locator(".similar-group pre").all()]


def ticked(page: Page) -> list[str]:
    return [row.inner_text() for row in page.locator(".similar-group[aria-selected=true] pre").all()]


def test_similar_when_groups_are_less_than_half_alike_then_they_stand_under_a_line(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    stage.services = FakeServices([FIRST, FIRST + "!", "42 of 77", FIRST + "?"], the_dimensions()[:1], answers=37)
    page = visitor(stage.url)
    open_panel(page)

    lines = page.locator(".similar-list li").evaluate_all("(rows) => rows.map((row) => row.className.split(' ')[0])")

    assert lines == ["similar-group", "similar-group", "similar-far", "similar-group"]


def test_similar_when_enter_is_pressed_then_question_and_ticked_groups_take_the_answer_in_one_step(
    alike: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(alike.url)
    open_panel(page)
    assert len(rows(page)) == 6
    assert len(ticked(page)) == 2
    expect(page.locator(".similar-total")).to_contain_text("in 3 groups")
    taken = sorted(ticked(page))

    page.keyboard.press("Enter")

    expect(page.locator(".notice")).to_have_text("2 similar groups took the answer too.")
    expect(page.locator(".similar-dialog")).to_be_hidden()
    assert alike.labelling.given[0][3] == {"severity": "warning"}
    assert sorted(one.text for one in alike.labelling.along[1]) == taken
    expect(page.locator(".today")).to_have_text("3")


def test_similar_when_undone_then_one_press_takes_the_whole_step_back(
    alike: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(alike.url)
    open_panel(page)
    page.keyboard.press("Enter")
    expect(page.locator(".notice")).to_contain_text("took the answer too")

    page.keyboard.press("u")

    expect(page.locator(".notice")).to_have_text("Taken back, with 2 similar groups. Answer it anew.")
    page.locator("[data-question='1']").wait_for()
    assert chosen(page) == ["warning"]
    assert alike.labelling.given == []
    expect(page.locator(".today")).to_have_text("0")


def test_similar_when_exceptions_are_unticked_by_keys_then_they_stay_out(
    alike: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(alike.url)
    open_panel(page)
    first, _, third = rows(page)[:3]
    before = set(ticked(page))

    for key in ("j", "ArrowDown", " ", "k", "ArrowUp", " "):
        page.keyboard.press(key)

    expect(page.locator(".similar-group.active pre")).to_have_text(first)
    assert set(ticked(page)) == before ^ {first, third}
    page.keyboard.press("Enter")
    assert eventually(lambda: len(alike.labelling.along) == 1)
    assert {one.text for one in alike.labelling.along[1]} == before ^ {first, third}


def test_similar_when_a_row_is_clicked_then_it_is_ticked_and_the_total_follows(
    alike: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(alike.url)
    open_panel(page)

    page.locator(".similar-group[aria-selected=true]").first.click()
    expect(page.locator(".similar-total")).to_contain_text("in 2 groups")
    page.locator(".similar-group[aria-selected=true]").first.click()
    expect(page.locator(".similar-total")).to_have_text("4,001 messages in this group alone")
    page.locator(".similar-dialog .primary").click()

    assert eventually(lambda: alike.labelling.n_answers() == 1)
    assert alike.labelling.along == {1: []}


def test_similar_when_another_label_is_chosen_in_the_panel_then_ticks_follow(
    alike: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(alike.url)
    open_panel(page)
    assert ticked(page)

    page.keyboard.press("4")

    expect(page.locator(".similar-labels")).to_have_text("severity critical")
    assert ticked(page) == []
    expect(page.locator(".similar-group .doubt.differs").first).to_contain_text("warning")
    assert alike.labelling.given == []


@pytest.mark.parametrize("key", ["Escape", "m"])
def test_similar_when_closed_then_nothing_changes(alike: Stage, visitor: Callable[..., Page], key: str) -> None:
    page = visitor(alike.url)
    open_panel(page)
    page.keyboard.press(" ")

    page.keyboard.press(key)

    expect(page.locator(".similar-dialog")).to_be_hidden()
    expect(page.locator("[data-question='1']")).to_be_visible()
    assert alike.labelling.given == []
    open_panel(page)
    assert len(ticked(page)) == 2


def test_similar_when_someone_else_was_faster_then_says_how_many_took_it(
    alike: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(alike.url)
    open_panel(page)
    alike.labelling.taken_by_others = {3}

    page.keyboard.press("Enter")

    expect(page.locator(".notice")).to_have_text(
        "1 similar group took the answer too. 1 did not: someone else has it, or it only measures."
    )


def test_similar_when_questions_waiting_here_took_the_answer_then_they_are_not_asked(
    alike: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(alike.url)
    open_panel(page)
    taken = set(ticked(page))
    page.keyboard.press("Enter")
    expect(page.locator(".notice")).to_contain_text("took the answer too")

    for _ in range(4):
        asked = armed(page)
        assert page.locator(".message").inner_text() not in taken
        page.keyboard.press("1")
        page.wait_for_function(
            "(was) => document.querySelector('[data-question]')?.dataset.question !== was", arg=asked
        )
        page.wait_for_timeout(260)

    expect(page.locator("[data-state=waiting]")).to_be_visible()


def test_similar_when_the_question_only_measures_then_it_is_answered_alone(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    stage.services = FakeServices(LINES, answers=37)
    stage.labelling.waiting = stage.labelling.waiting[9:]
    page = visitor(stage.url)
    armed(page)
    expect(page.locator(".question .badge")).to_have_text("audit")

    page.keyboard.press("m")

    expect(page.locator(".notice")).to_contain_text("so its answer is given to no other message")
    expect(page.locator(".similar-dialog")).to_be_hidden()


def test_similar_when_there_is_none_then_it_says_so_and_enter_answers_the_question_alone(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    stage.services = FakeServices([FIRST], answers=37)
    page = visitor(stage.url)
    open_panel(page)
    expect(page.locator(".similar-none")).to_contain_text("Nothing that nobody has labelled is like this one.")

    page.keyboard.press("Enter")

    assert eventually(lambda: stage.labelling.n_answers() == 1)
    assert stage.labelling.along == {1: []}


def test_similar_when_nothing_was_learned_then_nothing_is_ticked(stage: Stage, visitor: Callable[..., Page]) -> None:
    stage.services = FakeServices(LINES)
    page = visitor(stage.url)
    open_panel(page, "2")

    assert ticked(page) == []
    expect(page.locator(".similar-about").first).to_contain_text("the model does not know yet")


def test_similar_when_the_server_cannot_look_then_it_says_why_and_enter_still_answers(
    alike: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(alike.url)
    armed(page)
    alike.labelling.broken = UnavailableError("the database does not answer")

    page.keyboard.press("m")

    expect(page.locator(".notice.problem")).to_contain_text("the database does not answer")
    expect(page.locator(".similar-dialog")).to_be_hidden()
    alike.labelling.broken = None
    page.keyboard.press("Enter")
    assert eventually(lambda: alike.labelling.n_answers() == 1)


def test_similar_when_enter_comes_before_the_groups_then_it_does_not_count(
    alike: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(alike.url)
    armed(page)
    alike.labelling.delay = 0.5

    page.keyboard.press("m")
    expect(page.locator(".similar-dialog [role=status]").first).to_have_text("Looking for similar messages…")
    page.keyboard.press("Enter")

    page.locator(".similar-list[data-armed]").wait_for(state="attached")
    assert alike.labelling.given == []


def test_similar_when_narrow_dark_and_french_then_it_fits_and_speaks_french(
    alike: Stage, visitor: Callable[..., Page]
) -> None:
    alike.labelling.looked_at = 4
    page = visitor(alike.url, viewport={"width": 390, "height": 800}, color_scheme="dark", locale="fr-FR")
    open_panel(page)

    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(page.locator("#similar-title")).to_have_text("Semblables")
    expect(page.locator(".similar-total")).to_contain_text("dans 3 groupes")
    expect(page.locator(".similar-dialog")).to_contain_text("4 sortes de messages sur 6 sont comparées")


def test_similar_when_read_aloud_then_roles_say_what_is_there(alike: Stage, visitor: Callable[..., Page]) -> None:
    page = visitor(alike.url)
    open_panel(page)

    dialog = page.get_by_role("dialog", name="More like this")
    options = dialog.get_by_role("listbox", name="More like this").get_by_role("option")
    assert options.count() == 6
    focused = page.locator(".similar-list")
    expect(focused).to_be_focused()
    page.keyboard.press("j")
    expect(focused).to_have_attribute("aria-activedescendant", options.nth(1).get_attribute("id") or "")


def test_keys_when_asked_for_then_the_panel_is_among_them(stage: Stage, visitor: Callable[..., Page]) -> None:
    page = visitor(stage.url)
    armed(page)

    page.keyboard.press("?")

    expect(page.locator(".keys-dialog")).to_contain_text("Give the chosen labels to similar messages as well")
