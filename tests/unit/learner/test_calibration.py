import numpy as np
import polars as pl
import pytest

from vigie.learner.calibration import Calibration, calibration


def calibrated(confidence: list[float], right: list[bool]) -> Calibration:
    found = calibration(pl.DataFrame({"confidence": confidence, "right": right}))
    assert found is not None
    return found


def test_calibration_when_nothing_was_audited_then_is_unknown() -> None:
    assert calibration(pl.DataFrame(schema={"confidence": pl.Float64, "right": pl.Boolean})) is None


def test_calibration_when_confidence_is_what_is_right_then_the_error_is_zero() -> None:
    found = calibrated([0.75] * 4, [True, True, True, False])

    assert found.error == pytest.approx(0)
    assert found.by_chance > 0.1
    assert (found.bins[0].confidence, found.bins[0].accuracy, found.bins[0].n) == (0.75, 0.75, 4)


def test_calibration_when_it_believes_too_much_then_the_error_says_by_how_much() -> None:
    found = calibrated([0.95] * 100 + [0.55] * 100, [True] * 65 + [False] * 35 + [True] * 55 + [False] * 45)

    assert found.error == pytest.approx(0.15)
    assert [one.n for one in found.bins] == [100, 100]
    assert found.bins[1].high < 0.95
    assert found.bins[0].low < 0.55 < found.bins[0].high


def test_calibration_when_a_confidence_is_one_then_it_is_in_the_last_bin() -> None:
    found = calibrated([1.0, 0.0], [True, False])

    assert [one.confidence for one in found.bins] == [0, 1]
    assert found.error == 0


def test_calibration_when_the_model_is_calibrated_then_the_error_is_about_what_chance_gives() -> None:
    rng = np.random.default_rng(2)
    errors, chances = [], []
    for _ in range(200):
        sure = rng.uniform(0.3, 1, 80)
        found = calibrated(sure.tolist(), (rng.random(80) < sure).tolist())
        errors.append(found.error)
        chances.append(found.by_chance)

    assert np.mean(errors) == pytest.approx(np.mean(chances), rel=0.15)
