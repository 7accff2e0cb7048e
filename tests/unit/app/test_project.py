from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from learner_fakes import MemoryRegistry
from tiny_encoder import N_COLUMNS, tiny_encoder
from vigie.app import parts, project
from vigie.app.parts import OFFERED
from vigie.app.project import Project
from vigie.classifiers.artefact import Artefact
from vigie.classifiers.cascade import CascadeClassifier
from vigie.classifiers.hybrid import HybridClassifier
from vigie.errors import MissingExtraError, SettingsError
from vigie.features import encoder_files
from vigie.features.encoder import SentenceEncoder
from vigie.features.encoder_cache import embeddings

PLACES = """
[[dimensions]]
name = "severity"
labels = ["info", "error"]

[sources.lines]
type = "files"
path = "in.log"

[sources.topic]
type = "kafka"
topics = "logs"
sink = "files"

[sinks.files]
type = "files"
path = "out.jsonl"
"""

LEARNING = """
[[dimensions]]
name = "severity"
labels = ["info", "error"]

[learning]
classifier = "hybrid.v1"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "vigie.toml").write_text(f'{LEARNING}encoder = "models/tiny"\nencoder_threads = 2\n')
    tiny_encoder(tmp_path / "models" / "tiny")
    return tmp_path


def test_learner_when_the_classifier_embeds_then_its_encoder_is_seen_from_the_project(folder: Path) -> None:
    project = Project.open(folder)
    classifier = project.learner()._trainer._make(project.dimensions)

    assert classifier.parameters["encoder"] == str((folder / "models" / "tiny").resolve())
    assert classifier._n_threads == 2
    project.close()


def test_learner_when_the_extra_is_missing_then_error_names_the_command(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder_files, "find_spec", lambda _name: None)

    with pytest.raises(MissingExtraError, match=r"pip install 'vigie\[embeddings\]'"):
        Project.open(folder).learner()


def test_learner_when_the_classifier_does_not_embed_then_it_is_not_offered_an_encoder(folder: Path) -> None:
    path = folder / "vigie.toml"
    path.write_text(path.read_text().replace("hybrid.v1", "linear.v1"))
    project = Project.open(folder)

    assert "encoder" not in project.learner()._trainer._make(project.dimensions).parameters
    project.close()


def test_learner_when_embeddings_are_stored_then_they_are_read_back_until_the_project_closes(folder: Path) -> None:
    files = encoder_files.find(str((folder / "models" / "tiny").resolve()))
    kept = np.full((1, N_COLUMNS), 0.25, dtype=np.float32)
    texts = pl.Series(["disk failed"])
    project = Project.open(folder)
    project.store.embeddings.keep(files.digest, texts, kept)
    project.learner()

    np.testing.assert_array_equal(embeddings(files).of(texts), kept)
    project.close()
    embeddings.cache_clear()
    assert not np.array_equal(embeddings(files).of(texts), kept)


@pytest.mark.parametrize("kind", ["hybrid", "cascade"])
def test_use_champion_when_embeddings_are_stored_then_pages_and_workers_encode_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    project = Project.open(folder)
    source = str((folder / "models" / "tiny").resolve())
    labels = pl.DataFrame({"severity": ["info", "error"] * 10})
    texts = pl.Series([f"disk {n} is {word}" for n in "abcdefghij" for word in ("ok", "broken")])
    model: Any = HybridClassifier(project.dimensions, encoder=source).fit(texts, labels)
    if kind == "cascade":
        model = CascadeClassifier(project.dimensions, full=model)
        model.teach(texts)
    (folder / "registry").mkdir()
    Artefact(model, project.dimensions, "logs").save(folder / "registry" / "1")
    project.__dict__["registry"] = MemoryRegistry(folder / "registry", aliases={"champion": "1"})
    fresh = model.predict_proba(texts)["severity"].max(axis=1)
    project.store.embeddings.keep(model.embeddings.encoder.digest, texts, model.embed(texts))
    embeddings.cache_clear()
    monkeypatch.setattr(SentenceEncoder, "encode", lambda *_, **__: pytest.fail("encoded twice"))

    assert project.use_champion() == "1"
    found = project.labeller.predict(texts.to_list())
    assert [one.confidence["severity"] for one in found] == [
        round(float(value), 4) for value in fresh.astype(np.float32)
    ]
    assert {one.model for one in found} == {"1"}
    project.close()
    embeddings.cache_clear()


def test_policy_when_the_rules_file_named_is_not_there_then_error_says_line_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "vigie.toml").write_text(f'{LEARNING}\n[rules]\npath = "rule.toml"\n')
    project = Project.open(tmp_path)
    with pytest.raises(SettingsError) as caught:
        project.policy(project.settings)
    assert str(caught.value) == (
        f"rules.path is 'rule.toml', and there is no such file in {tmp_path}; write one, or leave rules.path out; "
        "change it in vigie.toml, line 10"
    )


def test_policy_when_nobody_named_a_rules_file_then_there_are_no_rules(tmp_path: Path) -> None:
    (tmp_path / "vigie.toml").write_text(LEARNING)
    project = Project.open(tmp_path)
    assert len(project.policy(project.settings).rules) == 0


def test_parts_when_they_are_built_then_they_are_offered_what_was_counted_on_when_the_settings_were_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "vigie.toml").write_text(PLACES)
    offered: dict[str, set[str]] = {}
    monkeypatch.setattr(
        project, "build", lambda family, _kind, _where, _given, some, **_: offered.update({family: {*some, "owner"}})
    )
    opened = Project.open(tmp_path)

    opened._source("lines", until_end=True)
    opened.sink("lines")
    opened.close()

    assert offered == {family: OFFERED[family] for family in ("sources", "sinks")}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('topics = "logs"', "", "sources.topic.topics is missing; sources of type 'kafka' need it"),
        ('path = "in.log"', "path = 5", "sources.lines.path is 5; expected a valid string"),
        ('path = "out', 'inbox = "out', "sinks.files.inbox is no setting of sinks of type 'files'; expected one of"),
    ],
)
def test_open_when_a_part_cannot_be_built_as_written_then_it_is_said(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    (tmp_path / "vigie.toml").write_text(PLACES.replace(old, new))
    with pytest.raises(SettingsError, match=expected.replace("?", r"\?")):
        Project.open(tmp_path)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        (
            "strenght = 3",
            r"learning\.parameters\.strenght is no setting of .*'linear\.v1'; did you mean 'strength'\?.*, line 10",
        ),
        ('strength = "much"', r"learning\.parameters\.strength is 'much'; expected a valid number"),
        ("seed = 3", r"learning\.parameters\.seed is no setting"),
    ],
)
def test_open_when_the_classifier_does_not_take_a_parameter_then_it_is_said(
    tmp_path: Path, parameters: str, expected: str
) -> None:
    learning = LEARNING.replace("hybrid.v1", "linear.v1")
    (tmp_path / "vigie.toml").write_text(f"{learning}\n[learning.parameters]\n{parameters}\n")
    with pytest.raises(SettingsError, match=expected):
        Project.open(tmp_path)


def test_learner_when_the_classifier_refuses_a_value_then_it_is_said(tmp_path: Path) -> None:
    learning = LEARNING.replace("hybrid.v1", "linear.v1")
    (tmp_path / "vigie.toml").write_text(f"{learning}\n[learning.parameters]\nbits = 99\n")
    opened = Project.open(tmp_path)
    with pytest.raises(
        SettingsError, match=r"learning\.parameters do not suit linear\.v1: bits is 99; expected 8 to 22"
    ):
        opened.learner()
    opened.close()


@pytest.mark.parametrize("error", [MissingExtraError("the source", "all"), ModuleNotFoundError("nats")])
def test_open_when_a_part_needs_a_package_that_is_not_here_then_that_waits_for_its_role(
    error: ImportError, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(_family: str, _name: str) -> Any:
        raise error

    (tmp_path / "vigie.toml").write_text(PLACES)
    monkeypatch.setattr(parts.plugins, "load", load)

    assert list(Project.open(tmp_path).settings.sources) == ["lines", "topic"]


def test_model_name_when_the_project_has_a_name_that_mlflow_does_not_take_then_it_is_written_otherwise(
    tmp_path: Path,
) -> None:
    (tmp_path / "vigie.toml").write_text('[project]\nname = "care: a/b"\n' + PLACES)

    assert Project.open(tmp_path).model_name == "vigie-care- a-b"
