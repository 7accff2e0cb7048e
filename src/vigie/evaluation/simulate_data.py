"""A labelled file as a stream whose answers are known: what may be asked about, and what only measures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import polars as pl

from vigie.errors import SettingsError
from vigie.labels import Dimension, Label
from vigie.messages import label_column
from vigie.text import NORMALISERS, Normaliser, normaliser

MIN_TEMPLATES = 20
"""With fewer there is nothing to choose from, and the test would be a handful of texts."""

_MASKS_MUCH = 0.8
_TOO_MANY = 0.5


class Held(StrEnum):
    """What is held out to test on."""

    TEMPLATES = "templates"
    """Whole templates: the test holds no message like one that could be asked about."""

    MESSAGES = "messages"
    """Messages drawn at random from the stream as it is: most of their templates can be asked about."""


@dataclass(frozen=True, slots=True)
class Messages:
    """Labelled messages.

    Parameters
    ----------
    rows
        ``row``, ``text``, ``template``, and ``label:<dimension>`` for each dimension, null where it has no label.
    dimensions
        With the labels that occur, sorted by name.
    """

    rows: pl.DataFrame
    dimensions: tuple[Dimension, ...]

    @classmethod
    def of(
        cls,
        frame: pl.DataFrame,
        text: str,
        columns: Mapping[str, str],
        *,
        normalise: Normaliser,
        once: bool = False,
    ) -> "Messages":
        """Take the messages that have a text and a label.

        Parameters
        ----------
        frame
            One message a row, all columns String.
        text
            The column that holds the messages.
        columns
            The column that holds the labels, by dimension.
        normalise
            Makes their templates.
        once
            Whether only the first message of each template is kept.

        Raises
        ------
        SettingsError
            There are too few templates; a dimension has a single label, or nearly as many as messages.
        """
        labels = {label_column(name): _label(column) for name, column in columns.items()}
        rows = frame.select(pl.col(text).alias("text"), **labels)
        rows = rows.filter(pl.col("text").str.strip_chars().fill_null("") != "")
        rows = rows.filter(pl.any_horizontal(pl.col(list(labels)).is_not_null()))
        rows = rows.with_columns(normalise.normalise(rows["text"]).alias("template"))
        rows = rows.unique("template", keep="first", maintain_order=True) if once else rows
        _check(rows, columns)
        dimensions = tuple(Dimension(name, _labels(rows[label_column(name)])) for name in columns)
        return cls(rows.with_row_index("row"), dimensions)


@dataclass(frozen=True, slots=True)
class Split:
    """One division of the messages.

    Parameters
    ----------
    groups
        What may be asked about: ``group_id`` (its row), ``template``, ``count``, and the most frequent label in each
        dimension; the largest groups first.
    pool
        The messages of these groups, in the order of the file.
    test
        The others, with ``group_id`` where the template is in the pool.
    """

    groups: pl.DataFrame
    pool: pl.DataFrame
    test: pl.DataFrame


def split(messages: Messages, rng: np.random.Generator, *, held: Held, share: float) -> Split:
    """Divide messages at random.

    Parameters
    ----------
    messages
        All of them.
    rng
        Chooses which are held out.
    held
        Whole templates, or messages.
    share
        Part that is held out, in (0, 1).
    """
    units = messages.rows["template"].unique(maintain_order=True) if held is Held.TEMPLATES else messages.rows["row"]
    n = min(max(1, round(share * len(units))), len(units) - 1)
    chosen = units.gather(np.sort(rng.permutation(len(units))[:n]))
    is_test = messages.rows[chosen.name].is_in(chosen.implode())
    pool, test = messages.rows.filter(~is_test), messages.rows.filter(is_test)
    groups = groups_of(pool, messages.dimensions)
    known = groups.select("template", "group_id")
    return Split(groups, pool, test.join(known, on="template", how="left", maintain_order="left"))


def guess_kind(texts: pl.Series) -> str:
    """Return the kind of text that suits a sample: ``logs`` when masking makes far fewer templates, else ``social``.

    Examples
    --------
    >>> guess_kind(pl.Series([f"job {n} failed after {n * 7} ms" for n in range(50)]))
    'logs'
    >>> guess_kind(pl.Series(["so late again", "thank you!", "where is my bag?"]))
    'social'
    """
    texts = texts.drop_nulls().unique(maintain_order=True).head(5_000)
    n_logs, n_social = (normaliser(kind).normalise(texts).n_unique() for kind in NORMALISERS)
    return "logs" if n_logs < _MASKS_MUCH * n_social else "social"


def _label(column: str) -> pl.Expr:
    label = pl.col(column).str.strip_chars()
    return pl.when(label != "").then(label)


def _labels(column: pl.Series) -> tuple[Label, ...]:
    return tuple(Label(name) for name in column.drop_nulls().unique().sort())


def groups_of(pool: pl.DataFrame, dimensions: Sequence[Dimension]) -> pl.DataFrame:
    """Return one row per template; a person who sees its messages gives the label that most of them have."""
    names = [label_column(dimension.name) for dimension in dimensions]
    groups = pool.group_by("template", maintain_order=True).agg(count=pl.len().cast(pl.Int64))
    for name in names:
        votes = pool.filter(pl.col(name).is_not_null()).group_by("template", name, maintain_order=True).len()
        # A stable sort: of equally frequent labels the first one stays first.
        best = votes.sort("len", descending=True, maintain_order=True).unique("template", keep="first")
        groups = groups.join(best.select("template", name), on="template", how="left", maintain_order="left")
    return groups.sort("count", descending=True, maintain_order=True).with_row_index("group_id")


def _check(rows: pl.DataFrame, columns: Mapping[str, str]) -> None:
    if rows.is_empty():
        raise SettingsError("no row has both a text and a label; expected some in the columns given")
    if (n := rows["template"].n_unique()) < MIN_TEMPLATES:
        raise SettingsError(
            f"the file has {n} different texts, once made comparable; expected at least {MIN_TEMPLATES}, "
            "some to ask about and some to test on"
        )
    for name, column in columns.items():
        given = rows[label_column(name)].drop_nulls()
        if (n := given.n_unique()) < 2:  # noqa: PLR2004 — one label is nothing to learn
            seen = repr(given[0]) if n else "none"
            raise SettingsError(f"{name} has a single label in column {column!r} ({seen}); expected at least two")
        if n > _TOO_MANY * rows["template"].n_unique():
            raise SettingsError(
                f"{name} has {n:,} different labels in {given.len():,} rows of column {column!r}; expected a closed "
                "list of labels: is it another column?"
            )
