import numpy as np
import polars as pl
import pytest
from scipy.stats import binomtest

from vigie.learner.audit import draw
from vigie.learner.thresholds import ALPHA, MAX_STEPS, MOST_NEEDED, Steps, first, more, needed, steps


def audited(*rows: tuple[float, bool], count: int = 1) -> pl.DataFrame:
    schema = {"confidence": pl.Float64, "right": pl.Boolean}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(
        group_id=pl.int_range(pl.len()), count=pl.lit(count, pl.Int64)
    )


def threshold(found: Steps, target: float) -> float | None:
    return min((at for at, low in found.evidence() if low > target), default=None)


def test_steps_when_groups_are_alike_then_bounds_are_exact() -> None:
    rows = [(0.9, True)] * 38 + [(0.9, False)] * 2 + [(0.5, True)] * 10 + [(0.5, False)] * 10

    found = steps(audited(*rows), n_new=10**9)

    assert found.confidence.tolist() == [0.9, 0.5]
    assert found.n.tolist() == [40, 60]
    assert found.precision == pytest.approx([0.95, 0.8])
    expected = [
        binomtest(right, n, alternative="greater").proportion_ci(1 - ALPHA).low for right, n in [(38, 40), (48, 60)]
    ]
    assert found.low == pytest.approx(expected)
    assert found.share == pytest.approx([2 / 3, 1])


def test_steps_when_nothing_was_right_then_nothing_is_sure() -> None:
    found = steps(audited((0.9, False), (0.8, False)), n_new=1000)

    assert found.low == pytest.approx([0, 0])


def test_steps_when_nothing_was_audited_then_there_are_none() -> None:
    found = steps(audited(), n_new=100)

    assert found.evidence() == ()
    assert len(found.n) == 0


def test_steps_when_the_audited_groups_are_the_stream_then_their_precision_is_known() -> None:
    found = steps(audited((0.9, True), (0.9, True), count=50), n_new=100)

    assert found.low == pytest.approx([1.0])


def test_steps_when_one_huge_group_is_wrong_then_no_bound_forgets_it() -> None:
    rows = audited((0.9, False), *[(0.9, True)] * 50).with_columns(
        count=pl.when(pl.int_range(pl.len()) == 0).then(5000).otherwise(1)
    )

    found = steps(rows, n_new=6000)

    assert found.low[0] < 0.2


def test_steps_when_the_sample_is_large_then_few_confidences_are_looked_at() -> None:
    rng = np.random.default_rng(0)
    rows = [(float(sure), True) for sure in rng.random(1000)]

    found = steps(audited(*rows), n_new=10**6)

    assert len(found.confidence) == MAX_STEPS
    assert found.confidence[-1] == min(sure for sure, _ in rows)


def test_evidence_when_a_lower_confidence_is_as_sure_then_it_alone_is_kept() -> None:
    rows = [(0.9, True)] * 10 + [(0.8, True)] * 30 + [(0.3, False)] * 30

    assert [at for at, _ in steps(audited(*rows), n_new=10**6).evidence()] == [0.8, 0.3]


def test_first_when_nothing_was_audited_then_says_what_the_promise_costs_at_least() -> None:
    ahead = first(0.98)

    assert (ahead.n_answers, ahead.share) == (183, None)
    assert more(steps(audited(), n_new=100), 0.98, threshold=None) is None


def test_more_when_all_were_right_then_what_is_missing_is_asked() -> None:
    found = steps(audited(*[(0.9, True)] * 100), n_new=10**9)

    ahead = more(found, 0.98, threshold=threshold(found, 0.98))

    assert ahead is not None
    assert (ahead.n_answers, ahead.share) == (83, pytest.approx(1.0))


def test_more_when_only_some_groups_are_as_sure_then_more_audit_answers_are_needed() -> None:
    found = steps(audited(*[(0.9, True)] * 100, *[(0.4, False)] * 100), n_new=10**9)

    ahead = more(found, 0.98, threshold=None)

    assert ahead is not None
    assert (ahead.n_answers, ahead.share) == (166, pytest.approx(0.5))


def test_more_when_the_model_is_not_that_good_then_no_number_helps() -> None:
    found = steps(audited(*[(0.9, True)] * 9, (0.9, False)), n_new=10**9)

    assert more(found, 0.98, threshold=None) is None


def test_more_when_everything_passes_then_there_is_nothing_to_raise() -> None:
    found = steps(audited(*[(0.9, True)] * 400), n_new=10**9)

    assert threshold(found, 0.98) == 0.9
    assert more(found, 0.98, threshold=0.9) is None


def test_needed_when_precision_is_barely_above_the_target_then_nobody_can_give_as_many() -> None:
    assert needed(np.array([0.98 + 1e-9]), 0.98)[0] == MOST_NEEDED


@pytest.mark.parametrize("precision", [0.95, 0.99, 1.0])
def test_needed_when_told_then_one_fewer_is_not_enough(precision: float) -> None:
    n = int(needed(np.array([precision]), 0.9)[0])

    enough, short = (_bound(precision, trials) for trials in (n, n - 1))

    assert short <= 0.9 < enough


def _bound(precision: float, n: int) -> float:
    from scipy.stats import beta

    return float(beta.ppf(ALPHA, precision * n, n - precision * n + 1))


def test_steps_when_many_models_are_just_too_bad_then_few_get_a_threshold() -> None:
    rng = np.random.default_rng(3)
    broken = 0
    for _ in range(200):
        sizes = np.ceil(rng.pareto(2.0, 3000) * 3).clip(1, 5000).astype(np.int64)
        sure, right = rng.random(3000).round(4), rng.random(3000) < 0.945
        rows = draw(sizes, 150, rng)
        frame = pl.DataFrame({"count": sizes[rows], "confidence": sure[rows], "right": right[rows]})
        at = threshold(steps(frame, n_new=int(sizes.sum())), 0.95)
        passes = sure >= (2 if at is None else at)
        broken += at is not None and np.average(right[passes], weights=sizes[passes]) < 0.95
    assert broken / 200 <= 0.07
