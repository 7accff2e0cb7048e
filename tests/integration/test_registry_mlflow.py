"""The registry against MLflow itself: its SQLite store, and its server."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest

from builders import a_dimension
from vigie.classifiers.artefact import Artefact
from vigie.classifiers.linear import LinearClassifier
from vigie.errors import ModelError, UnavailableError
from vigie.registry import Registry, TrainingRecord
from vigie.registry.embedded import read_while_written

DIMENSIONS = (a_dimension("severity"), a_dimension("category", ("network", "storage")))
TEXTS = pl.Series(["disk failed", "disk ok", "host slow"])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a saved artefact; the database in it is made by the first test, as MLflow takes seconds for it."""
    folder = tmp_path_factory.mktemp("registry")
    labels = pl.DataFrame({"severity": ["error", "info", "warning"], "category": ["storage", "storage", "network"]})
    classifier = LinearClassifier(DIMENSIONS).fit(TEXTS, labels)
    Artefact(classifier, DIMENSIONS, "logs", {"volume gone": {"severity": "error"}}).save(folder / "saved")
    return folder


def a_registry(home: Path, name: str) -> Registry:
    return Registry(f"sqlite:///{home}/mlflow.db", name, artifact_root=home / "models", cache=home / "cache" / name)


def a_training(home: Path, **changes: object) -> TrainingRecord:
    given = {
        "folder": home / "saved",
        "outputs": ("severity", "category"),
        "parameters": {"strength": 30.0, "classifier": "linear.v1"},
        "metrics": {"accuracy.severity": 0.75},
        "dataset_digest": "0123abcd",
        "n_examples": 3,
        "example": TEXTS.to_list(),
        "tags": {"reason": "ten answers"},
    }
    return TrainingRecord(**{**given, **changes})  # type: ignore[arg-type]


def test_champion_when_no_database_was_made_yet_then_none_at_once_and_none_is_made(tmp_path: Path) -> None:
    registry = a_registry(tmp_path, "empty")

    assert registry.champion() is None
    assert registry.challenger() is None
    assert registry.versions() == []
    assert not (tmp_path / "mlflow.db").exists()


def test_log_when_trained_then_run_and_version_hold_everything(home: Path) -> None:
    registry = a_registry(home, "logged")
    version = registry.log(a_training(home))
    (info,) = registry.versions()
    (run,) = registry._client.search_runs([registry._client.get_experiment_by_name("logged").experiment_id])

    assert version == info.version == "1"
    assert info.metrics == {"accuracy.severity": 0.75}
    assert info.tags["reason"] == "ten answers"
    assert info.aliases == ()
    assert run.info.status == "FINISHED"
    assert run.data.params == {
        "strength": "30.0",
        "classifier": "linear.v1",
        "dataset_digest": "0123abcd",
        "n_examples": "3",
    }
    assert run.inputs.dataset_inputs[0].dataset.digest == "0123abcd"


def test_log_when_nothing_but_code_and_data_is_written_then_no_pickle(home: Path) -> None:
    registry = a_registry(home, "pickles")
    registry.log(a_training(home))
    files = [path for path in (home / "models").rglob("*") if path.is_file()]

    assert {"MLmodel", "pyfunc.py", "model.json", "linear.npz"} <= {path.name for path in files}
    assert not [path for path in files if path.suffix in {".pkl", ".pickle", ".joblib", ".cloudpickle"}]
    assert not [path for path in files if path.read_bytes()[:2] in {b"\x80\x04", b"\x80\x05"}]
    assert not [path for path in files if path.name in {"uv.lock", "pyproject.toml"}]


