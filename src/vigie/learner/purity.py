"""The purity guard: where people contradict each other about messages of one template, what its masks hid may tell them apart.

Nothing is kept beside the answers: which templates are split follows from the annotations that hold and the messages kept of
each group, so that a split goes when the contradiction is taken back.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import polars as pl

from vigie.labels import Dimension, Purpose
from vigie.learner.answers import WITHHELD
from vigie.learner.splitting import Family, Said, split
from vigie.store import Store
from vigie.store.annotations import known, of_groups
from vigie.text import Normaliser
from vigie.text.refining import Refinement, placeholders

MOST_BASES = 50_000
"""Templates remembered with what they are as masked; of more, all are forgotten but those asked about."""


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
        concerned = self._concerned(splits)
        if not concerned:
            return of_groups(told), splits
        self._regroup(self.effective(told, splits), splits, concerned)
        return self.effective(told, splits), splits

    def splits(self, told: pl.DataFrame, dimensions: Sequence[Dimension]) -> dict[str, tuple[int, ...]]:
        """Return the slots to show, by template; the same for the same annotations and samples.

        Parameters
        ----------
        told
            As `store.annotations.told` returns it.
        dimensions
            What is asked now; annotations of other dimensions or labels do not count, nor does what was said of a template
            or part that a reviewer settled.
        """
        rows = self._about_messages(_open_still(self._with_bases(known(told, dimensions))))
        found: dict[str, tuple[int, ...]] = {}
        for family in self._families(rows):
            if slots := split(family, self._text):
                found[family.template] = slots
        return found

    def effective(self, told: pl.DataFrame, splits: Mapping[str, Sequence[int]]) -> pl.DataFrame:
        """Return what people say about groups, as `store.annotations.effective`, with split groups in their parts.

        What was said of a template as a whole, without naming a message, holds for each part that somebody spoke of.
        One audit annotation about any part keeps all of them out of training. The template was drawn once, so one part measures:
        the one first audited, of those with traffic if there are any. What is said of the others is `answers.WITHHELD`.
        """
        concerned = self._concerned(splits)
        if not concerned:
            return of_groups(told)
        rows = self._with_bases(told).with_row_index("place")
        is_concerned = pl.col("base").is_in(concerned)
        moved = self._moved(_newest(rows.filter(is_concerned)), splits)
        together = pl.concat([rows.filter(~is_concerned), moved.select(rows.columns)]).sort(
            "place", maintain_order=True
        )
        return of_groups(together.select(told.columns))

    def _regroup(self, effective: pl.DataFrame, splits: Mapping[str, Sequence[int]], concerned: Sequence[str]) -> None:
        """Bring the pool up to date: groups for the parts of split templates, and one group where nothing is split any more."""
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
        bases = self._bases  # read once: another thread may be here as well
        new = rows.select("template").unique().join(bases, on="template", how="anti")
        if len(new):
            kept = bases if bases.height + new.height <= MOST_BASES else bases.clear()
            if kept.is_empty():
                new = rows.select("template").unique()
            bases = self._bases = pl.concat([kept, new.with_columns(base=self._text.normalise(new["template"]))])
        return rows.join(bases, on="template", how="left", maintain_order="left")

    def _moved(self, rows: pl.DataFrame, splits: Mapping[str, Sequence[int]]) -> pl.DataFrame:
        """Return annotations about the groups that they belong to now."""
        shown = _shown(rows)
        # What is said to be of another template is not believed: the masks may have changed since.
        is_of = self._text.normalise(shown["shown"]) == shown["base"]
        believed = shown["shown"].zip_with(is_of, shown["template"])
        refined = Refinement(self._text, splits).templates(believed)
        moved = _with_parts(_freed(shown.with_columns(said_of="template", template=refined)))
        there = self._store.pool.known(moved["template"].unique().to_list())
        moved = moved.join(there, on="template", how="left", suffix="_now", maintain_order="left")
        counted = moved.with_columns(
            group_id=pl.coalesce("group_id_now", "group_id"), count=pl.coalesce("count_now", 0)
        )
        return _audited_once(counted)

    def _about_messages(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return annotations of templates about which people contradict each other, with the template as masked as ``base``."""
        rows = rows.filter(pl.col("message").is_not_null() | (pl.col("template") != pl.col("base")))
        labels = pl.col("label").n_unique().over("base", "dimension")
        contradicted = rows.filter((labels > 1).any().over("base")) if rows.height else rows
        shown = _shown(_newest(contradicted))
        return shown.filter(self._text.normalise(shown["shown"]) == shown["base"])

    def _families(self, rows: pl.DataFrame) -> Iterator[Family]:
        bases = rows["base"].unique().sort().to_list()
        ids = dict(self._store.pool.known(bases).select("template", "group_id").iter_rows())
        kept = self._store.regrouping.samples(list(ids.values()))
        for base in bases:
            some = rows.filter(pl.col("base") == base)
            said = [Said(*one) for one in some.select("shown", *Said._fields[1:]).iter_rows()]
            messages = {*some["shown"], *kept.get(ids.get(base, -1), [])}
            yield Family(base, said, sorted(messages))


