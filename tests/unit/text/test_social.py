import polars as pl
import pytest

from vigie.text.social import SocialNormaliser


def template(text: str) -> str:
    return SocialNormaliser().normalise(pl.Series([text]))[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@united @JetBlue thanks", "<user> <user> thanks"),
        ("RT @a_b1: see http://t.co/x?y=1 and WWW.foo.com", "rt <user>: see <url> and <url>"),
        ("mail a.b@c.co, not now@you", "mail <email>, not now@you"),
        ("#NeverAgain #2015", "#neveragain #2015"),
        ("sooooo GOOOOD", "soo good"),
        ("good book, hmm", "good book, hmm"),
        ("what?!!!! ok...", "what?!! ok.."),
        ("1000 or 100000 at $30", "1000 or 100000 at $30"),
        ("&lt;3 you &amp; me &#128512; &hellip; &nbsp;x", "<3 you & me 😀 .. x"),
        ("&amp;amp;lt;b &notit; AT&T; R&D", "<b &notit; at&t; r&d"),
        ("&am&#112;; &#38;#64;bob", "& <user>"),
        ("👍🏽👍🏿 ❤️❤️❤️ 🤦\u200d♀️ 👩\u200d👧", "👍👍 ❤❤ 🤦 👩\u200d👧"),
        ("哈哈哈哈 ПРИВЕЕЕТ éééé", "哈哈 привеет éé"),
        ("can\u2019t \u201cwait\u201d", 'can\'t "wait"'),
        ("\uff46\uff55\uff4c\uff4c \U0001d4f1\U0001d4ee\U0001d4f5\U0001d4f5\U0001d4f8 e\u0301", "full hello é"),
        ("@uni\u200bted zero\u200bwidth\ufeff", "<user> zerowidth"),
        (" a \n\t b\x00c ", "a b c"),
        ("htttps://x.co/y", "<url>"),
        ("٣٣٣٣ 7777", "٣٣٣٣ 7777"),
    ],
)
def test_normalise_when_form_varies_then_evens_it_out(text: str, expected: str) -> None:
    assert template(text) == expected


@pytest.mark.parametrize("text", [" ", "\n\t", "\u200b", "\x00", "&#1;", "\ufe0f🏽", "&nbsp;"])
def test_normalise_when_nothing_is_left_then_is_one_space(text: str) -> None:
    assert template(text) == " "


def test_normalise_when_rows_are_null_or_equal_then_keeps_their_places() -> None:
    texts = pl.Series("tweet", ["Hi!", None, "", "hi!", "ÉÉÉÉ"])

    templates = SocialNormaliser().normalise(texts)

    assert templates.name == "tweet"
    assert templates.to_list() == ["hi!", None, "", "hi!", "éé"]


@pytest.mark.parametrize("texts", [[], [None]])
def test_normalise_when_there_is_no_text_then_returns_as_many_nulls(texts: list[None]) -> None:
    templates = SocialNormaliser().normalise(pl.Series(texts))

    assert templates.to_list() == texts
    assert templates.dtype == pl.String


@pytest.mark.parametrize("unit", ["a", "&amp;", "&#38;", "@b ", "é", "👍🏽", "http://", "#a"])
def test_normalise_when_a_text_has_a_million_characters_then_time_stays_linear(unit: str) -> None:
    assert template(unit * (1_000_000 // len(unit)))


def test_variable_parts_when_there_are_links_and_mentions_then_returns_their_spans() -> None:
    text = "@bob 👍🏽 see http://t.co/x &amp; a@b.co #tag"

    spans = SocialNormaliser().variable_parts(text)

    assert [text[start:end] for start, end in spans] == ["@bob", "http://t.co/x", "a@b.co"]


def test_variable_parts_when_there_are_none_then_is_empty() -> None:
    assert SocialNormaliser().variable_parts("just   WORDS &amp; 1000") == []