def test_loaded_model_when_given_a_column_text_then_labels_and_confidences(home: Path) -> None:
    registry = a_registry(home, "served")
    version = registry.log(a_training(home))
    source = registry._client.get_model_version("served", version).source
    with warnings.catch_warnings(record=True):  # MLflow warns about its own type hints
        import mlflow.pyfunc

        model = mlflow.pyfunc.load_model(source)
        frame = pl.DataFrame({"text": ["disk failed", "volume gone", None, ""]}).to_pandas()
        answer = pl.from_pandas(model.predict(frame))

    expected = Artefact.load(home / "saved").predict_proba(pl.Series(["disk failed"]))["severity"].max()
    assert answer.columns == ["severity", "severity_confidence", "category", "category_confidence"]
    assert answer["severity"][:2].to_list() == ["error", "error"]
    assert answer["severity_confidence"][0] == pytest.approx(expected)
    assert answer["severity_confidence"][1] == 1.0
    assert answer["category_confidence"][1] < 1.0
    assert answer.null_count().sum_horizontal().item() == 0
    assert [column["name"] for column in model.metadata.signature.outputs.to_dict()] == answer.columns
    assert model.input_example["text"].tolist() == TEXTS.to_list()


def test_champion_when_moved_and_rolled_back_then_earlier_ones_return(home: Path) -> None:
    registry = a_registry(home, "aliases")
    first, second, third = (registry.log(a_training(home)) for _ in range(3))
    assert registry.champion() is None
    with pytest.raises(ModelError, match="no earlier champion"):
        registry.roll_back()

    registry.set_champion(first)
    registry.set_challenger(second)
    assert (registry.champion(), registry.challenger()) == (first, second)
    registry.set_champion(second)
    registry.set_champion(second)
    assert (registry.champion(), registry.challenger()) == (second, None)
    registry.set_champion(third)

    assert [registry.roll_back(), registry.champion()] == [second, second]
    assert registry.roll_back() == first
    with pytest.raises(ModelError, match="champion is 1"):
        registry.roll_back()
    assert {info.version: info.aliases for info in registry.versions()} == {"3": (), "2": (), "1": ("champion",)}


def test_champion_when_read_without_mlflow_then_as_mlflow_says(home: Path) -> None:
    registry = a_registry(home, "read straight")
    version = registry.log(a_training(home))
    registry.set_champion(version)
    told = registry._client.get_model_version_by_alias("read straight", "champion")
    reader = a_registry(home, "read straight")

    assert reader.champion() == str(told.version) == version
    assert reader._run_and_source(version) == (told.run_id, told.source)
    assert a_registry(home, "another").champion() is None


FOLLOW = """
import sys
from pathlib import Path
from vigie.registry import Registry

home = Path(sys.argv[1])
registry = Registry(f"sqlite:///{home}/mlflow.db", "followed", cache=home / "cache" / "light")
assert list(registry.fetch(registry.champion()).rglob("linear.npz"))
assert not {"mlflow", "pandas"} & set(sys.modules)
"""


def test_champion_when_looked_up_and_fetched_from_a_database_then_mlflow_is_not_imported(home: Path) -> None:
    registry = a_registry(home, "followed")
    registry.set_champion(registry.log(a_training(home)))

    subprocess.run([sys.executable, "-c", FOLLOW, str(home)], check=True)


def test_versions_when_there_are_many_then_the_latest_first(home: Path) -> None:
    registry = a_registry(home, "many")
    for accuracy in (0.1, 0.2, 0.3):
        registry.log(a_training(home, metrics={"accuracy": accuracy}))
    registry.mark("2", {"gate": "worse on audit"})
    newest = registry.versions(limit=2)

    assert [(info.version, info.metrics["accuracy"]) for info in newest] == [("3", 0.3), ("2", 0.2)]
    assert newest[1].tags["gate"] == "worse on audit"
    assert [info.version for info in registry.versions(before=3)] == ["2", "1"]
    assert [info.version for info in registry.versions(1, before=3)] == ["2"]
    assert registry.versions(before=1) == []
    assert newest[0].created_at >= newest[1].created_at
    assert newest[0].created_at.utcoffset() is not None


@pytest.mark.parametrize("call", ["fetch", "mark", "set_champion", "set_challenger"])
def test_version_when_unknown_then_error_names_it(home: Path, call: str) -> None:
    registry = a_registry(home, "known")
    registry.prepare()

    with pytest.raises(ModelError, match="version 77 of known does not exist"):
        getattr(registry, call)(*(["77", {"a": "b"}] if call == "mark" else ["77"]))


