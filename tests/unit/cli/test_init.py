import json
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vigie.cli import app, init, interview
from vigie.cli.init import RULES, SETTINGS, Template, _is_terminal, template_texts
from vigie.errors import SettingsError
from vigie.labels import Dimension, Label
from vigie.settings import load, parse

KAFKA_PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "kafka.md").read_text(encoding="utf-8")
MOOD = Dimension("mood", (Label("bad", 'When "it" is bad.'), Label("good")), question="How does it feel?")


def run(*arguments: str, answers: str | None = None) -> str:
    result = CliRunner().invoke(app, ["init", *arguments], input=answers)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return str(result.output)


def all_at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the interview believe that someone is there."""
    monkeypatch.setattr(init, "_is_terminal", lambda: True)


@pytest.mark.parametrize("template", list(Template))
def test_init_when_a_template_is_named_then_its_files_are_there_and_can_be_read(
    template: Template, tmp_path: Path
) -> None:
    output = run(str(tmp_path / "new"), "--template", template)

    assert {path.name for path in (tmp_path / "new").iterdir()} == {SETTINGS, RULES}
    assert load(tmp_path / "new", environment={}).project.name == "new"
    assert f"vigie up --project {tmp_path / 'new'}" in output


@pytest.mark.parametrize(
    ("folder", "name"),
    [('my "logs"', "my -logs-"), ("a\\b", "a-b"), ("é 🙂", "é -"), ("x" * 200, "x" * 80), ("C:", "C-"), (" ", "logs")],
)
def test_init_when_the_directory_has_an_odd_name_then_the_project_has_one_that_mlflow_takes(
    folder: str, name: str, tmp_path: Path
) -> None:
    run(str(tmp_path / folder), "--template", "logs")

    assert load(tmp_path / folder, environment={}).project.name == name


@pytest.mark.parametrize("template", list(Template))
def test_settings_of_a_template_when_the_page_about_kafka_is_appended_then_they_can_be_read(template: Template) -> None:
    shown = KAFKA_PAGE.split("```toml\n")[1].split("```")[0]

    settings = parse(template_texts(template)[SETTINGS] + shown, environment={})

    assert (settings.sink_of("http"), settings.sink_of("kafka")) == ("files", "kafka")


def test_init_when_json_is_asked_for_then_says_in_json_what_it_made(tmp_path: Path) -> None:
    made = json.loads(run(str(tmp_path), "--template", "logs", "--json"))

    assert made == {"folder": str(tmp_path), "files": [SETTINGS, RULES]}


def test_init_when_the_directory_is_given_as_an_option_then_it_is_the_same(tmp_path: Path) -> None:
    run("--project", str(tmp_path), "--template", "logs")

    assert (tmp_path / SETTINGS).exists()


@pytest.mark.parametrize("name", [SETTINGS, RULES])
def test_init_when_a_file_is_there_then_refuses_and_changes_nothing(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")

    with pytest.raises(SettingsError, match=f"{name} is there already; .* --force to replace it"):
        run(str(tmp_path), "--template", "logs")

    assert (tmp_path / name).read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 1


def test_init_when_forced_then_writes_over_what_is_there(tmp_path: Path) -> None:
    (tmp_path / SETTINGS).write_text("mine")

    run(str(tmp_path), "--template", "logs", "--force")

    is_name = f'name = "{tmp_path.name}"'
    assert (tmp_path / SETTINGS).read_text().replace(is_name, 'name = "logs"') == template_texts(Template.LOGS)[
        SETTINGS
    ]


@pytest.mark.parametrize(("is_there", "classifier"), [(True, "hybrid.v1"), (False, "linear.v1")])
@pytest.mark.parametrize("template", Template)
def test_template_texts_when_the_extra_is_there_or_not_then_a_classifier_that_can_be_used(
    template: Template, is_there: bool, classifier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vigie.features.encoder_files.is_installed", lambda: is_there)

    assert tomllib.loads(template_texts(template)[SETTINGS])["learning"]["classifier"] == classifier


def test_init_when_the_directory_cannot_be_made_then_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(SettingsError, match="cannot be made a project: Not a directory"):
        run(str(tmp_path / "file" / "new"), "--template", "logs")


def test_init_when_there_is_no_terminal_to_ask_in_then_names_the_templates(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--template logs or --template social"):
        run(str(tmp_path))

    assert list(tmp_path.iterdir()) == []


def test_init_when_it_asks_then_the_answers_make_the_project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    all_at_a_terminal(monkeypatch)
    answers = [
        "Find angry customers",
        "tweets",  # no such kind: asked again
        "social",
        "vigie",  # reserved: asked again
        "mood",
        "How does it feel?",
        "bad: when it complains",
        "",  # one label is not enough: asked again
        "bad",  # there already: asked again
        "good",
        "",
        "y",
        "mood",  # taken: asked again
        "topic",
        "",
        "flight",
        "luggage: lost: or late",
        "",
        "n",
    ]

    run(str(tmp_path / "airline"), answers="\n".join(answers) + "\n")

    settings = load(tmp_path / "airline", environment={})
    assert (settings.project.name, settings.project.text) == ("airline", "social")
    assert settings.project.goal == "Find angry customers"
    mood, topic = settings.as_dimensions()
    assert mood == Dimension("mood", (Label("bad", "when it complains"), Label("good")), question="How does it feel?")
    assert topic.labels == (Label("flight"), Label("luggage", "lost: or late"))
    assert topic.question == "What topic is it?"


def test_init_when_it_is_interrupted_while_asking_then_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    all_at_a_terminal(monkeypatch)

    result = CliRunner().invoke(app, ["init", str(tmp_path)], input="A goal\n")

    assert result.exit_code != 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("template", list(Template))
def test_settings_text_when_made_from_a_template_then_its_comments_and_other_settings_stay(template: Template) -> None:
    before = template_texts(template)[SETTINGS]

    after = interview.settings_text(before, name='a "b"', goal="g", dimensions=[MOOD])

    settings, was = parse(after), parse(before)
    assert settings.as_dimensions() == (MOOD,)
    assert (settings.project.name, settings.project.goal) == ('a "b"', "g")
    same = {"sources", "sinks", "stream", "rules", "learning", "routing", "registry", "store", "web"}
    assert settings.model_dump(include=same) == was.model_dump(include=same)
    comments = {line for line in before.splitlines() if line.startswith("#")}
    assert comments <= set(after.splitlines())


def test_settings_text_when_the_answers_make_no_project_then_says_why() -> None:
    twice = Dimension("mood", (Label("bad"), Label("bad")))

    with pytest.raises(SettingsError, match="'bad' stands twice"):
        interview.settings_text(template_texts(Template.LOGS)[SETTINGS], name="a", goal="", dimensions=[twice])


def test_rules_text_when_uncommented_then_it_is_a_rule_of_the_dimension() -> None:
    import tomllib

    text = interview.rules_text(Dimension("top ic", (Label('a"b'), Label("c"))))
    rules = tomllib.loads("\n".join(line.removeprefix("# ") for line in text.splitlines()[2:]))

    assert rules["rules"][0]["labels"] == {"top ic": 'a"b'}


def test_is_terminal_when_run_by_a_test_then_there_is_none() -> None:
    assert not _is_terminal()
