"""Commands as they are typed, on small projects of their own."""

import io
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from command_fixtures import RULES, TOML, run
from vigie.app import Project
from vigie.cli import main
from vigie.cli.exits import FAILURE, MEANINGS, OK, UNAVAILABLE, USAGE, code_of
from vigie.cli.progress import progress, waiting
from vigie.cli.running import Ending
from vigie.errors import (
    LabelError,
    MissingExtraError,
    SettingsError,
    UnavailableError,
    UnknownPartError,
    VigieError,
)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a role that was wished to end from ending the tests some seconds later."""
    monkeypatch.setattr(Ending, "insist", lambda _self, _seconds: None)


def problem(folder: Path, *words: str) -> str:
    error = run(folder, *words).exception
    assert isinstance(error, VigieError), error
    return str(error)


def test_stream_when_the_source_is_exhausted_then_all_that_was_read_is_counted(folder: Path) -> None:
    found = run(folder, "stream", "--until-end", "--json")

    assert found.exit_code == OK, found.output
    done = json.loads(found.stdout)
    assert (done["messages"], done["dead_letters"]) == (3, 1)
    assert len((folder / "out.jsonl").read_text().splitlines()) == 3


def test_stream_when_it_runs_again_then_nothing_is_written_twice(folder: Path) -> None:
    run(folder, "stream", "--until-end")
    before = (folder / "out.jsonl").read_bytes()

    again = json.loads(run(folder, "stream", "--until-end", "--json").stdout)

    assert (again["messages"], again["dead_letters"]) == (0, 0)
    assert (folder / "out.jsonl").read_bytes() == before


def test_stream_when_there_is_no_such_source_then_those_there_are_are_named(folder: Path) -> None:
    assert re.search(r"no source 'nope'.*logs", problem(folder, "stream", "--source", "nope", "--until-end"))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            'path = "out.jsonl"',
            'paht = "out.jsonl"',
            "sinks.files.paht is no setting of sinks of type 'files'; did you mean 'path'?; change it in vigie.toml, line",
        ),
        ('path = "out.jsonl"', "path = 5", "sinks.files.path is 5; expected a valid string"),
        ('path = "out.jsonl"', "", "sinks.files.path is missing"),
        (
            'type = "files"\npath = "in',
            'type = "fils"\npath = "in',
            "sources.logs.type: none of the sources installed is called 'fils'; did you mean 'files'?; change it in",
        ),
        ('path = "in.jsonl"', 'path = "gone.jsonl"', "gone.jsonl"),
        ('[sinks.files]\ntype = "files"\npath = "out.jsonl"', "", "has no sink"),
    ],
)
def test_stream_when_a_part_cannot_be_made_then_the_key_is_named_and_nothing_is_written(
    folder: Path, old: str, new: str, expected: str
) -> None:
    assert old in TOML
    (folder / "vigie.toml").write_text(TOML.replace(old, new))

    found = run(folder, "stream", "--until-end")

    shown = f"{found.exception} {found.output}"
    assert found.exit_code != OK
    assert expected in shown
    assert not (folder / "out.jsonl").exists() or not (folder / "out.jsonl").read_bytes()


def test_dead_letters_when_there_are_none_then_says_so(folder: Path) -> None:
    assert run(folder, "dead-letters", "list").output == "There are no dead letters.\n"
    assert json.loads(run(folder, "dead-letters", "list", "--json").stdout) == {
        "count": 0,
        "reasons": {},
        "dead_letters": [],
    }


def test_stream_when_the_registry_is_away_at_first_then_it_waits_for_it_and_labels_nothing_without(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[bool] = []

    def away(_project: Project) -> None:
        written.append((folder / "out.jsonl").exists())
        if len(written) <= 2:
            raise UnavailableError("the registry does not answer")

    monkeypatch.setattr(Project, "use_champion", away)
    found = run(folder, "stream", "--until-end", "--json")

    assert written[:3] == [False] * 3
    assert json.loads(found.stdout)["messages"] == 3
    assert found.stderr.count("waiting for the registry") == 1


@pytest.mark.parametrize("words", [("list", "--limit", "0"), ("replay", "--dry-run"), ("replay",)])
def test_dead_letters_when_they_are_read_then_progress_is_shown(
    words: tuple[str, ...], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(folder, "stream", "--until-end")
    done: list[int] = []

    @contextmanager
    def shown(_what: str) -> Iterator[Callable[[int], None]]:
        yield done.append

    monkeypatch.setattr("vigie.cli.dead_letters.progress", shown)
    run(folder, "dead-letters", *words)

    assert sum(done) == 1


def test_dead_letters_when_listed_then_their_messages_are_shown_only_if_asked_for(folder: Path) -> None:
    run(folder, "stream", "--until-end")

    quiet = run(folder, "dead-letters", "list").output
    loud = run(folder, "dead-letters", "list", "--show-payload").output

    assert quiet.startswith("1 dead letters\n        1  ")
    assert "other" not in quiet
    assert '{"other": "x"}' in loud


def test_dead_letters_when_the_limit_is_reached_then_the_rest_is_counted(folder: Path) -> None:
    (folder / "in.jsonl").write_text('{"other": 1}\n' * 5)
    run(folder, "stream", "--until-end")

    assert "… and 3 more (--limit)" in run(folder, "dead-letters", "list", "--limit", "2").output
    assert json.loads(run(folder, "dead-letters", "list", "--limit", "0", "--json").stdout)["dead_letters"] == []


def test_replay_when_the_settings_were_mended_then_what_was_refused_is_labelled_once(folder: Path) -> None:
    run(folder, "stream", "--until-end")
    (folder / "vigie.toml").write_text(TOML.replace('["msg"]', '["msg", "other"]'))

    tried = run(folder, "dead-letters", "replay", "--dry-run").output
    done = json.loads(run(folder, "dead-letters", "replay", "--json").stdout)
    again = json.loads(run(folder, "dead-letters", "replay", "--json").stdout)

    assert tried == "To be labelled: 1 message; dead letters as before: 0.\n"
    assert done == {"labelled": 1, "dead_letters": 0, "dry_run": False}
    assert again == {"labelled": 0, "dead_letters": 0, "dry_run": False}
    assert len((folder / "out.jsonl").read_text().splitlines()) == 4


def test_replay_when_nothing_was_mended_then_they_stay(folder: Path) -> None:
    run(folder, "stream", "--until-end")

    assert run(folder, "dead-letters", "replay").output == "Labelled: 0 messages; dead letters as before: 1.\n"
    assert json.loads(run(folder, "dead-letters", "list", "--json").stdout)["count"] == 1


def test_replay_when_another_reason_is_asked_for_then_they_stay(folder: Path) -> None:
    run(folder, "stream", "--until-end")
    (folder / "vigie.toml").write_text(TOML.replace('["msg"]', '["msg", "other"]'))

    done = json.loads(run(folder, "dead-letters", "replay", "--reason", "UTF-8", "--json").stdout)

    assert done == {"labelled": 0, "dead_letters": 1, "dry_run": False}


def test_dead_letters_when_there_are_several_sources_then_one_must_be_named(folder: Path) -> None:
    (folder / "vigie.toml").write_text(TOML + '[sources.more]\ntype = "http"\n')

    assert (
        problem(folder, "dead-letters", "list") == "say whose dead letters with --source; the sources are: logs, more"
    )
    assert "no source 'nope'" in problem(folder, "dead-letters", "list", "--source", "nope")


def test_train_when_nobody_answered_then_says_what_is_missing(folder: Path) -> None:
    found = run(folder, "train")

    assert isinstance(found.exception, VigieError)
    assert "answer" in str(found.exception)


@pytest.mark.parametrize(
    ("table", "rules", "expected"),
    [
        ("", "[[rules]]\npatern = 1\n", "rules.toml, line 1, rule 1: name is missing"),
        ("", "[[rules", "rules.toml is not valid TOML"),
        ('[rules]\npath = "rule.toml"\n', RULES, "rules.path is 'rule.toml', and there is no such file"),
    ],
)
def test_status_when_the_rules_cannot_be_read_then_it_shows_all_the_same_and_says_so(
    folder: Path, table: str, rules: str, expected: str
) -> None:
    (folder / "vigie.toml").write_text(TOML + table)
    (folder / "rules.toml").write_text(rules)

    found = run(folder, "status", "--json")

    assert found.exit_code == OK
    assert [problem.startswith(expected) for problem in json.loads(found.stdout)["problems"]] == [True]


@pytest.mark.parametrize("command", ["predict", "stream", "train", "status", "export", "web"])
def test_command_when_there_is_no_project_then_says_how_to_make_one(command: str, tmp_path: Path) -> None:
    words = [command, str(tmp_path / "answers.csv")] if command == "export" else [command]

    assert "make a project with: vigie init" in problem(tmp_path, *words)


def test_web_when_others_could_reach_it_then_it_does_not_start(folder: Path) -> None:
    assert "web.host is '0.0.0.0'" in problem(folder, "web", "--host", "0.0.0.0")


def typed(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["vigie", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_main_when_the_project_cannot_be_used_then_one_line_and_the_code_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(monkeypatch, "train", "--project", str(tmp_path)) == USAGE

    said = capsys.readouterr().err
    assert said.startswith("vigie: there is no vigie.toml in ")
    assert said.count("\n") == 1


def test_main_when_debugging_then_it_shows_where_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(monkeypatch, "train", "--debug", "--project", str(tmp_path)) == USAGE

    assert "Traceback" in capsys.readouterr().err


def test_stream_when_several_are_to_start_with_wrong_settings_then_it_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "vigie.toml").write_text("[stream]\nbatch = 0\n")

    found = run(tmp_path, "stream", "--workers", "3")

    assert isinstance(found.exception, SettingsError)
    assert found.output == ""


@pytest.mark.parametrize(
    "words",
    [("trian",), ("predict", "--nope"), ("stream", "--workers", "0"), ("web", "--port", "70000"), ("simulate",)],
)
def test_main_when_the_command_line_is_wrong_then_the_code_is_that_of_usage(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(monkeypatch, *words) == USAGE

    assert "Traceback" not in capsys.readouterr().err


def test_main_when_the_version_is_asked_for_then_it_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import vigie

    assert typed(monkeypatch, "--version") == OK
    assert capsys.readouterr().out == f"vigie {vigie.__version__}\n"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SettingsError("a"), USAGE),
        (UnknownPartError("a"), USAGE),
        (MissingExtraError("a", "bert"), USAGE),
        (LabelError("a"), FAILURE),
        (UnavailableError("a"), UNAVAILABLE),
        (VigieError("a"), FAILURE),
    ],
)
def test_code_of_when_an_error_ends_a_command_then_it_is_one_that_is_explained(error: VigieError, code: int) -> None:
    assert code_of(error) == code
    assert code in MEANINGS


class Terminal(io.StringIO):
    """What a terminal is to those that ask."""

    def isatty(self) -> bool:
        return True


def test_progress_when_there_is_no_terminal_then_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)

    with progress("rows", 3) as advance, waiting("training"):
        advance(3)

    assert written.getvalue() == ""


@pytest.mark.parametrize("total", [None, 5])
def test_progress_when_there_is_a_terminal_then_it_shows_what_is_counted(
    total: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Terminal()
    monkeypatch.setattr(sys, "stderr", written)
    monkeypatch.setenv("TERM", "xterm")

    with progress("rows", total) as advance:
        advance(2)
        advance(3)

    assert "rows" in written.getvalue()
    assert re.search(r"\b5\b", written.getvalue())


def test_progress_when_the_work_writes_to_the_terminal_itself_then_there_is_no_bar(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = Terminal()
    monkeypatch.setattr(sys, "stderr", written)
    monkeypatch.setattr(sys, "stdout", Terminal())

    with progress("messages", to_terminal=True) as advance:
        advance(3)

    assert written.getvalue() == ""


def test_progress_when_the_work_fails_then_the_failure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())

    with pytest.raises(SettingsError, match="broken"), progress("rows", 3):
        raise SettingsError("broken")


def test_waiting_when_there_is_a_terminal_then_it_says_for_what(monkeypatch: pytest.MonkeyPatch) -> None:
    written = Terminal()
    monkeypatch.setattr(sys, "stderr", written)
    monkeypatch.setenv("TERM", "xterm")

    with waiting("training"):
        pass

    assert "training" in written.getvalue()
