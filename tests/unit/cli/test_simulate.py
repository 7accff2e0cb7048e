import json
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import simulate_fakes
from vigie.cli import app, simulate
from vigie.cli.simulate import label_columns
from vigie.errors import MissingExtraError, ModelError, SettingsError, UnavailableError, UnknownPartError, VigieError
from vigie.evaluation import peers


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "moods.csv"
    simulate_fakes.rows(90, copies=2).write_csv(path)
    return path


def run(file: Path, *options: str) -> Any:
    quick = ("--text", "text", "--label", "mood=mood", "--seeds", "1", "--budget", "20", "--model", "linear.v1")
    return CliRunner().invoke(app, ["simulate", str(file), *quick, *options], env={"COLUMNS": "200"})


def problem(file: Path, *options: str) -> VigieError:
    error = run(file, *options).exception
    assert isinstance(error, VigieError), error
    return error


def test_simulate_when_run_then_prints_a_table_with_its_terms(file: Path) -> None:
    found = run(file)

    assert found.exit_code == 0, found.output
    assert "180 messages, 90 templates (social); 25% of the templates held out" in found.output
    assert "vigie: linear.v1, cluster_margin.v1" in found.output
    assert "mood, after so many answers" in found.output


def test_simulate_when_json_is_asked_for_then_one_object_and_nothing_else(file: Path, tmp_path: Path) -> None:
    page = tmp_path / "curves.html"
    found = run(
        file,
        "--json",
        "--label",
        "topic=topic",
        "--strategy",
        "random.v1",
        "--strategy",
        "entropy.v1",
        "--html",
        str(page),
    )

    given = json.loads(found.stdout)["runs"]
    assert [(one["dimension"], one["strategy"]) for one in given] == [
        ("mood", "random.v1"),
        ("mood", "entropy.v1"),
        ("topic", "random.v1"),
        ("topic", "entropy.v1"),
    ]
    assert all(one["answers"] == [10, 20] and one["low"] == [None, None] for one in given)
    assert "vigie: linear.v1, entropy.v1" in page.read_text(encoding="utf-8")


def test_simulate_when_the_page_cannot_be_written_then_the_figures_are_there_all_the_same(file: Path) -> None:
    found = run(file, "--json", "--html", "/dev/full")

    assert json.loads(found.stdout)["runs"]
    assert isinstance(found.exception, SettingsError)
    assert "/dev/full cannot be written: No space left on device" in str(found.exception)


