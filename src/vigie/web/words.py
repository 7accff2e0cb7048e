"""The words of the pages in the visitor's language: English in the source, the others in `locale/*.po`."""

import gettext
import io
from functools import cache
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from vigie.web.formats import count

FOLDER = Path(__file__).parent / "locale"
LANGUAGES = ("en", "fr")


class Words:
    """Texts in one language.

    Parameters
    ----------
    language
        Two letters, one of `LANGUAGES`.
    catalogue
        Where translations stand; English needs none.
    """

    def __init__(self, language: str, catalogue: gettext.NullTranslations) -> None:
        self.language = language
        self._catalogue = catalogue

    def gettext(self, text: str, **values: object) -> str:
        """Translate a text and fill in its ``{names}``."""
        return self._catalogue.gettext(text).format(**values)

    def ngettext(self, one: str, many: str, n: int, **values: object) -> str:
        """Translate a text that counts something; ``{n}`` is the number, written as the language writes it."""
        return self._catalogue.ngettext(one, many, n).format(n=count(n, self.language), **values)


@cache
def words_in(language: str) -> Words:
    """Return the words of a language; of English when it is not spoken here."""
    path = FOLDER / f"{language}.po"
    if language not in LANGUAGES or not path.exists():
        return Words("en", gettext.NullTranslations())
    with path.open("rb") as source:
        catalogue = read_po(source, locale=language, abort_invalid=True)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Words(language, gettext.GNUTranslations(compiled))


def choose(chosen: str | None, configured: str | None, accepted: str) -> str:
    """Choose the language of a visit.

    Parameters
    ----------
    chosen
        What the visitor chose here before.
    configured
        What the project says in vigie.toml, None where it says nothing.
    accepted
        The browser's ``Accept-Language``.

    Examples
    --------
    >>> choose(None, None, "de;q=0.4, fr-CH, en;q=0.5")
    'fr'
    >>> choose("en", "fr", "fr")
    'en'
    """
    for language in (chosen, configured, *_by_quality(accepted)):
        if language in LANGUAGES:
            return str(language)
    return LANGUAGES[0]


def _by_quality(accepted: str) -> list[str]:
    """Return the languages of an ``Accept-Language`` (RFC 9110), the most wanted first; without those refused by a weight of 0."""
    ranked: list[tuple[float, str]] = []
    for part in accepted.lower().split(","):
        name, _, parameter = part.partition(";")
        weight = parameter.partition("=")[2]
        try:
            quality = float(weight or 1)
        except ValueError:
            continue
        if quality > 0:  # not for NaN either
            ranked.append((-quality, name.strip().partition("-")[0]))
    return [name for _, name in sorted(ranked, key=lambda pair: pair[0])]
