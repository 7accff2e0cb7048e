import json
import re

import pytest

from builders import a_dimension
from vigie.web.desk import Applied
from vigie.web.keys import ACTIONS
from vigie.web.label_texts import actions, applied_text, find_texts, group_keys, setup, similar_texts, texts
from vigie.web.words import LANGUAGES, words_in

EN, FR = words_in("en"), words_in("fr")
NAMES = re.compile(r"\{(\w+)\}")


def every_text(language: str) -> dict[str, str]:
    words = words_in(language)
    return texts(words) | similar_texts(words) | find_texts(words)


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_when_the_browser_fills_them_in_then_no_name_was_lost_in_translation(language: str) -> None:
    english, translated = every_text("en"), every_text(language)

    assert translated.keys() == english.keys()
    for name, text in translated.items():
        assert sorted(set(NAMES.findall(text))) == sorted(set(NAMES.findall(english[name]))), name
        assert text.strip()


def test_texts_when_translated_then_hardly_any_is_left_in_english() -> None:
    english, french = every_text("en"), every_text("fr")

    same = {name for name in english if english[name] == french[name]}
    assert same <= {"audit", "message", "similar_same"}, same


def test_texts_when_all_panels_are_joined_then_none_hides_another() -> None:
    panels = [texts(EN), similar_texts(EN), find_texts(EN)]

    assert sum(map(len, panels)) == len(every_text("en"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_actions_when_shown_then_each_key_has_one_button_with_words(language: str) -> None:
    found = actions(words_in(language))

    assert [one["name"] for one in found] == list(ACTIONS)
    assert [one["key"] for one in found] == list(ACTIONS.values())
    assert all(one["text"] and one["explained"] for one in found)


def test_actions_when_there_is_no_question_then_undo_and_help_still_work() -> None:
    assert {one["name"] for one in actions(EN) if not one["needs_question"]} == {"undo", "guidelines", "keys"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_group_keys_when_shown_then_none_is_a_key_of_the_page(language: str) -> None:
    keys = [key for one in group_keys(words_in(language)) for key in one["key"].split()]

    assert len(set(keys)) == len(keys)
    assert not set(keys) & set(ACTIONS.values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_setup_when_handed_to_the_browser_then_it_is_plain_json(language: str) -> None:
    dimensions = [a_dimension(), a_dimension("a </script> b", ('"', "<b>", "é\u2028"))]

    found = setup(dimensions, "find what broke", words_in(language))

    assert json.loads(json.dumps(found)) == found
    assert [one["name"] for one in found["dimensions"]] == ["severity", "a </script> b"]
    assert found["goal"] == "find what broke"
    assert 0 < found["sure_from"] <= 1


@pytest.mark.parametrize(
    ("wanted", "taken", "expected"),
    [
        (0, 0, "0 similar groups took the answer too."),
        (1, 1, "1 similar group took the answer too."),
        (3, 3, "3 similar groups took the answer too."),
        (3, 2, "2 similar groups took the answer too. 1 did not: someone else has it, or it only measures."),
        (3, 1, "1 similar group took the answer too. 2 did not: someone else has them, or they only measure."),
        (2000, 0, "0 similar groups took the answer too. 2,000 did not: someone else has them, or they only measure."),
    ],
)
def test_applied_text_when_not_all_took_it_then_says_how_many_and_why(wanted: int, taken: int, expected: str) -> None:
    assert applied_text(an_applied(wanted, taken), EN) == expected


def test_applied_text_when_in_french_then_none_is_singular() -> None:
    assert applied_text(an_applied(0, 0), FR) != applied_text(an_applied(2, 2), FR).replace("2", "0")


def an_applied(wanted: int, taken: int) -> Applied:
    return Applied(wanted, taken, [])


def test_setup_when_every_label_has_a_key_then_there_is_no_need_to_find_one() -> None:
    few, many = a_dimension(), a_dimension("intent", [f"intent {n}" for n in range(77)])

    names = [[one["name"] for one in setup([one], "", EN)["actions"]] for one in (few, many)]

    assert "find" not in names[0]
    assert names[1] == list(ACTIONS)
