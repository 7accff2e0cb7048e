"""`vigie import` and `vigie export` as they are typed: what is brought in comes out, and rubbish changes nothing."""

import csv
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from vigie.app import Project
from vigie.cli import app
from vigie.errors import LabelError, SettingsError, VigieError

TOML = """
[[dimensions]]
name = "severity"
labels = ["info", "error"]

[[dimensions]]
name = "topic"
labels = ["disk", "net"]
"""
TABLE = "text,sev,about\ndisk 1 failed,error,disk\ndisk 2 failed,error,disk\nlink up,info,net\n,error,disk\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "vigie.toml").write_text(TOML)
    (tmp_path / "table.csv").write_text(TABLE)
    return tmp_path


def run(folder: Path, *words: str) -> Any:
    options = [*words, "--project", str(folder / "project")]
    return CliRunner().invoke(app, options, env={"COLUMNS": "200"})


def problem(folder: Path, *words: str) -> VigieError:
    error = run(folder, *words).exception
    assert isinstance(error, VigieError), error
    return error


def bring_in(folder: Path, *words: str) -> dict[str, Any]:
    found = run(folder, "import", str(folder / "table.csv"), "--text", "text", *words, "--json")
    assert found.exit_code == 0, found.output
    return dict(json.loads(found.stdout))


def a_table(file: Path, columns: dict[str, list[Any]]) -> None:
    frame = pl.DataFrame(columns)
    write = {".csv": frame.write_csv, ".jsonl": frame.write_ndjson, ".parquet": frame.write_parquet}[file.suffix]
    write(file)


def exported(folder: Path, name: str, *words: str) -> Path:
    found = run(folder, "export", str(folder / name), *words)
    assert found.exit_code == 0, found.output
    return folder / name


def in_full(folder: Path) -> list[Any]:
    """Return everything the project knows, as `vigie export --history` and the database have it."""
    run(folder, "export", str(folder / "all.jsonl"), "--history", "--force")
    with Project.open(folder / "project").store as store:
        counts = store.pool.counts()
        texts = [sample.text for group_id in counts["group_id"] for sample in store.pool.samples(group_id)]
    return [(folder / "all.jsonl").read_text(), counts.rows(), texts]


def n_answers(folder: Path) -> int:
    written = json.loads(run(folder, "export", str(folder / "count.jsonl"), "--force", "--json").stdout)
    return int(written["answers"])


BOTH = ("--label", "severity=sev", "--label", "topic=about")


def test_import_when_a_table_has_two_dimensions_then_each_group_is_answered_in_both(folder: Path) -> None:
    assert bring_in(folder, *BOTH) == {"messages": 3, "answers": 4, "known": 0, "blank": 1, "divided": 0, "unknown": 0}


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_import_when_a_table_comes_twice_then_the_second_time_nothing_is_written(folder: Path, kind: str) -> None:
    file = folder / f"t.{kind}"
    columns = {"text": ["disk 1 failed", "disk 2 failed", "link up", "who is it", "who is it"]}
    a_table(file, columns | {"sev": ["error", "error", "info", None, None], "about": ["disk", None, "net", None, None]})
    words = ("import", str(file), "--text", "text", *BOTH)

    first = json.loads(run(folder, *words, "--json").stdout)
    before = in_full(folder)
    second = run(folder, *words).stdout.splitlines()

    assert (first["answers"], first["known"]) == (4, 0)
    assert in_full(folder) == before
    assert second == ["5 messages read; nothing is new.", "4 answers here already, and not written twice."]


def test_import_when_the_annotator_said_otherwise_since_then_what_the_table_says_is_new(folder: Path) -> None:
    words = ("import", str(folder / "t.csv"), "--text", "text", "--label", "severity=sev", "--json")
    written = []
    for label in ("error", "info", "error", "error"):
        a_table(folder / "t.csv", {"text": ["disk 1 failed", "link up"], "sev": [label, "info"]})
        written.append(json.loads(run(folder, *words).stdout)["answers"])

    assert written == [2, 1, 1, 0]


def test_import_when_another_annotator_says_the_same_then_it_is_new(folder: Path) -> None:
    assert [bring_in(folder, *BOTH, "--annotator", name)["answers"] for name in ("ann", "bob", "ann")] == [4, 4, 0]


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 201])
@pytest.mark.parametrize("words", [("--text", "text", *BOTH), ("--format", "csv", "--text", "text", *BOTH)])
def test_import_when_the_annotator_is_no_name_then_it_is_refused(
    name: str, words: tuple[str, ...], folder: Path
) -> None:
    error = problem(folder, "import", str(folder / "table.csv"), *words, "--annotator", name)

    assert str(error).startswith(f"--annotator is {name!r:.60}; expected a name of at most 200 visible characters")
    assert json.loads(run(folder, "status", "--json").stdout)["groups"]["total"] == 0


