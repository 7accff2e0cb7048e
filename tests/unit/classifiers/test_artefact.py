import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from builders import a_dimension
from vigie.classifiers.artefact import Artefact
from vigie.classifiers.linear import LinearClassifier
from vigie.errors import ModelError, UnknownPartError

DIMENSIONS = (a_dimension("severity"), a_dimension("template", ("yes", "no"), default="no"))
TEXTS = pl.Series(["disk failed", "disk ok", "host slow"])
ANSWERS = {"disk failed": {"severity": "error", "template": "yes"}, "Émile 😀": {"template": "no"}, "": {}}


def an_artefact(answers: dict[str, dict[str, str]] | None = None) -> Artefact:
    labels = pl.DataFrame({"severity": ["error", "info", "warning"], "template": ["yes", "no", None]})
    classifier = LinearClassifier(DIMENSIONS).fit(TEXTS, labels)
    return Artefact(classifier, DIMENSIONS, "logs", ANSWERS if answers is None else answers)


def test_load_when_saved_then_all_as_before_with_its_version(tmp_path: Path) -> None:
    before = an_artefact()
    before.save(tmp_path / "new" / "folder")
    after = Artefact.load(tmp_path / "new" / "folder", version="7")

    assert after.version == "7"
    assert (after.text, after.dimensions, after.answers) == ("logs", DIMENSIONS, ANSWERS)
    for name, proba in before.predict_proba(TEXTS).items():
        np.testing.assert_array_equal(after.predict_proba(TEXTS)[name], proba)
    assert after.explain("disk failed", "severity", "error") == before.explain("disk failed", "severity", "error")


def test_load_when_there_was_evidence_then_it_is_the_same(tmp_path: Path) -> None:
    evidence = {"severity": ((0.9731, 0.98), (0.61, 0.9)), "template": ()}
    replace(an_artefact(), evidence=evidence).save(tmp_path / "model")

    assert Artefact.load(tmp_path / "model").evidence == evidence


def test_load_when_the_version_is_older_than_evidence_then_it_has_none(tmp_path: Path) -> None:
    an_artefact().save(tmp_path / "model")
    about = json.loads((tmp_path / "model" / "model.json").read_text())
    del about["evidence"]
    (tmp_path / "model" / "model.json").write_text(json.dumps(about))

    assert Artefact.load(tmp_path / "model").evidence == {}


@pytest.mark.parametrize("evidence", [7, "no", [1], {"severity": 3}, {"severity": [["a", "b"]]}, {"severity": [[1]]}])
def test_load_when_the_evidence_is_broken_then_error(tmp_path: Path, evidence: object) -> None:
    an_artefact().save(tmp_path / "model")
    about = json.loads((tmp_path / "model" / "model.json").read_text()) | {"evidence": evidence}
    (tmp_path / "model" / "model.json").write_text(json.dumps(about))

    with pytest.raises(ModelError, match="train again"):
        Artefact.load(tmp_path / "model")


def test_load_when_nobody_answered_then_no_answers(tmp_path: Path) -> None:
    an_artefact({}).save(tmp_path / "model")

    assert Artefact.load(tmp_path / "model").answers == {}
    assert Artefact.load(tmp_path / "model").version is None


@pytest.mark.parametrize("file", ["model.json", "answers.parquet", "classifier/linear.json", "classifier/linear.npz"])
@pytest.mark.parametrize("content", [None, b"", b"[]", b"{}", b"\x80\x04\x95garbage"])
def test_load_when_a_file_is_broken_then_error(tmp_path: Path, file: str, content: bytes | None) -> None:
    an_artefact().save(tmp_path / "model")
    path = tmp_path / "model" / file
    path.unlink() if content is None else path.write_bytes(content)

    with pytest.raises(ModelError, match="train again"):
        Artefact.load(tmp_path / "model")


def changed(folder: Path, **changes: object) -> Path:
    an_artefact().save(folder)
    about = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**about, **changes}))
    return folder


def test_load_when_format_is_newer_then_error_says_update(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="format 2; expected 1; update Vigie"):
        Artefact.load(changed(tmp_path / "model", format=2))


def test_load_when_classifier_is_not_installed_then_error_names_it(tmp_path: Path) -> None:
    with pytest.raises(UnknownPartError, match=r"gone\.v9"):
        Artefact.load(changed(tmp_path / "model", classifier="gone.v9"))


def test_load_when_dimensions_are_malformed_then_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="train again"):
        Artefact.load(changed(tmp_path / "model", dimensions=[{"name": "severity"}]))


def test_save_when_folder_exists_already_with_a_model_then_refuses_to_mix(tmp_path: Path) -> None:
    an_artefact().save(tmp_path / "model")

    with pytest.raises(FileExistsError):
        an_artefact().save(tmp_path / "model")
