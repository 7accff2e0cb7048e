import subprocess
import sys
from pathlib import Path

import pytest

from vigie.errors import SettingsError
from vigie.settings import load, parse, place

SMALL = """
[project]
name = "small"

[[dimensions]]
name = "severity"
default = "info"
labels = ["info", { name = "error", guideline = "When it failed." }]

[[dimensions]]
name = "mood"
labels = ["good", "bad"]

[routing]
confidence = 0.8
"""


def refused(text: str, **kwargs: object) -> str:
    with pytest.raises(SettingsError) as caught:
        parse(text, **kwargs)
    return str(caught.value)


def test_parse_when_labels_are_strings_or_tables_then_both_are_labels():
    severity = parse(SMALL).as_dimensions()[0]
    assert severity.label_names == ("info", "error")
    assert severity.labels[1].guideline == "When it failed."
    assert severity.default == "info"


def test_parse_when_nothing_else_is_said_then_defaults_hold():
    settings = parse(SMALL)
    assert (settings.web.host, settings.web.port) == ("127.0.0.1", 8080)
    assert settings.learning.retrain_after_answers == 10
    assert settings.stream.max_delay_seconds == 0.2


@pytest.mark.parametrize("template", ["logs", "social"])
def test_load_when_it_is_a_template_then_it_is_valid_and_every_label_has_a_guideline(template):
    import vigie

    settings = load(Path(vigie.__file__).parent / "templates" / template, environment={})
    assert all(label.guideline for dimension in settings.as_dimensions() for label in dimension.labels)


def test_load_when_there_is_no_file_then_it_says_how_to_make_one(tmp_path):
    with pytest.raises(SettingsError, match="vigie init"):
        load(tmp_path)


def test_load_when_the_file_is_no_text_then_it_says_so(tmp_path):
    (tmp_path / "vigie.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path)


def test_parse_when_toml_is_broken_then_the_line_is_named():
    assert "line 2" in refused("\n[project\n")


def test_parse_when_a_key_is_unknown_then_the_nearest_is_named_with_the_line():
    message = refused(SMALL.replace("confidence", "confidense"))
    assert message == "routing.confidense is no setting; did you mean 'confidence'?; change it in vigie.toml, line 15"


def test_parse_when_a_section_is_unknown_then_the_known_ones_are_listed():
    assert "expected one of project" in refused(SMALL + "[zzz]\na = 1\n")


def test_parse_when_a_value_is_out_of_range_then_value_and_expectation_are_named():
    message = refused(SMALL.replace("0.8", "1.3"))
    assert message.startswith("routing.confidence is 1.3; expected less than or equal to 1; change it in")
    assert message.endswith("line 15")


def test_parse_when_the_second_dimension_is_wrong_then_its_own_line_is_named():
    message = refused(SMALL.replace('labels = ["good", "bad"]', 'labels = "good"'))
    assert message.endswith("line 12")


def test_parse_when_a_model_has_a_name_that_mlflow_does_not_take_then_refused() -> None:
    assert refused(SMALL + '[registry]\nmodel = "team/mood"\n').startswith("registry.model: 'team/mood' is no name")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('default = "info"', 'default = "inf"', "expected one of the labels info, error"),
        ('["good", "bad"]', '["good"]', "at least 2 items"),
        ('["good", "bad"]', '["good", "good"]', "'good' stands twice"),
        ('name = "mood"', 'name = "severity"', "'severity' stands twice"),
        ('name = "mood"', 'name = "vigie"', "cannot be called 'vigie'"),
        ('name = "mood"', 'name = ""', "at least 1 character"),
        ('name = "mood"', 'name = "mood"\ntarget_precision = 1.0', "target_precision is 1.0; expected less than 1"),
        ('name = "mood"', 'name = "mood"\ntarget_precision = 0', "target_precision is 0; expected greater than 0"),
    ],
)
def test_parse_when_dimensions_make_no_sense_then_it_says_why(old, new, expected):
    assert expected in refused(SMALL.replace(old, new))


def test_parse_when_a_source_names_an_unknown_sink_then_the_sinks_are_listed():
    text = SMALL + '[sources.a]\ntype = "http"\nsink = "nope"\n[sinks.out]\ntype = "files"\n'
    assert refused(text).endswith("the sinks of this project are: out; change it in vigie.toml, line 18")


def test_parse_when_there_are_several_sinks_then_a_source_must_choose():
    text = SMALL + '[sources.a]\ntype = "http"\n[sinks.x]\ntype = "files"\n[sinks.y]\ntype = "files"\n'
    assert 'sources.a names no sink, and there are several; add sink = "x" or sink = "y"; change it' in refused(text)
    assert refused(text).endswith("line 16")


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ('[learning]\nstrategy = "cluster_margn.v1"', "learning.strategy: none of the strategies installed is called "),
        ('[learning]\nclassifier = "hybrd.v1"', "learning.classifier: none of the classifiers installed is called "),
        ('[sources.x]\ntype = "fils"', "sources.x.type: none of the sources installed is called "),
        ('[sinks.x]\ntype = "fils"', "sinks.x.type: none of the sinks installed is called "),
    ],
)
def test_parse_when_a_part_is_misspelt_then_the_nearest_is_named_with_the_line(table: str, expected: str) -> None:
    message = refused(f"{SMALL}\n{table}\n")
    nearest = {"cluster_margn.v1": "cluster_margin.v1", "hybrd.v1": "hybrid.v1", "fils": "files"}[table.split('"')[1]]
    assert message.startswith(expected)
    assert message.endswith(f"; did you mean {nearest!r}?; change it in vigie.toml, line 18")