def test_import_when_a_name_in_the_file_is_too_long_then_its_line_is_told_and_nothing_is_written(folder: Path) -> None:
    (folder / "t.csv").write_text(f"text,annotator,severity\na,ann,info\nb,{'x' * 201},info\n")

    error = problem(folder, "import", str(folder / "t.csv"))

    assert str(error).startswith("line 3: the annotator's name has 201 characters; expected at most 200")
    assert json.loads(run(folder, "status", "--json").stdout)["groups"]["total"] == 0


def test_import_when_a_table_grew_then_only_what_is_new_is_written(folder: Path) -> None:
    bring_in(folder, *BOTH)
    with (folder / "table.csv").open("a") as table:
        table.write("fan 3 is slow,info,disk\nwho is it,,\n")
    found = bring_in(folder, *BOTH)

    assert (found["answers"], found["known"]) == (2, 4)
    assert json.loads(run(folder, "status", "--json").stdout)["groups"]["total"] == 4


def test_import_when_no_column_has_labels_then_messages_come_alone(folder: Path) -> None:
    assert bring_in(folder) == {"messages": 3, "answers": 0, "known": 0, "blank": 1, "divided": 0, "unknown": 0}


def test_import_when_labels_have_other_names_then_they_are_mapped_in_one_dimension_or_all(folder: Path) -> None:
    (folder / "table.csv").write_text("text,sev,about\na,fatal,disk\nb,info,fatal\n")

    found = bring_in(folder, *BOTH, "--map", "severity:fatal=error", "--map", "topic:fatal=net")

    assert (found["answers"], found["unknown"]) == (4, 0)


def test_import_when_it_is_for_people_then_what_was_left_out_is_said(folder: Path) -> None:
    (folder / "table.csv").write_text("text,sev\nfailed,error\nfailed,info\nfailed,error\nup,nope\n,info\n")

    words = ("--text", "text", "--label", "severity=sev", "--skip-unknown")
    lines = run(folder, "import", str(folder / "table.csv"), *words).output.splitlines()

    assert lines == [
        "4 messages brought in, with 1 answer.",
        "1 row without a text.",
        "1 label unknown and left out.",
        "1 group given different labels; the most frequent one counts, unless what varies tells them apart.",
    ]


@pytest.mark.parametrize(
    ("words", "kind", "reason"),
    [
        (("--text", "nope"), SettingsError, "has no column 'nope'; it has: text, sev, about"),
        (("--text", "text", "--label", "severity=nope"), SettingsError, "has no column 'nope'"),
        (("--text", "text", "--label", "severity"), SettingsError, "--label is 'severity'; expected DIMENSION=COLUMN"),
        (("--text", "text", "--label", "mood=sev"), SettingsError, "with a dimension of severity, topic"),
        (("--text", "text", *BOTH, "--label", "topic=sev"), SettingsError, "--label names topic twice"),
        (("--text", "text", "--label", "topic=sev"), LabelError, "topic: 'error' (2 times), 'info' (1 times)"),
        (("--text", "text", *BOTH, "--map", "fatal"), SettingsError, "--map is 'fatal'; expected OLD=NEW"),
        (("--text", "text", *BOTH, "--map", "severity:a=disk"), SettingsError, "with a NEW of info, error"),
        (("--format", "xml"), SettingsError, "xml"),
    ],
)
def test_import_when_the_command_line_cannot_be_used_then_says_why_and_nothing_is_written(
    folder: Path, words: tuple[str, ...], kind: type[VigieError], reason: str
) -> None:
    error = problem(folder, "import", str(folder / "table.csv"), *words)

    assert isinstance(error, kind)
    assert reason in str(error)
    assert n_answers(folder) == 0


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet"])
def test_import_when_no_column_is_called_like_a_dimension_then_labels_are_not_left_behind(
    folder: Path, name: str
) -> None:
    a_table(folder / name, {"text": ["disk failed", "link up"], "sev": ["error", "info"]})

    error = problem(folder, "import", str(folder / name))

    assert isinstance(error, SettingsError)
    assert str(error) == (
        f"no column of {folder / name} is called severity or topic, and nothing was written; say --label severity=COLUMN, "
        "or --text text for messages without labels; columns are text, sev"
    )
    assert json.loads(run(folder, "status", "--json").stdout)["groups"]["total"] == 0


@pytest.mark.parametrize("columns", [{"severity": ["error"]}, {"label:topic": ["net"]}, {"comment": ["c"]}, {}])
def test_import_when_nothing_would_be_left_behind_then_the_table_is_read(
    folder: Path, columns: dict[str, list[str]]
) -> None:
    a_table(folder / "t.csv", {"text": ["link up"], **columns})

    assert run(folder, "import", str(folder / "t.csv")).exit_code == 0
    assert json.loads(run(folder, "status", "--json").stdout)["groups"]["total"] == 1