def _open_still(rows: pl.DataFrame) -> pl.DataFrame:
    """Leave out what was said of a template that a reviewer settled; of a part, what they settled last speaks for it."""
    placed, here = rows.with_row_index("place"), ["group_id", "dimension"]
    settled = placed.filter("settled").unique(here, keep="last", maintain_order=True)
    whole = settled.filter(pl.col("template") == pl.col("base"))
    together = pl.concat([placed.join(settled, on=here, how="anti"), settled]).sort("place").drop("place")
    return together.join(whole, on=["base", "dimension"], how="anti", maintain_order="left")


def _newest(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the last word of each person about a message, whichever groups of its template they said it of."""
    about = pl.coalesce("message", "template").alias("about")
    key = ["base", "annotator", "dimension", "about"]
    return rows.with_columns(about).unique(key, keep="last", maintain_order=True).drop("about")


def _freed(moved: pl.DataFrame) -> pl.DataFrame:
    """Let exceptions to what was said of ``said_of`` speak for the part that they are in now, if nobody spoke of the rest of that."""
    is_elsewhere = (pl.col("template") != pl.col("base")) & (pl.col("template") != pl.col("said_of"))
    is_alone = pl.col("is_exception").all().over("template")
    return moved.with_columns(pl.col("is_exception") & ~(is_elsewhere & is_alone))


def _with_parts(moved: pl.DataFrame) -> pl.DataFrame:
    """Let what was said of a template as a whole hold for each part about which somebody spoke as well, if not of exceptions alone."""
    is_part = pl.col("template") != pl.col("base")
    parts = moved.filter(is_part, ~pl.col("is_exception")).select("base", part="template").unique().sort("part")
    whole = moved.filter(~is_part, pl.col("message").is_null())
    spread = whole.join(parts, on="base", maintain_order="left_right").with_columns(template="part").drop("part")
    return pl.concat([moved, spread.select(moved.columns)]).sort("place", maintain_order=True)


def _audited_once(moved: pl.DataFrame) -> pl.DataFrame:
    """Let one part of each audited template measure, and the others neither measure nor train."""
    audited = moved.filter(pl.col("purpose") == Purpose.AUDIT).sort(pl.col("count") == 0, maintain_order=True)
    first = audited.unique("base", keep="first", maintain_order=True).select("base", measures="template")
    measures = pl.when(pl.col("template") == pl.col("measures")).then(pl.lit(Purpose.AUDIT.value))
    purpose = pl.when(pl.col("measures").is_null()).then("purpose").otherwise(measures.otherwise(pl.lit(WITHHELD)))
    return moved.join(first, on="base", how="left", maintain_order="left").with_columns(purpose=purpose)


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
