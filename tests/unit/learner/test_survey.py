from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from builders import NOON
from vigie.learner.survey import Student, Survey

TEXTS = {
    number: f"{'disk' if number % 2 else 'login'} of host{number} {'failed' if number % 3 else 'ok'}"
    for number in range(100)
}


class Pool:
    """Groups that may be gone, and what was read of them."""

    def __init__(self, gone: Sequence[int] = ()) -> None:
        self.gone, self.read = set(gone), [0]

    def describe(self, group_ids: Sequence[int]) -> pl.DataFrame:
        found = sorted(set(group_ids) - self.gone)
        self.read.append(len(found))
        return pl.DataFrame(
            {"group_id": found, "template": [TEXTS[one] for one in found], "first_seen": [NOON] * len(found)},
            schema={"group_id": pl.Int64, "template": pl.String, "first_seen": pl.Datetime("us", "UTC")},
        )


def a_student() -> Student:
    texts = pl.Series([TEXTS[number] for number in range(40)])
    sure = np.where(texts.str.contains("failed").to_numpy(), 0.95, 0.5)
    return Student.of(texts, {"severity": np.stack([sure, 1 - sure], axis=1), "topic": np.full((40, 3), 1 / 3)})


def test_update_when_called_again_then_only_new_groups_are_read() -> None:
    pool = Pool()
    survey = Survey(pool.describe)
    survey.update(np.arange(50))

    known = survey.update(np.array([70, 3, 2, 60]))

    assert pool.read == [0, 50, 2]
    assert known.tolist() == [0, 1, 2, 3]


def test_update_when_groups_are_gone_then_they_are_left_out_and_forgotten() -> None:
    survey = Survey(Pool(gone=[3, 4]).describe)

    assert survey.update(np.arange(6)).tolist() == [0, 1, 2, 5]
    survey.update(np.arange(50))
    survey.update(np.arange(10))

    assert len(survey) == 8


@pytest.mark.parametrize("seed", range(5))
def test_update_when_groups_come_and_go_then_bounded_and_as_if_read_at_once(seed: int) -> None:
    rng = np.random.default_rng(seed)
    survey, student = Survey(Pool().describe, max_groups=30), a_student()
    for _ in range(20):
        ids = rng.permutation(100)[: rng.integers(1, 60)]
        known = survey.update(ids)
        assert len(survey) <= 1.25 * 30
        assert len(known) == min(len(ids), 30)

    sizes = np.ones(len(known))
    anew = Survey(Pool().describe)
    anew.update(ids[known])
    found, expected = (one.doubts(ids[known], sizes, student, since=None, urgency=1.5) for one in (survey, anew))
    np.testing.assert_array_equal(found, expected)


def test_doubts_when_a_student_was_taught_then_groups_it_never_saw_are_told_apart() -> None:
    survey = Survey(Pool().describe)
    ids = np.arange(40, 100)
    survey.update(ids)

    doubts = survey.doubts(ids, np.ones(60), a_student(), since=None, urgency=1.5)

    failed = ids % 3 > 0
    assert doubts[failed].max() < doubts[~failed].min()


def test_doubts_when_groups_are_large_or_new_then_worth_more() -> None:
    survey = Survey(Pool().describe)
    survey.update(np.array([1]))

    def worth(size: int, since: int | None) -> float:
        return float(survey.doubts(np.array([1]), np.array([size]), a_student(), since=since, urgency=1.5)[0])

    assert worth(10, None) > worth(1, None)
    assert worth(1, 0) == pytest.approx(1.5 * worth(1, None))


def test_student_when_taught_by_one_text_then_says_the_same_of_all() -> None:
    student = Student.of(pl.Series(["disk full"]), {"severity": np.array([[0.7, 0.3]])})
    survey = Survey(Pool().describe)
    survey.update(np.arange(3))

    doubts = survey.doubts(np.arange(3), np.ones(3), student, since=None, urgency=1.5)

    np.testing.assert_allclose(doubts, doubts[0])
