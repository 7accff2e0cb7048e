"""The purity guard: where people contradict each other about messages of one template, what its masks hid may tell them apart.

Nothing is kept beside the answers: which templates are split follows from the annotations that hold and the messages kept of
each group, so that a split goes when the contradiction is taken back.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import NamedTuple

import polars as pl

from vigie.labels import Dimension, Purpose
from vigie.store import Store
from vigie.store.annotations import of_groups
from vigie.text import Normaliser
from vigie.text.refining import Refinement, placeholders, values

MOST_SLOTS = 2
"""So many slots together may tell messages of one template apart; the more, the likelier by chance."""

MOST_LOOKED_AT = 40
"""Of a template with more slots only so many, the last ones, are looked at: what happened stands behind when and where."""

MANY = 4
"""With fewer messages known it cannot be seen whether values repeat."""

CODE_DIGITS = 3
"""Then only a number of at most so many digits is taken for a code."""

MOST_BASES = 50_000
"""Templates remembered with what they are as masked; of more, all are forgotten but those asked about."""

Said = tuple[str, str, str]
"""A message, and what somebody said of it: dimension and label."""


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
        What people said of its messages.
    known
        Its messages as far as they are known, each once: those answered about and those kept.
    """

    template: str
    said: Sequence[Said]
    known: Sequence[str]


