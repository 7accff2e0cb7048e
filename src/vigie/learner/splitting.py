"""Which slots of a template to show, so that its messages are told apart as people did."""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import polars as pl

from vigie.text import Normaliser
from vigie.text.refining import Refinement, placeholders, values

MOST_SLOTS = 2
"""So many slots together may tell messages of one template apart; the more, the likelier by chance."""

MOST_LOOKED_AT = 40
"""Of a template with more slots only so many, the last ones, are looked at: what happened stands behind when and where."""

MOST_IN_ALL = 100
"""A template with more slots is not split: reading the values of hundreds takes minutes (11 s for 300 durations, five messages)."""

MANY = 4
"""With fewer messages known it cannot be seen whether values repeat."""

CODE_DIGITS = 3
"""Then only a number of at most so many digits is taken for a code."""

CLEAR = 0.75
"""A part of which so large a share of the answers says the same is not disputed."""


class Said(NamedTuple):
    """What somebody said of a message in one dimension; ``settled`` where that was as a reviewer."""

    message: str
    dimension: str
    label: str
    annotator: str = ""
    settled: bool = False


Part = Hashable | None
Rule = Callable[[Sequence[Part], Sequence[Said]], bool]
"""Tells of what people said whether the parts that it is about are to be told apart."""

Columns = Mapping[int, Sequence[str | None]]
"""What the messages known have in each slot."""


class Choice(NamedTuple):
    """Slots that tell labels apart, the better the smaller: how many different values they have, and how long and odd these are."""

    n_values: int
    oddness: int
    characters: int
    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """What is known of one template.

    Parameters
    ----------
    template
        As masked.
    said
        What people said of its messages, oldest first; each person once of each message and dimension.
    known
        Its messages as far as they are known, each once: those answered about and those kept.
    """

    template: str
    said: Sequence[Said]
    known: Sequence[str]


def split(family: Family, text: Normaliser) -> tuple[int, ...]:
    """Return the slots of a template that tell its messages apart as people did; none where no slot does.

    Dimension by dimension, the fewest slots are taken that give no two messages with the same values different labels; of
    several, the one with the fewest different values among all messages known, so that a duration or a request number, which
    tells any two messages apart by chance, loses against a code. Where values hardly ever repeat, none is taken.

    Where people disagree about messages with the same values as well, the slots are taken that told the first words about
    these values apart, as long as they `differ`.

    Parameters
    ----------
    family
        What is known of the template.
    text
        Makes templates.
    """
    slots: tuple[int, ...] = ()
    for dimension in sorted({one.dimension for one in family.said}):
        said = [one for one in family.said if one.dimension == dimension]
        if len({one.label for one in said}) > 1 and not _tells(family.template, slots, said, text, separates):
            slots = tuple(sorted({*slots, *_more(family, slots, said, text)}))
    return slots


def separates(parts: Sequence[Part], said: Sequence[Said]) -> bool:
    """Tell whether no two messages of one part have different labels.

    Parameters
    ----------
    parts
        Where each message belongs, None where that cannot be told.
    said
        What people said of them, oldest first.
    """
    given: dict[Part, str] = {}
    return all(
        part is not None and given.setdefault(part, one.label) == one.label
        for part, one in zip(parts, said, strict=True)
    )


