import numpy as np
import polars as pl
import pytest
from benchmarks.best_choice import NAME, gain, knowing, table
from benchmarks.label_efficiency import ALONE
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from builders import a_dimension
from vigie.cli.simulate import ours
from vigie.evaluation.curves import Run
from vigie.messages import label_column

GROUPS = st.lists(st.tuples(st.integers(-1, 2), st.integers(0, 2), st.integers(1, 50)), min_size=2, max_size=12)


def macro_f1(true: list[int], ours: list[int], sizes: list[int]) -> float:
    """Return it over three labels, whether or not they occur, over the groups that have a label."""
    rows = [row for row in zip(true, ours, sizes, strict=True) if row[0] >= 0]
    if not rows:
        return 0.0
    labels, said, weights = zip(*rows, strict=True)
    score = f1_score(labels, said, sample_weight=weights, labels=[0, 1, 2], average="macro", zero_division=0)
    return float(score)


@given(GROUPS)
def test_gain_when_groups_are_put_right_one_at_a_time_then_it_is_what_macro_f1_gains(
    groups: list[tuple[int, int, int]],
) -> None:
    true, ours, sizes = (list(column) for column in zip(*groups, strict=True))
    before = macro_f1(true, ours, sizes)

    found = gain(np.array(true), np.array(ours), np.array(sizes, dtype=np.float64), 3)

    for row, label in enumerate(true):
        after = macro_f1(true, [*ours[:row], label, *ours[row + 1 :]], sizes) if label >= 0 else before
        assert found[row] == pytest.approx(after - before, abs=1e-9)


class AlwaysInfo:
    dimensions = (a_dimension(labels=["error", "info"]),)

    def predict_proba(self, texts: pl.Series) -> dict[str, np.ndarray]:
        return {"severity": np.tile([0.1, 0.9], (len(texts), 1))}


def test_knowing_when_the_model_is_wrong_then_the_largest_such_group_comes_first() -> None:
    label = label_column("severity")
    left = pl.DataFrame(
        {"group_id": [4, 5, 6], "template": ["a", "b", "c"], "count": [90, 5, 8], label: ["info", "error", "error"]}
    )

    found = knowing(left, AlwaysInfo(), left.clear(), 2, np.random.default_rng(0))  # type: ignore[arg-type]

    assert found == [6, 5]


def test_table_when_curves_are_there_then_each_row_tells_the_goal() -> None:
    usual = ours(None, None)[0].about

    def a_run(system: str, strategy: str, needed: int | None) -> Run:
        rest = ((0,), (0.1,), (0.1,), (0.1,), 0.9, 0.9)
        return Run(system, usual.model, strategy, "severity", *rest, needed, None, None, None)

    curves = [
        a_run("vigie", usual.strategy + ALONE, 50),
        a_run("vigie", usual.strategy, None),
        a_run(NAME, usual.strategy + ALONE, 23),
        a_run(NAME, usual.strategy, 32),
        a_run("modAL", "margin", 80),
        a_run("small-text", "margin", None),
    ]

    assert table(curves)[2:] == [
        "| severity, one by one | 50 | 23 | 80 | 32 |",
        "| severity, together | - | 32 | 80 | 32 |",
    ]
