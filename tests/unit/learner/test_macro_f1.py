import numpy as np
import polars as pl
import pytest
from sklearn.metrics import f1_score

from vigie.learner.audit import Estimate, draw
from vigie.learner.macro_f1 import estimate_macro_f1

LABELS = ("info", "warning", "error")


def judged(*rows: tuple[str, str] | tuple[str, str, int]) -> pl.DataFrame:
    """Return groups by the label given, the label said and the messages in them."""
    full = [(given, said, *count) for given, said, *count in rows]
    data = [(given, said, count[0] if count else 1) for given, said, *count in full]
    return pl.DataFrame(data, schema={"given": pl.String, "said": pl.String, "count": pl.Int64}, orient="row")


def estimate(seen: pl.DataFrame, audited: pl.DataFrame, n_messages: int = 10_000) -> Estimate:
    found = estimate_macro_f1(seen, audited, LABELS, n_messages=n_messages)
    assert found is not None
    return found


def test_macro_f1_when_nothing_was_audited_then_is_unknown() -> None:
    assert estimate_macro_f1(judged(("info", "info")), judged(), LABELS, n_messages=9) is None


def test_macro_f1_when_every_group_is_answered_then_is_exact() -> None:
    seen = judged(("info", "info", 30), ("error", "info", 10))
    audited = judged(("warning", "warning", 20), ("error", "error", 5))

    found = estimate(seen, audited, n_messages=65)

    both = pl.concat([seen, audited])
    expected = f1_score(both["given"], both["said"], sample_weight=both["count"], average="macro")
    assert found.value == pytest.approx(expected)
    assert found.low == pytest.approx(expected)
    assert found.high == pytest.approx(expected)
    assert found.seen_value == pytest.approx(
        f1_score(seen["given"], seen["said"], sample_weight=seen["count"], average="macro")
    )


def test_macro_f1_when_a_label_was_never_met_then_the_interval_leaves_it_open() -> None:
    two = estimate(judged(), judged(*[("info", "info"), ("warning", "warning")] * 50))
    three = estimate(judged(), judged(*[("info", "info"), ("warning", "warning"), ("error", "error")] * 33))

    assert two.value == three.value == 1
    assert two.low < 0.67
    assert three.low > 0.8


def test_macro_f1_when_more_is_audited_then_the_interval_narrows() -> None:
    rows = [("info", "info"), ("error", "error"), ("warning", "warning"), ("error", "info")]

    few, many = (estimate(judged(), judged(*rows * times)) for times in (3, 60))

    assert many.value == pytest.approx(few.value, abs=1e-3)
    assert many.high - many.low < few.high - few.low


def test_macro_f1_when_most_was_seen_then_the_sample_can_only_move_it_a_little() -> None:
    seen = judged(*[(label, label, 1000) for label in LABELS])

    found = estimate(seen, judged(("info", "error"), ("error", "info")), n_messages=3100)

    assert found.new_value == 0
    assert found.low > 0.9
    assert found.share_seen == pytest.approx(3000 / 3100)


def test_macro_f1_when_nothing_was_seen_then_says_so() -> None:
    found = estimate(judged(), judged(("info", "info")))

    assert (found.seen_value, found.share_seen) == (None, 0)
    assert (found.value, found.low, found.high) == (found.new_value, found.new_low, found.new_high)


def test_macro_f1_when_a_label_is_unknown_here_then_it_counts_as_wrong() -> None:
    found = estimate(judged(), judged(("info", "gone"), ("info", "info")))

    assert found.value == pytest.approx(2 / 3, abs=0.01)


def test_macro_f1_when_many_streams_are_sampled_then_the_interval_holds_the_truth() -> None:
    rng = np.random.default_rng(8)
    held = []
    for _ in range(150):
        n = 600
        sizes = np.ceil(rng.pareto(1.0, n) * 3).clip(1, 3000).astype(np.int64)
        truth = rng.choice(3, n, p=[0.7, 0.25, 0.05])
        said = np.where(rng.random(n) < 0.75, truth, rng.integers(0, 3, n))
        names = np.array(LABELS)
        rows = draw(sizes, 30, rng)
        frame = pl.DataFrame({"given": names[truth[rows]], "said": names[said[rows]], "count": sizes[rows]})
        found = estimate(judged(), frame, n_messages=int(sizes.sum()))
        exact = f1_score(truth, said, sample_weight=sizes, average="macro")
        held.append(found.low <= exact <= found.high)
    assert np.mean(held) >= 0.93
