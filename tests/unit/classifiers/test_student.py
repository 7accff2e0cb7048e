from collections.abc import Mapping

import numpy as np
import polars as pl
import pytest

from builders import a_dimension
from vigie.classifiers import student as student_module
from vigie.classifiers.student import PENALTY, Student, _gram, _inverse
from vigie.features.tfidf import HashedTfidf

DIMENSIONS = (a_dimension("severity", ("info", "warning", "error")), a_dimension("topic", ("disk", "network")))
RNG = np.random.default_rng(0)
THINGS = {"disk": ("disk", "volume", "block"), "network": ("socket", "port", "host")}
STATES = {"info": ("ok", "fine"), "warning": ("slow", "retry"), "error": ("failed", "broken")}


def texts(n: int, seed: int = 0) -> pl.Series:
    rng = np.random.default_rng(seed)
    things = [word for words in THINGS.values() for word in words]
    states = [word for words in STATES.values() for word in words]
    return pl.Series([f"{rng.choice(things)} {row} is {rng.choice(states)}" for row in range(n)], dtype=pl.String)


def teacher(asked: pl.Series, sure: float = 0.8) -> dict[str, np.ndarray]:
    """Say what the words mean, always as sure."""
    return {
        "severity": np.array([_row(text, STATES, sure) for text in asked]).reshape(-1, 3),
        "topic": np.array([_row(text, THINGS, sure) for text in asked]).reshape(-1, 2),
    }


def _row(text: str, words: Mapping[str, tuple[str, ...]], sure: float) -> list[float]:
    right = [any(word in text.split() for word in own) for own in words.values()]
    return [sure if own else (1 - sure) / (len(words) - 1) for own in right]


@pytest.fixture(scope="module")
def student() -> Student:
    return Student.taught(teacher, texts(200), DIMENSIONS)[0]


def test_predict_proba_when_taught_then_says_of_new_texts_what_the_teacher_says(student: Student) -> None:
    new = texts(300, seed=2)
    said, right = student.predict_proba(new), teacher(new)

    for name, proba in said.items():
        assert proba.shape == right[name].shape
        np.testing.assert_allclose(proba.sum(axis=1), 1)
        assert np.mean(proba.argmax(axis=1) == right[name].argmax(axis=1)) > 0.97


@pytest.mark.parametrize("sure", [0.6, 0.9])
def test_predict_proba_when_the_teacher_is_more_or_less_sure_then_so_is_the_student(sure: float) -> None:
    student = Student.taught(lambda asked: teacher(asked, sure), texts(200), DIMENSIONS)[0]

    assert student.predict_proba(texts(300, seed=2))["topic"].max(axis=1).mean() == pytest.approx(sure, abs=0.05)


def test_predict_proba_when_batch_or_one_by_one_then_equal_to_the_last_bit(student: Student) -> None:
    new = pl.concat([texts(60, seed=3), pl.Series(["", "Émile 😀", "disk"])])
    single = [student.predict_proba(new[row : row + 1])["severity"] for row in range(len(new))]

    np.testing.assert_array_equal(student.predict_proba(new)["severity"], np.concatenate(single))
    assert student.predict_proba(new.clear())["topic"].shape == (0, 2)


def test_taught_when_a_text_is_like_no_other_then_left_out_nothing_is_known_of_it() -> None:
    def knowing(asked: pl.Series) -> dict[str, np.ndarray]:
        said = teacher(asked)
        said["severity"][(asked == "zzz qqq").to_numpy()] = [0.98, 0.01, 0.01]
        return said

    some = pl.concat([texts(60), pl.Series(["zzz qqq"])])
    student, left_out = Student.taught(knowing, some, DIMENSIONS)

    assert {name: proba.shape for name, proba in left_out.items()} == {"severity": (61, 3), "topic": (61, 2)}
    assert student.predict_proba(some)["severity"][60, 0] > 0.8
    assert left_out["severity"][60, 0] < 0.5
    hits = left_out["severity"][:60].argmax(axis=1) == teacher(texts(60))["severity"].argmax(axis=1)
    assert hits.mean() > 0.9


def test_taught_when_the_teacher_says_the_same_of_all_then_so_does_the_student() -> None:
    def stubborn(asked: pl.Series) -> dict[str, np.ndarray]:
        return {"severity": np.tile([0.7, 0.2, 0.1], (len(asked), 1)), "topic": np.tile([1.0, 0.0], (len(asked), 1))}

    student, _ = Student.taught(stubborn, texts(30), DIMENSIONS)
    said = student.predict_proba(texts(5, seed=2))

    np.testing.assert_allclose(said["severity"], np.tile([0.7, 0.2, 0.1], (5, 1)), atol=0.01)
    assert said["topic"][:, 0].min() > 0.99


def test_explain_when_asked_then_words_add_up_to_the_score_and_the_right_one_weighs_most(student: Student) -> None:
    words = student.explain("disk 7 is broken", "severity", "error")

    assert [word.word for word in words] == ["disk", "7", "is", "broken"]
    assert max(words, key=lambda word: word.weight).word == "broken"
    score = (student.features.transform(pl.Series(["disk 7 is broken"])) @ student.weights)[0, 2]
    assert sum(word.weight for word in words) == pytest.approx(float(score), rel=1e-4)


def test_from_arrays_when_stored_then_the_same_student(student: Student) -> None:
    again = Student.from_arrays(student.arrays())
    new = texts(20, seed=4)

    assert again.labels == {"severity": ("info", "warning", "error"), "topic": ("disk", "network")}
    for name, proba in student.predict_proba(new).items():
        np.testing.assert_array_equal(again.predict_proba(new)[name], proba)


@pytest.mark.parametrize("lost", ["weights", "intercepts", "labels", "buckets"])
def test_from_arrays_when_something_is_missing_or_too_short_then_error(student: Student, lost: str) -> None:
    arrays = student.arrays()

    with pytest.raises((KeyError, ValueError)):
        Student.from_arrays({name: array for name, array in arrays.items() if name != lost})
    with pytest.raises((KeyError, ValueError)):
        Student.from_arrays({**arrays, lost: arrays[lost][:-1]})


@pytest.mark.parametrize("n", [1, 2, 300])
def test_gram_when_some_columns_are_frequent_then_all_inner_products_are_there(
    n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = HashedTfidf().fit_transform(texts(n))
    precise = rows.astype(np.float64).toarray()
    expected = precise @ precise.T + PENALTY * np.eye(n)

    for most in (0, 7, 2_000):
        monkeypatch.setattr(student_module, "_MOST_DENSE", most)
        np.testing.assert_allclose(_gram(rows), expected, rtol=0, atol=1e-12)


def test_inverse_when_multiplied_then_nothing_but_ones_on_the_diagonal() -> None:
    products = _gram(HashedTfidf().fit_transform(texts(300)))

    np.testing.assert_allclose(_inverse(products.copy()) @ products, np.eye(300), rtol=0, atol=1e-9)
