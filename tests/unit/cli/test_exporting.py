import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from builders import NOON, a_dimension, a_labelled_batch
from vigie.cli import app
from vigie.cli.exporting import export, refuse_place, told
from vigie.errors import SettingsError
from vigie.exchange import FORMATS, format_named
from vigie.labels import Annotation, Purpose
from vigie.store import Store

DIMENSIONS = (a_dimension(), a_dimension("kind", ("disk", "net")))


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Any]:
    with Store.open(f"sqlite:///{tmp_path / 'vigie.db'}") as store:
        store.record("kafka", a_labelled_batch("a", "b", texts=["a 1", "b 1"]))
        for template, label in (("a", "info"), ("a", "error")):
            group = store.pool.find(template)
            assert group is not None
            store.annotations.add([Annotation(group.id, "severity", label, "ann", Purpose.TRAIN, NOON)])
        (question,) = store.questions.lease("ann", 1, 60)
        store.questions.skip(question.id, "ann")
        yield SimpleNamespace(store=store, dimensions=DIMENSIONS)


@pytest.mark.parametrize("name", FORMATS)
def test_export_when_there_are_answers_then_those_that_hold_are_written(
    name: str, project: Any, tmp_path: Path
) -> None:
    file = tmp_path / "out.json"

    written, left = export(project, file, format_named(name), history=False)

    skips = name not in {"doccano", "argilla"}
    assert (written, left) == ((2, {}) if skips else (1, {"skipped": 1}))
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == ["out.json"]


def test_export_when_the_history_is_asked_for_then_it_is_written(project: Any, tmp_path: Path) -> None:
    export(project, tmp_path / "out.jsonl", format_named("jsonl"), history=True)

    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(row["status"], row["severity"]) for row in rows] == [
        ("answered", "info"),
        ("answered", "error"),
        ("skipped", None),
    ]


def test_export_when_a_dimension_is_gone_then_its_answers_are_still_written(project: Any, tmp_path: Path) -> None:
    project.dimensions = DIMENSIONS[1:]

    export(project, tmp_path / "out.jsonl", format_named("jsonl"), history=False)

    row = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])
    assert (row["kind"], row["severity"]) == (None, "error")


def test_export_when_it_fails_then_the_old_file_stays(
    project: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "out.jsonl"
    file.write_text("old")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(SettingsError, match=r"out.jsonl cannot be written: .*No space left"):
        export(project, file, format_named("jsonl"), history=False)

    assert file.read_text() == "old"
    assert not (tmp_path / ".unfinished-out.jsonl").exists()


def test_export_when_the_folder_does_not_exist_then_says_so(project: Any, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be written"):
        export(project, tmp_path / "gone" / "out.csv", format_named("csv"), history=False)


@pytest.mark.parametrize("n", [245, 300])
def test_export_when_the_name_is_too_long_then_says_so(n: int, project: Any, tmp_path: Path) -> None:
    file = tmp_path / f"{'a' * n}.csv"

    with pytest.raises(SettingsError, match=r"cannot be written: File name too long"):
        export(project, file, format_named("csv"), history=False)
    if n > 255:
        with pytest.raises(SettingsError, match=r"cannot be written: File name too long"):
            refuse_place(file, force=False)


def test_export_when_the_file_is_a_link_then_what_it_points_to_is_written(project: Any, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out.csv").symlink_to(tmp_path / "elsewhere" / "answers.csv")

    export(project, tmp_path / "out.csv", format_named("csv"), history=False)

    assert (tmp_path / "out.csv").is_symlink()
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["answers.csv"]


@pytest.mark.parametrize("force", [True, False])
def test_export_when_the_place_is_a_pipe_or_a_device_then_it_stays_one(force: bool, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(SettingsError, match=r"pipe is no plain file"):
        refuse_place(tmp_path / "pipe", force=force)


def run(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, ["export", *map(str, arguments)], env={"COLUMNS": "200"})


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("there.csv", [], "there.csv exists; choose another name, or say --force"),
        ("a.txt", [], "the format of a.txt cannot be told"),
        ("a.json", ["--format", "xml"], "--format is 'xml'"),
        ("a.json", ["--questions"], "--questions needs --format label_studio|doccano|argilla"),
        ("a.json", ["--format", "prodigy", "--questions"], "the other formats need no such file"),
        ("a.json", ["--format", "argilla", "--history"], "one answer of a person about a message"),
    ],
)
def test_export_when_it_cannot_be_as_asked_then_says_why(
    name: str, options: list[str], reason: str, tmp_path: Path
) -> None:
    (tmp_path / "there.csv").write_text("mine")

    result = run(tmp_path / name, *options, "--project", tmp_path)

    assert isinstance(result.exception, SettingsError)
    assert reason in str(result.exception)
    assert (tmp_path / "there.csv").read_text() == "mine"


def test_export_when_run_twice_by_force_then_the_file_is_new(tmp_path: Path) -> None:
    CliRunner().invoke(app, ["init", str(tmp_path), "--template", "logs"])
    file = tmp_path / "out.csv"
    file.write_text("old")

    first = run(file, "--project", tmp_path, "--force")
    second = run(file, "--project", tmp_path, "--force", "--json")

    assert first.stdout == f"0 answers written to {file} (csv).\n"
    assert json.loads(second.stdout) == {"format": "csv", "answers": 0, "left_out": {}}
    assert file.read_text().startswith("id,text,severity,event_type,category,annotator,")


def test_export_when_the_questions_are_asked_for_then_they_are_written(tmp_path: Path) -> None:
    CliRunner().invoke(app, ["init", str(tmp_path), "--template", "logs"])
    options = ["--format", "label_studio", "--questions", "--project", tmp_path]

    first = run(tmp_path / "a.xml", *options)
    second = run(tmp_path / "b.xml", *options, "--json")
    gone = run(tmp_path / "gone" / "b.xml", *options)

    assert first.stdout == f"3 questions written to {tmp_path / 'a.xml'} (label_studio).\n"
    assert json.loads(second.stdout) == {"format": "label_studio", "questions": 3}
    assert '<Choices name="severity"' in (tmp_path / "b.xml").read_text()
    assert "cannot be written" in str(gone.exception)


def test_told_when_something_has_no_place_then_says_what() -> None:
    assert told(Path("a.jsonl"), "doccano", 1200, {"skipped": 3}).splitlines() == [
        "1,200 answers written to a.jsonl (doccano).",
        "3 skipped left out: doccano has no place for them.",
    ]
