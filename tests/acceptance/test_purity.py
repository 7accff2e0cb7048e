"""Lines that differ only in what the masks hide end with different labels, by every door."""

import json
import random
import threading
from collections.abc import Iterator

import polars as pl
import pytest

from programs import a_project, vigie
from vigie.app import Project, Services, Watcher
from vigie.classifiers.artefact import Artefact

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]


def lines(seed: int) -> dict[str, str]:
    """Return lines with the severity a person would give them."""
    rng = random.Random(seed)
    found = {}
    for n in range(24):
        fails = n % 3 == 0
        status, code, word = (500, 1, "Paused") if fails else (200, 0, "Started")
        ms, number = rng.randrange(2, 900), rng.randrange(1000, 99999)
        label = "error" if fails else "info"
        found |= {
            f"10.0.0.{n} GET /a/{number} took {ms} ms {status}": label,
            f'10.0.0.{n} - - [27/Nov/2026:10:00:{n:02} +0000] "GET /a/{number} HTTP/1.1" {status} {ms}': label,
            f"2026-11-27 10:00:{n:02} job {number} finished with {code} after {ms} ms": label,
            f"2026-11-27 10:00:{n:02} job {number} finished, exit code {code}": label,
            f"2026-11-27 10:00:{n:02} unit {number} {word} after {ms} ms": label,
        }
    return found


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = a_project(tmp_path_factory.mktemp("purity") / "project", *lines(1))
    opened = Project.open(folder)
    worker = opened.worker("app", until_end=True)
    worker.run(threading.Event())
    worker.close()
    for text, label in list(lines(1).items())[:30]:
        opened.labelling.annotate(text, {"severity": label}, "ann")
    assert vigie("train", "--project", folder).returncode == 0
    Watcher(opened).look()
    yield opened
    opened.close()


def test_predict_when_people_told_lines_apart_then_every_line_has_the_label_they_meant(project: Project) -> None:
    other = project.folder / "other.log"
    other.write_text("".join(f"{line}\n" for line in lines(2)))

    shown = vigie("predict", other, "--project", project.folder)

    messages = [json.loads(line) for line in shown.stdout.splitlines()]
    assert {message["message"]: message["severity"] for message in messages} == lines(2)
    templates = {message["vigie"]["template"] for message in messages}
    assert "<ip> GET <path> took <duration> 500" in templates
    assert "<time> job <num> finished with 0 after <duration>" in templates


@pytest.mark.filterwarnings("ignore::UserWarning")  # MLflow's, about a signature of its own
def test_doors_when_people_told_lines_apart_then_all_agree(project: Project) -> None:
    from vigie.pyfunc import predictions

    texts, expected = list(lines(3)), list(lines(3).values())
    champion = project.registry.champion()
    assert champion is not None

    served = predictions(Artefact.load(project.registry.fetch(champion)), pl.Series(texts))

    assert served["severity"].to_list() == expected
    assert [one.labels["severity"] for one in project.labeller.predict(texts)] == expected
    services = Services(project, Watcher(project))
    marked = [texts[0][start:end] for start, end in services.variable_parts(texts[0])]
    assert texts[0].endswith(" 500")
    assert "10.0.0.0" in marked
    assert "500" not in marked
    project.labelling.annotate(texts[0], {"severity": expected[0]}, "bob")
    assert project.store.annotations.told()["template"][-1] == "<ip> GET <path> took <duration> 500"
