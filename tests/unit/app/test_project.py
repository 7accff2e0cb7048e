import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import vigie
from vigie import plugins
from vigie.app import Project
from vigie.strategies import Candidates

TEMPLATE = Path(vigie.__file__).parent / "templates" / "logs"


class Weighing:
    """A strategy that keeps what it was made with."""

    name = "weighing.v1"
    made: Any = None

    def __init__(self, *, weights: dict[str, float]) -> None:
        type(self).made = weights


class Plain:
    """A strategy that takes nothing."""

    name = "plain.v1"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    shutil.copytree(TEMPLATE, tmp_path / "project")
    text = (tmp_path / "project" / "vigie.toml").read_text(encoding="utf-8")
    weighed = text.replace('name = "severity"', 'name = "severity"\nweight = 2.5', 1)
    (tmp_path / "project" / "vigie.toml").write_text(weighed, encoding="utf-8")
    opened = Project.open(tmp_path / "project")
    yield opened
    opened.close()


def use(monkeypatch: pytest.MonkeyPatch, strategy: type) -> None:
    found = plugins.load
    monkeypatch.setattr(
        plugins, "load", lambda family, name: strategy if family == "strategies" else found(family, name)
    )


def test_learner_when_dimensions_have_weights_then_the_strategy_gets_them(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, Weighing)
    project.learner()

    assert Weighing.made["severity"] == 2.5
    assert set(Weighing.made.values()) == {1.0, 2.5}


def test_learner_when_a_strategy_takes_no_weights_then_it_is_made_without(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, Plain)
    (project.folder / "rules.toml").unlink()

    assert project.learner()._asker._strategy.__class__ is Plain


def test_learner_when_there_are_rules_then_the_strategy_hears_where_they_contradict_the_model(project: Project) -> None:
    strategy = project.learner()._asker._strategy
    labels = project.dimensions[0].label_names
    sure = np.tile(np.eye(len(labels))[labels.index("info")], (2, 1))
    templates = pl.Series(["kernel panic on <host>", "started"])
    choices = strategy.query(Candidates(templates, np.array([9, 9]), {"severity": sure}), 2, np.random.default_rng(0))

    assert {choice.row: choice.reason.get("contested") for choice in choices} == {0: "severity", 1: None}
