import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from builders import a_dimension
from tiny_encoder import N_COLUMNS, tiny_encoder
from vigie.classifiers.hybrid import HybridClassifier
from vigie.errors import MissingExtraError, ModelError
from vigie.features import encoder_files
from vigie.features.encoder_cache import embeddings
from vigie.labels import Dimension, Label

STATE = Dimension("state", (Label("ok"), Label("broken"), Label("slow")))
PLACE = Dimension("place", (Label("disk"), Label("network")))
SYNONYMS = [("ok", "fine"), ("broken", "failed", "crash"), ("slow", "retry", "late"), ("disk", "volume", "block")]
NOTHING = (pl.Series([], dtype=pl.String), pl.DataFrame())


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return an encoder to which some words mean the same, whatever their letters."""
    return str(tiny_encoder(tmp_path_factory.mktemp("encoder"), synonyms=SYNONYMS))


def log_lines(n: int, seed: int = 0) -> tuple[pl.Series, pl.DataFrame]:
    rng = np.random.default_rng(seed)
    words = {"ok": ["fine", "ok"], "broken": ["failed", "crash"], "slow": ["retry", "late"]}
    places = {"disk": ["volume", "block"], "network": ["network"]}
    state, place = rng.choice(STATE.label_names, n), rng.choice(PLACE.label_names, n)
    texts = [
        f"{rng.choice(places[p])} {rng.choice(words[s])} {i}" for i, (s, p) in enumerate(zip(state, place, strict=True))
    ]
    return pl.Series(texts), pl.DataFrame({"state": state, "place": place})


def accuracy(model: HybridClassifier, dimension: Dimension, texts: pl.Series, labels: pl.DataFrame) -> float:
    best = model.predict_proba(texts)[dimension.name].argmax(axis=1)
    return float(np.mean(np.array(dimension.label_names)[best] == labels[dimension.name].to_numpy()))


def fitted(encoder: str, n: int = 60, **parameters: Any) -> HybridClassifier:
    return HybridClassifier([STATE, PLACE], encoder=encoder, **parameters).fit(*log_lines(n))


def test_fit_when_nobody_has_answered_then_names_that_mean_the_same_are_enough(encoder: str) -> None:
    model = HybridClassifier([STATE, PLACE], encoder=encoder).fit(*NOTHING)
    texts, labels = log_lines(200, seed=1)

    assert not HybridClassifier.needs_answers
    assert accuracy(model, STATE, texts, labels) > 0.9
    assert accuracy(model, PLACE, texts, labels) > 0.9


def test_fit_when_nobody_has_answered_then_cautious(encoder: str) -> None:
    proba = HybridClassifier([STATE, PLACE], encoder=encoder).fit(*NOTHING).predict_proba(log_lines(50)[0])

    for some in proba.values():
        np.testing.assert_allclose(some.sum(axis=1), 1)
        assert 0.005 < some.min() < some.max() < 0.99


def test_fit_when_guidelines_say_it_then_names_need_not(encoder: str) -> None:
    state = Dimension("state", (Label("A", "ok"), Label("B", "broken"), Label("C", "slow")))
    texts, labels = log_lines(200, seed=1)
    names = {"ok": "A", "broken": "B", "slow": "C"}
    renamed = labels.select(pl.col("state").replace_strict(names))

    # Chance is a third; the names, which say nothing, are noise to an encoder of a few words.
    assert accuracy(HybridClassifier([state], encoder=encoder).fit(*NOTHING), state, texts, renamed) > 0.75


@pytest.mark.parametrize("n", [1, 2, 5])
def test_fit_when_there_are_few_answers_then_no_worse_than_before_them(encoder: str, n: int) -> None:
    texts, labels = log_lines(200, seed=1)

    assert accuracy(fitted(encoder, n), STATE, texts, labels) > 0.9


def test_fit_when_answers_say_otherwise_than_names_then_answers_win(encoder: str) -> None:
    texts, labels = log_lines(80)
    swapped = labels.select(pl.col("state").replace({"ok": "broken", "broken": "ok"}))
    model = HybridClassifier([STATE], encoder=encoder).fit(texts, swapped)

    assert accuracy(model, STATE, texts, swapped) > 0.95


def test_fit_when_dimensions_are_answered_in_part_then_each_learns_from_its_own(encoder: str) -> None:
    texts, labels = log_lines(60)
    model = HybridClassifier([STATE, PLACE], encoder=encoder).fit(texts, labels.select("state"))

    assert accuracy(model, STATE, texts, labels) > 0.95
    assert accuracy(model, PLACE, texts, labels) > 0.9


def test_fit_when_weights_are_given_then_heavier_answers_win(encoder: str) -> None:
    texts = pl.Series(["x y", "x y", "z", "z"])
    labels = pl.DataFrame({"state": ["broken", "slow", "slow", "broken"]})
    model = HybridClassifier([STATE], encoder=encoder).fit(texts, labels, pl.Series([9.0, 1.0, 9.0, 1.0]))

    assert [int(row.argmax()) for row in model.predict_proba(texts)["state"][[0, 2]]] == [1, 2]


def test_fit_when_there_are_many_rows_then_as_with_inner_products_kept(
    encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, _ = log_lines(50, seed=1)
    kept = fitted(encoder).predict_proba(texts)
    monkeypatch.setattr("vigie.classifiers.logistic._DENSE", 10)

    np.testing.assert_allclose(fitted(encoder).predict_proba(texts)["state"], kept["state"], atol=0.01)


def test_predict_proba_when_batch_or_one_by_one_then_equal_to_the_last_bit(encoder: str) -> None:
    model, texts = fitted(encoder), log_lines(60, seed=2)[0]
    single = np.concatenate([model.predict_proba(texts[row : row + 1])["state"] for row in range(60)])

    np.testing.assert_array_equal(model.predict_proba(texts)["state"], single)


def test_vectors_when_asked_then_sentence_embeddings(encoder: str) -> None:
    rows = fitted(encoder).vectors(pl.Series(["disk crash", "volume failed", "flight"]))

    assert rows.shape == (3, N_COLUMNS)
    assert rows.dtype == np.float64
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(rows[0], rows[1])


def test_fit_when_repeated_then_texts_are_not_encoded_again(encoder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted(encoder)
    asked: list[pl.Series] = []
    monkeypatch.setattr(embeddings(encoder_files.find(encoder)).encoder, "encode", asked.append)
    fitted(encoder)

    assert asked == []


def test_explain_when_words_are_added_up_then_the_score(encoder: str) -> None:
    model, text = fitted(encoder), "volume  crash: été 7"
    scores = [
        sum(word.weight for word in model.explain(text, "state", label)) + model._intercepts[place]
        for place, label in enumerate(STATE.label_names)
    ]
    proba = model.predict_proba(pl.Series([text]))["state"][0]

    np.testing.assert_allclose(np.exp(scores) / np.exp(scores).sum(), proba, atol=1e-5)


def test_explain_when_only_the_meaning_speaks_then_the_word_that_has_it(encoder: str) -> None:
    model = HybridClassifier([STATE], encoder=encoder).fit(*NOTHING)
    words = {word.word: word.weight for word in model.explain("flight crash luggage", "state", "broken")}

    assert max(words, key=lambda word: words[word]) == "crash"


@pytest.mark.parametrize("text", ["", "   ", "\t x"])
def test_explain_when_there_is_hardly_any_text_then_its_words(encoder: str, text: str) -> None:
    assert [word.word for word in fitted(encoder).explain(text, "state", "ok")] == text.split()


def test_parameters_when_guideline_or_encoder_changes_then_others(encoder: str, tmp_path: Path) -> None:
    plain = HybridClassifier([STATE], encoder=encoder).parameters
    other = Dimension("state", (*STATE.labels[:2], Label("slow", "It takes long.")))

    assert json.dumps(plain)
    assert HybridClassifier([other], encoder=encoder).parameters["names"] != plain["names"]
    another = HybridClassifier([STATE], encoder=str(tiny_encoder(tmp_path, seed=1))).parameters
    assert another["encoder_digest"] != plain["encoder_digest"]


def test_load_when_saved_then_predicts_and_explains_the_same(encoder: str, tmp_path: Path) -> None:
    model = fitted(encoder, encoder_threads=2)
    model.save(tmp_path)
    again, texts = HybridClassifier.load(tmp_path), log_lines(20, seed=3)[0]

    np.testing.assert_array_equal(again.predict_proba(texts)["state"], model.predict_proba(texts)["state"])
    assert again.explain("disk failed", "state", "broken") == model.explain("disk failed", "state", "broken")
    assert again.parameters == model.parameters
    assert again._n_threads == 2


def test_load_when_the_encoder_is_another_then_error(tmp_path: Path) -> None:
    folder = tiny_encoder(tmp_path / "encoder")
    (tmp_path / "model").mkdir()
    fitted(str(folder)).save(tmp_path / "model")
    tiny_encoder(folder, seed=1)

    with pytest.raises(ModelError, match="was fitted with"):
        HybridClassifier.load(tmp_path / "model")


def test_load_when_the_encoder_is_gone_then_error(tmp_path: Path) -> None:
    folder = tiny_encoder(tmp_path / "encoder")
    (tmp_path / "model").mkdir()
    fitted(str(folder)).save(tmp_path / "model")
    (folder / "model.onnx").unlink()

    with pytest.raises(ModelError, match="holds no encoder"):
        HybridClassifier.load(tmp_path / "model")


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 99},
        {"dimensions": []},
        {"dimensions": [{"name": "state", "labels": [{"title": "ok"}]}]},
        {"heads": {}},
        {"heads": None},
        {"parameters": {"bits": 12}},
        {"parameters": {"depth": 3}},
        {"encoder": {}},
    ],
)
def test_load_when_description_does_not_fit_then_error(encoder: str, tmp_path: Path, changes: dict[str, Any]) -> None:
    fitted(encoder).save(tmp_path)
    about = json.loads((tmp_path / "hybrid.json").read_text())
    (tmp_path / "hybrid.json").write_text(json.dumps({**about, **changes}))

    with pytest.raises(ModelError, match=r"expected 1|train again"):
        HybridClassifier.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 garbage", b"\x80\x04\x95pickle"])
def test_load_when_arrays_are_broken_then_error(encoder: str, tmp_path: Path, content: bytes) -> None:
    fitted(encoder).save(tmp_path)
    (tmp_path / "hybrid.npz").write_bytes(content)

    with pytest.raises(ModelError, match="train again"):
        HybridClassifier.load(tmp_path)


def test_classifier_when_the_extra_is_missing_then_error_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_files, "find_spec", lambda _name: None)

    with pytest.raises(MissingExtraError, match=r"pip install 'vigie\[embeddings\]'"):
        HybridClassifier([a_dimension()])


def test_default_encoder_when_nobody_has_answered_then_names_of_many_labels_are_useful() -> None:
    asked = {
        "lost_card": ["someone stole my credit card", "i cannot find my bank card anywhere"],
        "book_flight": ["get me a plane ticket to oslo", "i need to fly to rome on monday"],
        "weather": ["will it rain tomorrow", "how hot is it outside"],
        "play_music": ["put on some jazz", "i want to hear the beatles"],
        "set_alarm": ["wake me up at six", "i have to get up early, remind me at 5"],
        "exchange_rate": ["how many euros is one dollar", "what is the pound worth in yen"],
    }
    intent = a_dimension("intent", tuple(asked))
    bare = Dimension("intent", tuple(Label(label.name) for label in intent.labels))
    proba = (
        HybridClassifier([bare])
        .fit(*NOTHING)
        .predict_proba(pl.Series([text for texts in asked.values() for text in texts]))["intent"]
    )

    assert np.mean(proba.argmax(axis=1) == np.repeat(np.arange(6), 2)) >= 0.9
