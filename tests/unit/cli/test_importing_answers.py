import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from builders import a_dimension
from vigie.cli import app
from vigie.cli.importing import is_json, label_renames
from vigie.cli.importing_answers import figures, told
from vigie.errors import LabelError, SettingsError
from vigie.exchange import Findings, Status

SETTINGS = """
[project]
name = "logs"
goal = "Know."
text = "logs"

[[dimensions]]
name = "severity"
labels = [{ name = "info" }, { name = "error" }]

[[dimensions]]
name = "kind"
labels = [{ name = "disk" }, { name = "a=b" }]
"""
TASKS = [
    {
        "data": {"text": "disk 1 failed"},
        "annotations": [
            {
                "id": 1001,
                "completed_by": {"email": "ann@example.org"},
                "created_at": "2026-11-21T12:00:00Z",
                "result": [
                    {"type": "choices", "from_name": "severity", "value": {"choices": ["fatal"]}},
                    {"type": "choices", "from_name": "area", "value": {"choices": ["disk"]}},
                ],
            }
        ],
    },
    {"data": {"text": "link up"}, "annotations": [{"id": 1002, "was_cancelled": True, "result": []}]},
    {"data": {"text": "nobody looked"}, "annotations": []},
]
RENAMES = ("--map", "severity:fatal=error", "--label", "kind=area")
Run = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / "vigie.toml").write_text(SETTINGS)

    def run(*arguments: str | Path) -> Any:
        given = [*map(str, arguments), "--project", str(tmp_path)]
        result = CliRunner().invoke(app, given, env={"COLUMNS": "200"}, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    file = tmp_path / "tasks.json"
    file.write_text(json.dumps(TASKS))
    return file


def test_import_when_a_file_of_another_tool_comes_then_its_answers_are_there_once(run: Run, tasks: Path) -> None:
    first = run("import", tasks, *RENAMES)
    second = json.loads(run("import", tasks, *RENAMES, "--json"))
    run("export", tasks.with_name("out.jsonl"))

    assert first.splitlines() == [
        "3 rows read (label_studio); 1 answer with 2 labels brought in.",
        "1 message skipped by their annotator, who is not asked about them again.",
    ]
    assert (second["answers"], second["labels"], second["known"]) == (0, 0, 2)
    row, skip = map(json.loads, tasks.with_name("out.jsonl").read_text().splitlines())
    assert (skip["status"], skip["annotator"]) == ("skipped", "import")
    assert (row["id"], row["annotator"], row["created_at"]) == ("1001", "ann@example.org", "2026-11-21T12:00:00+00:00")
    assert (row["severity"], row["kind"]) == ("error", "disk")


def test_import_when_labels_are_unknown_then_nothing_is_written(run: Run, tasks: Path) -> None:
    with pytest.raises(LabelError, match=r"'fatal' \(1 times\)(.|\n)*area is no dimension"):
        run("import", tasks)

    assert json.loads(run("import", tasks, "--skip-unknown", "--json")) == {
        "format": "label_studio",
        "rows": 3,
        "answers": 0,
        "labels": 0,
        "known": 0,
        "outdated": 0,
        "replaced": 0,
        "skipped": 1,
        "flagged": 0,
        "new_skips_and_flags": 1,
        "blank": 0,
        "unknown": 2,
    }


def test_import_when_a_row_in_the_end_is_wrong_then_nothing_is_written(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"text": "a b", "severity": "info"}\n' * 3 + '{"text": "a b", "created_at": "x"}\n')

    with pytest.raises(SettingsError, match=r"rows.jsonl, line 4: 'created_at' is 'x'.*nothing was written"):
        run("import", file)

    assert json.loads(run("status", "--json"))["groups"]["total"] == 0


def test_import_when_the_format_is_named_then_the_file_may_be_called_anything(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "answers.txt"
    file.write_text("body,severity\na b,info\n")

    found = json.loads(run("import", file, "--format", "csv", "--text", "body", "--annotator", "old", "--json"))

    assert (found["format"], found["answers"]) == ("csv", 1)


def test_import_when_columns_are_named_then_the_table_is_read_as_before(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("text,sev\na b,fatal\na b,info\nc d,fatal\n")

    found = json.loads(
        run("import", file, "--text", "text", "--label", "severity=sev", "--map", "fatal=error", "--json")
    )

    assert found == {"messages": 3, "answers": 2, "known": 0, "blank": 0, "divided": 1, "unknown": 0}


DIMENSIONS = (a_dimension("severity", ("info", "error")), a_dimension("kind", ("disk", "a=b")))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("fatal=error", {("", "fatal"): "error"}),
        ("severity:fatal=error", {("severity", "fatal"): "error"}),
        ("x:y=error", {("", "x:y"): "error"}),
        ("kind:a==b=a=b", {("kind", "a==b"): "a=b"}),
        ("a=b=disk", {("", "a=b"): "disk"}),
    ],
)
def test_label_renames_when_written_right_then_are_found(given: str, expected: dict[tuple[str, str], str]) -> None:
    assert label_renames([given], DIMENSIONS) == expected


@pytest.mark.parametrize("given", ["fatal", "fatal=", "fatal=deadly", "kind:fatal=error", "=error"])
def test_label_renames_when_one_is_wrong_then_refused(given: str) -> None:
    with pytest.raises(SettingsError, match=r"--map is .*expected OLD=NEW"):
        label_renames([given], DIMENSIONS)


def test_is_json_when_compressed_then_too() -> None:
    assert [is_json(Path(name)) for name in ("a.json", "a.json.gz", "a.jsonl", "json")] == [True, True, False, False]


def test_told_when_something_was_left_out_then_says_what() -> None:
    found = Findings(n_rows=1500, n_blank=1, n_answers=20, n_labels=30, n_known=5, n_outdated=4, n_replaced=3)
    found.statuses[Status.FLAGGED] = 2

    assert told(found, "prodigy").splitlines() == [
        "1,500 rows read (prodigy); 20 answers with 30 labels brought in.",
        "5 labels here already.",
        "4 labels left out: the same person said otherwise later.",
        "3 labels put in place of what the same person had said about the group.",
        "2 messages flagged; nobody is asked about them.",
        "1 row without a text.",
    ]
    assert figures(found, "prodigy")["flagged"] == 2
