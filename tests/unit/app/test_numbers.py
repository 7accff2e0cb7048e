import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import vigie
from builders import a_labelled_batch
from learner_fakes import KnowingModel
from vigie.app import Project, Services, Watcher
from vigie.app.numbers import Judge
from vigie.labels import Annotation, Purpose

TEMPLATE = Path(vigie.__file__).parent / "templates" / "logs"
PROVEN = {"severity": ((0.8, 0.99),)}


class InUse(KnowingModel):
    """A model version as the labeller has it."""

    version = "1"
    answers: dict[str, dict[str, str]] = {}  # noqa: RUF012 — never changed
    evidence = PROVEN

    def explain(self, *_: object) -> list[Any]:
        return []


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    shutil.copytree(TEMPLATE, tmp_path / "project")
    settings = tmp_path / "project" / "vigie.toml"
    promised = settings.read_text().replace('name = "severity"', 'name = "severity"\ntarget_precision = 0.95', 1)
    settings.write_text(promised)
    opened = Project.open(tmp_path / "project")
    yield opened
    opened.close()


def audit(project: Project, *templates: str, label: str = "error") -> None:
    project.store.record("logs" + templates[0], a_labelled_batch(*templates))
    groups = [project.store.pool.find(template) for template in templates]
    now = datetime.now(UTC)
    project.store.annotations.add(
        [Annotation(group.id, "severity", label, "ann", Purpose.AUDIT, now) for group in groups if group]
    )


def test_measure_when_there_is_no_model_then_nothing_is_known_but_what_the_promise_needs(project: Project) -> None:
    found = Judge(project).measure()

    assert set(found["numbers"].values()) == {None}
    assert found["automatic"] is None
    assert (found["passing"]["severity"].target, found["passing"]["severity"].threshold) == (0.95, None)
    assert found["passing"]["severity"].more.n_answers == 72
    assert (found["passing"]["category"].target, found["passing"]["category"].threshold) == (None, 0.75)


def test_measure_when_groups_were_audited_then_the_model_in_use_is_judged(project: Project) -> None:
    audit(project, "disk full", "disk gone", "login ok")
    says = {"severity": {"disk full": "error", "disk gone": "error"}}
    project.labeller.use(model=InUse(says, project.dimensions[:1]))

    found = Judge(project).measure()

    assert found["numbers"]["severity"]["accuracy"].value == pytest.approx(2 / 3)
    assert found["numbers"]["category"] is None
    assert found["passing"]["severity"].threshold == 0.8
    assert found["passing"]["severity"].share.value == pytest.approx(1)


def test_status_when_nothing_happened_yet_then_every_number_is_there_and_unknown(project: Project) -> None:
    status = Services(project, Watcher(project)).status()

    assert status["accuracy"] == {}
    assert status["numbers"] == {"severity": None, "event_type": None, "category": None}
    assert status["automatic"] is None
    assert status["passing"]["severity"]["more"] == {"n_answers": 72, "share": None}
    assert status["advice"]["dimensions"]["severity"]["state"] == "unknown"
    assert status["advice"]["worthwhile_gain"] == 0.005
    assert status["answers_saved"] == {
        "n_answers": None,
        "version": None,
        "overall": None,
        "dimensions": {"severity": None, "event_type": None, "category": None},
        "reason": "too_few_answers",
        "from_answers": 50,
    }


def test_status_when_a_busy_learner_has_not_counted_and_there_is_no_model_then_all_answers_are_new(
    project: Project,
) -> None:
    audit(project, "disk full", "disk gone")
    services = Services(project, Watcher(project))
    assert services.status()["training"]["answers_since"] == 0

    project.store.presence.beat("learner", "here", {"acting": True, "answers_since": 0})

    assert services.status()["training"]["answers_since"] == 2


def test_status_when_groups_were_audited_then_the_numbers_are_plain_values(project: Project) -> None:
    import json

    audit(project, "disk full", "login ok")
    project.labeller.use(model=InUse({"severity": {"disk full": "error"}}, project.dimensions[:1]))
    services = Services(project, Watcher(project))

    status = json.loads(json.dumps(services.status()))

    numbers = status["numbers"]["severity"]
    assert numbers["accuracy"] == status["accuracy"]["severity"]
    assert {"value", "low", "high", "new_value", "new_low", "new_high", "seen_value"} <= set(numbers["macro_f1"])
    assert numbers["calibration"]["bins"][0]["n"] == 2
    assert b'vigie_accuracy_ratio{dimension="severity"} 0.5' in services.metrics()
