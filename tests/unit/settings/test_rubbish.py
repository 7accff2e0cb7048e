"""What people get wrong in `vigie.toml`, in files beside it and in the environment."""

import math
from pathlib import Path
from typing import Any

import pytest

from vigie.errors import SettingsError
from vigie.settings import FILE_NAME, load, parse

SMALL = '[[dimensions]]\nname = "mood"\nlabels = ["good", "bad"]\n'
MARK = "\ufeff"


def refused(text: str, **others: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        parse(SMALL + text, **others)
    return str(caught.value)


def test_parse_when_a_secret_file_is_no_text_then_its_name_is_told_and_not_its_content(tmp_path: Path) -> None:
    (tmp_path / "password").write_bytes(b"hunter2\xff\xfe")

    message = refused('[store]\nurl = { file = "password" }\n', folder=tmp_path)

    assert "takes a value from password, which cannot be read" in message
    assert "hunter2" not in message


def test_parse_when_a_secret_file_has_an_impossible_name_then_it_cannot_be_read(tmp_path: Path) -> None:
    assert "cannot be read" in refused('[store]\nurl = { file = "\\u0000" }\n', folder=tmp_path)


@pytest.mark.parametrize("written", ["s3cret", "s3cret\n", f"{MARK}s3cret\r\n"])
def test_parse_when_a_secret_file_was_written_by_some_editor_then_the_secret_alone_is_read(
    written: str, tmp_path: Path
) -> None:
    (tmp_path / "password").write_bytes(written.encode())

    assert parse(SMALL + '[store]\nurl = { file = "password" }\n', folder=tmp_path).store.url == "s3cret"


def test_load_when_the_file_begins_with_a_byte_order_mark_then_it_is_read_as_without(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(MARK + SMALL, encoding="utf-8")

    assert load(tmp_path, environment={}).as_dimensions()[0].label_names == ("good", "bad")


def test_load_when_there_is_a_folder_in_place_of_the_file_then_it_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()

    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path, environment={})


@pytest.mark.parametrize(
    ("section", "line", "expected"),
    [
        ("learning", "seed = -1", "learning.seed is -1; expected greater than or equal to 0"),
        ("learning", "seed = 4294967296", "learning.seed is 4294967296; expected less than or equal to 4294967295"),
        ("learning", "lease_seconds = inf", "learning.lease_seconds is inf; expected less than or equal to"),
        ("learning", "lease_seconds = 1e300", "learning.lease_seconds is 1e+300; expected less than or equal to"),
        ("learning", "lease_seconds = nan", "learning.lease_seconds is nan"),
        ("learning", "retrain_after_seconds = nan", "learning.retrain_after_seconds is nan"),
        ("learning", "retrain_after_seconds = 0", "learning.retrain_after_seconds is 0; expected greater than 0"),
        (
            "learning",
            "open_questions = 10001",
            "learning.open_questions is 10001; expected less than or equal to 10000",
        ),
        ("learning", "audit_every = 1", "learning.audit_every is 1; expected greater than or equal to 2"),
        ("learning", 'serving = "fast"', "learning.serving is 'fast'; expected 'auto', 'full', 'cascade' or 'student'"),
        ("learning", "encoder_threads = 0", "learning.encoder_threads is 0; expected greater than or equal to 1"),
        ("learning", 'encoder = ""', "learning.encoder is ''"),
        ("learning", "parameters = 5", "learning.parameters is 5; expected a valid dictionary"),
        ("routing", "confidence = nan", "routing.confidence is nan; expected less than or equal to 1"),
        ("stream", "max_batch = 0", "stream.max_batch is 0; expected greater than or equal to 1"),
        ("stream", "max_batch = 1.5", "stream.max_batch is 1.5; expected a valid integer"),
        ("stream", "max_delay_seconds = 61", "stream.max_delay_seconds is 61; expected less than or equal to 60"),
        ("stream", "max_message_bytes = -1", "stream.max_message_bytes is -1"),
        ("pool", "max_groups = 99", "pool.max_groups is 99; expected greater than or equal to 100"),
        ("pool", "samples_per_group = 101", "pool.samples_per_group is 101"),
        ("web", "port = 65536", "web.port is 65536; expected less than or equal to 65535"),
        ("web", "port = -1", "web.port is -1; expected greater than or equal to 0"),
        ("web", 'allowed_hosts = "a"', "web.allowed_hosts is 'a'; expected a valid tuple"),
        ("rules", 'precedence = "first"', "rules.precedence is 'first'; expected 'fallback' or 'override'"),
        ("project", 'language = "de"', "project.language is 'de'; expected 'en' or 'fr'"),
        ("project", 'text = "prose"', "project.text is 'prose'; expected 'logs' or 'social'"),
    ],
)
def test_parse_when_a_value_cannot_be_used_then_key_value_and_line_are_named(
    section: str, line: str, expected: str
) -> None:
    message = refused(f"[{section}]\n{line}\n")

    assert message.startswith(expected)
    assert message.endswith("change it in vigie.toml, line 5")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[sources]\na = 5\n", "sources.a is 5; expected a valid dictionary"),
        ('[sources.a]\nsink = "b"\n', "sources.a.type is missing"),
        ('[sources."A b"]\ntype = "http"\n', "should match pattern"),
        (
            '[sources.a]\ntype = "http"\nformat = "xml"\n',
            "sources.a.format is 'xml'; expected 'auto', 'json' or 'text'",
        ),
        ('[sources.a]\ntype = "http"\ntext_fields = []\n', "sources.a.text_fields is []"),
        ("[sinks.a]\n", "sinks.a.type is missing"),
    ],
)
def test_parse_when_a_source_or_sink_is_half_written_then_says_what_is_wrong(text: str, expected: str) -> None:
    assert expected in refused(text)


