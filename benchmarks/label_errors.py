"""How many planted wrong answers are found among the first doubts: `python -m benchmarks.label_errors`.

Of log lines, one of each template, some are drawn at random; a tenth of their labels is exchanged for another label at random, in
one dimension after the other. Printed is how many of the first doubts are planted ones, and how many are raised where nothing
was planted.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from vigie.classifiers.linear import LinearClassifier
from vigie.labels import Dimension, Label
from vigie.quality.label_errors import doubts
from vigie.text import normaliser

DATA = Path(__file__).parent.parent.parent / "shared" / "data" / "logs_labelled.csv.gz"
DIMENSIONS = ("severity", "event_type", "category")


def main() -> None:
    """Measure, and print a table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--answers", type=int, default=300)
    arguments.add_argument("--wrong", type=float, default=0.1, help="share of answers that are made wrong")
    arguments.add_argument("--first", type=int, default=20, help="doubts looked at")
    arguments.add_argument("--seeds", type=int, default=5)
    given = arguments.parse_args()
    rows = pl.read_csv(DATA, columns=["raw", *DIMENSIONS])
    rows = rows.with_columns(template=normaliser("logs").normalise(rows["raw"]))
    rows = rows.unique("template", keep="first", maintain_order=True).sort("template")
    print(f"{given.answers} answers, {given.wrong:.0%} wrong, the first {given.first} doubts, {given.seeds} seeds")
    print(f"{'dimension':<12} {'precision':>10} {'recall':>8} {'doubts when nothing is wrong':>30}")
    for name in DIMENSIONS:
        dimension = Dimension(name, tuple(map(Label, sorted(rows[name].unique()))))
        found = [trial(rows, dimension, given, seed) for seed in range(given.seeds)]
        precision, recall, false = np.mean(found, axis=0)
        print(f"{name:<12} {precision:>10.2f} {recall:>8.2f} {false:>30.1f}")


def trial(rows: pl.DataFrame, dimension: Dimension, given: argparse.Namespace, seed: int) -> tuple[float, float, int]:
    """Return precision, recall, and the number of doubts where nothing is wrong."""
    rng = np.random.default_rng(seed)
    drawn = rows[np.sort(rng.choice(rows.height, given.answers, replace=False))]
    right = drawn[dimension.name].to_list()
    wrong = set(rng.choice(given.answers, round(given.answers * given.wrong), replace=False).tolist())
    planted = [other(label, dimension.label_names, rng) if i in wrong else label for i, label in enumerate(right)]
    found = doubted(drawn["template"], planted, dimension, given.first)
    hits = len(wrong & set(found))
    return hits / max(len(found), 1), hits / len(wrong), len(doubted(drawn["template"], right, dimension, given.first))


def other(label: str, names: Sequence[str], rng: np.random.Generator) -> str:
    """Return another label, each as likely."""
    return str(rng.choice([name for name in names if name != label]))


def doubted(texts: pl.Series, labels: Sequence[str], dimension: Dimension, at_most: int) -> list[int]:
    """Return the rows doubted first."""
    given = pl.DataFrame({dimension.name: labels})
    classifier = LinearClassifier([dimension]).fit(texts, given)
    return [doubt.row for doubt in doubts(given, classifier.held_out(), [dimension], at_most=at_most)]


if __name__ == "__main__":
    main()
