import numpy as np
import polars as pl
import pytest

from vigie.learner.answers import Answers
from vigie.learner.worlds import World

NONE = pl.DataFrame(schema={"group_id": pl.Int64})


def a_pool(*sizes: int) -> pl.DataFrame:
    ids = range(len(sizes))
    return pl.DataFrame({"group_id": ids, "template": [f"t{row}" for row in ids], "count": sizes})


def a_world(*sizes: int, n: int = 2_000, trained: tuple[int, ...] = (), audited: tuple[int, ...] = ()) -> World:
    said = [pl.DataFrame({"group_id": ids}, schema=NONE.schema) for ids in (trained, audited)]
    return World.of(a_pool(*sizes), Answers(said[0], said[1], {}), np.random.default_rng(3), n)


def test_world_when_the_pool_is_small_then_is_all_of_it() -> None:
    world = a_world(5, 3, 0, 2, trained=(1,), audited=(3,))

    assert world.templates.to_list() == ["t0", "t1", "t2", "t3"]
    assert world.stands_for.tolist() == [5, 3, 0, 2]
    assert world.is_trained.tolist() == [False, True, False, False]
    assert world.is_answered.tolist() == [False, True, False, True]
    assert (world.total, world.n_groups, world.most) == (10, 3, 3)


def test_world_when_the_pool_is_large_then_large_groups_are_certain_and_all_answered_are_there() -> None:
    world = a_world(10_000, *[1] * 5_000, n=200, trained=(4_000, 4_001))

    assert world.templates[0] == "t0"
    assert world.is_large.sum() == 1
    assert {"t4000", "t4001"} <= set(world.templates)
    assert 200 <= len(world.templates) <= 202
    assert world.stands_for.sum() == pytest.approx(15_000, rel=0.01)
    assert world.most == int(0.8 * 200)


def test_accuracy_when_all_is_looked_at_then_is_the_share_of_messages() -> None:
    world = a_world(5, 3, 2)

    assert world.accuracy(np.array([True, False, False]), np.array([False, False, True])) == pytest.approx(0.7)


def test_accuracy_when_small_groups_were_sampled_then_they_speak_for_the_others() -> None:
    world = a_world(1_000, *[1] * 1_000, n=101)
    right = np.zeros(len(world.sizes), dtype=np.bool_)
    right[np.flatnonzero(~world.is_large)[:25]] = True

    found = world.accuracy(right, world.is_large)

    assert found == pytest.approx((1_000 + 1_000 * 0.25) / 2_000)


def test_order_when_drawn_then_large_groups_come_sooner_and_each_once() -> None:
    world = a_world(*[1] * 50, 1_000, 0)
    orders = [world.order(np.random.default_rng(seed)) for seed in range(20)]

    assert all(sorted(order) == list(range(51)) for order in orders)
    assert sum(order[0] == 50 for order in orders) > 15


def test_is_empty_when_nothing_came_or_nothing_was_learned_then_says_so() -> None:
    assert a_world(0, 0, trained=(1,)).is_empty
    assert a_world(3, 2, audited=(1,)).is_empty
    assert not a_world(3, 2, trained=(1,)).is_empty
