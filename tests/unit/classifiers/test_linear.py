import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import log_loss

from builders import a_dimension
from vigie.classifiers.linear import LinearClassifier
from vigie.errors import ModelError
from vigie.labels import Dimension

SEVERITY = a_dimension("severity", ("info", "warning", "error"))
CATEGORY = a_dimension("category", ("network", "storage"))
WORDS = {
    "info": ["started", "connected", "ok", "heartbeat"],
    "warning": ["slow", "retry", "high", "deprecated"],
    "error": ["failed", "refused", "crash", "fatal"],
}


def log_lines(n: int, seed: int = 0, noise: float = 0.0) -> tuple[pl.Series, pl.DataFrame]:
    """Return texts and their labels; with noise a share of the severities is drawn at random."""
    rng = np.random.default_rng(seed)
    severity = rng.choice(SEVERITY.label_names, n)
    category = rng.choice(CATEGORY.label_names, n)
    place = {"network": ["socket", "host", "port"], "storage": ["disk", "volume", "block"]}
    texts = [
        f"{rng.choice(place[c])} {rng.choice(WORDS[s])} unit {i}"
        for i, (s, c) in enumerate(zip(severity, category, strict=True))
    ]
    severity = np.where(rng.random(n) < noise, rng.choice(SEVERITY.label_names, n), severity)
    return pl.Series(texts), pl.DataFrame({"severity": severity, "category": category})


def fitted(n: int = 60, **parameters: float) -> LinearClassifier:
    return LinearClassifier([SEVERITY, CATEGORY], **parameters).fit(*log_lines(n))  # type: ignore[arg-type]


def accuracy(model: LinearClassifier, dimension: Dimension, texts: pl.Series, labels: pl.DataFrame) -> float:
    best = model.predict_proba(texts)[dimension.name].argmax(axis=1)
    return float(np.mean(np.array(dimension.label_names)[best] == labels[dimension.name].to_numpy()))


def test_fit_when_texts_tell_labels_apart_then_new_texts_are_labelled_right() -> None:
    texts, labels = log_lines(300, seed=1)

    assert accuracy(fitted(), SEVERITY, texts, labels) > 0.95
    assert accuracy(fitted(), CATEGORY, texts, labels) > 0.95


def test_predict_proba_when_a_fifth_of_answers_is_wrong_then_calibrated() -> None:
    model = LinearClassifier([SEVERITY]).fit(*(part.head(400) for part in log_lines(400, noise=0.3)))
    texts, labels = log_lines(2000, seed=1, noise=0.3)
    proba = model.predict_proba(texts)["severity"]
    right = np.array(SEVERITY.label_names)[proba.argmax(axis=1)] == labels["severity"].to_numpy()

    assert proba.max(axis=1).mean() == pytest.approx(right.mean(), abs=0.05)
    assert log_loss(labels["severity"], proba[:, [2, 0, 1]], labels=["error", "info", "warning"]) < 0.75


def test_fit_when_answers_are_partial_then_each_dimension_learns_from_its_own() -> None:
    texts, labels = log_lines(80)
    half = labels.with_columns(
        severity=pl.when(pl.int_range(80) < 40).then("severity"),
        category=pl.when(pl.int_range(80) >= 40).then("category"),
    )
    model = LinearClassifier([SEVERITY, CATEGORY]).fit(texts, half)

    assert accuracy(model, SEVERITY, *log_lines(200, seed=1)) > 0.8
    assert accuracy(model, CATEGORY, *log_lines(200, seed=1)) > 0.8


def test_predict_proba_when_dimension_was_never_answered_then_equal() -> None:
    texts, labels = log_lines(20)
    model = LinearClassifier([SEVERITY, CATEGORY]).fit(texts, labels.select("severity"))

    np.testing.assert_allclose(model.predict_proba(texts)["category"], 0.5)
    assert model.explain("disk failed", "category", "storage")[0].weight == 0


def test_predict_proba_when_only_one_label_was_given_then_smoothed_constant() -> None:
    texts = pl.Series(["a b", "c d", "e f"])
    model = LinearClassifier([SEVERITY]).fit(texts, pl.DataFrame({"severity": ["error"] * 3}))

    np.testing.assert_allclose(model.predict_proba(pl.Series(["x", ""]))["severity"], [[1 / 6, 1 / 6, 4 / 6]] * 2)


def test_predict_proba_when_a_label_was_never_given_then_it_stays_possible() -> None:
    texts, labels = log_lines(40)
    known = labels["severity"] != "error"
    model = LinearClassifier([SEVERITY]).fit(texts.filter(known), labels.filter(known))
    proba = model.predict_proba(texts)["severity"]

    np.testing.assert_allclose(proba[:, 2], 1 / (known.sum() + 3))
    np.testing.assert_allclose(proba.sum(axis=1), 1)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_fit_when_there_are_hardly_any_answers_then_cautious(n: int) -> None:
    texts, labels = log_lines(n, seed=4)
    proba = LinearClassifier([SEVERITY, CATEGORY]).fit(texts, labels).predict_proba(texts)

    for some in proba.values():
        np.testing.assert_allclose(some.sum(axis=1), 1)
        assert some.min() > 0
        assert some.max() < 0.95


def test_fit_when_the_same_text_is_answered_twice_differently_then_undecided() -> None:
    texts = pl.Series(["disk failed", "disk failed", "user fine"])
    model = LinearClassifier([SEVERITY]).fit(texts, pl.DataFrame({"severity": ["error", "warning", "info"]}))
    proba = model.predict_proba(texts)["severity"][0]

    assert proba[1] == pytest.approx(proba[2])


