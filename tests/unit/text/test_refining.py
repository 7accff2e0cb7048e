import polars as pl
import pytest

from vigie.text import normaliser, refining
from vigie.text.refining import Refinement, first_values, placeholders, shown_values, values

LOGS, SOCIAL = normaliser("logs"), normaliser("social")
LINE = "2026-11-27  10:00:01\tGET /a/b took 31 ms 500 "
TEMPLATE = "<time> GET <path> took <duration> <num>"


def refined(text: str, *slots: int) -> str:
    template = LOGS.normalise(pl.Series([text]))[0]
    return str(Refinement(LOGS, {template: slots}).templates(pl.Series([text]))[0])


def test_values_when_masks_hid_spaces_then_each_slot_has_its_own() -> None:
    unmasked = LOGS.unmasked(pl.Series([LINE]))

    found = values(unmasked, TEMPLATE, [0, 1, 2, 3])

    assert placeholders(TEMPLATE) == ["<time>", "<path>", "<duration>", "<num>"]
    assert [column[0] for column in found] == ["2026-11-27 10:00:01", "/a/b", "31 ms", "500"]


@pytest.mark.parametrize(
    ("text", "slots", "expected"),
    [
        (LINE, (3,), "<time> GET <path> took <duration> 500"),
        (LINE, (1, 3), "<time> GET /a/b took <duration> 500"),
        ("Nov 27 10:00:02 web1 app[77]: worker 12 ended 0", (1,), "<time> web1 app[<num>]: worker <num> ended <num>"),
        ("2026-11-27 10:00:01 31 500", (2,), "<time> <num> 500"),
        ("queue [7] (9) {3}", (1,), "queue [<num>] (9) {<num>}"),
        ("réseau 7 tombé 9", (0,), "réseau 7 tombé <num>"),
    ],
)
def test_templates_when_a_slot_is_shown_then_its_value_stands_there(
    text: str, slots: tuple[int, ...], expected: str
) -> None:
    assert refined(text, *slots) == expected
    assert refined(expected, *slots) == expected


def test_templates_when_texts_are_social_then_they_are_compared_as_their_templates_are() -> None:
    texts = pl.Series(["@United  Sooo LATE!!! http://t.co/abc", "@united soo late!! http://t.co/x", None, "@delta ok"])
    template = SOCIAL.normalise(texts)[0]

    found = Refinement(SOCIAL, {template: (0,)}).templates(texts)

    assert found.to_list() == ["@united soo late!! <url>", "@united soo late!! <url>", None, "<user> ok"]


def test_templates_when_a_message_holds_a_placeholder_itself_then_it_stays_as_it_is() -> None:
    texts = pl.Series(["ended <num> of 9", "ended 3 of 9"])

    found = Refinement(LOGS, {"ended <num> of <num>": (0,)}).templates(texts)

    assert found.to_list() == ["ended <num> of <num>", "ended 3 of <num>"]


def test_templates_when_a_shown_value_would_be_masked_otherwise_then_the_template_stays() -> None:
    """Shown, the number would be part of a duration: the next look would make another template of it."""
    text = "took 3 after <num> ms"
    template = LOGS.normalise(pl.Series(["took 3 after 5,6"]))[0]

    found = Refinement(LOGS, {template: (0, 1)}).templates(pl.Series(["took 3 after 5,6", text]))

    again = Refinement(LOGS, {template: (0, 1)}).templates(found)
    assert again.to_list() == found.to_list()


def test_templates_when_nothing_is_split_then_they_are_the_masked_ones() -> None:
    texts = pl.Series([LINE, None, ""])

    assert Refinement(LOGS, {}).templates(texts).to_list() == LOGS.normalise(texts).to_list()
    assert Refinement(LOGS, {"other": (0,)}).templates(texts).to_list() == LOGS.normalise(texts).to_list()


def test_shown_values_when_the_template_is_split_then_what_it_shows() -> None:
    assert shown_values(LINE, LOGS, {TEMPLATE: (1, 3)}) == {"/a/b", "500"}
    assert shown_values(LINE, LOGS, {"other <num>": (0,)}) == set()
    assert shown_values(LINE, LOGS, {}) == set()


def test_templates_when_a_split_one_is_too_long_for_a_pattern_then_it_stays_as_it_was_masked() -> None:
    texts = pl.Series([f"job {n} " + "word, " * 150_000 for n in (1, 2)])
    template = LOGS.normalise(texts)[0]

    assert Refinement(LOGS, {template: (0,)}).templates(texts).to_list() == [template] * 2


def test_first_values_when_there_are_more_slots_then_as_the_first_of_all() -> None:
    texts = pl.Series([f"GET /a/{n} took {n} ms with {n + 200} and 7" for n in range(3)] + ["other"])
    template = "GET <path> took <duration> with <num> and <num>"

    for most in (1, 2, 3, 4, 9):
        found = first_values(texts, template, most)
        expected = values(texts, template, range(min(most, 4)))
        assert [column.to_list() for column in found] == [column.to_list() for column in expected]
    assert first_values(texts, "no slots", 3) == []


def test_values_when_the_narrow_pattern_is_too_long_for_the_engine_then_each_slot_has_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pattern = refining._pattern
    refused = "(" * 2  # as the engine refuses what is too long once it is compiled
    monkeypatch.setattr(
        refining, "_pattern", lambda *given, strict: refused if strict else pattern(*given, strict=strict)
    )

    found = values(pl.Series(["GET /a took 31 ms 500"]), "GET <path> took <num> ms <num>", [0, 1, 2])

    assert [column.to_list() for column in found] == [["/a"], ["31"], ["500"]]
