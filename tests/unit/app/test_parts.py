from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from vigie import plugins
from vigie.app.parts import build, database_url, encoder_source, in_folder, suited
from vigie.errors import SettingsError
from vigie.parameters import Bundle


class Part:
    """Takes what a part may take."""

    def __init__(self, name: str, *, topics: str | list[str], depth: int = 1, inbox: object = None) -> None:
        self.given: dict[str, Any] = {"name": name, "topics": topics, "depth": depth, "inbox": inbox}


@dataclass(frozen=True)
class Login(Bundle):
    """As whom a server is asked."""

    owner: str
    user: str
    patience_seconds: float = 1.0
    password: str = ""
    token: str | None = None


class Bundled:
    """Takes a bundle of settings."""

    def __init__(self, name: str, *, login: Login, anything=None) -> None:
        self.given: dict[str, Any] = {"name": name, "login": login, "anything": anything}


@pytest.fixture
def bundled(monkeypatch: pytest.MonkeyPatch, part: None) -> None:
    monkeypatch.setattr(plugins, "load", lambda _family, _name: Bundled)


@pytest.fixture(autouse=True)
def part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "load", lambda _family, _name: Part)


def made(given: dict[str, Any], **offered: Any) -> dict[str, Any]:
    return build("sources", "part", "sources.x", given, {"name": "x", **offered}).given


def refused(given: dict[str, Any]) -> str:
    with pytest.raises(SettingsError) as caught:
        made(given)
    return str(caught.value)


def test_build_when_keys_are_given_and_offered_then_the_part_gets_both():
    assert made({"topics": ["a"]}, inbox="inbox") == {"name": "x", "topics": ["a"], "depth": 1, "inbox": "inbox"}


def test_build_when_more_is_offered_than_the_part_takes_then_the_rest_is_left_out():
    assert made({"topics": "a"}, checkpoints="unwanted")["topics"] == "a"


def test_build_when_a_key_is_misspelt_then_the_nearest_is_named():
    assert refused({"topics": "a", "dept": 2}).endswith(
        "is no setting of sources of type 'part'; did you mean 'depth'?"
    )


def test_build_when_a_key_is_what_vigie_offers_then_it_cannot_be_set():
    assert "sources.x.name is no setting" in refused({"topics": "a", "name": "y"})


def test_build_when_a_key_is_missing_then_it_is_named():
    assert refused({}) == "sources.x.topics is missing; sources of type 'part' need it"


def test_build_when_a_value_has_the_wrong_type_then_value_and_expectation_are_named():
    message = refused({"topics": "a", "depth": "deep"})
    assert message.startswith("sources.x.depth is 'deep'; expected a valid integer")


@pytest.mark.usefixtures("bundled")
@pytest.mark.parametrize("key", ["password", "token"])
def test_build_when_a_secret_has_the_wrong_type_then_it_is_not_shown(key: str):
    message = refused({"user": "me", key: 13579})

    assert message == f"sources.x.{key} is a number, not shown here; expected a valid string, in double quotes"


@pytest.mark.usefixtures("bundled")
def test_build_when_a_part_takes_a_bundle_then_its_fields_are_keys_of_the_table():
    given = made({"user": "me", "patience_seconds": 3, "anything": [1]})

    assert given == {"name": "x", "login": Login("sources.x", "me", 3.0), "anything": [1]}


@pytest.mark.usefixtures("bundled")
@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"user": "me", "patience_seconds": "long"}, "sources.x.patience_seconds is 'long'; expected a valid number"),
        ({"patience_seconds": 1}, "sources.x.user is missing; sources of type 'part' need it"),
        ({"user": "me", "patience": 1}, "sources.x.patience is no setting of sources of type 'part'; did you mean"),
        ({"user": "me", "login": {"user": "you"}}, "sources.x.login is no setting of sources of type 'part'"),
        ({"user": "me", "owner": "you"}, "sources.x.owner is no setting of sources of type 'part'"),
    ],
)
def test_build_when_a_field_of_a_bundle_cannot_be_used_then_says_so_as_of_any_key(given, reason):
    assert refused(given).startswith(reason)


def test_build_when_no_part_has_the_name_then_the_table_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.undo()
    with pytest.raises(SettingsError, match=r"sources\.x\.type: no source is called 'pigeon'"):
        build("sources", "pigeon", "sources.x", {}, {})


def test_in_folder_when_a_path_is_relative_then_it_is_seen_from_the_project():
    given = {"path": "a.log", "dead_letters": "/b.jsonl", "topics": "c"}
    assert in_folder(Path("/project"), given) == {"path": "/project/a.log", "dead_letters": "/b.jsonl", "topics": "c"}


def test_in_folder_when_it_is_standard_input_then_it_stays():
    assert in_folder(Path("/project"), {"path": "-"}) == {"path": "-"}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///vigie.db", "sqlite:////project/vigie.db"),
        ("sqlite:////elsewhere/vigie.db", "sqlite:////elsewhere/vigie.db"),
        ("postgresql+psycopg://a@b/c", "postgresql+psycopg://a@b/c"),
        ("http://mlflow:5000", "http://mlflow:5000"),
    ],
)
def test_database_url_when_it_is_a_relative_file_then_it_is_seen_from_the_project(url, expected):
    assert database_url(url, Path("/project")) == expected


def test_suited_when_a_part_takes_some_values_then_those_only():
    assert suited(Part, {"depth": 2, "encoder": "default"}) == {"depth": 2}


@pytest.mark.parametrize(
    ("source", "expected"),
    [("default", "default"), ("owner/name@main", "owner/name@main"), ("models/mine", "{folder}/models/mine")],
)
def test_encoder_source_when_it_is_a_folder_then_it_is_seen_from_the_project(tmp_path, source, expected):
    (tmp_path / "models" / "mine").mkdir(parents=True)

    assert encoder_source(source, tmp_path) == expected.format(folder=tmp_path.resolve())


@pytest.mark.parametrize("given", [{"topics": ["a"], "dept": 1}, {"topics": ["a"], "depth": "deep"}, {}])
def test_build_when_a_key_is_wrong_then_it_is_said_where_to_change_it(given: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"; change it in line (dept|depth|topics)$"):
        build(
            "sources",
            "part",
            "sources.x",
            given,
            {"name": "x"},
            where_to_change=lambda key: f"; change it in line {key}",
        )
