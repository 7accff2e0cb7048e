import numpy as np
import pytest

from vigie.strategies.clusters import best_of_each, k_means, nearest, starts


def three_heaps(n: int = 60, *, seed: int = 0) -> np.ndarray:
    """Return rows around (0, 0), (10, 0) and (0, 10), in turn."""
    centres = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    return centres[np.arange(n) % 3] + np.random.default_rng(seed).normal(scale=0.5, size=(n, 2))


def test_k_means_when_rows_lie_in_heaps_then_each_is_a_cluster() -> None:
    for seed in range(10):
        owner = k_means(three_heaps(), 3, np.random.default_rng(seed)).owner

        assert len(set(owner[:3])) == 3
        assert all((owner[place::3] == owner[place]).all() for place in range(3))


def test_k_means_when_done_then_distance_is_that_to_the_mean_of_the_cluster() -> None:
    rows = three_heaps()
    found = k_means(rows, 3, np.random.default_rng(0))
    mean = rows[found.owner == found.owner[0]].mean(axis=0)

    assert found.distance[0] == pytest.approx(((rows[0] - mean) ** 2).sum())
    assert found.distance.min() >= 0


def test_k_means_when_one_row_weighs_most_then_it_is_the_centre() -> None:
    rows = np.array([[0.0], [1.0], [2.0]])
    found = k_means(rows, 1, np.random.default_rng(0), weights=np.array([1e-6, 1e-6, 1e6]))

    assert found.distance == pytest.approx([4.0, 1.0, 0.0], abs=1e-3)


@pytest.mark.parametrize(("rows", "k"), [(np.zeros((5, 3)), 3), (np.ones((5, 3)), 5), (np.ones((1, 2)), 4)])
def test_k_means_when_rows_are_copies_then_one_cluster(rows: np.ndarray, k: int) -> None:
    assert k_means(rows, k, np.random.default_rng(0)).owner.tolist() == [0] * len(rows)


def test_k_means_when_there_are_more_clusters_than_different_rows_then_only_as_many() -> None:
    rows = np.repeat(np.eye(3), 4, axis=0)

    assert len(np.unique(k_means(rows, 8, np.random.default_rng(0)).owner)) == 3


def test_starts_when_rows_are_copies_of_few_then_each_is_taken_once() -> None:
    rows = np.random.default_rng(0).normal(size=(4, 100)).repeat(10, axis=0)

    for seed in range(10):
        chosen = starts(rows, 10, np.random.default_rng(seed), weights=np.ones(40))
        assert sorted(set((chosen // 10).tolist())) == [0, 1, 2, 3]
        assert len(chosen) == 4


def test_starts_when_a_row_weighs_nothing_then_it_is_never_first() -> None:
    rows, weights = np.eye(3), np.array([0.0, 1.0, 1.0])

    drawn = {int(starts(rows, 1, np.random.default_rng(seed), weights=weights)[0]) for seed in range(30)}

    assert drawn == {1, 2}


def test_nearest_when_rows_are_many_then_the_same_as_one_by_one() -> None:
    rng = np.random.default_rng(0)
    rows, centres = rng.normal(size=(40_000, 2)), rng.normal(size=(7, 2))
    owner, distance = nearest(rows, centres)
    apart = ((rows[-5:, None] - centres) ** 2).sum(axis=2)

    assert owner[-5:].tolist() == apart.argmin(axis=1).tolist()
    np.testing.assert_allclose(distance[-5:], apart.min(axis=1))


def test_best_of_each_when_clusters_have_several_then_the_highest_of_each_highest_first() -> None:
    owner, scores = np.array([2, 0, 2, 1, 0]), np.array([1.0, 5.0, 3.0, 4.0, 5.0])

    assert best_of_each(owner, scores).tolist() == [1, 3, 2]
