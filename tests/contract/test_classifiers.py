"""What every classifier promises, run over all that are installed by their plug-in names."""

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from builders import a_dimension
from tiny_encoder import lasting_encoder
from vigie.classifiers import Continues, CrossValidated, Embeds
from vigie.errors import ModelError
from vigie.plugins import load, names

DIMENSIONS = (
    a_dimension("severity", ("info", "warning", "error")),
    a_dimension("category", ("network", "storage")),
    a_dimension("empty", ("yes", "no")),
)
TEXTS = pl.Series(
    ["disk failed", "disk ok", "socket slow", "port refused", "volume ok", "Émile 😀", "", "host slow"] * 2
)
LABELS = pl.DataFrame(
    {
        "severity": ["error", "info", "warning", "error", None, None, "info", "warning"] * 2,
        "category": ["storage", "storage", "network", "network", "storage", None, None, "network"] * 2,
        "empty": pl.Series([None] * 16, dtype=pl.String),
    }
)

pytestmark = pytest.mark.parametrize("name", names("classifiers"))


def made(name: str, seed: int = 0, **parameters: float) -> Any:
    """Return a classifier that has learned nothing; those that embed sentences do so with a tiny encoder."""
    part = load("classifiers", name)
    own = {"encoder": str(lasting_encoder())} if "encoder" in inspect.signature(part).parameters else {}
    return part(DIMENSIONS, seed=seed, **own, **parameters)


def fitted(name: str, seed: int = 0) -> Any:
    """Return a classifier that has learned; one with a student has taught it."""
    model = made(name, seed).fit(TEXTS, LABELS)
    if hasattr(model, "teach"):
        model.teach(TEXTS)
    return model


def needs_answers(name: str) -> bool:
    return getattr(load("classifiers", name), "needs_answers", True)


def assert_same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert list(one) == list(other)
    for dimension, proba in one.items():
        np.testing.assert_array_equal(proba, other[dimension])


def test_name_when_loaded_as_plug_in_then_the_same(name: str) -> None:
    assert load("classifiers", name).name == name


def test_predict_proba_when_fitted_then_rows_are_probabilities_in_order(name: str) -> None:
    proba = fitted(name).predict_proba(TEXTS)

    assert {dimension: some.shape for dimension, some in proba.items()} == {
        "severity": (16, 3),
        "category": (16, 2),
        "empty": (16, 2),
    }
    for some in proba.values():
        assert some.dtype == np.float64
        assert some.min() >= 0
        np.testing.assert_allclose(some.sum(axis=1), 1)
    if needs_answers(name):
        np.testing.assert_allclose(proba["empty"], 0.5)
    assert proba["severity"][:4].argmax(axis=1).tolist() == [2, 0, 1, 2]


def test_held_out_when_offered_then_rows_it_learned_from_with_probabilities_of_models_that_did_not(name: str) -> None:
    classifier = fitted(name)
    if not isinstance(classifier, CrossValidated):
        pytest.skip("it does not cross-validate")

    held_out = classifier.held_out()

    assert set(held_out) == {"severity", "category"}
    for dimension, (rows, proba) in held_out.items():
        assert len(set(rows.tolist())) == len(rows)
        assert LABELS[dimension].gather(rows).null_count() == 0
        assert proba.shape == (len(rows), {"severity": 3, "category": 2}[dimension])
        np.testing.assert_allclose(proba.sum(axis=1), 1)
        assert not np.array_equal(proba, classifier.predict_proba(TEXTS.gather(rows))[dimension])


def test_held_out_when_nothing_was_fitted_then_nothing(name: str) -> None:
    classifier = made(name)

    assert not isinstance(classifier, CrossValidated) or classifier.held_out() == {}


def test_predict_proba_when_there_are_no_texts_then_no_rows(name: str) -> None:
    proba = fitted(name).predict_proba(pl.Series([], dtype=pl.String))

    assert [some.shape for some in proba.values()] == [(0, 3), (0, 2), (0, 2)]


def test_predict_proba_when_batch_or_one_by_one_then_equal_to_the_last_bit(name: str) -> None:
    model = fitted(name)
    texts = pl.Series([*TEXTS.to_list(), *(f"disk {i} failed on host" for i in range(100))])
    single = [model.predict_proba(texts[row : row + 1]) for row in range(len(texts))]

    assert_same(
        model.predict_proba(texts),
        {dimension: np.concatenate([one[dimension] for one in single]) for dimension in single[0]},
    )


def test_predict_proba_when_called_again_then_pure(name: str) -> None:
    model = fitted(name)

    assert_same(model.predict_proba(TEXTS), model.predict_proba(TEXTS))


def test_fit_when_seed_is_the_same_then_the_same_model(name: str) -> None:
    assert_same(fitted(name, seed=7).predict_proba(TEXTS), fitted(name, seed=7).predict_proba(TEXTS))


def test_fit_when_done_then_input_is_as_before_and_earlier_learning_forgotten(name: str) -> None:
    texts, labels = TEXTS.clone(), LABELS.clone()
    model = made(name)
    model.fit(pl.Series(["other"] * 3), pl.DataFrame({"severity": ["info", "error", "error"]}))
    again = model.fit(texts, labels)

    assert again is model
    assert texts.equals(TEXTS)
    assert labels.equals(LABELS)
    assert_same(again.predict_proba(TEXTS), made(name).fit(TEXTS, LABELS).predict_proba(TEXTS))