def test_fetch_when_called_by_many_threads_then_one_whole_folder(home: Path) -> None:
    registry = a_registry(home, "fetched")
    version = registry.log(a_training(home))
    folders: list[Path] = []
    threads = [threading.Thread(target=lambda: folders.append(registry.fetch(version))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(folders) == 6
    assert len(set(folders)) == 1
    assert [path.name for path in folders[0].parent.iterdir()] == [folders[0].name]
    assert Artefact.load(folders[0], version=version).answers == {"volume gone": {"severity": "error"}}


def test_fetch_when_many_versions_were_fetched_then_the_oldest_go(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vigie.registry.client._MAX_CACHED", 2)
    registry = a_registry(home, "bounded")
    folders = [registry.fetch(registry.log(a_training(home))) for _ in range(3)]

    assert [folder.exists() for folder in folders] == [False, True, True]
    assert registry.fetch("1").exists()


def test_fetch_when_files_are_gone_then_error_says_where(home: Path) -> None:
    registry = a_registry(home, "gone")
    version = registry.log(a_training(home))
    folder = Path(registry._client.get_model_version("gone", version).source.removeprefix("file://"))
    (folder / "artifacts").rename(folder / "elsewhere")

    with pytest.raises(UnavailableError, match="cannot download version 1"):
        registry.fetch(version)
    assert not any(path.name.startswith("1-") for path in (home / "cache" / "gone").iterdir())


def test_log_when_it_fails_then_the_run_says_so_and_there_is_no_version(home: Path) -> None:
    registry = a_registry(home, "failed")

    with pytest.raises(UnavailableError, match="cannot log a training of failed"):
        registry.log(a_training(home, folder=home / "nowhere"))
    (run,) = registry._client.search_runs([registry._client.get_experiment_by_name("failed").experiment_id])
    assert run.info.status == "FAILED"
    assert registry.versions() == []


def test_log_when_somebody_reads_the_database_all_the_time_then_it_does_not_wait_for_them(home: Path) -> None:
    registry = a_registry(home, "read")
    registry.log(a_training(home))

    with closing(sqlite3.connect(home / "mlflow.db")) as reader:
        reader.execute("BEGIN")
        before = reader.execute("SELECT count(*) FROM model_versions WHERE name = 'read'").fetchone()
        assert registry.log(a_training(home)) == "2"
        assert reader.execute("SELECT count(*) FROM model_versions WHERE name = 'read'").fetchone() == before == (1,)
        reader.execute("ROLLBACK")
        assert reader.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_log_when_the_database_was_made_without_it_then_it_can_be_read_while_written_from_now_on(
    home: Path, tmp_path: Path
) -> None:
    a_registry(home, "older").prepare()
    with (
        closing(sqlite3.connect(home / "mlflow.db")) as here,
        closing(sqlite3.connect(tmp_path / "mlflow.db")) as there,
    ):
        here.backup(there)
        assert there.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)
        there.execute("BEGIN IMMEDIATE")  # somebody is busy with it
        read_while_written(tmp_path / "mlflow.db")
        there.execute("ROLLBACK")
        assert there.execute("PRAGMA journal_mode").fetchone() == ("delete",)

    assert a_registry(tmp_path, "older").log(a_training(home)) == "1"

    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_log_when_somebody_deleted_the_registered_model_then_the_second_try_makes_it_anew(home: Path) -> None:
    registry = a_registry(home, "deleted")
    registry.log(a_training(home))
    registry._client.delete_registered_model("deleted")

    with pytest.raises(UnavailableError):
        registry.log(a_training(home))

    assert registry.log(a_training(home)) == "1"
    assert [info.version for info in registry.versions()] == ["1"]


def test_log_when_another_process_adds_the_same_data_set_meanwhile_then_it_is_attached_all_the_same(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.exceptions import MlflowException

    registry = a_registry(home, "twins")
    attach, failures = registry._client.log_inputs, [MlflowException("UNIQUE constraint failed: datasets")]

    def log_inputs(run: str, **given: object) -> None:
        if failures:
            raise failures.pop()
        attach(run, **given)

    monkeypatch.setattr(registry._client, "log_inputs", log_inputs)

    registry.log(a_training(home))

    (run,) = registry._client.search_runs([registry._client.get_experiment_by_name("twins").experiment_id])
    assert run.inputs.dataset_inputs[0].dataset.digest == "0123abcd"


def test_champion_when_another_process_gives_the_first_alias_meanwhile_then_it_moves_all_the_same(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.exceptions import MlflowException

    registry = a_registry(home, "race")
    version = registry.log(a_training(home))
    give, failures = registry._client.set_registered_model_alias, [MlflowException("UNIQUE constraint failed: aliases")]

    def give_alias(*given: str) -> None:
        if failures:
            raise failures.pop()
        give(*given)

    monkeypatch.setattr(registry._client, "set_registered_model_alias", give_alias)

    registry.set_champion(version)

    assert registry.champion() == version


LOG_SOME = """
import sys
from pathlib import Path
from vigie.registry import Registry, TrainingRecord
from vigie.registry.embedded import read_while_written

home = Path(sys.argv[1])
for _ in range(3):
    registry = Registry(f"sqlite:///{home}/mlflow.db", "shared", artifact_root=home / "models", cache=home / "cache")
    registry.set_champion(registry.log(TrainingRecord(home / "saved", ("severity",), {}, {"a": 1.0}, "0", 3)))
"""


@pytest.mark.slow
def test_log_when_several_processes_do_at_once_then_every_version_is_there(home: Path) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", LOG_SOME, str(home)]) for _ in range(3)]

    assert [process.wait(200) for process in processes] == [0, 0, 0]
    assert sorted(int(info.version) for info in a_registry(home, "shared").versions()) == [*range(1, 10)]
    assert a_registry(home, "shared").champion() is not None


def test_registry_when_imported_then_mlflow_is_not(home: Path) -> None:
    code = "import sys, vigie.registry; assert not {'mlflow', 'sklearn', 'pandas'} & set(sys.modules)"

    subprocess.run([sys.executable, "-c", code], check=True)


def test_log_when_done_then_console_stays_silent(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    registry = a_registry(home, "silent")
    registry.fetch(registry.log(a_training(home)))

    assert capfd.readouterr() == ("", "")
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.timeout(120)  # left to itself, MLflow tries again for many minutes
def test_registry_when_server_is_away_then_unavailable_soon_and_password_hidden(tmp_path: Path) -> None:
    uri = f"http://user:secret@127.0.0.1:{free_port()}"
    registry = Registry(uri, "away", artifact_root=tmp_path, cache=tmp_path / "cache")

    for call in (registry.champion, registry.versions, registry.prepare):
        with pytest.raises(UnavailableError, match=r"cannot .* at http://…@127") as caught:
            call()
        assert "secret" not in str(caught.value)
        assert caught.value.retry_after_seconds > 0


@pytest.mark.timeout(120)
def test_registry_when_database_cannot_be_opened_then_unavailable(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").mkdir()

    with pytest.raises(UnavailableError, match=r"mlflow\.db"):
        a_registry(tmp_path, "broken").champion()


@pytest.fixture
def server(home: Path, tmp_path: Path) -> Iterator[str]:
    """Start an MLflow server of our own that keeps the artifacts itself."""
    a_registry(home, "served").prepare()
    port = free_port()
    options = ["--backend-store-uri", f"sqlite:///{home}/mlflow.db", "--artifacts-destination", str(tmp_path / "kept")]
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "mlflow",
            "server",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--workers",
            "1",
            *options,
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=tmp_path,
        env={
            **os.environ,
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        },  # a dozen more processes for what we do not use
        start_new_session=True,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/health", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(240):
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            assert process.poll() is None
            time.sleep(0.25)
    pytest.fail(f"{url} does not answer")


@pytest.mark.slow
def test_registry_when_talking_to_a_server_then_the_same_and_files_go_through_it(
    server: str, home: Path, tmp_path: Path
) -> None:
    registry = Registry(server, "remote", artifact_root=tmp_path / "unused", cache=tmp_path / "cache")
    assert registry.champion() is None
    version = registry.log(a_training(home))
    registry.set_champion(version)

    assert registry.champion() == version
    assert registry.versions()[0].aliases == ("champion",)
    assert Artefact.load(registry.fetch(version)).text == "logs"
    assert not (tmp_path / "unused").exists()
    assert list((tmp_path / "kept").rglob("linear.npz"))
    with pytest.raises(ModelError, match="version 9 of remote does not exist"):
        registry.fetch("9")
