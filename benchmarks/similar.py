"""Whether similar groups share their labels, and how soon the panel opens: `python -m benchmarks.similar`.

Groups of the labelled files are taken for unanswered. Of each group's 20 nearest neighbours, printed is how many share all its
labels, by cosine; and of those that would be ticked, after so many answers drawn at random. Then the panel is opened in a
pool of 1,000 and of 100,000 groups.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import vigie
from vigie.app import Project
from vigie.classifiers.linear import LinearClassifier
from vigie.errors import MissingExtraError
from vigie.features import projection
from vigie.features.encoder_cache import embeddings
from vigie.features.encoder_files import find
from vigie.labels import Dimension, Label
from vigie.text import normaliser
from vigie.web.label_texts import SURE_FROM

Array = np.ndarray[Any, np.dtype[Any]]
DATA = Path(__file__).parents[2] / "shared" / "data"
FILES = {
    "logs_labelled": ("raw", "logs", ["severity", "event_type", "category"], (30, 100, 200)),
    "airline_tweets": ("text", "social", ["airline_sentiment"], (50, 200, 500)),
}
COSINES = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95)
NEIGHBOURS, QUESTIONS, SEEDS = 20, 500, 3


class Groups:
    """The groups of a labelled file, and which of their nearest neighbours share all labels."""

    def __init__(self, name: str) -> None:
        text, kind, self.names, self.budgets = FILES[name]
        rows = pl.read_csv(DATA / f"{name}.csv.gz")
        rows = rows.with_columns(template=normaliser(kind).normalise(rows[text])).drop_nulls("template")
        labels = [pl.col(column).mode().sort().first() for column in self.names]
        self.frame = rows.group_by("template", maintain_order=True).agg(labels)
        self.labels = self.frame.select(pl.concat_str(self.names, separator="|"))[self.names[0]].to_numpy()
        self.dimensions = [
            Dimension(column, tuple(map(Label, self.frame[column].unique().sort()))) for column in self.names
        ]

    def nearest(self, vectors: Array, pool: Array, asked: Array) -> tuple[Array, Array, Array]:
        """Return the neighbours of questions in a pool, their cosines, and whether they share all labels."""
        cosines = vectors[asked] @ vectors[pool].T
        cosines[asked[:, None] == pool[None, :]] = -2
        top = np.argsort(-cosines, axis=1)[:, :NEIGHBOURS]
        same = self.labels[pool[top]] == self.labels[asked][:, None]
        return pool[top], np.take_along_axis(cosines, top, axis=1), same

    def by_cosine(self, vectors: Array) -> list[dict[str, float]]:
        """Return how many neighbours share all labels, by cosine."""
        everything = np.arange(len(self.labels))
        asked = np.random.default_rng(0).permutation(everything)[: 4 * QUESTIONS]
        _, cosines, same = self.nearest(vectors, everything, asked)
        return [{"cosine": at, **_figures(same, cosines >= at)} for at in COSINES]

    def by_rule(self, vectors: Array, n_answers: int) -> dict[str, dict[str, float]]:
        """Return the same for groups whose prediction agrees with the labels of the question, surely or not."""
        found: dict[str, list[tuple[Array, Array]]] = {"agrees": [], "agrees, sure": []}
        for seed in range(SEEDS):
            rng = np.random.default_rng(seed)
            order = rng.permutation(len(self.labels))
            train, pool = np.sort(order[:n_answers]), np.sort(order[n_answers:])
            model = LinearClassifier(self.dimensions, seed=seed)
            model.fit(self.frame["template"].gather(train), self.frame[train].select(self.names))
            said, sure = self._said(model)
            asked = rng.permutation(pool)[:QUESTIONS]
            near, _, same = self.nearest(vectors, pool, asked)
            agrees = said[near] == self.labels[asked][:, None]
            found["agrees"].append((same, agrees))
            found["agrees, sure"].append((same, agrees & (sure[near] >= SURE_FROM)))
        return {name: _figures(*map(np.concatenate, zip(*parts, strict=True))) for name, parts in found.items()}

    def _said(self, model: LinearClassifier) -> tuple[Array, Array]:
        proba = model.predict_proba(self.frame["template"])
        columns = [
            pl.Series(dimension.name, dimension.label_names).gather(proba[dimension.name].argmax(axis=1))
            for dimension in self.dimensions
        ]
        joined = pl.DataFrame(columns).select(pl.concat_str(self.names, separator="|"))
        return joined.to_series().to_numpy(), np.min([one.max(axis=1) for one in proba.values()], axis=0)


def _figures(same: Array, taken: Array) -> dict[str, float]:
    right = float((same & taken).sum())
    return {
        "right": round(right / max(float(taken.sum()), 1.0), 3),
        "found": round(right / float(same.sum()), 3),
        "per_question": round(float(taken.sum()) / len(taken), 2),
    }


def _spaces() -> dict[str, Callable[[pl.Series], Array]]:
    spaces: dict[str, Callable[[pl.Series], Array]] = {"n-grams": projection.vectors}
    try:
        files = find("default")
    except MissingExtraError:
        return spaces
    return spaces | {"meanings": lambda texts: embeddings(files).of(texts)}


def agreement() -> dict[str, Any]:
    """Return for each file and kind of vector how often neighbours share all labels."""
    found: dict[str, Any] = {}
    for name in FILES:
        if not (DATA / f"{name}.csv.gz").exists():
            continue
        groups = Groups(name)
        for kind, embed in _spaces().items():
            vectors = embed(groups.frame["template"]).astype(np.float32)
            rules = {str(n): groups.by_rule(vectors, n) for n in groups.budgets}
            found[f"{name}, {kind}"] = {"by_cosine": groups.by_cosine(vectors), "by_answers": rules}
    return found


def opening(n_groups: int, folder: Path) -> dict[str, float]:
    """Return how many milliseconds the panel takes to be filled in a pool of so many groups, after all were read."""
    shutil.copytree(Path(vigie.__file__).parent / "templates" / "logs", folder)
    project = Project.open(folder)
    project.store.pool.add(_texts(n_groups, project.text.normalise))
    project.labelling.similar(project.labelling.ask("ann")[0].question.id, "ann")
    began = time.perf_counter()
    while project.neighbours.near("disk", -1.0).looked_at < project.neighbours.near("disk", -1.0).of:
        time.sleep(0.2)
    reading, times, cpu = time.perf_counter() - began, [], []
    for _ in range(30):
        question = project.labelling.ask("ann")[0].question
        before, busy = time.perf_counter(), time.process_time()
        similar = project.labelling.similar(question.id, "ann")
        times.append(1000 * (time.perf_counter() - before))
        cpu.append(1000 * (time.process_time() - busy))
        also = [group.group_id for group in similar.groups[:10]]
        project.labelling.submit(question.id, "ann", {"severity": "info"}, also=also)
    project.close()
    p50, p95 = np.percentile(times, [50, 95])
    return {
        "p50_ms": round(p50),
        "p95_ms": round(p95),
        "cpu_ms": round(float(np.median(cpu))),
        "read_s": round(reading),
    }


def _texts(n: int, normalise: Callable[[pl.Series], pl.Series]) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    letters = rng.integers(97, 123, size=(2_000, 6))
    words = np.array(["".join(map(chr, row)) for row in letters])
    lines = {" ".join(words[rng.zipf(1.3, 9) % 2_000]): None for _ in range(2 * n)}
    texts = pl.Series("text", list(lines)[:n], dtype=pl.String)
    return pl.DataFrame({"text": texts, "template": normalise(texts)})


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["agreement", "opening"])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args(arguments)
    found: dict[str, Any] = {}
    if chosen.only != "opening":
        found["agreement"] = agreement()
    if chosen.only != "agreement":
        with tempfile.TemporaryDirectory() as folder:
            sizes = (1_000, 100_000)
            found["opening"] = {f"{n:,} groups": opening(n, Path(folder) / str(n)) for n in sizes}
    print(json.dumps(found, indent=None if chosen.json else 2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