@pytest.mark.parametrize(
    ("parameter", "values"), [("strength", (0.0, -3.0, np.nan, np.inf)), ("meaning", (-1.0, np.nan, np.inf))]
)
def test_init_when_a_parameter_is_no_number_that_can_be_used_then_error_says_what_is_expected(
    name: str, parameter: str, values: tuple[float, ...]
) -> None:
    if parameter not in inspect.signature(load("classifiers", name)).parameters:
        pytest.skip(f"it has no {parameter}")

    for value in values:
        with pytest.raises(ValueError, match=rf"{parameter} is {value}; expected a number"):
            made(name, **{parameter: value})


def test_fit_when_two_answers_of_a_dimension_contradict_each_other_about_texts_alike_then_probabilities(
    name: str,
) -> None:
    texts = pl.Series([*(f"{text} {row}" for row, text in enumerate(TEXTS)), "Hello World", "hello world"])
    labels = LABELS.with_columns(category=pl.lit(None, dtype=pl.String))
    more = {"severity": ["info", "info"], "category": ["network", "storage"], "empty": [None, None]}
    model = made(name).fit(texts, pl.concat([labels, pl.DataFrame(more, schema=labels.schema)]))

    for proba in model.predict_proba(pl.Series(["hello world", "disk"])).values():
        np.testing.assert_allclose(proba.sum(axis=1), 1)
    if needs_answers(name):
        np.testing.assert_allclose(model.predict_proba(texts)["category"], 0.5, atol=1e-6)


def test_fit_when_label_is_unknown_or_missing_everywhere_then_error(name: str) -> None:
    model = made(name)

    with pytest.raises(ModelError):
        model.fit(pl.Series(["a"]), pl.DataFrame({"severity": ["fatal"]}))
    if needs_answers(name):
        with pytest.raises(ModelError):
            model.fit(pl.Series(["a"]), LABELS.select("empty").head(1))


def test_fit_when_nobody_has_answered_then_only_those_that_need_no_answers_do(name: str) -> None:
    model, nothing = made(name), (pl.Series([], dtype=pl.String), LABELS.head(0))

    if needs_answers(name):
        with pytest.raises(ModelError):
            model.fit(*nothing)
    else:
        proba = model.fit(*nothing).predict_proba(TEXTS)
        assert all(np.allclose(some.sum(axis=1), 1) for some in proba.values())


def test_load_when_saved_then_predicts_the_same_without_pickle(name: str, tmp_path: Path) -> None:
    model = fitted(name)
    model.save(tmp_path)
    again = type(model).load(tmp_path)

    assert_same(again.predict_proba(TEXTS), model.predict_proba(TEXTS))
    assert again.parameters == model.parameters
    assert not [path for path in tmp_path.rglob("*") if path.suffix in {".pkl", ".pickle", ".joblib"}]


@pytest.mark.parametrize("damage", ["empty", "deleted", "garbage"])
def test_load_when_files_are_not_a_model_then_error(name: str, tmp_path: Path, damage: str) -> None:
    fitted(name).save(tmp_path)
    for path in [path for path in tmp_path.rglob("*") if path.is_file()]:
        path.unlink() if damage == "deleted" else path.write_bytes(b"" if damage == "empty" else b"\x80\x04garbage")

    with pytest.raises(ModelError):
        load("classifiers", name).load(tmp_path)


def test_explain_when_asked_then_one_weight_per_word_in_order(name: str) -> None:
    text = "disk  failed Émile 😀"
    words = fitted(name).explain(text, "severity", "error")

    assert [word.word for word in words] == text.split()
    assert all(text[word.start : word.end] == word.word for word in words)
    weights = {word.word: word.weight for word in words}
    assert weights["failed"] > weights["Émile"]


def test_parameters_when_fitted_then_plain_values(name: str) -> None:
    parameters = fitted(name).parameters

    assert parameters
    assert all(isinstance(value, int | float | str | bool) for value in parameters.values())


def test_vectors_when_offered_then_pure_rows_of_length_one_batch_or_one_by_one(name: str) -> None:
    model = fitted(name)
    if not isinstance(model, Embeds):
        pytest.skip("it does not say where texts lie")
    rows = model.vectors(TEXTS)
    lengths = np.linalg.norm(rows, axis=1)

    assert rows.dtype == np.float64
    assert len(rows) == len(TEXTS)
    assert np.all(np.isclose(lengths, 1) | (lengths == 0))
    np.testing.assert_array_equal(
        rows, np.concatenate([model.vectors(TEXTS[place : place + 1]) for place in range(16)])
    )
    np.testing.assert_array_equal(rows, model.vectors(TEXTS))
    assert model.vectors(TEXTS.clear()).shape == (0, rows.shape[1])


def test_vectors_when_no_answer_is_needed_then_they_are_there_before_learning(name: str) -> None:
    if needs_answers(name) or not issubclass(load("classifiers", name), Embeds):
        pytest.skip("it learns from answers alone")

    np.testing.assert_array_equal(made(name).vectors(TEXTS), fitted(name).vectors(TEXTS))


def test_continued_when_offered_then_learns_what_fit_learns_and_leaves_this_one_alone(
    name: str, tmp_path: Path
) -> None:
    if not isinstance(made(name), Continues):
        return
    before = made(name).fit(TEXTS.head(6), LABELS.head(6))
    said = before.predict_proba(TEXTS)

    after = before.continued(TEXTS, LABELS)

    assert_same(before.predict_proba(TEXTS), said)
    for dimension, proba in fitted(name).predict_proba(TEXTS).items():
        np.testing.assert_allclose(after.predict_proba(TEXTS)[dimension], proba, atol=0.05)
    after.save(tmp_path)
    loaded = load("classifiers", name).load(tmp_path)
    assert_same(loaded.predict_proba(TEXTS), after.predict_proba(TEXTS))
    assert_same(loaded.continued(TEXTS, LABELS).predict_proba(TEXTS), fitted(name).predict_proba(TEXTS))