def test_fit_when_one_of_two_contradicting_answers_weighs_more_then_it_wins() -> None:
    texts = pl.Series(["disk failed", "disk failed", "user fine", "user fine"])
    labels = pl.DataFrame({"severity": ["error", "warning", "warning", "error"]})
    weights = pl.Series([9.0, 1.0, 9.0, 1.0])
    proba = LinearClassifier([SEVERITY]).fit(texts, labels, weights).predict_proba(texts)["severity"]

    assert proba[0, 2] > 0.6
    assert proba[2, 1] > 0.6


def test_fit_when_a_label_is_rare_then_still_found() -> None:
    texts, labels = log_lines(400)
    some = (labels["severity"] != "error") | (pl.Series(range(400)) < 20)
    model = LinearClassifier([SEVERITY]).fit(texts.filter(some), labels.filter(some))
    texts, labels = log_lines(300, seed=1)
    errors = labels["severity"] == "error"

    assert accuracy(model, SEVERITY, texts.filter(errors), labels.filter(errors)) > 0.9


def test_explain_when_words_speak_for_and_against_then_weights_say_so() -> None:
    text = "disk  failed unit"
    words = fitted().explain(text, "severity", "error")
    weights = {word.word: word.weight for word in words}

    assert [(text[word.start : word.end]) for word in words] == [word.word for word in words] == text.split()
    assert weights["failed"] > 0
    assert weights["failed"] > 3 * abs(weights["disk"])
    assert fitted().explain("failed", "severity", "info")[0].weight < 0


def test_explain_when_words_are_added_up_then_the_score() -> None:
    model = fitted()
    text = "socket refused: été port 7"
    scores = [
        sum(word.weight for word in model.explain(text, "severity", label)) + model._intercepts[place]
        for place, label in enumerate(SEVERITY.label_names)
    ]
    proba = model.predict_proba(pl.Series([text]))["severity"][0]

    np.testing.assert_allclose(np.exp(scores) / np.exp(scores).sum(), proba, atol=1e-5)
    assert sum(scores) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("text", ["", "   ", "\t x"])
def test_explain_when_there_is_hardly_any_text_then_its_words(text: str) -> None:
    assert [word.word for word in fitted().explain(text, "severity", "info")] == text.split()


def test_fit_when_a_label_is_unknown_then_error_names_the_known() -> None:
    with pytest.raises(ModelError, match="severity 'fatal' is unknown; expected one of info, warning, error"):
        LinearClassifier([SEVERITY]).fit(pl.Series(["a"]), pl.DataFrame({"severity": ["fatal"]}))


def test_fit_when_nothing_is_answered_then_error() -> None:
    nothing = pl.DataFrame({"severity": [None]}, schema={"severity": pl.String})
    with pytest.raises(ModelError, match="no row has an answer"):
        LinearClassifier([SEVERITY]).fit(pl.Series(["a"]), nothing)


def test_parameters_when_fitted_then_say_what_was_chosen() -> None:
    parameters = fitted(strength=3.0, bits=16).parameters

    assert (parameters["strength"], parameters["bits"], parameters["seed"]) == (3.0, 16, 0)
    assert parameters["temperature.severity"] > 0  # type: ignore[operator]
    assert json.dumps(parameters)


def spoil(folder: Path, **changes: object) -> None:
    about = json.loads((folder / "linear.json").read_text())
    (folder / "linear.json").write_text(json.dumps({**about, **changes}))


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 99},
        {"dimensions": {"severity": ["info", "warning", "error"]}},
        {"dimensions": {"other": ["a", "b"]}},
        {"heads": {}},
        {"parameters": {"bits": 12}},
        {"parameters": {"depth": 3}},
        {"heads": None},
    ],
)
def test_load_when_description_does_not_fit_then_error(tmp_path: Path, changes: dict[str, object]) -> None:
    fitted().save(tmp_path)
    spoil(tmp_path, **changes)

    with pytest.raises(ModelError, match=r"expected 1|train again"):
        LinearClassifier.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 garbage", b"\x93NUMPY garbage", b"\x80\x04\x95pickle"])
def test_load_when_arrays_are_broken_then_error(tmp_path: Path, content: bytes) -> None:
    fitted().save(tmp_path)
    (tmp_path / "linear.npz").write_bytes(content)

    with pytest.raises(ModelError, match="train again"):
        LinearClassifier.load(tmp_path)


def test_load_when_arrays_hold_objects_then_error(tmp_path: Path) -> None:
    fitted().save(tmp_path)
    arrays = dict(np.load(tmp_path / "linear.npz"))
    np.savez(tmp_path / "linear.npz", **{**arrays, "weights": np.array([{"a": 1}], dtype=object)})

    with pytest.raises(ModelError, match="train again"):
        LinearClassifier.load(tmp_path)


def test_continued_when_answers_came_then_what_fit_learns_and_the_one_before_stays() -> None:
    texts, labels = log_lines(200)
    before = LinearClassifier([SEVERITY, CATEGORY]).fit(texts.head(190), labels.head(190))
    said = before.predict_proba(texts)

    warm = before.continued(texts, labels).predict_proba(texts)
    cold = LinearClassifier([SEVERITY, CATEGORY]).fit(texts, labels).predict_proba(texts)

    assert all(np.abs(warm[name] - cold[name]).mean() < 0.02 for name in cold)
    assert all((before.predict_proba(texts)[name] == said[name]).all() for name in said)


def test_continued_when_loaded_then_fitted_from_nothing(tmp_path: Path) -> None:
    texts, labels = log_lines(60)
    fitted().save(tmp_path)

    again = LinearClassifier.load(tmp_path).continued(texts, labels).predict_proba(texts)

    cold = fitted().predict_proba(texts)
    assert all((again[name] == cold[name]).all() for name in cold)
