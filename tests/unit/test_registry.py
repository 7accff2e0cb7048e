from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException

from vigie.errors import UnavailableError
from vigie.registry import Registry
from vigie.registry.client import _without_password
from vigie.registry.logged_model import is_server


class Away:
    """MLflow's client, where no server is."""

    def get_model_version_by_alias(self, name: str, alias: str) -> None:
        raise MlflowException(f"refused\nwhile {name} was asked for {alias}")


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://user:secret@mlflow:5000", "http://…@mlflow:5000"),
        ("postgresql://me:p@ss@db/vigie", "postgresql://…@db/vigie"),
        ("http://mlflow:5000", "http://mlflow:5000"),
        ("sqlite:////srv/project/mlflow.db", "sqlite:////srv/project/mlflow.db"),
    ],
)
def test_error_when_it_names_the_server_then_without_password(uri: str, shown: str) -> None:
    assert (
        _without_password(f"cannot log at {uri}: {uri}/api refused", uri)
        == f"cannot log at {shown}: {shown}/api refused"
    )


@pytest.mark.parametrize(
    ("uri", "server"),
    [
        ("http://mlflow:5000", True),
        ("https://mlflow.example.org", True),
        ("databricks", True),
        ("sqlite:///mlflow.db", False),
        ("postgresql+psycopg://db/mlflow", False),
    ],
)
def test_uri_when_it_names_a_server_then_it_keeps_its_own_files(uri: str, server: bool, tmp_path: Path) -> None:
    assert is_server(uri) is server
    registry = Registry(uri, "model", artifact_root=tmp_path, cache=tmp_path / "cache")
    assert registry._artifact_root == (None if server else tmp_path)


def test_champion_when_the_server_is_away_then_it_is_said_once(tmp_path: Path) -> None:
    registry = Registry("http://127.0.0.1:9", "model", cache=tmp_path)

    with pytest.raises(UnavailableError) as caught:
        registry.champion()

    assert str(caught.value).count("cannot look up the champion at http://127.0.0.1:9: ") == 1


def test_script_when_none_is_given_then_the_one_of_this_package(tmp_path: Path) -> None:
    registry = Registry("sqlite:///mlflow.db", "model", cache=tmp_path)

    assert registry._script.name == "pyfunc.py"
    assert "set_model" in registry._script.read_text()


@pytest.mark.parametrize("call", ["prepare", "versions"])
def test_registry_when_its_file_is_no_database_then_that_is_said(call: str, tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    file.write_bytes(b"no database " * 1000)
    registry = Registry(f"sqlite:///{file}", "model", cache=tmp_path / "cache")

    with pytest.raises(UnavailableError, match="file is not a database") as caught:
        getattr(registry, call)()

    assert "\n" not in str(caught.value)


def test_champion_when_the_server_does_not_answer_then_the_error_says_so_once(tmp_path: Path) -> None:
    registry = Registry("http://127.0.0.1:1", "model", artifact_root=tmp_path, cache=tmp_path / "cache")
    registry._client = Away()

    with pytest.raises(UnavailableError) as caught:
        registry.champion()

    assert str(caught.value) == "cannot look up the champion at http://127.0.0.1:1: refused"
