import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from builders import a_dimension
from tiny_encoder import lasting_encoder, tiny_encoder
from vigie.classifiers.artefact import Artefact
from vigie.classifiers.cascade import CascadeClassifier
from vigie.classifiers.hybrid import HybridClassifier
from vigie.errors import ModelError

DIMENSIONS = (a_dimension("severity", ("info", "warning", "error")),)
STATES = {"ok": "info", "fine": "info", "slow": "warning", "retry": "warning", "failed": "error", "broken": "error"}
TEXTS = pl.Series([f"{thing} {state} {n}" for thing in ("disk", "volume", "block") for state in STATES for n in "abc"])
LABELS = pl.DataFrame({"severity": [STATES[text.split()[1]] for text in TEXTS]})
NEW = pl.Series([f"{thing} {state}" for thing in ("disk", "storage", "luggage", "lost") for state in (*STATES, "late")])


def hybrid() -> HybridClassifier:
    return HybridClassifier(DIMENSIONS, encoder=str(lasting_encoder())).fit(TEXTS, LABELS)


def taught(encoded: float = 0.5) -> CascadeClassifier:
    model = CascadeClassifier(DIMENSIONS, encoded=encoded, full=hybrid())
    model.teach(TEXTS)
    return model


def asked_of_full(model: CascadeClassifier, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that fills with the texts the full model is asked about from now on."""
    asked: list[str] = []
    real = model.full.predict_proba

    def predict_proba(texts: pl.Series) -> dict[str, np.ndarray]:
        asked.extend(texts.to_list())
        return real(texts)

    monkeypatch.setattr(model.full, "predict_proba", predict_proba)
    return asked


def test_predict_proba_when_nobody_was_taught_then_the_full_model_answers() -> None:
    model = CascadeClassifier(DIMENSIONS, full=hybrid())

    np.testing.assert_array_equal(model.predict_proba(NEW)["severity"], hybrid().predict_proba(NEW)["severity"])


def test_predict_proba_when_the_student_is_unsure_then_only_those_texts_are_encoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, alone = taught(), taught(encoded=0.0)
    asked = asked_of_full(model, monkeypatch)
    found = model.predict_proba(NEW)["severity"]
    full, student = hybrid().predict_proba(NEW)["severity"], alone.predict_proba(NEW)["severity"]

    assert 0 < len(asked) < len(NEW)
    rest = NEW.is_in(pl.Series(asked).implode()).to_numpy()
    np.testing.assert_array_equal(found[rest], full[rest])
    np.testing.assert_array_equal(found[~rest], student[~rest])
    assert student[~rest].max(axis=1).min() >= student[rest].max(axis=1).max()


@pytest.mark.parametrize(("encoded", "expected"), [(0.0, 0), (1.0, len(NEW))])
def test_predict_proba_when_none_or_all_are_to_be_encoded_then_so_it_is(
    encoded: float, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = taught(encoded)
    asked = asked_of_full(model, monkeypatch)
    proba = model.predict_proba(NEW)["severity"]

    assert len(asked) == pytest.approx(expected, abs=expected // 5)
    np.testing.assert_allclose(proba.sum(axis=1), 1)


def test_teach_when_a_share_is_to_be_encoded_then_about_so_many_of_like_texts_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    like = pl.Series([f"{text} {n}" for text in TEXTS for n in "defg"])
    encoded = []
    for share in (0.2, 0.5, 0.8):
        model = taught(share)
        asked = asked_of_full(model, monkeypatch)
        model.predict_proba(like)
        encoded.append(len(asked) / len(like))

    assert encoded == sorted(encoded)
    assert encoded[0] < 0.5 < encoded[2]


def test_predict_proba_when_texts_were_encoded_before_then_the_same_model_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = taught()
    first = model.predict_proba(NEW)["severity"]
    model.vectors(NEW)
    asked = asked_of_full(model, monkeypatch)

    np.testing.assert_array_equal(model.predict_proba(NEW)["severity"], first)
    assert len(asked) < len(NEW)


def test_explain_when_asked_then_the_model_that_answers_explains() -> None:
    model, alone = taught(), taught(encoded=0.0)
    for text in NEW:
        answer = model.predict_proba(pl.Series([text]))["severity"]
        by_student = np.array_equal(answer, alone.predict_proba(pl.Series([text]))["severity"])
        expected = (alone if by_student else hybrid()).explain(text, "severity", "error")
        assert model.explain(text, "severity", "error") == expected


def test_fit_when_done_again_then_the_student_is_forgotten() -> None:
    model = taught().fit(TEXTS, LABELS)

    np.testing.assert_array_equal(model.predict_proba(NEW)["severity"], hybrid().predict_proba(NEW)["severity"])
    assert model.parameters["n_columns_student"] == 0


@pytest.mark.parametrize("encoded", [-0.1, 1.5])
def test_init_when_the_share_is_none_then_error(encoded: float) -> None:
    with pytest.raises(ModelError, match=r"expected a number in \[0, 1\]"):
        CascadeClassifier(DIMENSIONS, encoded=encoded, full=hybrid())


@pytest.mark.parametrize("file", ["cascade.json", "student.npz", "full/hybrid.json"])
@pytest.mark.parametrize("damage", ["deleted", "garbage"])
def test_load_when_one_file_is_broken_then_error(tmp_path: Path, file: str, damage: str) -> None:
    taught().save(tmp_path)
    if damage == "deleted":
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_bytes(b"\x80\x04garbage")

    with pytest.raises(ModelError):
        CascadeClassifier.load(tmp_path)


def test_load_when_the_encoder_is_gone_or_another_then_error(tmp_path: Path) -> None:
    encoder = tiny_encoder(tmp_path / "encoder")
    model = CascadeClassifier(DIMENSIONS, encoder=str(encoder)).fit(TEXTS, LABELS)
    model.teach(TEXTS)
    (tmp_path / "model").mkdir()
    model.save(tmp_path / "model")
    tiny_encoder(encoder, seed=1)
    with pytest.raises(ModelError, match="train again"):
        CascadeClassifier.load(tmp_path / "model")

    (encoder / "model.onnx").unlink()
    with pytest.raises(ModelError):
        CascadeClassifier.load(tmp_path / "model")


def test_load_when_the_student_is_of_other_labels_or_the_format_is_newer_then_error(tmp_path: Path) -> None:
    taught().save(tmp_path)
    about = json.loads((tmp_path / "cascade.json").read_text())
    (tmp_path / "cascade.json").write_text(json.dumps(about | {"format": 99}))
    with pytest.raises(ModelError, match="update Vigie"):
        CascadeClassifier.load(tmp_path)

    (tmp_path / "cascade.json").write_text(json.dumps(about))
    with np.load(tmp_path / "student.npz") as arrays:
        other = dict(arrays) | {"labels": np.frombuffer(b'{"severity": ["a", "b", "c"]}', np.uint8)}
    np.savez(tmp_path / "student.npz", allow_pickle=False, **other)
    with pytest.raises(ModelError, match="other labels"):
        CascadeClassifier.load(tmp_path)


def test_artefact_when_it_holds_a_cascade_then_both_models_come_back(tmp_path: Path) -> None:
    model = taught()
    Artefact(model, DIMENSIONS, "logs").save(tmp_path / "artefact")
    again = Artefact.load(tmp_path / "artefact", version="3")

    assert again.classifier.name == "cascade.v1"
    np.testing.assert_array_equal(again.predict_proba(NEW)["severity"], model.predict_proba(NEW)["severity"])
    assert again.explain("disk broken", "severity", "error") == model.explain("disk broken", "severity", "error")


def test_artefact_when_it_was_made_before_there_were_cascades_then_it_can_be_read(tmp_path: Path) -> None:
    Artefact(hybrid(), DIMENSIONS, "logs").save(tmp_path / "artefact")
    again = Artefact.load(tmp_path / "artefact")

    assert again.classifier.name == "hybrid.v1"
    np.testing.assert_array_equal(again.predict_proba(NEW)["severity"], hybrid().predict_proba(NEW)["severity"])
