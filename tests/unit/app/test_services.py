import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import polars as pl
import pytest

import vigie
from vigie.app import Project, Services, Watcher
from vigie.app.services import _Remembered
from vigie.errors import SettingsError, UnavailableError

TEMPLATES = Path(vigie.__file__).parent / "templates"
LINES = ["disk 1 is full", "disk 2 is full", "user 42 logged in", "connection to 10.0.0.7 refused"]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    shutil.copytree(TEMPLATES / "logs", tmp_path / "project")
    opened = Project.open(tmp_path / "project")
    yield opened
    opened.close()


@pytest.fixture
def services(project: Project) -> Services:
    return Services(project, Watcher(project))


def work(project: Project) -> None:
    worker = project.worker("http", until_end=True)
    import threading

    worker.run(threading.Event())
    worker.close()


def test_push_when_a_worker_comes_by_then_messages_are_labelled_and_counted(project: Project, services: Services):
    assert services.push([line.encode() for line in LINES]) == 4
    work(project)

    written = [orjson.loads(line) for line in (project.folder / "labelled.jsonl").read_bytes().splitlines()]
    assert [message["message"] for message in written] == LINES
    assert all(message.keys() >= {"severity", "event_type", "category", "vigie"} for message in written)
    status = services.status()
    assert status["messages"]["total"] == 4
    assert status["groups"]["total"] == 3
    assert status["model"]["champion"] is None
    assert services.metrics().count(b"vigie_messages_total{") >= 1
    assert isinstance(services.series(15).messages, pl.DataFrame)


def test_push_when_nobody_would_read_then_it_is_refused(project: Project, services: Services):
    settings = project.settings.model_copy(update={"sources": {}})
    project.settings = settings
    with pytest.raises(SettingsError, match="takes no posted messages"):
        services.push([b"a"])


def test_push_when_the_inbox_is_full_then_nothing_is_stored(project: Project, services: Services):
    project.settings = project.settings.model_copy(
        update={"pool": project.settings.pool.model_copy(update={"max_inbox": 2})}
    )
    with pytest.raises(UnavailableError):
        services.push([b"a", b"b", b"c"])
    assert project.store.inbox.waiting() == 0


def test_train_when_people_answered_then_the_champion_answers_and_explains(project: Project, services: Services):
    services.push([line.encode() for line in LINES])
    work(project)
    for asked in services.labelling.ask("ann", 3):
        full = "full" in asked.text
        services.labelling.submit(asked.question.id, "ann", {"severity": "error" if full else "info"})
    trained = project.learner().train()
    project.use_champion()

    prediction = services.predict(["disk 3 is full"])[0]
    assert prediction.model == trained.version
    assert prediction.labels["severity"] == "error"
    assert prediction.origin["severity"].value == "human"
    words = {word.word for word in services.explain("the disk is full now")["severity"]}
    assert {"disk", "full"} <= words
    assert services.status()["model"]["versions"][0]["version"] == trained.version


def test_remembered_when_many_ask_at_one_time_then_each_key_is_computed_once_and_returned() -> None:
    computed: list[int] = []

    def compute(key: int) -> int:
        computed.append(key)
        time.sleep(0.05)  # so that the others come meanwhile
        return -key

    remembered = _Remembered(compute, seconds=60.0)
    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(remembered.get, [7] * 8)) == {-7}
        assert computed == [7]
        assert list(threads.map(remembered.get, [1, 2] * 8)) == [-1, -2] * 8


def test_worker_when_there_is_no_such_source_then_the_sources_are_named(project: Project):
    with pytest.raises(SettingsError, match=r"no source 'nope'.*http"):
        project.worker("nope")


def test_ready_when_all_is_well_then_no_part_has_a_problem(services: Services):
    assert set(services.ready().values()) == {None}


def test_variable_parts_when_a_number_varies_then_its_place_is_told(services: Services):
    assert services.variable_parts("user 42 logged in") == [(5, 7)]


def test_status_when_people_disagree_then_quality_says_so_and_so_do_the_metrics(project: Project, services: Services):
    for annotator, label in (("ann", "info"), ("bob", "error")):
        services.labelling.annotate("disk 1 is full", {"severity": label}, annotator)

    quality = services.status()["quality"]

    assert (quality["disagreements"], quality["doubts"], quality["gold"]["groups"]) == (1, 0, 0)
    assert b'vigie_review_waiting{why="disagreements"} 1.0' in services.metrics()
    (case,) = services.review.disagreements().cases
    services.review.mark_gold(case.group_id, "rev", {"severity": "error"})
    quality = services.status()["quality"]
    assert (quality["disagreements"], quality["gold"]["groups"]) == (0, 1)


def test_learner_when_built_then_second_looks_follow_the_settings(project: Project):
    learner = project.learner()

    assert learner._checking is not None
    shares = learner._checking._shares()
    assert (shares.second, shares.gold, shares.doubts, shares.too_fast_seconds) == (0.05, 0.02, True, 0.4)
