"""What serves the stream: `python -m benchmarks.serving FILE --text COLUMN --label DIMENSION=COLUMN…`.

Of a labelled file some templates are answered at random, others are a pool, and the rest is held out. Printed are, for the full model, a
linear model on the same answers, and cascades with a student: macro-F1 over the labels held out, accuracy, mean confidence less
accuracy, and, once, messages a second and core through the labeller.
"""

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from sklearn.metrics import f1_score

from vigie.classifiers import Classifier
from vigie.classifiers.artefact import Artefact
from vigie.classifiers.cascade import CascadeClassifier
from vigie.classifiers.hybrid import HybridClassifier
from vigie.classifiers.linear import LinearClassifier
from vigie.features.encoder_cache import embeddings
from vigie.features.encoder_files import find
from vigie.labels import Dimension, Label
from vigie.learner.serving import ANSWERED_TEXTS, POOL_TEXTS
from vigie.rules import Rules
from vigie.stream.labeller import Labeller
from vigie.stream.routing import Policy
from vigie.text import NORMALISERS, normaliser

SHARES = (0.0, 0.3, 0.4, 0.5, 0.6)
MAX_TEMPLATES, MAX_HELD_OUT = 6_000, 2_000
MESSAGES, BATCH = 1_000, 2_000


def models(answered: pl.DataFrame, pool: pl.Series, dimensions: Sequence[Dimension]) -> dict[str, Classifier]:
    """Return what is compared, fitted."""
    labels = answered.select([dimension.name for dimension in dimensions])
    full = HybridClassifier(dimensions).fit(answered["template"], labels)
    found: dict[str, Classifier] = {
        "full": full,
        "linear.v1": LinearClassifier(dimensions).fit(answered["template"], labels),
    }
    step = max(-(-answered.height // ANSWERED_TEXTS), 1)
    texts = pl.concat([answered["template"].gather_every(step), pool.head(POOL_TEXTS)])
    for share in SHARES:
        cascade = CascadeClassifier(dimensions, encoded=share, full=full)
        cascade.teach(texts)
        found[f"cascade, {share:g} encoded" if share else "student"] = cascade
    return found


def scores(model: Classifier, held_out: pl.DataFrame, dimension: Dimension) -> tuple[float, float, float]:
    """Return macro-F1, accuracy, and by how much confidence is above it."""
    known = held_out.filter(pl.col(dimension.name).is_not_null())
    proba = model.predict_proba(known["template"])[dimension.name]
    said = [dimension.label_names[code] for code in proba.argmax(axis=1)]
    truth = known[dimension.name].to_list()
    right = float(np.mean([one == other for one, other in zip(said, truth, strict=True)]))
    labels = [label for label in dimension.label_names if label in set(truth)]
    f1 = float(f1_score(truth, said, labels=labels, average="macro", zero_division=0))
    return f1, right, float(proba.max(axis=1).mean()) - right


def rate(model: Classifier, texts: pl.Series, dimensions: Sequence[Dimension], text: str) -> float:
    """Return messages a second of processor time; nothing was encoded before."""
    embeddings.cache_clear()
    policy = Policy(tuple(dimensions), Rules.empty(dimensions), "fallback", 0.75, {})
    labeller = Labeller(policy, normalise=normaliser(text).normalise)
    labeller.use(model=Artefact(model, tuple(dimensions), text, version="1"))
    labeller.predict(["the encoder is read"])
    began = time.process_time()
    for start in range(0, len(texts), BATCH):
        labeller.label(pl.DataFrame({"text": texts[start : start + BATCH]}))
    return len(texts) / (time.process_time() - began)


def templates(rows: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Return one row per template, its most frequent label in each dimension, at most `MAX_TEMPLATES` drawn at random."""
    labels = [pl.col(name).drop_nulls().mode().sort().first() for name in names]
    groups = rows.group_by("template", maintain_order=True).agg(labels)
    return groups.sample(fraction=1, shuffle=True, seed=1).head(MAX_TEMPLATES)


def compared(groups: pl.DataFrame, dimensions: Sequence[Dimension], n: int, seeds: int) -> None:
    """Print the mean scores of all models after `n` answers."""
    found: defaultdict[tuple[str, str], list[tuple[float, float, float]]] = defaultdict(list)
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(groups.height).tolist()
        n_held_out = min(MAX_HELD_OUT, groups.height // 3)
        held_out, answered, pool = groups[order[:n_held_out]], groups[order[n_held_out:]][:n], order[n_held_out + n :]
        for name, model in models(answered, groups["template"].gather(pool), dimensions).items():
            for dimension in dimensions:
                found[dimension.name, name].append(scores(model, held_out, dimension))
    for (dimension_name, name), each in found.items():
        f1, right, above = np.mean(each, axis=0)
        print(f"{n:>6} {dimension_name:20} {name:24} macro-F1 {f1:.3f}  accuracy {right:.3f}  confidence {above:+.3f}")


def speeds(rows: pl.DataFrame, groups: pl.DataFrame, dimensions: Sequence[Dimension], text: str) -> None:
    """Print messages a second and core: all as they come where they repeat, else messages never seen before."""
    answered, pool = groups[:200], groups["template"][200 : 200 + POOL_TEXTS]
    repeat = rows["template"].n_unique() < rows.height / 2
    new = rows.filter(~pl.col("template").is_in(pl.concat([answered["template"], pool]).implode()))["text"]
    texts = rows["text"] if repeat else new.head(MESSAGES)
    for name, model in models(answered, pool, dimensions).items():
        print(f"{name:24} {rate(model, texts, dimensions, text):>10,.0f} messages a second and core")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", help="CSV, also .gz")
    parser.add_argument("--text", required=True, metavar="COLUMN")
    parser.add_argument("--label", required=True, action="append", metavar="DIMENSION=COLUMN")
    parser.add_argument("--normaliser", choices=sorted(NORMALISERS), default="social")
    parser.add_argument("--answers", type=int, nargs="+", default=[50, 200, 1000])
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args(arguments)
    columns: Mapping[str, Any] = dict(label.split("=", 1) for label in given.label)
    frame = pl.read_csv(given.file, infer_schema_length=0)
    rows = frame.select(pl.col(given.text).alias("text"), **{name: pl.col(column) for name, column in columns.items()})
    rows = rows.with_columns(normaliser(given.normaliser).normalise(rows["text"]).alias("template"))
    rows = rows.filter(pl.col("template") != "")
    dimensions = [
        Dimension(name, tuple(map(Label, sorted(rows[name].drop_nulls().unique().to_list())))) for name in columns
    ]
    groups = templates(rows, list(columns))
    embeddings(find()).of(groups["template"])
    for n in given.answers:
        if n < groups.height * 2 // 3:
            compared(groups, dimensions, n, given.seeds)
    speeds(rows, groups, dimensions, given.normaliser)
    return 0


if __name__ == "__main__":
    sys.exit(main())