class Guard:
    """Finds out which templates to split, and gives answers to the groups that result.

    Parameters
    ----------
    store
        Where groups and samples are.
    text
        Makes templates.
    """

    def __init__(self, store: Store, text: Normaliser) -> None:
        self._store = store
        self._text = text
        self._families_of: object = None
        self._like = pl.DataFrame()
        self._bases = pl.DataFrame(schema={"template": pl.String, "base": pl.String})

    def settle(
        self, told: pl.DataFrame, dimensions: Sequence[Dimension]
    ) -> tuple[pl.DataFrame, dict[str, tuple[int, ...]]]:
        """Bring the pool up to date; return what people say about groups, and the splits that this takes."""
        splits = self.splits(told, dimensions)
        if not self._concerned(splits):
            return of_groups(told), splits
        self.regroup(self.effective(told, splits), splits)
        return self.effective(told, splits), splits

    def splits(self, told: pl.DataFrame, dimensions: Sequence[Dimension]) -> dict[str, tuple[int, ...]]:
        """Return the slots to show, by template; the same for the same annotations and samples.

        Parameters
        ----------
        told
            As `store.annotations.told` returns it.
        dimensions
            What is asked now; annotations of other dimensions or labels do not count, nor does what a reviewer settled.
        """
        settled = told.filter("settled").select("group_id", "dimension").unique()
        open_still = told.join(settled, on=["group_id", "dimension"], how="anti", maintain_order="left")
        rows = self._about_messages(_of(open_still, dimensions))
        found: dict[str, tuple[int, ...]] = {}
        for family in self._families(rows):
            if slots := split(family, self._text):
                found[family.template] = slots
        return found

    def effective(self, told: pl.DataFrame, splits: Mapping[str, Sequence[int]]) -> pl.DataFrame:
        """Return what people say about groups, as `store.annotations.effective`, with split groups in their parts.

        One audit annotation about any part keeps all of them out of training.
        """
        concerned = self._concerned(splits)
        if not concerned:
            return of_groups(told)
        rows = self._with_bases(told).with_row_index("place")
        is_concerned = pl.col("base").is_in(concerned)
        moved = self._moved(rows.filter(is_concerned), splits)
        together = pl.concat([rows.filter(~is_concerned), moved.select(rows.columns)]).sort("place")
        return of_groups(together.select(told.columns))

    def regroup(self, effective: pl.DataFrame, splits: Mapping[str, Sequence[int]]) -> None:
        """Bring the pool up to date: groups for the parts of split templates, and one group where nothing is split any more."""
        concerned = self._concerned(splits)
        if not concerned:
            return
        answered = self._with_bases(effective.select("template").unique())
        ids = dict(self._store.pool.known(concerned).select("template", "group_id").iter_rows())
        kept = self._store.regrouping.samples(list(ids.values()))
        family = self._family(concerned, splits)
        texts = pl.Series([*family["template"], *(text for some in kept.values() for text in some)], dtype=pl.String)
        refined = Refinement(self._text, splits).templates(texts)
        places = dict(zip(texts, refined, strict=True))
        for base in concerned:
            parts = family.filter((pl.col("base") == base) & (pl.col("template") != base))["group_id"].to_list()
            there = set(answered.filter(pl.col("base") == base)["template"])
            refine = partial(_looked_up, places=places, otherwise=base)
            self._store.regrouping.regroup(base, parts, refine, there, is_split=base in splits)

    def _concerned(self, splits: Mapping[str, Sequence[int]]) -> list[str]:
        """Return the templates that are split, or whose groups were."""
        replaced = pl.Series(self._store.regrouping.replaced(), dtype=pl.String)
        stale = self._text.normalise(replaced) if len(replaced) else replaced
        return sorted(base for base in {*splits, *stale} if placeholders(base))

    def _family(self, bases: Sequence[str], splits: Mapping[str, Sequence[int]]) -> pl.DataFrame:
        """Return the groups of some templates, refined or not; looked for once for the same splits, which takes a second a million."""
        key = (tuple(bases), tuple(sorted((template, *slots) for template, slots in splits.items())))
        if self._families_of != key:
            self._like = self._with_bases(self._store.regrouping.like([_ends(base) for base in bases]))
            self._families_of = key
        return self._like

    def _with_bases(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Add the templates as masked, as ``base``; each is masked once, as nearly the same ones come at every training."""
        new = rows.select("template").unique().join(self._bases, on="template", how="anti")
        if len(new):
            kept = self._bases if self._bases.height + new.height <= MOST_BASES else self._bases.clear()
            if kept.is_empty():
                new = rows.select("template").unique()
            self._bases = pl.concat([kept, new.with_columns(base=self._text.normalise(new["template"]))])
        return rows.join(self._bases, on="template", how="left", maintain_order="left")

    def _moved(self, rows: pl.DataFrame, splits: Mapping[str, Sequence[int]]) -> pl.DataFrame:
        """Return annotations about the groups that they belong to now."""
        shown = _shown(rows)
        # What is said to be of another template is not believed: the masks may have changed since.
        is_of = self._text.normalise(shown["shown"]) == shown["base"]
        believed = shown["shown"].zip_with(is_of, shown["template"])
        refined = Refinement(self._text, splits).templates(believed)
        audited = (pl.col("purpose") == Purpose.AUDIT).any().over("base")
        purpose = pl.when(audited).then(pl.lit(Purpose.AUDIT.value)).otherwise("purpose")
        moved = shown.with_columns(template=refined, purpose=purpose)
        known = self._store.pool.known(refined.unique().to_list())
        moved = moved.join(known, on="template", how="left", suffix="_now", maintain_order="left")
        return moved.with_columns(group_id=pl.coalesce("group_id_now", "group_id"), count=pl.coalesce("count_now", 0))

    def _about_messages(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return annotations of templates about which people contradict each other, with the template as masked as ``base``."""
        rows = self._with_bases(rows)
        rows = rows.filter(pl.col("message").is_not_null() | (pl.col("template") != pl.col("base")))
        labels = pl.col("label").n_unique().over("base", "dimension")
        contradicted = rows.filter((labels > 1).any().over("base")) if rows.height else rows
        shown = _shown(contradicted)
        return shown.filter(self._text.normalise(shown["shown"]) == shown["base"])

    def _families(self, rows: pl.DataFrame) -> Iterator[Family]:
        bases = rows["base"].unique().sort().to_list()
        ids = dict(self._store.pool.known(bases).select("template", "group_id").iter_rows())
        kept = self._store.regrouping.samples(list(ids.values()))
        for base in bases:
            some = rows.filter(pl.col("base") == base)
            said = sorted(set(some.select("shown", "dimension", "label").iter_rows()))
            known = {*some["shown"], *kept.get(ids.get(base, -1), [])}
            yield Family(base, said, sorted(known))


def split(family: Family, text: Normaliser) -> tuple[int, ...]:
    """Return the slots of a template that tell its messages apart as people did; none where no slot does.

    Dimension by dimension, the fewest slots are taken that give no two messages with the same values different labels; of
    several, the one with the fewest different values among all messages known, so that a duration or a request number, which
    tells any two messages apart by chance, loses against a code. Where values hardly ever repeat, none is taken.

    Parameters
    ----------
    family
        What is known of the template.
    text
        Makes templates.
    """
    slots: tuple[int, ...] = ()
    for dimension in sorted({name for _, name, _ in family.said}):
        labels = [(message, label) for message, name, label in family.said if name == dimension]
        if len({label for _, label in labels}) > 1 and not _tells(family.template, slots, labels, text):
            more = _first_that_tells(family, slots, labels, text)
            slots = tuple(sorted({*slots, *more}))
    return slots


def _first_that_tells(
    family: Family, slots: tuple[int, ...], labels: Sequence[tuple[str, str]], text: Normaliser
) -> tuple[int, ...]:
    found = _choices(family, labels, text)
    for _, together in sorted(found.items()):
        if len(family.known) < MANY and len(together) > 1:
            continue  # any of them may be chance
        for choice in sorted(together):
            if _tells(family.template, tuple(sorted({*slots, *choice.slots})), labels, text):
                return choice.slots
    return ()


def _choices(family: Family, labels: Sequence[tuple[str, str]], text: Normaliser) -> dict[int, list[Choice]]:
    """Return the plausible slots, and sets of slots, that separate the labels, by how many they are."""
    kinds = placeholders(family.template)
    looked_at = range(max(len(kinds) - MOST_LOOKED_AT, 0), len(kinds))
    unmasked = text.unmasked(pl.Series(family.known, dtype=pl.String))
    columns = values(unmasked, family.template, list(looked_at)) if kinds else []
    place = {message: row for row, message in enumerate(family.known)}
    of_slot = {slot: column.to_list() for slot, column in zip(looked_at, columns, strict=True)}
    rows_of_labels = [(place[message], label) for message, label in labels]
    separating: list[frozenset[int]] = []
    found: dict[int, list[Choice]] = {}
    for slots in (some for n in range(1, MOST_SLOTS + 1) for some in combinations(of_slot, n)):
        rows = list(zip(*(of_slot[slot] for slot in slots), strict=True))
        if any(fewer <= set(slots) for fewer in separating) or not _separates(rows, rows_of_labels):
            continue
        separating.append(frozenset(slots))
        if _repeats(rows, slots, kinds):
            oddness = sum(kinds[slot] != "<num>" for slot in slots)
            characters = sum(len(value or "") for row in rows for value in row)
            found.setdefault(len(slots), []).append(Choice(len(set(rows)), oddness, characters, slots))
    return found


def _separates(rows: Sequence[tuple[str | None, ...]], labels: Collection[tuple[int, str]]) -> bool:
    """Tell whether no two messages with the same values have different labels."""
    given: dict[tuple[str | None, ...], str] = {}
    return all(None not in rows[row] and given.setdefault(rows[row], label) == label for row, label in labels)


def _repeats(rows: Sequence[tuple[str | None, ...]], slots: Sequence[int], kinds: Sequence[str]) -> bool:
    """Tell whether values come again often enough to mean something."""
    n_values = len(set(rows))
    if len(rows) >= MANY or n_values < len(rows):
        return n_values <= max(2, (len(rows) + 1) // 2)
    return all(kinds[slot] == "<num>" for slot in slots) and all(
        value is not None and value.isdecimal() and len(value) <= CODE_DIGITS for row in rows for value in row
    )


def _tells(template: str, slots: tuple[int, ...], labels: Sequence[tuple[str, str]], text: Normaliser) -> bool:
    """Tell whether refined templates have one label each."""
    if not slots:
        return False
    messages = pl.Series([message for message, _ in labels], dtype=pl.String)
    refined = Refinement(text, {template: slots}).templates(messages)
    given: dict[str, str] = {}
    return all(given.setdefault(one, label) == label for one, (_, label) in zip(refined, labels, strict=True))


def _of(told: pl.DataFrame, dimensions: Sequence[Dimension]) -> pl.DataFrame:
    pairs = [(dimension.name, label) for dimension in dimensions for label in dimension.label_names]
    known = pl.DataFrame(pairs, schema={"dimension": pl.String, "label": pl.String}, orient="row")
    return told.join(known, on=["dimension", "label"], how="semi", maintain_order="left")


def _looked_up(texts: Sequence[str], *, places: Mapping[str, str], otherwise: str) -> list[str]:
    return [places.get(text, otherwise) for text in texts]


def _shown(told: pl.DataFrame) -> pl.DataFrame:
    """Add as ``shown`` what an annotation is about; of a refined group without a message that is its template."""
    return told.with_columns(shown=pl.coalesce("message", "template"))


def _ends(template: str) -> tuple[str, str]:
    """Return what comes before the first slot of a template, and after the last."""
    kinds = placeholders(template)
    first, last = template.index(kinds[0]), template.rindex(kinds[-1]) + len(kinds[-1])
    return template[:first], template[last:]
