import numpy as np
import polars as pl
import pytest

from vigie.stream.known import Known


class Counting:
    """Computes the length of each template, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, templates: pl.Series) -> np.ndarray:
        self.asked += templates.to_list()
        return templates.str.len_chars().cast(pl.Float32).to_numpy()[:, None]


def look_up(known: Known, *templates: str) -> list[float]:
    return known.look_up(pl.Series(templates, dtype=pl.String))[:, 0].tolist()


def test_look_up_when_a_template_is_new_then_it_is_computed_once():
    compute = Counting()
    known = Known(1, 10, compute)
    assert look_up(known, "a", "bbb") == [1, 3]
    assert look_up(known, "bbb", "cc") == [3, 2]
    assert compute.asked == ["a", "bbb", "cc"]


def test_look_up_when_there_is_nothing_to_look_up_then_nothing_is_computed():
    compute = Counting()
    assert look_up(Known(1, 10, compute)) == []
    assert compute.asked == []


@pytest.mark.parametrize("capacity", [1, 2, 3, 10])
def test_look_up_when_more_templates_come_than_fit_then_memory_stays_bounded_and_answers_right(capacity):
    known = Known(1, capacity, Counting())
    for start in range(0, 100, 7):
        names = ["x" * (i + 1) for i in range(start, start + 7)]
        assert look_up(known, *names) == [len(name) for name in names]
        assert len(known) <= max(capacity, 2)


def test_look_up_when_a_template_keeps_coming_then_it_is_never_forgotten():
    compute = Counting()
    known = Known(1, 8, compute)
    for i in range(50):
        look_up(known, "always", f"once {i}")
    assert compute.asked.count("always") == 1
