import json
import math
from dataclasses import fields

import numpy as np
import pytest

from vigie.evaluation.curves import About, Run, Trial, as_json, first_reaching, interval, runs
from vigie.evaluation.curves_page import page

FAST = About("vigie", "linear.v1", "margin.v1")
SLOW = About("other", "forest", "margin", is_linear=False)


def a_trial(*scores: float, full: float = 0.8) -> Trial:
    return Trial(tuple(range(10, 10 * len(scores) + 1, 10)), scores, full, (0.5,) * len(scores))


def test_interval_when_seeds_differ_then_students() -> None:
    values = np.array([[0.5, 0.7], [0.6, 0.7], [0.7, 0.7]])

    mean, low, high = interval(values)

    assert mean == pytest.approx([0.6, 0.7])
    assert high - mean == pytest.approx([4.3027 * 0.1 / math.sqrt(3), 0], abs=1e-4)
    assert mean - low == pytest.approx(high - mean)


def test_interval_when_wide_then_within_what_is_possible() -> None:
    _, low, high = interval(np.array([[0.01, 0.99], [0.9, 0.1]]))

    assert low.tolist() == [0, 0]
    assert high.tolist() == [1, 1]


def test_interval_when_there_is_one_seed_then_bounds_are_unknown() -> None:
    mean, low, high = interval(np.array([[0.5]]))

    assert mean.tolist() == [0.5]
    assert np.isnan([low, high]).all()


def test_first_reaching_when_never_or_at_once_then_none_or_the_first() -> None:
    assert first_reaching([10, 20], [0.1, 0.2], 0.3) is None
    assert first_reaching([0, 10], [0.3, 0.2], 0.3) == 0


def test_runs_when_two_systems_ran_then_both_are_measured_against_the_best_linear_one() -> None:
    found = {
        (FAST, "mood"): [a_trial(0.5, 0.74, 0.8), a_trial(0.5, 0.7, 0.8)],
        (SLOW, "mood"): [a_trial(0.2, 0.3, 0.9, full=1.0)] * 2,
    }

    fast, slow = runs(found)

    assert (fast.system, fast.dimension, fast.answers) == ("vigie", "mood", (10, 20, 30))
    assert fast.macro_f1 == (0.5, 0.72, 0.8)
    assert (fast.full_supervision, slow.full_supervision) == (0.8, 1.0)
    assert (fast.reference, slow.reference) == (0.8, 0.8)
    assert (fast.answers_to_90, fast.answers_to_95, fast.answers_to_98) == (20, 30, 30)
    assert (slow.answers_to_90, slow.answers_to_95, slow.answers_to_98) == (30, 30, 30)
    assert fast.seconds_per_step == 0.5


def test_runs_when_no_system_is_linear_then_measured_against_what_there_is() -> None:
    (slow,) = runs({(SLOW, "mood"): [a_trial(0.2, 0.9, full=1.0)]})

    assert (slow.answers_to_90, slow.answers_to_95) == (20, None)
    assert slow.low == (None, None)


def test_runs_when_a_test_had_no_label_in_a_dimension_then_that_seed_does_not_count() -> None:
    nothing = a_trial(math.nan, math.nan, full=math.nan)

    (partly,) = runs({(FAST, "mood"): [a_trial(0.5, 0.8), nothing]})
    (never,) = runs({(FAST, "mood"): [nothing]})

    assert partly.macro_f1 == (0.5, 0.8)
    assert partly.answers_to_90 == 20
    assert never.macro_f1 == (None, None)
    assert never.full_supervision is never.answers_to_90 is None


def test_runs_when_there_are_two_dimensions_then_by_dimension() -> None:
    found = {(about, name): [a_trial(0.5)] for about in (FAST, SLOW) for name in ("a", "b")}

    assert [(run.dimension, run.system) for run in runs(found)] == [
        ("a", "vigie"),
        ("a", "other"),
        ("b", "vigie"),
        ("b", "other"),
    ]


def test_as_json_when_written_then_has_the_agreed_names_and_no_nan() -> None:
    written = json.dumps(as_json(runs({(FAST, "mood"): [a_trial(0.5, 0.8)]})), allow_nan=False)

    (run,) = json.loads(written)["runs"]
    assert list(run) == [
        "system",
        "model",
        "strategy",
        "dimension",
        "answers",
        "macro_f1",
        "low",
        "high",
        "full_supervision",
        "reference",
        "answers_to_90",
        "answers_to_95",
        "answers_to_98",
        "seconds_per_step",
    ]
    assert run["answers"] == [10, 20]
    assert len(fields(Run)) == len(run)


def test_page_when_written_then_needs_no_network_and_names_every_curve() -> None:
    found = {(about, name): [a_trial(0.5, 0.6), a_trial(0.4, 0.7)] for about in (FAST, SLOW) for name in ("a", "b")}

    html = page(runs(found), "airline: <macro-F1>")

    assert "<script src=" not in html
    assert html.count("vigie: linear.v1, margin.v1") >= 2
    assert "other: forest, margin" in html
    assert html.startswith("<!doctype html>")


def test_page_when_a_model_that_is_not_linear_is_better_then_the_line_is_that_of_the_best_linear_one() -> None:
    found = {(FAST, "a"): [a_trial(0.5, 0.6)], (SLOW, "a"): [a_trial(0.5, 0.6, full=1.0)]}

    html = page(runs(found), "two")

    assert '"y0":0.7200000000000001' in html
    assert '"y0":0.9' not in html


def test_page_when_there_is_one_seed_then_there_are_no_bands() -> None:
    html = page(runs({(FAST, "a"): [a_trial(0.5, 0.6)]}), "one")

    assert "vigie: linear.v1, margin.v1" in html
