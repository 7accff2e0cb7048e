from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_matrix

from builders import a_dimension
from vigie.classifiers.heads import Heads, encoded, learn, places
from vigie.classifiers.logistic import inner_products, solve
from vigie.errors import ModelError

SEVERITY = a_dimension("severity", ("info", "warning", "error"))
CATEGORY = a_dimension("category", ("network", "storage"))


def learned(codes: dict[str, list[int]], given: list[bool] | None = None) -> dict[str, Any]:
    n = len(next(iter(codes.values())))
    rows = csr_matrix(np.eye(n, dtype=np.float32))
    fit = partial(solve, inner_products(rows), penalty=1.0)
    answers = {name: np.array(some) for name, some in codes.items()}
    some = None if given is None else np.array(given)
    return learn(answers, np.ones(n), np.arange(n), fit, seed=0, given=some)


def test_learn_when_rows_are_given_then_they_teach_and_do_not_count() -> None:
    head = learned({"severity": [0, 1, 2, 0, 1]}, [True, True, True, False, False])["severity"]

    assert head.seen == (0, 1, 2)
    assert head.n_answers == 2
    assert head.dual.shape == (5, 3)
    assert np.all(np.abs(head.dual[:3]).sum(axis=1) > 0)


def test_learn_when_all_rows_are_given_then_no_calibration() -> None:
    head = learned({"severity": [0, 1, 2]}, [True] * 3)["severity"]

    assert (head.n_answers, head.temperature) == (0, 1.0)


def test_learn_when_nothing_is_given_then_as_before() -> None:
    plain, none_given = (learned({"severity": [0, 1, 0, 1]}, given)["severity"] for given in (None, [False] * 4))

    assert plain.temperature == none_given.temperature
    np.testing.assert_array_equal(plain.dual, none_given.dual)


def test_heads_when_restored_then_the_same_probabilities() -> None:
    heads = Heads([SEVERITY, CATEGORY], learned({"severity": [0, 1, 0, 1], "category": [0, -1, -1, -1]}))
    again = Heads.restored([SEVERITY, CATEGORY], heads.described())
    scores = np.array([[1.0, -1.0], [0.0, 0.0]])

    assert heads.n_columns == again.n_columns == 2
    for name, proba in heads.proba(scores).items():
        np.testing.assert_array_equal(proba, again.proba(scores)[name])
        np.testing.assert_allclose(proba.sum(axis=1), 1)


def test_heads_when_a_label_was_not_told_apart_then_no_column() -> None:
    heads = Heads([SEVERITY, CATEGORY], learned({"category": [0, 0], "severity": [0, 2]}))

    assert [heads.column("severity", label) for label in SEVERITY.label_names] == [0, None, 1]
    assert heads.column("category", "network") is None


@pytest.mark.parametrize("described", [{}, {"severity": {"seen": [0]}}, {"other": {}}])
def test_heads_when_description_is_of_something_else_then_error(described: dict[str, Any]) -> None:
    with pytest.raises((ValueError, KeyError)):
        Heads.restored([SEVERITY], described)


def test_encoded_when_labels_are_known_then_places() -> None:
    frame = pl.DataFrame({"severity": ["error", None, "info"]})

    assert encoded(frame, SEVERITY).tolist() == [2, -1, 0]
    assert encoded(frame, CATEGORY).tolist() == [-1, -1, -1]


def test_encoded_when_a_label_is_unknown_then_error() -> None:
    with pytest.raises(ModelError, match="severity 'fatal' is unknown"):
        encoded(pl.DataFrame({"severity": ["fatal"]}), SEVERITY)


def continued(before: Any, codes: list[int]) -> Any:
    n = len(codes)
    fit = partial(solve, inner_products(csr_matrix(np.eye(n, dtype=np.float32))), penalty=1.0)
    known = Heads([SEVERITY], {"severity": before}).at(np.where(np.arange(n) < len(before.dual), np.arange(n), -1))
    return learn({"severity": np.array(codes)}, np.ones(n), np.arange(n), fit, seed=0, before=known)["severity"]


def test_learn_when_there_are_few_more_answers_then_the_temperature_of_before_holds() -> None:
    before = learned({"severity": [0, 1] * 20})["severity"]

    few = continued(replace(before, temperature=1.5), [0, 1] * 22)
    many = continued(replace(before, temperature=1.5), [0, 1] * 23)

    assert (few.temperature, few.n_calibrated, few.n_answers) == (1.5, 40, 44)
    assert many.temperature != 1.5
    assert many.n_calibrated == 46


def test_learn_when_a_label_is_given_for_the_first_time_then_it_is_told_apart_and_calibrated() -> None:
    before = learned({"severity": [0, 2] * 20})["severity"]

    head = continued(before, [*([0, 2] * 20), 1])

    assert head.seen == (0, 1, 2)
    assert head.n_calibrated == 41
    assert head.dual[-1].argmax() == 1


def test_places_when_a_text_is_there_twice_or_not_then_its_first_row_or_none() -> None:
    assert places(pl.Series(["b", "a", "c"]), pl.Series(["a", "b", "b"])).tolist() == [1, 0, -1]
