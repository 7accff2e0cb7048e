"""Texts made comparable: the normalised text of a message is its template."""

from typing import Protocol

import polars as pl

from vigie.errors import UnknownPartError
from vigie.text.logs import LogNormaliser
from vigie.text.social import SocialNormaliser

__all__ = ["NORMALISERS", "Normaliser", "normaliser"]


class Normaliser(Protocol):
    """What makes texts of one kind comparable."""

    def normalise(self, texts: pl.Series) -> pl.Series:
        """Return the template of each text.

        Templates do not depend on the rest of the column; a template's template is itself; a text that is not empty
        has a template that is not empty; null stays null.
        """
        ...

    def unmasked(self, texts: pl.Series) -> pl.Series:
        """Return each text evened out as its template is, with nothing hidden."""
        ...

    def variable_parts(self, text: str) -> list[tuple[int, int]]:
        """Return the character spans of one text that its template hides, merged and sorted."""
        ...


NORMALISERS: dict[str, type[LogNormaliser] | type[SocialNormaliser]] = {
    "logs": LogNormaliser,
    "social": SocialNormaliser,
}


def normaliser(name: str) -> Normaliser:
    """Make the normaliser for a kind of text, ``logs`` or ``social``.

    Raises
    ------
    UnknownPartError
        There is no such kind; the message lists those that exist.
    """
    if name not in NORMALISERS:
        raise UnknownPartError(f"no kind of text is called {name!r}; known are: {', '.join(NORMALISERS)}")
    return NORMALISERS[name]()
