from itertools import count

import numpy as np
import polars as pl
import pytest

import simulate_fakes
from simulate_fakes import Oracle, Parrot
from vigie import plugins
from vigie.errors import SettingsError
from vigie.evaluation.simulate import Plan, Vigie, fitting, replay, simulate
from vigie.evaluation.simulate_data import Held, split

PLAN = Plan(budget=30, batch=10, n_seeds=2, held=Held.TEMPLATES, test_share=0.3)


def largest(left: pl.DataFrame, model, answered: pl.DataFrame, n: int, rng: np.random.Generator) -> list[int]:
    return left["group_id"].head(n).to_list()


def vigie(rank=largest, *, classifier=Parrot, predicts_at_once: bool = False) -> Vigie:
    return Vigie(
        "parrot.v1",
        "largest",
        lambda dimensions, seed: classifier(dimensions, seed=seed),
        rank,
        predicts_at_once=predicts_at_once,
    )


@pytest.fixture(autouse=True)
def nothing_learned_yet():
    Parrot.learned.clear()


def a_split(*, copies: int = 1, held: Held = Held.TEMPLATES):
    return split(simulate_fakes.messages(copies=copies), np.random.default_rng(0), held=held, share=0.3)


def test_simulate_when_systems_run_then_one_curve_each_and_dimension_over_the_same_splits() -> None:
    ours, theirs = Oracle(name="ours"), Oracle(name="theirs", at_once=True)
    advanced = []

    curves = simulate(simulate_fakes.messages(), [ours, theirs], PLAN, advance=advanced.append)

    assert [(run.dimension, run.model) for run in curves] == [
        ("mood", "ours"),
        ("mood", "theirs"),
        ("topic", "ours"),
        ("topic", "theirs"),
    ]
    assert [run.answers for run in curves[:2]] == [(10, 20, 30), (0, 10, 20, 30)]
    assert all(run.full_supervision == 1.0 for run in curves)
    assert curves[0].macro_f1 == curves[1].macro_f1[1:] != ()
    assert sum(advanced) == 2 * 2 * 30
    pairs = zip(ours.started, theirs.started, strict=True)
    assert all(one[0] is other[0] and one[1] == other[1] for one, other in pairs)
    assert ours.started[0][0].test["row"].to_list() != ours.started[1][0].test["row"].to_list()


def test_simulate_when_the_clock_ticks_then_a_step_takes_what_it_says() -> None:
    ticks = count()

    curves = simulate(simulate_fakes.messages(), [Oracle()], PLAN, clock=lambda: float(next(ticks)))

    assert {run.seconds_per_step for run in curves} == {1.0}


@pytest.mark.parametrize(
    ("budget", "batch", "reason"),
    [
        (10_000, 10, "--budget is 10000; besides the test there are 84 groups to ask about; choose at most 84"),
        (5, 10, r"--budget is 5; expected at least one batch, which is 10 \(--batch\)"),
    ],
)
def test_simulate_when_the_budget_does_not_fit_then_says_what_does(budget: int, batch: int, reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        simulate(simulate_fakes.messages(), [Oracle()], Plan(budget, batch, 1, Held.TEMPLATES, 0.3))


@pytest.mark.parametrize(("most", "batch", "budget"), [(500, 10, 80), (30, 10, 30), (35, 10, 30), (500, 100, 100)])
def test_fitting_when_there_are_fewer_groups_then_whole_batches_of_them(most: int, batch: int, budget: int) -> None:
    plan = fitting(simulate_fakes.messages(), Plan(1, batch, 2, Held.TEMPLATES, 0.3), most=most)

    assert (plan.budget, plan.batch) == (budget, batch)


def test_vigie_when_it_asks_then_learns_each_group_once_with_all_its_labels() -> None:
    given = a_split()

    attempt = vigie().start(given, simulate_fakes.messages().dimensions, 0)
    attempt.answer(10)
    attempt.answer(10)

    (first, _), (second, labels) = Parrot.learned
    assert len(first) == 10
    assert len(set(second)) == 20
    assert set(first) < set(second)
    truth = dict(given.groups.select("template", "label:mood").iter_rows())
    assert labels["mood"] == [truth[template] for template in second]
    assert labels.keys() == {"mood", "topic"}


def test_vigie_when_it_ranks_then_sees_what_is_left_and_what_was_answered() -> None:
    seen = []

    def rank(left, model, answered, n, rng):
        seen.append((left.height, model, answered["template"].to_list()))
        return left["group_id"].head(n).to_list()

    given = a_split()
    attempt = vigie(rank).start(given, simulate_fakes.messages().dimensions, 0)
    attempt.answer(10)
    attempt.answer(10)

    assert [n for n, _, _ in seen] == [84, 74]
    assert seen[0][1] is None
    assert isinstance(seen[1][1], Parrot)
    assert seen[1][2] == given.groups["template"].head(10).to_list()


def test_vigie_when_the_model_needs_no_answer_then_is_fitted_and_measured_before_the_first() -> None:
    given, dimensions = a_split(), simulate_fakes.messages().dimensions

    trials = replay(vigie(predicts_at_once=True), given, dimensions, PLAN, seed=0)

    assert trials["mood"].answers == (0, 10, 20, 30)
    assert Parrot.learned[0] == ([], {"mood": [], "topic": []})


def test_vigie_when_a_template_of_the_test_was_answered_then_has_that_answer() -> None:
    given, dimensions = a_split(copies=4, held=Held.MESSAGES), simulate_fakes.messages().dimensions
    attempt = vigie().start(given, dimensions, 0)

    attempt.answer(40)

    answered = given.test["group_id"].is_in(given.groups["group_id"].head(40).implode())
    predicted = attempt.predict()
    assert 0 < answered.sum() < given.test.height
    for name in ("mood", "topic"):
        right = predicted[name] == given.test[f"label:{name}"]
        assert right.filter(answered).all()
        assert predicted[name].filter(~answered).n_unique() == 1
    assert (attempt.full()["mood"] == given.test["label:mood"]).mean() > 0.9


def test_vigie_when_run_twice_with_linear_and_margin_then_the_same_and_learns() -> None:
    linear = plugins.load("classifiers", "linear.v1")

    def shuffled(left, model, answered, n, rng):
        return rng.permutation(left["group_id"].to_numpy())[:n].tolist()

    messages = simulate_fakes.messages(200, dimensions=("mood",))
    system = Vigie("linear.v1", "random", lambda dimensions, seed: linear(dimensions, seed=seed), shuffled)
    first, second = (simulate(messages, [system], PLAN, clock=lambda: 0.0) for _ in range(2))

    assert first == second
    assert first[0].macro_f1[-1] > 0.75
    assert first[0].full_supervision > 0.9
