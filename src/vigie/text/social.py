"""Templates of short social texts: what says nothing about the meaning is evened out."""

import html
import re
from collections.abc import Callable, Sequence
from html.entities import html5

import polars as pl

from vigie.text.masks import EDGE, Mask, Step, each_once, run, until_stable
from vigie.text.trace import Trace

_URL = rf"{EDGE}(?i:(?:https?://|www\.)[^\s<>\"]+)"
_EMAIL = r"[0-9A-Za-z_.+-]+@(?:[0-9A-Za-z-]+\.)+[A-Za-z]{2,}"
_MENTION = "@[0-9A-Za-z_]+"
_BEFORE_MENTION = "^|[^0-9A-Za-z_@]"
_MASKS: tuple[Step, ...] = (
    Mask(_URL, "<url>"),
    Mask(_EMAIL, "<email>"),
    Mask(_MENTION, "<user>", before=_BEFORE_MENTION),
)

# Names are checked against the standard's list; html.unescape alone would also decode the start of an unknown name.
_ENTITY = re.compile("&(?:#[0-9]{1,8}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][0-9A-Za-z]{1,31});")
_NESTED = Mask("&(?:amp;|AMP;|#0*38;|#[xX]0*26;)+", "&", hides=False)
# Variation selectors, skin tones, a gender joined to an emoji, invisible characters; but not the joiners of scripts.
_INVISIBLE = (
    r"[\x{FE00}-\x{FE0F}\x{1F3FB}-\x{1F3FF}\x{AD}\x{200B}\x{200E}\x{200F}\x{202A}-\x{202E}\x{2060}-\x{2064}\x{FEFF}]"
    r"|\x{200D}[\x{2640}\x{2642}]"
)
_SPACE = r"[\s\x{0}-\x{1F}\x{7F}]+"
_QUOTES = {"\u2018": "'", "\u2019": "'", "\u201a": "'", "\u201c": '"', "\u201d": '"', "\u201e": '"'}
# The engine has no back-references: one alternative for each ASCII character; of their groups one has text.
_REPEATABLE = [re.escape(char) for char in map(chr, range(0x21, 0x7F)) if not (char.isdigit() or char.isupper())]
_REPEATED = "|".join(f"({char}{char}){char}+" for char in _REPEATABLE)
_SHORTENED = "".join(f"${{{group}}}" for group in range(1, len(_REPEATABLE) + 1))
_REPEATED_OTHER = re.compile(r"([^\d\s\x00-\x7f])\1{2,}")


class SocialNormaliser:
    """Even out short social texts: the template is the text itself, made comparable.

    Entities are decoded, case folded, URLs, mentions and e-mail addresses masked, characters repeated more than twice
    shortened to two, white space collapsed. Hashtags stay words behind their ``#``; emoji and numbers stay.

    Examples
    --------
    >>> SocialNormaliser().normalise(pl.Series(["@united Sooooo late &amp; no food!!! #Fail http://t.co/x"])).to_list()
    ['<user> soo late & no food!! #fail <url>']
    """

    def normalise(self, texts: pl.Series) -> pl.Series:
        """Return the template of each text; null stays null, and a template's template is itself."""
        return each_once(lambda some: until_stable(_once, some), texts.cast(pl.String)).alias(texts.name)

    def unmasked(self, texts: pl.Series) -> pl.Series:
        """Return each text made comparable, its URLs, mentions and addresses as they stand there."""
        return each_once(lambda some: until_stable(_plain, some), texts.cast(pl.String)).alias(texts.name)

    def variable_parts(self, text: str) -> list[tuple[int, int]]:
        """Return the character spans of the URLs, mentions and addresses of one text, merged and sorted."""
        trace = Trace(text)
        trace.follow(_MASKS)
        return trace.merged()


def _once(originals: pl.Series) -> pl.Series:
    return _evened(originals, _MASKS)


def _plain(originals: pl.Series) -> pl.Series:
    return _evened(originals, ())


def _evened(originals: pl.Series, masks: Sequence[Step]) -> pl.Series:
    texts = _where("&[#0-9A-Za-z]+;", _decoded, _NESTED.over(originals))
    texts = texts.str.normalize("NFKC").str.replace_all(_INVISIBLE, "").str.to_lowercase()
    texts = run(masks, texts.str.replace_many(_QUOTES))
    texts = _where(r"[^\x00-\x7F]{3}", _shortened, texts.str.replace_all(_REPEATED, _SHORTENED))
    texts = texts.str.replace_all(_SPACE, " ").str.strip_chars(" ")
    return texts.set((texts == "") & (originals != ""), " ")


def _where(pattern: str, rewrite: Callable[[str], str], texts: pl.Series) -> pl.Series:
    """Rewrite, one by one, the few texts in which a pattern is found."""
    rows = texts.str.contains(pattern).arg_true()
    if rows.is_empty():
        return texts
    return texts.clone().scatter(rows, pl.Series([rewrite(text) for text in texts.gather(rows)]))


def _decoded(text: str) -> str:
    return _ENTITY.sub(_character, text)


def _character(entity: re.Match[str]) -> str:
    name = entity.group()[1:]
    return html.unescape(entity.group()) if name.startswith("#") or name in html5 else entity.group()


def _shortened(text: str) -> str:
    return _REPEATED_OTHER.sub(r"\1\1", text)
