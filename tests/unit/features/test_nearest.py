import threading

import numpy as np
import pytest

from vigie.features.nearest import Nearest
from vigie.features.projection import unit


def some_rows(n: int, *, seed: int = 0) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(n, 8)))


@pytest.fixture
def full() -> Nearest:
    """9,000 rows in pieces of 700; the id of a row is its place and 10."""
    index, rows = Nearest(), some_rows(9_000)
    for start in range(0, 9_000, 700):
        part = rows[start : start + 700]
        index.add(np.arange(start, start + len(part)) + 10, part)
    return index


def test_nearest_when_rows_came_in_pieces_then_all_are_looked_at(full: Nearest) -> None:
    rows, row = some_rows(9_000), some_rows(1, seed=1)[0]

    ids, cosines = full.nearest(row, 25)

    best = np.argsort(-(rows @ row))[:25]
    assert ids.tolist() == (best + 10).tolist()
    np.testing.assert_allclose(cosines, (rows @ row)[best], atol=1e-6)
    assert len(full) == 9_000
    assert full.ids.tolist() == list(range(10, 9_010))


def test_nearest_when_a_least_cosine_is_asked_for_then_lower_ones_are_left_out(full: Nearest) -> None:
    ids, cosines = full.nearest(some_rows(1, seed=1)[0], 9_000, least=0.5)

    assert 0 < len(ids) < 9_000
    assert cosines.min() >= 0.5
    assert (np.diff(cosines) <= 0).all()


def test_nearest_when_cosines_are_equal_then_the_newest_comes_first() -> None:
    index = Nearest()
    index.add(np.array([4, 9, 6]), np.array([[1.0, 0.0]] * 3))

    assert index.nearest(np.array([1.0, 0.0]), 2)[0].tolist() == [9, 6]


def test_nearest_when_none_is_asked_for_then_none_is_found(full: Nearest) -> None:
    ids, cosines = full.nearest(full._blocks[0][1][0], 0)

    assert ids.tolist() == cosines.tolist() == []


def test_nearest_when_there_are_no_rows_then_none_is_found() -> None:
    index = Nearest()
    index.keep([1])

    assert len(index) == 0
    assert index.nearest(np.array([1.0, 0.0]), 5)[0].tolist() == []


def test_keep_when_some_are_wanted_then_the_others_are_gone(full: Nearest) -> None:
    wanted = [11, 700, 5_000, 9_009, 77_777]

    full.keep(wanted)

    assert sorted(full.ids) == [11, 700, 5_000, 9_009]
    assert set(full.nearest(some_rows(1, seed=1)[0], 10)[0].tolist()) == {11, 700, 5_000, 9_009}


def test_nearest_when_others_add_and_drop_meanwhile_then_what_is_found_fits_together() -> None:
    index, rows = Nearest(), some_rows(3_000)

    def work() -> None:
        for start in range(0, 3_000, 10):
            index.add(np.arange(start, start + 10), rows[start : start + 10])
            index.keep(range(start // 2, start + 10))

    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive():
        ids, cosines = index.nearest(rows[0], 50)
        np.testing.assert_allclose(cosines, rows[ids] @ rows[0], atol=1e-6)
    thread.join()

    assert len(index) == 3_000 - 2_990 // 2