def test_import_when_a_named_column_is_not_there_then_the_columns_are_listed(folder: Path) -> None:
    a_table(folder / "t.csv", {"text": ["link up"], "severity": ["info"]})

    error = problem(folder, "import", str(folder / "t.csv"), "--label", "topic=nope")

    assert str(error) == f"{folder / 't.csv'} has no column 'nope'; it has: text, severity"
    assert n_answers(folder) == 0


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.csv", b""),
        ("broken.jsonl", b'{"text": "a"\n'),
        ("broken.parquet", b"PAR1"),
        ("broken.csv.gz", b"\x1f\x8b\x08"),
        ("no.text", b"a"),
        ("broken.json", b"[{]"),
    ],
)
def test_import_when_the_file_is_rubbish_then_it_is_named_and_nothing_is_written(
    folder: Path, name: str, content: bytes
) -> None:
    (folder / name).write_bytes(content)

    error = problem(folder, "import", str(folder / name), "--text", "text", "--label", "severity=sev")

    assert name in str(error)
    assert n_answers(folder) == 0


def test_export_when_it_was_brought_in_then_it_comes_out_with_its_annotator(folder: Path) -> None:
    bring_in(folder, *BOTH, "--annotator", "old tool")

    with exported(folder, "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    assert {row["annotator"] for row in rows} == {"old tool"}
    assert sorted((row["severity"], row["topic"]) for row in rows) == [("error", "disk"), ("info", "net")]


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.parquet", "out.csv.gz"])
def test_import_when_an_export_is_read_again_then_nothing_is_new(folder: Path, name: str) -> None:
    bring_in(folder, *BOTH)
    file = exported(folder, name)

    found = json.loads(run(folder, "import", str(file), "--json").stdout)

    assert (found["labels"], found["known"]) == (0, 4)


@pytest.mark.parametrize("kind", ["csv", "label_studio", "prodigy"])
def test_import_when_another_project_reads_an_export_then_it_has_the_same_answers(folder: Path, kind: str) -> None:
    bring_in(folder, *BOTH)
    file = exported(folder, "out.json", "--format", kind)
    (folder / "project").rename(folder / "before")
    (folder / "project").mkdir()
    (folder / "project" / "vigie.toml").write_text(TOML)

    found = json.loads(run(folder, "import", str(file), "--format", kind, "--json").stdout)

    assert (found["format"], found["labels"], found["unknown"]) == (kind, 4, 0)


def test_export_when_the_file_exists_then_it_stays_unless_told_otherwise(folder: Path) -> None:
    bring_in(folder, *BOTH)
    (folder / "out.csv").write_text("mine")

    assert "exists; choose another name, or say --force" in str(problem(folder, "export", str(folder / "out.csv")))
    assert (folder / "out.csv").read_text() == "mine"

    assert exported(folder, "out.csv", "--force").read_text() != "mine"


@pytest.mark.parametrize(
    ("name", "words", "reason"),
    [
        ("nowhere/out.csv", (), "nowhere/out.csv cannot be written: there is no folder {}/nowhere"),
        (".", (), "is a folder; name a file in it, such as"),
        ("out.xml", (), "out.xml"),
        ("out.csv", ("--format", "xml"), "xml"),
        ("out.json", ("--format", "argilla", "--history"), "leave --history out"),
        ("out.json", ("--questions",), "--questions needs --format label_studio|doccano|argilla"),
        ("out.json", ("--questions", "--format", "csv"), "--questions needs --format"),
        ("nowhere/out.json", ("--questions", "--format", "doccano"), "cannot be written"),
    ],
)
def test_export_when_it_cannot_be_then_says_why_and_leaves_no_file(
    folder: Path, name: str, words: tuple[str, ...], reason: str
) -> None:
    before = sorted(path.name for path in folder.iterdir())

    error = problem(folder, "export", str(folder / name), *words)

    assert isinstance(error, SettingsError)
    assert reason.format(folder) in str(error)
    assert ".unfinished" not in str(error)
    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.parametrize("kind", ["label_studio", "doccano", "argilla"])
def test_export_when_questions_are_asked_for_then_every_label_stands_in_the_file(folder: Path, kind: str) -> None:
    found = run(folder, "export", str(folder / "setup"), "--format", kind, "--questions", "--json")

    assert json.loads(found.stdout) == {"format": kind, "questions": 2}
    written = (folder / "setup").read_text(encoding="utf-8")
    assert all(label in written for label in ("info", "error", "disk", "net"))
