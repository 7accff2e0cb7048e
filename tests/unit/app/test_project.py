from pathlib import Path

import pytest

from tiny_encoder import tiny_encoder
from vigie.app.project import Project
from vigie.errors import MissingExtraError
from vigie.features import encoder_files

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
