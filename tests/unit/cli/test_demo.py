import re
import time
import tomllib
from pathlib import Path

import pytest

from vigie.cli import demo as module
from vigie.cli.demo import a_port, demo_folder, make_project, with_source, writer
from vigie.cli.web import listen
from vigie.errors import SettingsError
from vigie.settings import load

TEMPLATE = """
[project]
name = "logs"  # a comment

[sources.http]
type = "http"
sink = "files"

[sinks.files]
type = "files"
"""


def test_with_source_when_a_path_is_given_then_the_file_is_followed_and_comments_stay() -> None:
    text = with_source(TEMPLATE, 'a "b".log')

    tree = tomllib.loads(text)
    assert tree["project"]["name"] == "demo"
    assert tree["sources"]["demo"] == {
        "type": "files",
        "path": 'a "b".log',
        "follow": True,
        "sink": "files",
    }
    assert tree["sources"]["http"] == {"type": "http", "sink": "files"}
    assert list(tree["sinks"]) == ["files"]
    assert "# a comment" in text


def test_make_project_when_the_folder_is_new_then_its_settings_can_be_read(tmp_path: Path) -> None:
    make_project(tmp_path, None)

    settings = load(tmp_path, environment={})
    assert settings.sources["demo"].parameters == {"path": "demo.log", "follow": True}


def test_make_project_when_a_file_is_given_then_that_is_streamed(tmp_path: Path) -> None:
    mine = tmp_path / "mine.log"
    mine.write_text("line\n")

    make_project(tmp_path / "project", mine)

    assert load(tmp_path / "project", environment={}).sources["demo"].parameters["path"] == str(mine)


def test_make_project_when_the_file_is_missing_then_says_so_and_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"there is no .*gone\.log"):
        make_project(tmp_path / "project", tmp_path / "gone.log")

    assert not (tmp_path / "project").exists()


def test_make_project_when_it_is_a_kept_demo_then_it_goes_on_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "vigie.toml").write_text("[sources.demo]\n# changed by hand\n")

    make_project(tmp_path, None)

    assert "changed by hand" in (tmp_path / "vigie.toml").read_text()


def test_make_project_when_it_is_another_project_then_refused(tmp_path: Path) -> None:
    (tmp_path / "vigie.toml").write_text("[sources.mine]\n")

    with pytest.raises(SettingsError, match="holds a project that no demo made"):
        make_project(tmp_path, None)


def test_demo_folder_when_it_is_temporary_then_it_is_gone_afterwards() -> None:
    with demo_folder(None) as folder:
        (folder / "a").write_text("")

    assert not folder.exists()


def test_demo_folder_when_it_is_kept_then_it_stays(tmp_path: Path) -> None:
    with demo_folder(tmp_path) as folder:
        (folder / "a").write_text("")

    assert (tmp_path / "a").exists()


def test_writer_when_begun_then_whole_lines_appear_until_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "demo.log"

    with writer(path, seed=1, wanted=True) as begin:
        assert not path.exists()
        begin()
        for _ in range(200):
            time.sleep(0.05)
            if path.exists() and path.stat().st_size > 2000:
                break

    lines = path.read_text(encoding="utf-8")
    assert lines.endswith("\n")
    assert len(lines.splitlines()) > 10
    size = path.stat().st_size
    time.sleep(0.3)
    assert path.stat().st_size == size


def test_writer_when_a_file_is_streamed_then_writes_nothing(tmp_path: Path) -> None:
    with writer(tmp_path / "demo.log", seed=1, wanted=False) as begin:
        begin()

    assert list(tmp_path.iterdir()) == []


def test_a_port_when_the_usual_one_is_in_use_then_takes_a_free_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with listen("127.0.0.1", 0) as listening:
        used = listening.getsockname()[1]
        monkeypatch.setattr(module, "PORT", used)

        assert a_port(None) != used
        with pytest.raises(SettingsError, match="in use"):
            a_port(used)


def test_instructions_when_shown_then_they_name_the_page_the_files_and_how_to_stop(tmp_path: Path) -> None:
    from io import StringIO

    from rich.console import Console

    from vigie.cli.board import Board

    written = StringIO()
    board = Board(host="127.0.0.1", port=8080, console=Console(file=written, width=400))
    board.show("", module.instructions(board, tmp_path, None, kept=False))

    text = written.getvalue()
    assert "http://127.0.0.1:8080" in text
    assert f"tail -f {tmp_path / 'labelled.jsonl'}" in text
    assert re.search("To stop: +Ctrl-C; the folder is removed then", text)
