import math

import numpy as np
import polars as pl
import pytest

from vigie.learner.answers import Answers
from vigie.learner.random_asking import N_WORLDS, Needed, RandomAsking, crossing, drawn, drawn_worlds, result
from vigie.learner.worlds import World

WORDS = ("disk", "login", "timeout", "started")


def a_world(n: int, trained: list[int], audited: list[int] | None = None) -> World:
    templates = [f"{WORDS[row % 4]} of unit{row} by host{row % 7}" for row in range(n)]
    pool = pl.DataFrame({"group_id": range(n), "template": templates, "count": [1 + row % 3 for row in range(n)]})
    said = [pl.DataFrame({"group_id": ids}, schema={"group_id": pl.Int64}) for ids in (trained, audited or [])]
    return World.of(pool, Answers(said[0], said[1], {}), np.random.default_rng(0))


def sure(world: World, n_labels: int = 2, confidence: float = 0.98) -> np.ndarray:
    """Return probabilities: the first word tells the label."""
    labels = np.array([WORDS.index(template.split()[0]) % n_labels for template in world.templates])
    proba = np.full((len(labels), n_labels), (1 - confidence) / (n_labels - 1))
    proba[np.arange(len(labels)), labels] = confidence
    return proba


def begun(world: World, proba: dict[str, np.ndarray]) -> RandomAsking:
    rng = np.random.default_rng(0)
    return RandomAsking(world, drawn_worlds(proba, rng), rng)


def asked(world: World, seed: int = 0, **proba: np.ndarray) -> dict[str, Needed]:
    rng = np.random.default_rng(seed)
    return result(RandomAsking(world, drawn_worlds(proba, rng), rng).run(lambda: False))


def test_run_when_chosen_answers_repeat_each_other_then_fewer_random_ones_do() -> None:
    world = a_world(120, [row for row in range(120) if row % 4 == 0])  # 30 answers, all about the disk

    found = asked(world, severity=sure(world, 4))["severity"]

    assert found.n_answers == 30
    assert found.needed < 20


def test_run_when_chosen_at_random_then_as_many_are_needed() -> None:
    world = a_world(300, np.random.default_rng(5).permutation(300)[:40].tolist())

    found = asked(world, severity=sure(world, confidence=0.9))[""]

    assert 0.5 < found.needed / 40 < 2
    assert 0 < found.deviation < 0.5


def test_run_when_there_are_dimensions_then_each_is_found_and_all_together() -> None:
    world = a_world(80, list(range(20)), [30, 31])

    found = asked(world, severity=sure(world), topic=sure(world, 4))

    assert list(found) == ["", "severity", "topic"]
    assert {one.n_answers for one in found.values()} == {22}
    assert found["severity"].level > found["topic"].level or found["severity"].level > 0.9


def test_run_when_a_model_knows_one_label_then_any_answer_is_enough() -> None:
    world = a_world(60, list(range(20)))

    found = asked(world, severity=np.tile([1.0, 0.0], (60, 1)))["severity"]

    assert (found.level, found.needed) == (1.0, 1.0)


def test_run_when_seeds_are_the_same_then_so_is_the_result() -> None:
    world = a_world(80, list(range(20)))

    assert asked(world, 7, severity=sure(world)) == asked(world, 7, severity=sure(world))


def test_run_when_enough_was_done_then_no_more_is_tried() -> None:
    world = a_world(400, list(range(0, 100, 4)))
    work = begun(world, {"severity": sure(world, 4, 0.7)}).run(lambda: True)

    n_fits = len(list(work))

    assert n_fits == 2 * N_WORLDS  # the answers given, and as many at random


def test_run_when_nothing_is_enough_then_the_number_of_fits_is_bounded() -> None:
    world = a_world(1_000, list(range(40)))

    work = begun(world, {"a": sure(world, 4, 0.5)}).run(lambda: False)

    n_fits = len(list(work))

    assert n_fits <= N_WORLDS * 25


def test_drawn_when_asked_often_then_follows_the_probabilities() -> None:
    codes = drawn(np.tile([0.2, 0.8], (4_000, 1)), np.random.default_rng(1))

    assert abs(codes.mean() - 0.8) < 0.03


def test_crossing_when_a_curve_never_gets_there_then_is_infinite() -> None:
    assert math.isinf(crossing(np.array([10, 20]), np.array([0.5, 0.6]), 0.7))
    assert crossing(np.array([10, 20]), np.array([0.5, 0.6]), 0.4) == 10
    assert round(crossing(np.array([10, 20, 40]), np.array([0.5, 0.8, 0.7]), 0.8)) == 20


def test_run_when_the_goal_is_given_then_it_is_what_random_asking_has_to_reach() -> None:
    world = a_world(120, list(range(10)))
    truth = {"severity": sure(world, 4).argmax(axis=1)}
    asking = RandomAsking(world, [truth] * 3, np.random.default_rng(0))

    found = result(asking.run(lambda: False, np.full((3, 2), 0.9)))

    assert found["severity"].level == pytest.approx(0.9)
    assert found["severity"] == found[""]
    assert 3 < found["severity"].needed < 60