def test_simulate_when_messages_are_held_out_then_answered_groups_are_right_whatever_their_label(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(7)
    chance = pl.Series("mood", rng.choice(["heads", "tails"], 90).tolist() * 2)
    path = tmp_path / "coins.csv"
    simulate_fakes.rows(90, copies=2).with_columns(chance).write_csv(path)

    (apart,) = json.loads(run(path, "--budget", "60", "--json").stdout)["runs"]
    (mixed,) = json.loads(run(path, "--budget", "60", "--json", "--test", "messages").stdout)["runs"]

    assert mixed["macro_f1"][-1] > apart["macro_f1"][-1] + 0.1
    assert mixed["full_supervision"] > 0.85


def test_simulate_when_no_budget_is_given_then_as_many_answers_as_there_are_groups(file: Path) -> None:
    options = ["simulate", str(file), "--text", "text", "--label", "mood=mood", "--model", "linear.v1"]
    options += ["--seeds", "1", "--once", "--json"]

    (found,) = json.loads(CliRunner().invoke(app, options).stdout)["runs"]

    assert found["answers"][-1] == 60


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--label", "mood:mood"), "--label is 'mood:mood'; expected DIM=COLUMN, such as"),
        (("--label", "other=nope"), "has no column 'nope'; it has: text, mood, topic"),
        (("--text", "nope"), "has no column 'nope'"),
        (("--budget", "5000"), "--budget is 5000; besides the test there are 68 groups"),
        (("--budget", "5"), "--budget is 5; expected at least one batch"),
        (("--html", "/nowhere/curves.html"), "--html is /nowhere/curves.html; there is no folder /nowhere"),
        (("--html", "/dev"), "--html is /dev; that is a folder: name a file in it, such as /dev/curves.html"),
        (("--test", "rows"), "--test is 'rows'; expected templates or messages"),
        (("--label", "same=text"), "same has 90 different labels in 180 rows of column 'text'"),
    ],
)
def test_simulate_when_the_command_line_cannot_be_used_then_says_what_was_expected(
    file: Path, options: tuple[str, ...], reason: str
) -> None:
    error = problem(file, *options)

    assert isinstance(error, SettingsError)
    assert reason in str(error)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--strategy", "nope.v1"), "no query strategy is called 'nope.v1'; installed are: "),
        (("--model", "nope.v1"), "no classifier is called 'nope.v1'; installed are: "),
        (("--kind", "prose"), "no kind of text is called 'prose'; known are: logs, social"),
    ],
)
def test_simulate_when_a_part_is_unknown_then_lists_those_that_are(
    file: Path, options: tuple[str, ...], reason: str
) -> None:
    error = problem(file, *options)

    assert isinstance(error, UnknownPartError)
    assert reason in str(error)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("text,mood\n", "has no row"),
        ("text,mood\na,good\nb,bad\n", "the file has 2 different texts"),
        ("text,mood\n" + "".join(f"{word},good\n" for word in map(chr, range(97, 120))), "mood has a single label"),
        ("", "cannot be read"),
    ],
)
def test_simulate_when_the_file_has_too_little_then_says_what_is_missing(
    content: str, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "little.csv"
    path.write_text(content, encoding="utf-8")

    assert reason in str(problem(path))


def test_simulate_when_the_file_is_missing_then_says_so(tmp_path: Path) -> None:
    assert "there is no file" in str(problem(tmp_path / "gone.csv"))


def test_simulate_when_the_file_is_a_folder_then_says_so(tmp_path: Path) -> None:
    assert str(problem(tmp_path)) == f"{tmp_path} is a folder; name a file"


def test_simulate_when_peers_are_missing_then_names_the_pip_command(file: Path, monkeypatch: Any) -> None:
    def nothing() -> Any:
        raise MissingExtraError("--peers", "peers")

    monkeypatch.setattr(peers, "installed", nothing)

    assert "pip install 'vigie[peers]'" in str(problem(file, "--peers"))


class Silent:
    """A peer that is named and never started."""

    def __init__(self, features: str) -> None:
        self.features = features


@pytest.mark.parametrize(("is_there", "expected"), [(True, ["tfidf", "minilm"]), (False, ["tfidf"])])
def test_others_when_there_is_an_encoder_or_none_then_with_or_without_those_that_need_it(
    is_there: bool, expected: list[str], monkeypatch: Any
) -> None:
    monkeypatch.setattr(peers, "installed", lambda: [Silent("tfidf"), Silent("minilm")])
    monkeypatch.setattr(simulate, "_encoder", lambda _source: (lambda texts: texts) if is_there else None)

    found: list[Any] = simulate.others()

    assert [system.peer.features for system in found] == expected


@pytest.mark.parametrize(("is_there", "expected"), [(True, "hybrid.v1"), (False, "linear.v1")])
def test_ours_when_no_model_is_named_then_the_one_that_knows_meanings_if_it_can(
    is_there: bool, expected: str, monkeypatch: Any
) -> None:
    monkeypatch.setattr(simulate, "_encoder", lambda _source: (lambda texts: texts) if is_there else None)

    (system,) = simulate.ours(None, None)

    assert (system.about.model, system.predicts_at_once) == (expected, is_there)


@pytest.mark.parametrize(
    "error",
    [MissingExtraError("sentence embeddings", "embeddings"), UnavailableError("no network"), ModelError("hash")],
)
def test_encoder_when_it_cannot_be_had_then_none_and_says_why(error: Exception, monkeypatch: Any, caplog: Any) -> None:
    def refuse(*_: Any) -> Any:
        raise error

    monkeypatch.setattr("vigie.features.encoder_cache.embeddings", refuse)
    monkeypatch.setattr("vigie.features.encoder_files.find", refuse)

    assert simulate._encoder("default") is None
    assert "without sentence embeddings" in caplog.text


def test_encode_first_when_systems_need_embeddings_then_each_text_is_encoded_once_and_counted(
    monkeypatch: Any,
) -> None:
    seen: dict[str, list[str]] = {"default": [], "minilm": []}
    counted: list[tuple[str, int, int]] = []

    @contextmanager
    def progress(what: str, total: int) -> Any:
        done: list[int] = []
        yield done.append
        counted.append((what, total, sum(done)))

    monkeypatch.setattr(simulate, "_encoder", lambda source: seen[source].extend)
    monkeypatch.setattr(simulate, "progress", progress)
    monkeypatch.setattr(simulate, "ENCODED_AT_ONCE", 7)
    monkeypatch.setattr(peers, "installed", lambda: [Silent("tfidf"), Silent("minilm")])
    messages = simulate_fakes.messages(20, copies=2)

    simulate.encode_first(messages, [*simulate.ours(["hybrid.v1", "linear.v1"], None), *simulate.others()])

    assert seen["default"] == messages.rows["template"].unique(maintain_order=True).to_list()
    assert seen["minilm"] == messages.rows["text"].unique(maintain_order=True).to_list()
    assert counted == [("texts encoded", 20, 20)] * 2


def test_encode_first_when_nobody_needs_embeddings_then_nothing_is_encoded(monkeypatch: Any) -> None:
    monkeypatch.setattr(simulate, "_encoder", lambda _source: pytest.fail("asked for an encoder"))

    simulate.encode_first(simulate_fakes.messages(20), simulate.ours(["linear.v1"], None))


def test_label_columns_when_pairs_are_given_then_columns_by_dimension() -> None:
    assert label_columns(["severity=sev", "kind=a=b"]) == {"severity": "sev", "kind": "a=b"}
    with pytest.raises(SettingsError, match="names severity twice"):
        label_columns(["severity=a", "severity=b"])
