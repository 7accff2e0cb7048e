from typing import Any

import pytest

from vigie.web.words import LANGUAGES, choose, words_in


def test_gettext_when_the_language_is_english_then_the_source_text_comes_back() -> None:
    assert words_in("en").gettext("Skip") == "Skip"


def test_gettext_when_the_language_is_french_then_it_is_translated() -> None:
    assert words_in("fr").gettext("Skip") == "Passer"


def test_gettext_when_the_text_has_names_then_they_are_filled_in() -> None:
    assert words_in("fr").gettext("Model v{version}", version="3") == "Modèle v3"


@pytest.mark.parametrize(
    ("language", "n", "expected"),
    [
        ("en", 0, "Labels 0 messages"),
        ("en", 1, "Labels 1 message"),
        ("en", 12840, "Labels 12,840 messages"),
        ("fr", 0, "Vaut pour 0 message"),
        ("fr", 1, "Vaut pour 1 message"),
        ("fr", 12840, "Vaut pour 12\u202f840 messages"),
    ],
)
def test_ngettext_when_something_is_counted_then_the_form_is_the_languages_own(
    language: str, n: int, expected: Any
) -> None:
    assert words_in(language).ngettext("Labels {n} message", "Labels {n} messages", n) == expected


def test_words_in_when_the_language_is_unknown_then_english_speaks() -> None:
    assert words_in("tlh").language == "en"


def test_words_in_when_asked_twice_then_the_catalogue_is_read_once() -> None:
    assert words_in("fr") is words_in("fr")


@pytest.mark.parametrize(
    ("chosen", "configured", "accepted", "expected"),
    [
        ("fr", "en", "en", "fr"),
        (None, "fr", "en", "fr"),
        (None, None, "fr-CA,fr;q=0.9,en;q=0.8", "fr"),
        (None, None, "de, en;q=0.3, fr;q=0.7", "fr"),
        (None, None, "de", "en"),
        (None, None, "", "en"),
        (None, None, "en; q=0.1, fr", "fr"),
        (None, None, "en ;Q=0.1, fr; q = 0.2", "fr"),
        (None, None, "fr;q=0, de", "en"),
        (None, None, "fr;q=0.000", "en"),
        (None, None, "fr;q=nan, en;q=0.1", "en"),
        (None, None, "fur, frr;q=0.9", "en"),
        (None, None, ",,;q=1,;", "en"),
        (None, None, "FR-ca", "fr"),
        ("tlh", None, "fr", "fr"),
        (None, None, "fr;q=nonsense,en", "en"),
    ],
)
def test_choose_when_several_may_decide_then_the_nearest_to_the_visitor_does(
    chosen: str | None, configured: str | None, accepted: str, expected: Any
) -> None:
    assert choose(chosen, configured, accepted) == expected


def test_languages_when_listed_then_each_is_spoken() -> None:
    assert [words_in(language).language for language in LANGUAGES] == list(LANGUAGES)
