import string
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import vigie.web
from vigie.web.words import FOLDER, LANGUAGES

SOURCES = Path(vigie.web.__file__).parent
KEYWORDS = {"gettext": None, "say": None, "ngettext": (1, 2)}


def texts_in_the_source() -> set[str]:
    found = extract_from_dir(SOURCES, [("**.py", "python")], keywords=KEYWORDS)
    return {text if isinstance(text, str) else text[0] for _, _, text, _, _ in found}


def catalogue(language: str) -> list[Message]:
    with (FOLDER / f"{language}.po").open("rb") as source:
        return [message for message in read_po(source, locale=language) if message.id]


def names_in(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.fixture(params=[language for language in LANGUAGES if language != "en"])
def messages(request: pytest.FixtureRequest) -> list[Message]:
    return catalogue(request.param)


def test_catalogue_when_a_text_is_in_the_source_then_it_is_translated(messages: list[Message]) -> None:
    known = {message.id if isinstance(message.id, str) else message.id[0] for message in messages}

    assert texts_in_the_source() - known == set()


def test_catalogue_when_a_text_left_the_source_then_it_is_stale(messages: list[Message]) -> None:
    known = {message.id if isinstance(message.id, str) else message.id[0] for message in messages}

    assert known - texts_in_the_source() == set()


def test_catalogue_when_listed_then_nothing_is_empty_or_fuzzy(messages: list[Message]) -> None:
    forms = [message.string if isinstance(message.string, tuple) else (message.string,) for message in messages]

    assert all(all(form) for form in forms)
    assert not [message.id for message in messages if message.fuzzy]


def test_catalogue_when_a_text_has_names_then_each_translation_has_the_same(messages: list[Message]) -> None:
    for message in messages:
        wanted = names_in(message.id if isinstance(message.id, str) else message.id[-1])
        for form in message.string if isinstance(message.string, tuple) else (message.string,):
            assert names_in(form) == wanted, message.id


def test_catalogue_when_french_leaves_a_letter_out_then_the_apostrophe_is_curved() -> None:
    forms = [
        form for one in catalogue("fr") for form in (one.string if isinstance(one.string, tuple) else (one.string,))
    ]

    assert [form for form in forms if "'" in form] == []
    assert [form for form in forms if "\N{RIGHT SINGLE QUOTATION MARK}" in form]


def test_catalogue_when_it_counts_then_it_has_all_plural_forms(messages: list[Message]) -> None:
    assert all(len(message.string) == 2 for message in messages if message.pluralizable)