def differ(parts: Sequence[Part], said: Sequence[Said]) -> bool:
    """Tell whether parts differ in what was said of them first, and still do in what most people say last.

    So disagreement within one part stays there. Where it is in several, and in more than one in four of those with several
    answers, it has another reason than the parts have. Parameters are those of `separates`.
    """
    of_part: dict[Part, list[Said]] = {}
    for part, one in zip(parts, said, strict=True):
        of_part.setdefault(part, []).append(one)
    if None in of_part or len({words[0].label for words in of_part.values()}) == 1:
        return False
    several = [words for words in of_part.values() if len(words) > 1]
    n_disputed = sum(not _is_clear(words) for words in several)
    return n_disputed <= max(1, len(several) // 4) and len({_verdict(words) for words in of_part.values()}) > 1


def _is_clear(said: Sequence[Said]) -> bool:
    return max(Counter(one.label for one in said).values()) >= CLEAR * len(said) or any(one.settled for one in said)


def _verdict(said: Sequence[Said]) -> frozenset[str]:
    """Return what was settled last, else what most people said last: several labels where as many say one as another."""
    settled = [one.label for one in said if one.settled]
    if settled:
        return frozenset(settled[-1:])
    votes = Counter({one.annotator: one.label for one in said}.values())
    return frozenset(label for label, n in votes.items() if n == max(votes.values()))


def _more(family: Family, slots: tuple[int, ...], said: Sequence[Said], text: Normaliser) -> tuple[int, ...]:
    """Return the slots to show beside those shown already."""
    columns = _columns(family, text)
    if more := _first_that_tells(family, slots, said, text, columns, rule=separates):
        return more
    if _tells(family.template, slots, said, text, differ):
        return ()
    return _first_that_tells(family, slots, said, text, columns, rule=differ)


def _first_that_tells(
    family: Family, slots: tuple[int, ...], said: Sequence[Said], text: Normaliser, columns: Columns, *, rule: Rule
) -> tuple[int, ...]:
    found = _choices(family, said, columns, rule)
    for _, together in sorted(found.items()):
        if len(family.known) < MANY and len(together) > 1:
            continue  # any of them may be chance
        for choice in sorted(together):
            if _tells(family.template, tuple(sorted({*slots, *choice.slots})), said, text, rule):
                return choice.slots
    return ()


def _columns(family: Family, text: Normaliser) -> Columns:
    """Return what the messages known have in each slot that is looked at."""
    kinds = placeholders(family.template)
    if not 0 < len(kinds) <= MOST_IN_ALL:
        return {}
    looked_at = range(max(len(kinds) - MOST_LOOKED_AT, 0), len(kinds))
    unmasked = text.unmasked(pl.Series(family.known, dtype=pl.String))
    columns = values(unmasked, family.template, list(looked_at))
    return {slot: column.to_list() for slot, column in zip(looked_at, columns, strict=True)}


def _choices(family: Family, said: Sequence[Said], columns: Columns, rule: Rule) -> dict[int, list[Choice]]:
    """Return the plausible slots, and sets of slots, by which messages are told apart, by how many they are."""
    kinds = placeholders(family.template)
    place = {message: row for row, message in enumerate(family.known)}
    separating: list[frozenset[int]] = []
    found: dict[int, list[Choice]] = {}
    for slots in (some for n in range(1, MOST_SLOTS + 1) for some in combinations(columns, n)):
        rows = list(zip(*(columns[slot] for slot in slots), strict=True))
        here = [rows[place[one.message]] for one in said]
        parts = [None if None in row else row for row in here]
        if any(fewer <= set(slots) for fewer in separating) or not rule(parts, said):
            continue
        separating.append(frozenset(slots))
        if _repeats(rows, slots, kinds):
            oddness = sum(kinds[slot] != "<num>" for slot in slots)
            characters = sum(len(value or "") for row in rows for value in row)
            found.setdefault(len(slots), []).append(Choice(len(set(rows)), oddness, characters, slots))
    return found


def _repeats(rows: Sequence[tuple[str | None, ...]], slots: Sequence[int], kinds: Sequence[str]) -> bool:
    """Tell whether values come again often enough to mean something."""
    n_values = len(set(rows))
    if len(rows) >= MANY or n_values < len(rows):
        return n_values <= max(2, (len(rows) + 1) // 2)
    return all(kinds[slot] == "<num>" for slot in slots) and all(
        value is not None and value.isdecimal() and len(value) <= CODE_DIGITS for row in rows for value in row
    )


def _tells(template: str, slots: tuple[int, ...], said: Sequence[Said], text: Normaliser, rule: Rule) -> bool:
    """Tell whether refined templates tell the messages apart."""
    if not slots:
        return False
    messages = pl.Series([one.message for one in said], dtype=pl.String)
    return rule(Refinement(text, {template: slots}).templates(messages).to_list(), said)
