import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import vigie
from vigie.app import Project, Watcher
from vigie.errors import MissingExtraError, ModelError, UnavailableError, UnknownPartError, VigieError

TEMPLATES = Path(vigie.__file__).parent / "templates"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(TEMPLATES / "logs", tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture
def project(folder: Path) -> Iterator[Project]:
    opened = Project.open(folder)
    assert opened.labeller.model is None  # made with the settings that hold before a test changes them
    yield opened
    opened.close()


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_look_when_the_threshold_changed_then_it_is_in_force(project: Project, folder: Path):
    watcher = Watcher(project)
    edit(folder / "vigie.toml", "confidence = 0.75", "confidence = 0.875")
    watcher.look()
    assert project.settings.routing.confidence == 0.875
    assert project.labeller.policy.confidence == 0.875


def test_look_when_a_label_was_added_then_it_can_be_given(project: Project, folder: Path):
    watcher = Watcher(project)
    edit(
        folder / "vigie.toml",
        '    { name = "critical",',
        '    { name = "fatal", guideline = "Worse." },\n    { name = "critical",',
    )
    watcher.look()
    assert "fatal" in project.dimensions[0].label_names
    assert "fatal" in project.labeller.policy.dimensions[0].label_names


def test_look_when_a_rule_was_added_then_it_speaks(project: Project, folder: Path):
    watcher = Watcher(project)
    with (folder / "rules.toml").open("a", encoding="utf-8") as file:
        file.write(
            '\n[[rules]]\nname = "new"\npattern = \'wombat\'\npriority = 99\nlabels = { severity = "critical" }\n'
        )
    watcher.look()
    assert project.labeller.predict(["a wombat"])[0].labels["severity"] == "critical"


@pytest.mark.parametrize(
    ("name", "old", "new", "reason"),
    [
        ("vigie.toml", "confidence = 0.75", "confidence = 7.5", "routing.confidence is 7.5"),
        ("vigie.toml", "[routing]", "[routing", "not valid TOML"),
        ("rules.toml", "[[rules]]", "[[rules]]\npatern = 1", "rules.toml, line"),
        ("vigie.toml", 'path = "rules.toml"', 'path = "rule.toml"', "rules.path is 'rule.toml', and there is no such"),
        ("vigie.toml", "cluster_margin.v1", "cluster_margn.v1", "learning.strategy: none of the strategies"),
        ("vigie.toml", 'path = "labelled', 'paht = "labelled', "did you mean 'path'?; change it in vigie.toml, line"),
    ],
)
def test_look_when_a_file_broke_then_the_old_settings_stay_and_it_is_told_once(
    project: Project, folder: Path, caplog: pytest.LogCaptureFixture, name: str, old: str, new: str, reason: str
):
    watcher = Watcher(project)
    edit(folder / name, old, new)
    with caplog.at_level(logging.WARNING):
        watcher.look()
        watcher.look()
    assert reason in (watcher.settings_problem or "")
    assert project.settings.routing.confidence == 0.75
    assert len(caplog.records) == 1
    edit(folder / name, new, old)
    watcher.look()
    assert watcher.settings_problem is None


def test_look_when_the_rules_file_went_then_its_rules_stay_and_it_is_told(project: Project, folder: Path) -> None:
    watcher = Watcher(project)
    n_rules = len(project.labeller.policy.rules)
    (folder / "rules.toml").rename(folder / "away.toml")
    watcher.look()
    assert (watcher.settings_problem or "").endswith("or leave rules.path out; change it in vigie.toml, line 92")
    assert len(project.labeller.policy.rules) == n_rules > 0
    (folder / "away.toml").rename(folder / "rules.toml")
    watcher.look()
    assert watcher.settings_problem is None


def test_look_when_a_section_changed_that_needs_a_new_start_then_it_is_asked_for(project: Project, folder: Path):
    asked: list[bool] = []
    watcher = Watcher(project, restart_for={"stream", "routing"}, on_restart=lambda: asked.append(True))
    edit(folder / "vigie.toml", "confidence = 0.75", "confidence = 0.5")
    watcher.look()
    assert asked == []
    edit(folder / "vigie.toml", "max_batch = 20000", "max_batch = 20001")
    watcher.look()
    assert asked == [True]


def test_look_when_a_flag_overrides_the_file_then_it_stays(folder: Path):
    project = Project.open(folder, flags={"web.port": 4711})
    edit(folder / "vigie.toml", "confidence = 0.75", "confidence = 0.5")
    watcher = Watcher(project)
    edit(folder / "vigie.toml", "confidence = 0.5", "confidence = 0.25")
    watcher.look()
    assert project.settings.web.port == 4711
    assert project.settings.routing.confidence == 0.25


@pytest.mark.parametrize(
    "error",
    [
        UnavailableError("no registry"),
        ModelError("no model"),
        MissingExtraError("hybrid.v1", "embeddings"),
        UnknownPartError("no such classifier"),
    ],
)
def test_look_when_the_champion_cannot_be_had_then_the_model_stays_and_it_is_told(
    error: VigieError, project: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def away() -> None:
        raise error

    watcher = Watcher(project)
    monkeypatch.setattr(project, "use_champion", away)
    with caplog.at_level(logging.WARNING):
        watcher.look()
        watcher.look()
    assert watcher.model_problem == str(error)
    assert [record.getMessage() for record in caplog.records] == [f"labelling without a model: {error}"]
    monkeypatch.undo()
    watcher.look()
    assert watcher.model_problem is None


@pytest.mark.parametrize(
    "error", [MissingExtraError("hybrid.v1", "embeddings"), UnknownPartError("no classifiers part is called 'mine.v1'")]
)
def test_start_when_the_champion_needs_what_is_not_installed_then_the_role_does_not_start(
    error: VigieError, project: Project, monkeypatch: pytest.MonkeyPatch
):
    def lacking() -> None:
        raise error

    watcher = Watcher(project)
    monkeypatch.setattr(project, "use_champion", lacking)

    with pytest.raises(type(error)):
        watcher.start()
    watcher.stop()
