import numpy as np
import polars as pl
import pytest

from builders import a_dimension
from learner_fakes import SEVERITY, TOPIC, KnowingModel
from vigie.learner.stopping import Advice, Point, advise, agreement, kappa, predicted_gain, stability


def a_point(n: int, accuracy: float, *, n_audited: int = 60, stable: float | None = 1.0, spread: float = 0.03) -> Point:
    metrics = {
        "accuracy.severity": accuracy,
        "accuracy_low.severity": accuracy - spread,
        "accuracy_high.severity": min(accuracy + spread, 1.0),
        "n_audited.severity": float(n_audited),
    }
    return Point(n, metrics if stable is None else metrics | {"stability.severity": stable})


def a_curve(exponent: float, start: float = 0.5, **how: float) -> list[Point]:
    """Return versions whose error falls as a power of the answers, 10 to 200."""
    return [a_point(n, 1 - start * (n / 10) ** -exponent, **how) for n in range(10, 201, 10)]  # type: ignore[arg-type]


def advice(points: list[Point], worthwhile: float = 0.005) -> Advice:
    return advise(points, "severity", worthwhile=worthwhile)


def test_advise_when_nothing_was_audited_then_nothing_is_known() -> None:
    assert advice([]) == Advice("unknown", "too_few_audited")
    assert advice([a_point(10, 0.9, n_audited=3)]) == Advice("unknown", "too_few_audited")


def test_advise_when_there_are_few_versions_then_nothing_is_known() -> None:
    found = advice([a_point(100, 0.9), a_point(110, 0.9)])

    assert (found.state, found.reason, found.gain) == ("unknown", "too_few_versions", None)


def test_advise_when_the_error_still_falls_then_goes_on() -> None:
    found = advice(a_curve(0.5))

    assert (found.state, found.reason) == ("go_on", "gain")
    assert found.gain is not None
    assert found.gain.value == pytest.approx(0.5 * 20**-0.5 - 0.5 * 25**-0.5, abs=1e-6)
    assert found.gain.low <= found.gain.value <= found.gain.high


def test_advise_when_the_gain_is_small_but_versions_differ_then_goes_on() -> None:
    found = advice(a_curve(0.02, start=0.05, stable=0.9))

    assert (found.state, found.reason) == ("go_on", "unstable")


def test_advise_when_the_gain_is_small_and_versions_agree_then_stops() -> None:
    found = advice(a_curve(0.02, start=0.05))

    assert (found.state, found.reason, found.stability) == ("stop", "settled", 1.0)


def test_advise_when_a_smaller_gain_is_worthwhile_then_goes_on_longer() -> None:
    assert advice(a_curve(0.02, start=0.05), worthwhile=0.0001).state == "go_on"


def test_predicted_gain_when_it_got_worse_then_nothing_is_gained() -> None:
    found = predicted_gain(a_curve(-0.1, start=0.1), "severity")

    assert found is not None
    assert (found.value, found.low) == (0, 0)


def test_predicted_gain_when_no_error_was_seen_then_one_may_be_there_still() -> None:
    found = predicted_gain([a_point(n, 1.0, n_audited=n // 2) for n in range(20, 201, 20)], "severity")

    assert found is not None
    assert found.value > 0


def test_predicted_gain_when_the_curve_is_noisy_then_the_interval_is_wide() -> None:
    rng = np.random.default_rng(0)
    noisy = [a_point(n, 0.8 + 0.1 * rng.random()) for n in range(10, 201, 10)]

    found = predicted_gain(noisy, "severity")

    assert found is not None
    assert found.high - found.low > found.value


def test_predicted_gain_when_a_version_learned_from_corrected_answers_then_its_level_is_the_newest() -> None:
    points = a_curve(0.5)
    corrected = a_point(200, 0.99)

    found, before = predicted_gain([*points, corrected], "severity"), predicted_gain(points, "severity")

    assert found is not None
    assert before is not None
    assert found.value < before.value / 2


def test_predicted_gain_when_answers_hardly_grew_then_a_curve_says_nothing() -> None:
    assert predicted_gain([a_point(100 + n, 0.9) for n in range(10)], "severity") is None


def test_stability_when_few_versions_were_compared_then_is_unknown() -> None:
    assert stability([a_point(10, 0.9, stable=None), a_point(20, 0.9), a_point(30, 0.9)], "severity") is None


def test_stability_when_versions_settle_then_only_the_last_count() -> None:
    points = [a_point(n, 0.9, stable=some) for n, some in [(40, 0.98), (10, 0.2), (30, 1.0), (20, 0.96)]]

    assert stability(points, "severity") == pytest.approx((0.96 + 1.0 + 0.98) / 3)


def test_agreement_when_versions_differ_in_a_rare_group_then_traffic_weighs_it() -> None:
    groups = pl.DataFrame({"template": ["a", "b", "c"], "weight": [98.0, 100.0, 2.0]})
    before = KnowingModel({"severity": {"a": "error"}})
    now = KnowingModel({"severity": {"a": "error", "c": "error"}})

    found = agreement(before, now, groups, [SEVERITY])

    assert found["severity"] == pytest.approx(0.98, abs=0.001)


def test_agreement_when_labels_changed_or_are_new_then_there_is_none() -> None:
    groups = pl.DataFrame({"template": ["a"], "weight": [1.0]})
    other = KnowingModel({}, [a_dimension(labels=("info", "error"))])

    assert agreement(KnowingModel({}), other, groups, [SEVERITY, TOPIC]) == {}


def test_agreement_when_there_is_no_group_then_there_is_none() -> None:
    groups = pl.DataFrame({"template": [], "weight": []}, schema={"template": pl.String, "weight": pl.Float64})

    assert agreement(KnowingModel({}), KnowingModel({}), groups, [SEVERITY]) == {}


@pytest.mark.parametrize("seed", range(3))
def test_kappa_when_compared_with_scikit_learn_then_the_same(seed: int) -> None:
    from sklearn.metrics import cohen_kappa_score

    rng = np.random.default_rng(seed)
    one, other, weights = rng.integers(0, 4, 50), rng.integers(0, 3, 50), rng.random(50)

    assert kappa(one, other, weights) == pytest.approx(cohen_kappa_score(one, other, sample_weight=weights))


def test_kappa_when_both_say_one_thing_only_then_they_agree() -> None:
    assert kappa(np.zeros(5, dtype=np.int64), np.zeros(5, dtype=np.int64), np.ones(5)) == 1
