"""Very many kinds of log lines with labels, for measurements at a size that no labelled file has.

A kind is a line of the demo's services in which about a third of the words were exchanged for others, frequent ones more
often: names of parts, hosts, jobs. So kinds share most of their words with some others, as real ones do, and keep the labels of
the line they come from. Traffic falls with the rank of a kind (Zipf).
"""

import random
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path

import numpy as np
import polars as pl

from vigie.cli.demo_lines import DIMENSIONS, LineGenerator
from vigie.labels import Annotation, Purpose
from vigie.store import Store
from vigie.store.grouping import digest
from vigie.store.tables import microseconds
from vigie.text import normaliser

_CHANGED = 1 / 3
_SYLLABLES = ["ba", "ce", "di", "fo", "gu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo", "xa", "ze"]
_WORDS = [a + b + c for a in _SYLLABLES for b in _SYLLABLES for c in _SYLLABLES]
_SECONDS = 1200.0  # of the demo's stream
_PART = 50_000  # words drawn at one time
_WORD = re.compile(r"(?<![<\w])[A-Za-z]{3,}(?![>\w])")
_START = datetime(2026, 1, 1, tzinfo=UTC)


def kinds(n: int, *, seed: int = 0) -> pl.DataFrame:
    """Return `n` different templates: ``template``, ``count``, and a column per dimension; largest first."""
    rng = random.Random(seed)
    lines = _lines(rng)
    originals = lines["template"].to_list()
    ranks = list(accumulate(1 / rank for rank in range(1, len(_WORDS) + 1)))
    spare: list[str] = []

    def exchanged(found: re.Match[str]) -> str:
        if rng.random() > _CHANGED:
            return found[0]
        if not spare:
            spare.extend(rng.choices(_WORDS, cum_weights=ranks, k=_PART))
        return spare.pop()

    found: dict[str, int] = {}
    while len(found) < n:
        row = rng.randrange(len(originals))
        found.setdefault(_WORD.sub(exchanged, originals[row]), row)
    sizes = np.maximum(n / np.arange(1, n + 1) ** 1.05, 1).astype(np.int64)
    kind = pl.DataFrame({"template": list(found), "count": sizes})
    return kind.hstack(lines[list(found.values())].select(DIMENSIONS))


def fill(file: Path, groups: pl.DataFrame) -> pl.DataFrame:
    """Put groups straight into the empty pool of a SQLite store; return them with ``group_id``."""
    known = groups.with_row_index("group_id", offset=1).cast({"group_id": pl.Int64})
    now = microseconds(_START)
    with closing(sqlite3.connect(file)) as connection, connection:
        rows = known.select("group_id", "template", "count").iter_rows()
        connection.executemany(
            "INSERT INTO groups (id, digest, template, count, first_seen, last_seen, state) VALUES (?, ?, ?, ?, ?, ?, 'open')",
            ((group_id, digest(template), template, count, now, now) for group_id, template, count in rows),
        )
        connection.execute("UPDATE pool_state SET last_group_id = ?, size = ?", (known.height, known.height))
    return known


def annotate(store: Store, groups: pl.DataFrame, *, audit_every: int = 10) -> None:
    """Answer groups as a person would who is always right; every tenth answer is an audit answer."""
    rows = list(groups.select("group_id", *DIMENSIONS).iter_rows())
    audited = {row[0] for row in rows[::audit_every]}
    store.audit.draw(audited)
    answers = [
        Annotation(
            group_id=group_id,
            dimension=dimension,
            label=label,
            annotator="ann",
            purpose=Purpose.AUDIT if group_id in audited else Purpose.TRAIN,
            created_at=_START + timedelta(seconds=place),
        )
        for place, (group_id, *labels) in enumerate(rows)
        for dimension, label in zip(DIMENSIONS, labels, strict=True)
    ]
    store.annotations.add(answers)


def _lines(rng: random.Random) -> pl.DataFrame:
    written = LineGenerator(rng=rng, start=_START).advance(_SECONDS)
    columns = {name: [line.labels[name] for line in written] for name in DIMENSIONS}
    texts = pl.Series("template", [line.text for line in written])
    return (
        pl.DataFrame([normaliser("logs").normalise(texts)])
        .hstack(pl.DataFrame(columns))
        .unique("template", maintain_order=True)
    )