def test_parse_when_no_part_is_called_like_that_then_those_installed_are_listed() -> None:
    assert "expected one of files, http, kafka, loki; change it" in refused(SMALL + '[sources.x]\ntype = "zzz"\n')


def test_parse_when_parts_are_named_then_none_is_imported() -> None:
    code = (
        "import sys; from vigie.settings import parse; "
        'parse(\'[[dimensions]]\\nname = "a"\\nlabels = ["b", "c"]\\n[learning]\\nclassifier = "hybrid.v1"\'); '
        "print([name for name in sys.modules if name.startswith('vigie.classifiers')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_place_when_the_key_is_not_written_then_its_table_is_the_place(tmp_path: Path) -> None:
    (tmp_path / "vigie.toml").write_text(SMALL)
    assert place(tmp_path, "routing", "confidence") == "; change it in vigie.toml, line 15"
    assert place(tmp_path, "routing", "other") == "; change it in vigie.toml, line 14"
    assert place(tmp_path / "gone", "routing", "other") == "; change it in vigie.toml"


def test_place_when_the_environment_sets_it_then_that_is_the_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "vigie.toml").write_text(SMALL)
    monkeypatch.setenv("VIGIE_RULES__PATH", "mine.toml")
    assert place(tmp_path, "rules", "path") == "; change VIGIE_RULES__PATH in the environment"


def test_parse_when_a_source_cannot_be_read_again_then_it_has_no_corrections():
    source = '[sources.app]\ntype = "{}"\ncorrections = true\n'

    assert "corrections need a source of type 'kafka'" in refused(SMALL + source.format("files"))
    assert parse(SMALL + source.format("kafka")).sources["app"].corrections


def test_sink_of_when_there_is_one_sink_then_it_is_taken():
    settings = parse(SMALL + '[sources.a]\ntype = "http"\n[sinks.x]\ntype = "files"\npath = "o"\n')
    assert settings.sink_of("a") == "x"
    assert settings.sinks["x"].parameters == {"path": "o"}


def test_parse_when_the_environment_says_otherwise_then_it_wins_over_the_file():
    settings = parse(
        SMALL, environment={"VIGIE_ROUTING__CONFIDENCE": "0.5", "VIGIE_PROJECT__NAME": "other", "HOME": "/"}
    )
    assert settings.routing.confidence == 0.5
    assert settings.project.name == "other"


def test_parse_when_a_flag_is_given_then_it_wins_over_the_environment():
    settings = parse(SMALL, environment={"VIGIE_WEB__PORT": "1"}, flags={"web.port": 2})
    assert settings.web.port == 2


def test_parse_when_the_environment_names_no_section_then_it_is_refused():
    assert "VIGIE_ROUTNG__CONFIDENCE" in refused(SMALL, environment={"VIGIE_ROUTNG__CONFIDENCE": "1"})


def test_parse_when_the_project_variable_is_set_then_it_is_left_alone():
    assert parse(SMALL, environment={"VIGIE_PROJECT": "/somewhere"}).project.name == "small"


def test_parse_when_a_secret_is_in_the_environment_then_it_stands_for_the_value():
    text = SMALL + '[sinks.k]\ntype = "kafka"\noptions = { "sasl.password" = { env = "SECRET" } }\n'
    settings = parse(text, environment={"SECRET": "s3cret"})
    assert settings.sinks["k"].parameters["options"]["sasl.password"] == "s3cret"


def test_parse_when_a_secret_is_missing_then_its_name_is_told():
    assert "SECRET" in refused(SMALL + '[store]\nurl = { env = "SECRET" }\n', environment={})


def test_parse_when_a_secret_is_in_a_file_then_it_is_read_from_the_project(tmp_path):
    (tmp_path / "password").write_text("s3cret\n")
    assert parse(SMALL + '[store]\nurl = { file = "password" }\n', folder=tmp_path).store.url == "s3cret"


def test_parse_when_a_secret_file_is_missing_then_it_says_so(tmp_path):
    assert "cannot be read" in refused(SMALL + '[store]\nurl = { file = "password" }\n', folder=tmp_path)


def test_settings_when_someone_changes_them_then_they_refuse():
    from pydantic import ValidationError

    with pytest.raises(ValidationError):
        parse(SMALL).routing.confidence = 0.1


def test_parse_when_the_environment_is_wrong_then_the_variable_is_named_and_not_the_file():
    message = refused(SMALL, environment={"VIGIE_ROUTING__CONFIDENCE": "abc"})
    assert message.endswith("; change VIGIE_ROUTING__CONFIDENCE in the environment")


def test_parse_when_a_precision_is_promised_then_only_that_dimension_has_it():
    settings = parse(SMALL.replace('name = "mood"', 'name = "mood"\ntarget_precision = 0.98'))

    assert [one.target_precision for one in settings.dimensions] == [None, 0.98]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("second_annotator_share = 1.5", "quality.second_annotator_share is 1.5; expected less than or equal to 1"),
        ("gold_share = -0.1", "quality.gold_share is -0.1; expected greater than or equal to 0"),
        ("too_fast_seconds = 61", "quality.too_fast_seconds is 61; expected less than or equal to 60"),
        ('doubts = "maybe"', "quality.doubts is 'maybe'"),
        ("gold_shares = 0.1", "quality.gold_shares is no setting; did you mean 'gold_share'?"),
    ],
)
def test_load_when_quality_makes_no_sense_then_says_what_is_expected(line: str, expected: str) -> None:
    assert refused(f"{SMALL}\n[quality]\n{line}\n").startswith(expected)
