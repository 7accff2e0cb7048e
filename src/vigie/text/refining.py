"""Templates that show one thing more: what a mask hid where people told messages of one template apart.

The variable parts of a template are its *slots*, numbered from 0. A split names slots of one template; its messages then
have *refined* templates, in which the values of these slots stand in place of the placeholders.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cached_property

import polars as pl

from vigie.text import Normaliser
from vigie.text.masks import Recall

Splits = Mapping[str, Sequence[int]]
"""Which slots to show, by template; sorted, none twice."""

_PLACEHOLDER = re.compile("<[a-z]+>")
_ANYTHING = "(?s:.+?)"
# What placeholders stand for, as narrow as it can be said; the others hide no white space.
_STRICT = {
    "<num>": "[+-]?[0-9]+(?:[.,:/_-]?[0-9]+)*",
    "<duration>": "[0-9](?s:.*?)",
    "<size>": "[0-9](?s:.*?)",
    "<time>": _ANYTHING,
    "<trace>": _ANYTHING,
    "<agent>": _ANYTHING,
}
_SOLID = r"\S+?"


def placeholders(template: str) -> list[str]:
    """Return what stands in each slot of a template.

    Examples
    --------
    >>> placeholders("GET <path> took <num> ms <num>")
    ['<path>', '<num>', '<num>']
    """
    return _PLACEHOLDER.findall(template)


def values(texts: pl.Series, template: str, slots: Sequence[int]) -> list[pl.Series]:
    """Return what messages of one template have in some of its slots: one column for each, null where that cannot be told.

    Parameters
    ----------
    texts
        As `Normaliser.unmasked` returns them.
    template
        Of all of them.
    slots
        Which, at least one; sorted.

    Examples
    --------
    >>> found = values(pl.Series(["GET /a/b took 31 ms 500"]), "GET <path> took <num> ms <num>", [0, 2])
    >>> [column.to_list() for column in found]
    [['/a/b'], ['500']]
    """
    return _values(texts, template, slots, end=r"\z")


def first_values(texts: pl.Series, template: str, most: int) -> list[pl.Series]:
    """Return as `values` what messages have in their first slots, at most so many; they are read no further than that.

    So the cost does not grow with the number of slots: a regular expression for hundreds of them takes minutes.

    Examples
    --------
    >>> found = first_values(pl.Series(["GET /a/b took 31 ms 500"]), "GET <path> took <num> ms <num>", 2)
    >>> [column.to_list() for column in found]
    [['/a/b'], ['31']]
    """
    spans = [match.span() for match in _PLACEHOLDER.finditer(template)]
    if len(spans) <= most:
        return values(texts, template, range(len(spans))) if spans else []
    return _values(texts, template[: spans[most][0]], range(most), end="")


def shown_values(text: str, normaliser: Normaliser, splits: Splits) -> set[str]:
    """Return what the refined template of one message shows of it; nothing where its template is not split."""
    texts = pl.Series([text], dtype=pl.String)
    template = normaliser.normalise(texts)[0] if splits else ""
    slots = splits.get(template, ())
    if not slots:
        return set()
    found = values(normaliser.unmasked(texts), template, slots)
    return {column[0] for column in found if column[0] is not None}


class Refinement:
    """What turns texts into templates, refined where a split says so.

    A refined template refines to itself, and no other template is like it: what would not be so stays as it was masked.
    Texts whose template is not split cost one look-up; without splits, nothing.

    Parameters
    ----------
    text
        Makes the templates.
    splits
        Which slots to show.

    Examples
    --------
    >>> from vigie.text import normaliser
    >>> refinement = Refinement(normaliser("logs"), {"job took <num> and <num>": (1,)})
    >>> refinement.templates(pl.Series(["job took 31 and 0", "job took 8 and 1", "job 7 done"])).to_list()
    ['job took <num> and 0', 'job took <num> and 1', 'job <num> done']
    """

    def __init__(self, text: Normaliser, splits: Splits) -> None:
        self._text = text
        self.splits = {template: tuple(slots) for template, slots in splits.items() if slots}
        self._bases = Recall(self._bases_of)

    def templates(self, texts: pl.Series) -> pl.Series:
        """Return the template of each text (String); depends on nothing else, and null stays null."""
        templates = self._text.normalise(texts)
        if not self.splits:
            return templates
        rows = templates.is_in(self._split).arg_true()
        return templates if rows.is_empty() else self._refined(texts, templates, rows)

    @cached_property
    def _split(self) -> list[str]:
        return list(self.splits)

    def _refined(self, texts: pl.Series, templates: pl.Series, rows: pl.Series) -> pl.Series:
        unmasked = self._text.unmasked(texts.cast(pl.String).gather(rows))
        shown = self._shown(unmasked, templates.gather(rows))
        unique = shown.drop_nulls().unique()
        base = shown.replace_strict(unique, self._bases(unique), default=None, return_dtype=pl.String)
        sound = (base == templates.gather(rows)).fill_null(value=False)
        return templates.clone().scatter(rows.filter(sound), shown.filter(sound)).alias(templates.name)

    def _shown(self, unmasked: pl.Series, templates: pl.Series) -> pl.Series:
        """Return the templates with the values of their slots; null where a value cannot be told."""
        shown = pl.Series([None], dtype=pl.String).new_from_index(0, len(templates))
        for template in templates.unique():
            rows = (templates == template).arg_true()
            shown = shown.scatter(rows, _filled(unmasked.gather(rows), template, self.splits[template]))
        return shown

    def _bases_of(self, refined: pl.Series) -> pl.Series:
        """Return the templates that refined ones come from; null for those that would not refine to themselves."""
        bases = self._text.normalise(refined)
        rows = bases.is_in(self._split).arg_true()
        again = self._shown(self._text.unmasked(refined.gather(rows)), bases.gather(rows))
        known = rows.filter((again == refined.gather(rows)).fill_null(value=False))
        nothing = pl.Series([None], dtype=pl.String).new_from_index(0, len(refined))
        return nothing.scatter(known, bases.gather(known))


def _filled(unmasked: pl.Series, template: str, slots: Sequence[int]) -> pl.Series:
    found = values(unmasked, template, slots)
    spans = [match.span() for match in _PLACEHOLDER.finditer(template)]
    pieces: list[pl.Expr] = []
    end = 0
    for slot, column in zip(slots, found, strict=True):
        pieces += [pl.lit(template[end : spans[slot][0]]), pl.lit(column)]
        end = spans[slot][1]
    return pl.select(pl.concat_str(*pieces, pl.lit(template[end:]))).to_series()


def _values(texts: pl.Series, template: str, slots: Sequence[int], *, end: str) -> list[pl.Series]:
    strict = _captured(texts, _pattern(template, slots, strict=True) + end, len(slots))
    rows = strict[0].is_null().arg_true()
    if rows.is_empty():
        return strict
    lenient = _captured(texts.gather(rows), _pattern(template, slots, strict=False) + end, len(slots))
    return [column.scatter(rows, some) for column, some in zip(strict, lenient, strict=True)]


def _captured(texts: pl.Series, pattern: str, n: int) -> list[pl.Series]:
    try:
        return [texts.str.extract(pattern, group) for group in range(1, n + 1)]
    except pl.exceptions.ComputeError:
        # The engine takes no pattern of more than 10 MiB, compiled: a very long template. A column each: callers write into them.
        return [pl.Series([None], dtype=pl.String).new_from_index(0, len(texts)) for _ in range(n)]


def _pattern(template: str, slots: Sequence[int], *, strict: bool) -> str:
    """Return what finds the values, from the beginning of a text: a group for each slot that is to be shown."""
    wanted = set(slots)
    parts: list[str] = []
    end = 0
    for slot, match in enumerate(_PLACEHOLDER.finditer(template)):
        kind = _STRICT.get(match[0], _SOLID) if strict else _ANYTHING
        parts += [_literal(template[end : match.start()]), f"({kind})" if slot in wanted else f"(?:{kind})"]
        end = match.end()
    return rf"\A{''.join(parts)}{_literal(template[end:])}"


def _literal(text: str) -> str:
    """Return a pattern that finds just this text; Rust's engine refuses the escaping of letters, digits and spaces."""
    return "".join(rf"\x{{{ord(char):x}}}" if not char.isalnum() and char != " " else char for char in text)
