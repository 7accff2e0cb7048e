"""The pages in Chromium, by keyboard, over services in memory."""

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from demo_run import STOPWATCH
from page_fixtures import answer, armed, chosen, eventually
from review_fakes import FakeReview
from vigie.errors import UnavailableError
from vigie.web.formats import DASH
from web_fakes import LINES, FakeServices, the_dimensions
from web_server import Stage, free_port

EVIL = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'> user 42 said {{ 6 * 7 }}"
pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


def test_label_when_thirty_questions_are_answered_then_each_next_one_is_there_at_once(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    stage.services = FakeServices(LINES * 3, answers=37)
    stage.labelling.delay = 0.03
    page = visitor(stage.url)
    armed(page)
    page.evaluate(STOPWATCH)

    for _ in range(30):
        answer(page, "2")

    assert len(page.evaluate("window.times")) == 30  # `python -m benchmarks.label_page` measures how long they are
    assert eventually(lambda: stage.labelling.n_answers() == 30)
    assert {given[3]["severity"] for given in stage.labelling.given} == {"warning"}


def test_label_when_enter_is_pressed_then_the_predicted_labels_are_stored(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(stage.url)
    armed(page)
    predicted = chosen(page)

    answer(page)

    assert eventually(lambda: stage.labelling.n_answers() == 1)
    assert list(stage.labelling.given[0][3].values()) == predicted


def test_label_when_a_key_changes_one_dimension_then_the_others_stay(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(stage.url)
    armed(page)
    before = chosen(page)

    page.keyboard.press("4")

    assert chosen(page) == ["critical", *before[1:]]


def test_label_when_digits_need_shift_as_on_azerty_then_their_keys_still_choose(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(stage.url)
    armed(page)

    page.evaluate("dispatchEvent(new KeyboardEvent('keydown', { key: '\"', code: 'Digit3', bubbles: true }))")

    expect(page.locator(".label[data-label=error]")).to_have_attribute("aria-checked", "true")


def test_label_when_answers_are_undone_then_they_come_back_with_their_labels(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(stage.url)
    asked = [answer(page, "4"), answer(page, "3"), answer(page, "2")]

    for before, label in ((asked[2], "warning"), (asked[1], "error")):
        page.keyboard.press("u")
        page.locator(f"[data-question='{before}']").wait_for()
        assert chosen(page)[0] == label

    assert eventually(lambda: stage.labelling.n_answers() == 1)
    assert answer(page, "1") == asked[1]
    assert armed(page) == asked[2]


def test_label_when_there_is_nothing_to_undo_then_it_says_so(stage: Stage, visitor: Callable[..., Page]) -> None:
    page = visitor(stage.url)
    armed(page)

    page.keyboard.press("u")

    expect(page.locator(".notice")).to_have_text("There is nothing to take back.")


def test_label_when_enter_bounces_then_the_next_question_is_not_answered(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(stage.url)
    armed(page)

    for _ in range(3):
        page.keyboard.press("Enter")

    page.wait_for_timeout(600)
    assert stage.labelling.n_answers() == 1


def test_label_when_a_key_is_held_down_then_it_counts_once(stage: Stage, visitor: Callable[..., Page]) -> None:
    page = visitor(stage.url)
    armed(page)

    for _ in range(12):
        page.keyboard.down("Enter")
        page.wait_for_timeout(50)
    page.keyboard.up("Enter")

    assert stage.labelling.n_answers() == 1


@pytest.mark.parametrize(("key", "action"), [("s", "skipped"), ("f", "flagged")])
def test_label_when_skipped_or_flagged_then_that_is_stored_and_can_be_undone(
    stage: Stage, visitor: Callable[..., Page], key: str, action: str
) -> None:
    page = visitor(stage.url)
    asked = armed(page)

    page.keyboard.press(key)

    assert eventually(lambda: [given[0] for given in stage.labelling.given] == [action])
    page.keyboard.press("u")
    page.locator(f"[data-question='{asked}']").wait_for()


def test_label_when_a_new_champion_comes_then_version_and_accuracy_change_without_reload(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(stage.url)
    expect(page.locator(".badge.model")).to_have_text("Model v3")
    value = page.locator(".accuracy[data-dimension=severity] .value")
    before = value.inner_text()
    page.evaluate("window.notReloaded = true")

    for _ in range(3):
        answer(page)

    expect(page.locator(".badge.model")).to_have_text("Model v4")
    expect(value).not_to_have_text(before)
    assert page.evaluate("window.notReloaded")


def test_label_when_a_message_has_markup_then_it_is_shown_as_text(stage: Stage, visitor: Callable[..., Page]) -> None:
    stage.services = FakeServices([EVIL, EVIL.replace("42", "43")], answers=37)
    page = visitor(stage.url)
    armed(page)

    assert page.locator(".message").inner_text() == EVIL
    page.locator(".samples summary").click()
    assert "<script>" in page.locator(".sample").first.inner_text()
    assert page.evaluate("window.hacked") is None


def test_label_when_a_message_is_long_then_the_page_does_not_grow_sideways(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    stage.services = FakeServices(["x" * 30_000 + "\n" + "y 1 " * 200], answers=37)
    page = visitor(stage.url, viewport={"width": 390, "height": 800})
    armed(page)

    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(page.locator(".asked > .quiet")).to_contain_text("more characters are not shown")


def test_label_when_the_store_fails_then_the_question_comes_back_with_its_labels(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(stage.url)
    asked = armed(page)
    stage.labelling.broken = UnavailableError("the database is away")

    page.keyboard.press("4")
    page.keyboard.press("Enter")

    expect(page.locator(".notice.problem")).to_contain_text("the database is away")
    page.locator(f"[data-question='{asked}']").wait_for()
    assert chosen(page)[0] == "critical"
    stage.labelling.broken = None
    page.wait_for_timeout(300)
    answer(page)
    assert eventually(lambda: stage.labelling.n_answers() == 1)


def test_label_when_the_question_went_to_someone_else_then_the_annotator_is_told(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(stage.url)
    asked = armed(page)
    stage.labelling.leased = {name: ("ben", held) for name, (_, held) in stage.labelling.leased.items()}

    page.keyboard.press("Enter")

    expect(page.locator(".notice.problem")).to_contain_text("not yours any more")
    assert armed(page) != asked
    assert stage.labelling.n_answers() == 0


def test_label_when_a_lease_is_lost_while_reading_then_the_next_question_comes(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    stage.services.settings.learning.lease_seconds = 8.0
    page = visitor(stage.url)
    asked = armed(page)

    stage.labelling.leased[int(asked)] = ("ben", stage.labelling.leased[int(asked)][1])

    expect(page.locator(".notice.problem")).to_contain_text("someone else")
    assert armed(page) != asked


def test_label_when_nothing_is_asked_then_it_says_why_and_comes_alive_by_itself(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    stage.services = FakeServices(())
    page = visitor(stage.url)
    expect(page.locator(".nothing h2")).to_have_text("No messages yet")

    stage.labelling.put(LINES[:2])

    armed(page)
    expect(page.locator(".message")).to_have_text(LINES[0])


def test_label_when_two_people_work_then_they_never_see_the_same_question(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    stage.services = FakeServices(LINES * 2, answers=37)
    first, second = visitor(stage.url), visitor(stage.url)

    seen = [answer(page) for _ in range(5) for page in (first, second)]

    assert len(set(seen)) == 10


def test_label_when_the_page_is_loaded_again_then_the_same_question_is_there(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(stage.url)
    answer(page)
    asked = armed(page)

    page.reload()

    assert armed(page) == asked


def test_label_when_the_page_is_closed_then_its_questions_go_back(stage: Stage, visitor: Callable[..., Page]) -> None:
    page = visitor(stage.url)
    armed(page)
    assert eventually(lambda: len(stage.labelling.leased) == 5)

    page.close()

    assert eventually(lambda: not stage.labelling.leased)


def test_label_when_there_is_one_dimension_then_one_key_saves_and_goes_on(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    stage.services = FakeServices(LINES, the_dimensions()[:1], answers=37)
    page = visitor(stage.url)
    first = armed(page)

    page.keyboard.press("3")

    assert eventually(lambda: stage.labelling.n_answers() == 1)
    assert armed(page) != first
    page.locator(".setting input").uncheck()
    page.keyboard.press("2")
    page.wait_for_timeout(300)
    assert stage.labelling.n_answers() == 1


def test_label_when_a_name_is_given_then_answers_carry_it_and_the_browser_keeps_it(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(stage.url)
    armed(page)

    page.locator(".who input").fill("Éloïse")
    page.keyboard.press("Enter")
    page.wait_for_timeout(200)
    answer(page)

    assert eventually(lambda: [given[1] for given in stage.labelling.given] == ["Éloïse"])
    page.reload()
    expect(page.locator(".who input")).to_have_value("Éloïse")


def test_label_when_keys_and_guidelines_are_asked_for_then_they_show_and_go(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(stage.url)
    asked = armed(page)

    page.keyboard.press("?")
    expect(page.locator(".keys-dialog")).to_be_visible()
    expect(page.locator(".keys-dialog")).to_contain_text("Except the message, or take it in again")
    page.keyboard.press("2")
    page.keyboard.press("Escape")
    expect(page.locator(".keys-dialog")).not_to_be_visible()
    page.keyboard.press("g")
    expect(page.locator(".drawer")).to_contain_text("Choose it when the line is about critical")
    page.keyboard.press("4")
    assert chosen(page)[0] == "critical"
    page.keyboard.press("Escape")
    expect(page.locator(".drawer")).to_have_count(0)
    assert armed(page) == asked


def test_label_when_only_tab_and_arrows_are_used_then_everything_is_reachable(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(stage.url)
    armed(page)
    seen = []
    for _ in range(25):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.className + ' ' + document.activeElement.innerText"))

    assert "skip-link" in seen[0]
    assert any("message" in one for one in seen)
    assert sum(one.startswith("label") for one in seen) == 3
    assert any("primary" in one for one in seen)
    page.locator(".label[aria-checked=true]").first.focus()
    before = chosen(page)[0]
    page.keyboard.press("ArrowRight")
    assert chosen(page)[0] != before


def test_label_when_the_server_goes_away_then_answers_wait_and_are_sent_when_it_is_back(
    visitor: Callable[..., Page],
) -> None:
    port = free_port()
    with fake_process(port):
        page = visitor(f"http://127.0.0.1:{port}")
        armed(page)
    answer(page)
    answer(page)
    expect(page.locator("#popup")).to_be_visible()
    expect(page.locator(".desk .banner")).to_contain_text("2 answers are not sent yet")

    with fake_process(port):
        expect(page.locator(".figure .answers")).to_have_text("39")
        assert page.evaluate("localStorage.getItem('vigie.outbox')") == "[]"


class fake_process:  # noqa: N801 — reads as a function in `with`
    """The pages in a process of their own, killed at the end."""

    def __init__(self, port: int) -> None:
        self._port = port

    def __enter__(self) -> None:
        tests = Path(__file__).parents[1]
        command = [sys.executable, str(tests / "web_fakes.py"), str(self._port), "en", "busy"]
        self._process = subprocess.Popen(command, cwd=tests)
        wait_for_port(self._port)

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


def wait_for_port(port: int) -> None:
    import httpx

    def answers() -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/_vigie/static/page.js").is_success
        except httpx.TransportError:
            return False

    assert eventually(answers)


def test_pages_when_a_language_is_chosen_then_all_of_them_keep_it(stage: Stage, visitor: Callable[..., Page]) -> None:
    page = visitor(stage.url, locale="en-GB")
    armed(page)

    page.locator("[data-language=fr]").click()
    expect(page.locator(".pages a").first).to_have_text("Étiqueter")
    page.goto(f"{stage.url}/overview")

    expect(page.locator(".pages a[aria-current]")).to_have_text(re.compile("Vue d.ensemble"))
    assert page.evaluate("document.documentElement.lang") == "fr"


def test_pages_when_the_browser_is_french_then_they_speak_french(stage: Stage, visitor: Callable[..., Page]) -> None:
    page = visitor(f"{stage.url}/try", locale="fr-FR")

    expect(page.locator("h1")).to_have_text("Essayer un message")


def test_pages_when_dark_is_chosen_then_it_stays(stage: Stage, visitor: Callable[..., Page]) -> None:
    page = visitor(stage.url, color_scheme="light")
    armed(page)
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")

    page.locator("[data-theme-choice=dark]").click()
    page.goto(f"{stage.url}/try")

    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light


def test_pages_when_settings_are_broken_then_a_banner_says_why_while_it_lasts(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(stage.url)
    banner = page.locator(".settings-problem")
    expect(banner).not_to_be_visible()

    stage.services.settings_problem = "routing.confidence is 1.3; change it in vigie.toml, line 14"
    expect(banner).to_contain_text("line 14")
    stage.services.settings_problem = None
    expect(banner).not_to_be_visible()


@pytest.mark.parametrize("path", ["/", "/overview", "/review", "/try"])
def test_pages_when_loaded_then_nothing_comes_from_elsewhere(stage: Stage, browser: Browser, path: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.on("response", lambda response: requested.append(f"{response.status}") if response.status >= 400 else None)

    page.goto(stage.url + path)
    page.wait_for_timeout(1500)
    context.close()

    assert [url for url in requested if not url.startswith((stage.url, "data:", "blob:"))] == []


@pytest.mark.parametrize("path", ["/", "/overview", "/review", "/try"])
def test_pages_when_the_window_is_narrow_then_nothing_is_cut_off(
    stage: Stage, visitor: Callable[..., Page], path: str
) -> None:
    page = visitor(stage.url + path, viewport={"width": 360, "height": 740})
    page.wait_for_timeout(1200)

    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("path", ["/", "/overview", "/review", "/try"])
def test_pages_when_read_aloud_then_every_control_has_a_name(
    stage: Stage, visitor: Callable[..., Page], path: str
) -> None:
    page = visitor(stage.url + path)
    page.wait_for_timeout(1200)

    nameless = page.evaluate(
        "[...document.querySelectorAll('button, a, input, textarea')].filter((one) => one.checkVisibility()"
        " && !(one.innerText.trim() || one.ariaLabel || one.title || one.labels?.length)).map((one) => one.outerHTML)"
    )
    assert nameless == []


def test_pages_when_the_application_has_routes_then_they_are_not_shadowed(stage: Stage) -> None:
    import httpx

    assert httpx.get(f"{stage.url}/healthz").json() == {"status": "ok"}


def test_overview_when_messages_flow_then_numbers_and_charts_move(stage: Stage, visitor: Callable[..., Page]) -> None:
    page = visitor(f"{stage.url}/overview")
    total = page.locator(".tile b").first
    expect(total).to_have_text(re.compile(r"2,\d{3},\d{3}"))
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible()
    before, drawn = total.inner_text(), page.locator(".js-plotly-plot").first.inner_html()

    expect(total).not_to_have_text(before, timeout=60_000)

    assert eventually(lambda: page.locator(".js-plotly-plot").first.inner_html() != drawn)
    expect(page.locator(".versions .champion th b")).to_have_text("v3")
    expect(page.locator(".roles li")).to_have_count(3)


@pytest.mark.parametrize("width", [390, 1280])
def test_overview_when_an_axis_shows_shares_then_each_of_its_labels_is_drawn(
    stage: Stage, visitor: Callable[..., Page], width: int
) -> None:
    page = visitor(f"{stage.url}/overview", viewport={"width": width, "height": 900})

    charts = page.locator(".js-plotly-plot").filter(has=page.locator(".xtick", has_text="25%"))
    expect(charts).to_have_count(2)
    for chart in charts.all():
        for share in ("0%", "25%", "50%", "75%", "100%"):
            expect(chart.locator(".xtick text").get_by_text(share, exact=True)).to_be_visible()


def test_overview_when_another_dimension_is_chosen_then_its_labels_are_drawn(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(f"{stage.url}/overview")
    expect(page.locator(".chart").nth(1)).to_contain_text("critical")

    page.get_by_role("button", name="event_type").click()

    expect(page.locator(".chart").nth(1)).to_contain_text("Heartbeat")
    expect(page.locator(".measured tbody tr")).to_have_count(4)
    expect(page.locator(".passing")).to_contain_text("a fixed threshold, without a promise")
    expect(page).to_have_url(f"{stage.url}/overview?dimension=event_type")

    page.get_by_role("button", name="6 h").click()
    expect(page).to_have_url(f"{stage.url}/overview?dimension=event_type&minutes=360")
    page.reload()

    expect(page.get_by_role("button", name="6 h")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="event_type")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".chart").nth(1)).to_contain_text("Heartbeat")


def test_overview_when_the_address_asks_for_what_there_is_not_then_the_first_is_shown(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(f"{stage.url}/overview?dimension=<script>&minutes=7")

    expect(page.get_by_role("button", name="15 min")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="severity")).to_have_attribute("aria-pressed", "true")


def test_overview_when_nothing_came_then_it_says_so(stage: Stage, visitor: Callable[..., Page]) -> None:
    stage.services = FakeServices(())
    page = visitor(f"{stage.url}/overview")

    expect(page.locator(".chart > .empty").first).to_have_text("Nothing came in this time.")
    expect(page.locator(".versions")).to_contain_text("No model yet")
    expect(page.locator(".measured")).to_contain_text("Not measured yet")
    expect(page.locator(".passing")).to_contain_text("at least 72 audit answers")
    expect(page.locator(".advice")).to_contain_text("Not known yet")
    expect(page.locator(".savings")).to_contain_text("estimated from 50 answers on")


def test_overview_when_answers_were_saved_then_one_number_leads_and_each_dimension_follows(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    stage.services = FakeServices(LINES, answers=200)
    page = visitor(f"{stage.url}/overview")

    expect(page.locator(".savings .figure b")).to_have_text("about 120")
    expect(page.locator(".savings .by-dimension > div")).to_have_count(3)
    expect(page.locator(".savings .by-dimension > div").last).to_contain_text("more than 210")


def test_try_when_a_message_is_typed_then_labels_and_weighty_words_show(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(f"{stage.url}/try")

    page.locator("textarea").fill(EVIL)

    expect(page.locator(".verdict")).to_have_count(3)
    expect(page.locator(".weighed mark").first).to_be_visible()
    assert page.locator(".weighed").inner_text() == EVIL
    assert page.evaluate("window.hacked") is None


def test_try_when_it_is_corrected_then_the_correction_is_stored(stage: Stage, visitor: Callable[..., Page]) -> None:
    page = visitor(f"{stage.url}/try")
    page.locator("textarea").fill(LINES[3])

    page.locator(".correct").click()
    page.locator(".feedback .label", has_text="critical").click()
    page.locator(".save").click()

    expect(page.locator(".notice")).to_contain_text("stored as an answer")
    text, labels, annotator = stage.labelling.annotated[0]
    assert (text, labels["severity"], annotator) == (LINES[3], "critical", "guest")


def test_try_when_it_was_right_then_that_is_stored_too(stage: Stage, visitor: Callable[..., Page]) -> None:
    page = visitor(f"{stage.url}/try")
    page.locator("textarea").fill(LINES[3])

    page.locator(".yes").click()

    assert eventually(lambda: len(stage.labelling.annotated) == 1)
    assert set(stage.labelling.annotated[0][1]) == {"severity", "event_type", "category"}


def test_review_when_a_disagreement_is_settled_by_keys_then_the_next_one_comes(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(f"{stage.url}/review")
    first = stage.review.lists["disagreements"][0]
    expect(page.locator(f"[data-group='{first.group_id}']")).to_be_visible()
    expect(page.locator(".answers tbody tr")).to_have_count(2)
    expect(page.locator(".label[aria-checked=true]")).to_have_count(2)  # where both say the same

    page.keyboard.press("3")
    expect(page.locator("[data-label=error][aria-checked=true]")).to_have_count(1)
    page.keyboard.press("Enter")

    expect(page.locator(f"[data-group='{first.group_id + 1}']")).to_be_visible()
    expect(page.locator(".notice")).to_have_text("Settled.")
    labels = {"severity": "error", "event_type": "Network message", "category": "Data"}
    assert stage.review.decided == [("settle", first.group_id, labels, "reviewer")]


def test_review_when_j_and_k_are_pressed_then_cases_are_walked_through(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(f"{stage.url}/review")
    ids = [case.group_id for case in stage.review.lists["disagreements"]]
    expect(page.locator(f"[data-group='{ids[0]}']")).to_be_visible()

    for key, place in (("j", 1), ("j", 2), ("k", 1), ("k", 0), ("k", 0)):
        page.keyboard.press(key)
        expect(page.locator(f"[data-group='{ids[place]}']")).to_be_visible()


def test_review_when_an_answer_is_clicked_then_the_group_is_settled_so(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(f"{stage.url}/review")

    page.get_by_role("button", name="Settle as karim said").click()

    expect(page.locator(".notice")).to_have_text("Settled.")
    assert stage.review.decided[0][2]["severity"] == "warning"


def test_review_when_gold_is_marked_and_taken_back_then_both_are_stored(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(f"{stage.url}/review")
    page.locator("[data-label=critical]").click()
    page.keyboard.press("x")
    expect(page.locator(".notice")).to_have_text("Settled, and gold from now on.")
    page.locator(".review-tabs button").nth(3).click()
    expect(page.locator("[data-group='31']")).to_be_visible()

    page.keyboard.press("x")

    expect(page.locator(".nothing")).to_contain_text("No gold yet")
    assert [decision[0] for decision in stage.review.decided] == ["gold", "unmark"]


def test_review_when_the_other_parts_are_opened_then_they_say_why_something_is_there(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(f"{stage.url}/review")

    page.locator(".review-tabs button").nth(1).click()
    expect(page.locator(".why")).to_contain_text("would say critical (83% sure). marie is being asked.")
    page.locator(".review-tabs button").nth(2).click()
    expect(page.locator(".answers .fast")).to_have_text("0.2 s")
    page.locator(".review-tabs button").nth(4).click()
    expect(page.locator(".measured.wide").first).to_contain_text(f"0.79 (0.66 {DASH} 0.89)")
    expect(page.locator(".measured.wide").last).to_contain_text("marie")


def test_review_when_there_is_nothing_then_it_says_so_kindly(stage: Stage, visitor: Callable[..., Page]) -> None:
    stage.services = FakeServices(())
    page = visitor(f"{stage.url}/review")

    for place, heading in enumerate(
        ("Nothing to settle", "No answer is in doubt", "Nobody rushed", "No gold yet", "Nobody answered yet")
    ):
        page.locator(".review-tabs button").nth(place).click()
        expect(page.locator(".nothing h2")).to_have_text(heading)


def test_review_when_the_database_is_away_then_it_says_so_and_nothing_is_lost(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    page = visitor(f"{stage.url}/review")
    expect(page.locator(".case")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator(".notice.problem")).to_have_text("Choose a label of severity first.")
    page.keyboard.press("3")
    stage.review.broken = UnavailableError("the database does not answer")

    page.keyboard.press("Enter")

    expect(page.locator(".notice.problem")).to_have_text("the database does not answer")
    assert stage.review.decided == []
    stage.review.broken = None
    page.keyboard.press("Enter")
    expect(page.locator(".notice")).to_have_text("Settled.")


def test_review_when_messages_hold_markup_then_it_is_shown_as_text(stage: Stage, visitor: Callable[..., Page]) -> None:
    stage.services.review = FakeReview((EVIL,) * 9)
    page = visitor(f"{stage.url}/review")

    expect(page.locator(".message")).to_have_text(EVIL)
    assert page.evaluate("window.hacked") is None


def test_label_when_an_answer_is_doubted_then_the_earlier_one_is_chosen_and_enter_confirms_it(
    stage: Stage, visitor: Callable[..., Page]
) -> None:
    earlier = {"severity": "critical", "event_type": "Security", "category": "Data", "gone": "x"}
    reason = {"why": "doubt", "dimension": "severity", "label": "info", "confidence": 0.8, "earlier": earlier}
    waiting = stage.labelling.waiting
    waiting[0] = replace(waiting[0], question=replace(waiting[0].question, reason=reason))
    page = visitor(stage.url)

    armed(page)
    expect(page.locator(".why")).to_contain_text("Are you sure? You said critical;")
    expect(page.locator(".label[aria-checked=true]")).to_have_count(3)
    assert chosen(page) == ["critical", "Security", "Data"]
    answer(page)

    assert eventually(lambda: stage.labelling.n_answers() == 1)
    assert stage.labelling.given[0][3] == {"severity": "critical", "event_type": "Security", "category": "Data"}


@pytest.mark.parametrize(
    ("locale", "words"),
    [("en-GB", "There is no such page."), ("fr-FR", "Cette page n\N{RIGHT SINGLE QUOTATION MARK}existe pas.")],
)
def test_pages_when_there_is_no_such_page_then_it_is_said_in_the_language_of_the_visitor(
    stage: Stage, visitor: Callable[..., Page], locale: str, words: str
) -> None:
    page = visitor(f"{stage.url}/nowhere", locale=locale)

    expect(page.get_by_role("heading", level=1)).to_have_text(words)
    page.locator(".nothing a").click()
    armed(page)


def test_pages_when_a_program_asks_for_none_of_them_then_it_gets_json(stage: Stage) -> None:
    answer = httpx.get(f"{stage.url}/nowhere", headers={"Accept": "application/json"})

    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})
    assert httpx.get(f"{stage.url}/nowhere", headers={"Accept": "text/html"}).status_code == 404