@pytest.mark.parametrize(
    "deep",
    [
        f"parameters = {{ a = {'[' * 5000}{']' * 5000} }}",
        f"parameters = {'{ a = ' * 5000}1{' }' * 5000}",
        f"parameters.{'a.' * 5000}b = 1",
    ],
)
def test_parse_when_tables_or_lists_are_nested_too_deeply_then_refused(deep: str) -> None:
    assert "vigie.toml is nested too deeply" in refused(f"[learning]\n{deep}\n")


def test_parse_when_the_environment_is_nested_too_deeply_then_it_is_a_text() -> None:
    environment = {"VIGIE_LEARNING__SEED": "[" * 5000}

    assert refused("", environment=environment).startswith("learning.seed is '[[[[")


def test_parse_when_nothing_is_asked_then_dimensions_are_missing() -> None:
    with pytest.raises(SettingsError, match=r"dimensions is missing; change it in vigie\.toml"):
        parse("")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"VIGIE_": "1"}, "the environment sets VIGIE_; expected VIGIE_SECTION__KEY"),
        ({"VIGIE_FOLDER": "/"}, "the environment sets VIGIE_FOLDER; expected VIGIE_SECTION__KEY"),
        ({"VIGIE_ROUTING": "1"}, "routing is 1; expected a valid dictionary"),
        ({"VIGIE_DIMENSIONS__0__NAME": "a"}, "dimensions is not a table"),
        ({"VIGIE_PROJECT__NAME": "42"}, "project.name is 42; expected a valid string; change VIGIE_PROJECT__NAME"),
        ({"VIGIE_WEB__PRT": "42"}, "web.prt is no setting; did you mean 'port'?; change VIGIE_WEB__PRT"),
    ],
)
def test_parse_when_the_environment_makes_no_sense_then_the_variable_or_the_key_is_named(
    environment: dict[str, str], expected: str
) -> None:
    assert expected in refused("", environment=environment)


@pytest.mark.parametrize(
    ("value", "expected"), [('["a", "b"]', ("a", "b")), ("[]", ()), ('["x.example:8080"]', ("x.example:8080",))]
)
def test_parse_when_the_environment_holds_a_list_then_it_is_read_as_toml(value: str, expected: tuple[str, ...]) -> None:
    assert parse(SMALL, environment={"VIGIE_WEB__ALLOWED_HOSTS": value}).web.allowed_hosts == expected


@pytest.mark.parametrize("value", ["a = b", "a\nb", "'", "1.2.3", "0123"])
def test_parse_when_the_environment_holds_no_toml_then_it_is_a_text(value: str) -> None:
    assert parse(SMALL, environment={"VIGIE_PROJECT__NAME": value}).project.name == value


def test_parse_when_training_shall_never_come_by_itself_then_infinity_is_an_answer() -> None:
    assert parse(f"{SMALL}[learning]\nretrain_after_seconds = inf\n").learning.retrain_after_seconds == math.inf
