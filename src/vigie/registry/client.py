"""The versions of one registered model, through MLflow's client."""

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from sqlalchemy.exc import SQLAlchemyError

from vigie.errors import ModelError, UnavailableError
from vigie.registry.embedded import file_of
from vigie.registry.logged_model import connect, is_server, write_model
from vigie.registry.records import TrainingRecord, VersionInfo
from vigie.registry.tables import Tables

CHAMPION, CHALLENGER = "champion", "challenger"

_HISTORY = "vigie.champions"  # tag of the registered model: the versions that were champion before, oldest first
_MAX_HISTORY = 100
_MAX_CACHED = 20
_SCRATCH = "part-"
_RETRY_SECONDS = 5.0
_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND")


class Registry:
    """The versions of one registered model.

    Parameters
    ----------
    tracking_uri
        A database (``sqlite:///…``, ``postgresql://…``) or an MLflow server (``http://…``).
    model_name
        Also the name of the experiment; made at the first `log`.
    artifact_root
        Where a database's model files go; an MLflow server decides for itself.
    cache
        Where fetched versions are kept, at most 20.
    pyfunc_script
        The code that MLflow loads a version with.
    """

    def __init__(
        self,
        tracking_uri: str,
        model_name: str,
        *,
        artifact_root: Path | None = None,
        cache: Path,
        pyfunc_script: Path | None = None,
    ) -> None:
        self._uri, self._name, self._cache = tracking_uri, model_name, cache
        self._artifact_root = None if is_server(tracking_uri) else artifact_root
        self._script = pyfunc_script or Path(__file__).parents[1] / "pyfunc.py"
        self._tables = None if is_server(tracking_uri) else Tables(tracking_uri)
        self._made: str | None = None

    def prepare(self) -> None:
        """Make database, experiment and registered model where they are missing, so that the first `log` is quick.

        Raises
        ------
        UnavailableError
            The server does not answer.
        """
        with self._reaching(f"make the experiment {self._name}"):
            self._experiment()

    def log(self, training: TrainingRecord) -> str:
        """Record one training as a run with its model, register that, and return the new version.

        Raises
        ------
        UnavailableError
            The server does not answer; a run may have been left behind, marked as failed where possible.
        """
        with self._reaching(f"log a training of {self._name}"):
            experiment = self._made or self._experiment()
            self._made = None  # somebody may have deleted it: after a failure it is looked for again
            run = self._client.create_run(experiment, tags=dict(training.tags)).info.run_id
            try:
                version = self._logged(training, experiment, run)
            except BaseException:
                self._client.set_terminated(run, "FAILED")
                raise
            self._client.set_terminated(run)
            self._made = experiment
            return version

    def champion(self) -> str | None:
        """Return the version in charge, None before there is one; a few milliseconds.

        Raises
        ------
        UnavailableError
            The server does not answer.
        """
        return self._by_alias(CHAMPION)

    def challenger(self) -> str | None:
        """Return the version that might replace the champion, None when there is none."""
        return self._by_alias(CHALLENGER)

    def set_champion(self, version: str) -> None:
        """Put a version in charge; the one before is remembered for `roll_back`, and stops being the challenger.

        Raises
        ------
        ModelError
            There is no such version.
        """
        before = self.champion()
        if version == before:
            return
        self._set_alias(CHAMPION, version)
        if before is not None:
            self._write_history([*self._history(), before])
        if self.challenger() == version:
            with self._reaching("move the alias challenger"):
                self._client.delete_registered_model_alias(self._name, CHALLENGER)

    def set_challenger(self, version: str) -> None:
        """Name the version that might replace the champion.

        Raises
        ------
        ModelError
            There is no such version.
        """
        self._set_alias(CHALLENGER, version)

    def roll_back(self) -> str:
        """Put the version in charge that was champion before this one, and return it.

        Raises
        ------
        ModelError
            No version was champion before.
        """
        history = self._history()
        if not history:
            raise ModelError(f"{self._name} has no earlier champion to go back to; champion is {self.champion()}")
        self._set_alias(CHAMPION, history[-1])
        self._write_history(history[:-1])
        return history[-1]

    def mark(self, version: str, tags: Mapping[str, str]) -> None:
        """Attach tags to a version, such as a gate's verdict.

        Raises
        ------
        ModelError
            There is no such version.
        """
        with self._reaching(f"tag version {version}", missing=f"version {version} of {self._name} does not exist"):
            for key, value in tags.items():
                self._client.set_model_version_tag(self._name, version, key, value)

    def versions(self, limit: int = 20, *, before: int | None = None) -> list[VersionInfo]:
        """Return the latest versions with the metrics of their runs, newest first; only those with a number below `before`, if given."""
        if self._untouched:
            return []
        with self._reaching("list versions"):
            wanted = f"name = '{self._name}'" + ("" if before is None else f" AND version_number < {before}")
            found = self._client.search_model_versions(wanted, max_results=limit, order_by=["version_number DESC"])
            if not found:
                return []
            aliases = self._client.get_registered_model(self._name).aliases
            metrics = self._metrics([some.run_id for some in found])
        return [
            VersionInfo(
                version=str(some.version),
                created_at=datetime.fromtimestamp(some.creation_timestamp / 1000, UTC),
                metrics=metrics.get(some.run_id, {}),
                aliases=tuple(sorted(name for name, at in aliases.items() if str(at) == str(some.version))),
                tags=dict(some.tags),
            )
            for some in found
        ]

    def fetch(self, version: str) -> Path:
        """Return a local folder with the artefact of a version, downloaded once.

        Raises
        ------
        ModelError
            There is no such version.
        UnavailableError
            The server does not answer, or its files cannot be read now.
        """
        run, source = self._run_and_source(version)
        folder = self._cache / f"{version}-{run}"  # the run tells versions of a registry made anew apart
        if not folder.exists():
            self._download(version, source, folder)
        return folder

    @cached_property
    def _client(self) -> Any:
        return connect(self._uri)

    @property
    def _untouched(self) -> bool:
        """Whether this is an SQLite file that nobody has made yet; MLflow takes seconds to make one, only to find nothing."""
        path = file_of(self._uri)
        return path is not None and not path.exists()

    @contextmanager
    def _reaching(self, what: str, *, missing: str | None = None) -> Iterator[None]:
        """Turn whatever MLflow raises into errors of ours."""
        with self._reading(what):
            _ = self._client
            from mlflow.exceptions import MlflowException  # noqa: PLC0415 — with the client

            try:
                yield
            except MlflowException as error:
                if missing and error.error_code in _ABSENT:
                    raise ModelError(missing) from error
                raise self._unavailable(what, error) from error

    @contextmanager
    def _reading(self, what: str) -> Iterator[None]:
        """Turn whatever a database or a disk raises into errors of ours."""
        try:
            yield
        except UnavailableError:  # an OSError, too, that says it already
            raise
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            raise self._unavailable(what, error) from error

    def _unavailable(self, what: str, error: Exception) -> UnavailableError:
        first_line = str(error).partition("\n")[0]  # SQLAlchemy goes on with the statement and a link
        reason = _without_password(f"cannot {what} at {self._uri}: {first_line}", self._uri)
        return UnavailableError(reason, retry_after_seconds=_RETRY_SECONDS)

    def _experiment(self) -> str:
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 — with the client

        root = None if self._artifact_root is None else self._artifact_root.resolve().as_uri()
        made = partial(self._client.create_experiment, artifact_location=root), self._client.create_registered_model
        for make in made:
            try:
                make(self._name)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
        return str(self._client.get_experiment_by_name(self._name).experiment_id)

    def _logged(self, training: TrainingRecord, experiment: str, run: str) -> str:
        from mlflow.entities import Dataset, DatasetInput, Metric, Param  # noqa: PLC0415 — with the client

        now = int(datetime.now(UTC).timestamp() * 1000)
        model = self._client.create_logged_model(experiment, name="vigie", source_run_id=run)
        metrics = [Metric(name, value, now, 0) for name, value in training.metrics.items()]
        parameters = {
            **training.parameters,
            "dataset_digest": training.dataset_digest,
            "n_examples": training.n_examples,
        }
        self._client.log_batch(
            run, metrics=metrics, params=[Param(name, str(value)) for name, value in parameters.items()]
        )
        dataset = Dataset(
            "answers", training.dataset_digest, "local", "{}", profile=f'{{"rows": {training.n_examples}}}'
        )
        _made_by_one(lambda: self._client.log_inputs(run, datasets=[DatasetInput(dataset)]))
        with tempfile.TemporaryDirectory() as scratch:
            write_model(Path(scratch), training, self._script, run)
            self._client.log_model_artifacts(model.model_id, str(Path(scratch) / "model"))
        self._client.finalize_logged_model(model.model_id, "READY")
        made = self._client.create_model_version(
            self._name, model.artifact_location, run_id=run, model_id=model.model_id, tags=dict(training.tags)
        )
        return str(made.version)

    def _by_alias(self, alias: str) -> str | None:
        if self._untouched:
            return None
        if self._tables is not None:
            with self._reading(f"look up the {alias}"):
                return self._tables.by_alias(self._name, alias)
        try:
            with self._reaching(f"look up the {alias}", missing="none"):
                return str(self._client.get_model_version_by_alias(self._name, alias).version)
        except ModelError:
            return None

    def _set_alias(self, alias: str, version: str) -> None:
        missing = f"version {version} of {self._name} does not exist, so it cannot be {alias}"
        with self._reaching(f"make version {version} {alias}", missing=missing):
            _made_by_one(lambda: self._client.set_registered_model_alias(self._name, alias, version))

    def _history(self) -> list[str]:
        if self._untouched:
            return []
        with self._reaching("read earlier champions", missing=f"{self._name} has no version yet"):
            kept = self._client.get_registered_model(self._name).tags.get(_HISTORY, "")
        return [version for version in kept.split(",") if version]

    def _write_history(self, history: Sequence[str]) -> None:
        with self._reaching("remember earlier champions"):
            self._client.set_registered_model_tag(self._name, _HISTORY, ",".join(history[-_MAX_HISTORY:]))

    def _metrics(self, runs: Sequence[str]) -> dict[str, dict[str, float]]:
        experiment = self._client.get_experiment_by_name(self._name)
        chosen = ", ".join(f"'{run}'" for run in runs if run)
        found = self._client.search_runs(
            [experiment.experiment_id], f"attributes.run_id IN ({chosen})", max_results=len(runs)
        )
        return {run.info.run_id: dict(run.data.metrics) for run in found}

    def _run_and_source(self, version: str) -> tuple[str, str]:
        """Return the run that made a version, and where MLflow keeps its files."""
        what, missing = f"fetch version {version}", f"version {version} of {self._name} does not exist"
        if self._tables is None:
            with self._reaching(what, missing=missing):
                found = self._client.get_model_version(self._name, version)
                return found.run_id, found.source
        with self._reading(what):
            row = None if self._untouched else self._tables.run_and_source(self._name, version)
        if row is None:
            raise ModelError(missing)
        return row

    def _download(self, version: str, source: str, folder: Path) -> None:
        """Copy an artefact beside its place, then move it there in one step; another process may be faster."""
        local = _local(source)
        with self._reading(f"download version {version}"):
            self._cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self._cache, prefix=_SCRATCH) as scratch:
                if local is None:
                    copied = self._downloaded(version, source, scratch)
                else:
                    copied = Path(shutil.copytree(local / "artifacts" / "artefact", Path(scratch) / "artefact"))
                    copied.touch()  # fetched now, however old the copied folder is
                try:
                    copied.rename(folder)
                except OSError:
                    if not folder.exists():
                        raise
            self._forget_old()

    def _downloaded(self, version: str, source: str, scratch: str) -> Path:
        with self._reaching(f"download version {version}"):
            from mlflow.artifacts import download_artifacts  # noqa: PLC0415 — with the client

            uri = f"{source.rstrip('/')}/artifacts/artefact"
            return Path(download_artifacts(artifact_uri=uri, dst_path=scratch, tracking_uri=self._uri))

    def _forget_old(self) -> None:
        """Keep the versions fetched last; another process may be doing the same."""
        with suppress(FileNotFoundError):
            kept = [path for path in self._cache.iterdir() if not path.name.startswith(_SCRATCH)]
            for path in sorted(kept, key=lambda path: path.stat().st_mtime)[:-_MAX_CACHED]:
                shutil.rmtree(path, ignore_errors=True)


def _local(source: str) -> Path | None:
    """Return the folder of this machine that an artifact address names; None for an address of any other kind."""
    scheme, _, path = source.rpartition("://")
    return Path(unquote(path)) if scheme in {"", "file"} and path.startswith("/") else None


def _without_password(text: str, uri: str) -> str:
    """Return a text in which `uri` occurs without its user and password."""
    head, at, _ = uri.rpartition("@")
    return text.replace(f"{head.partition('://')[2]}@", "…@") if at else text


def _made_by_one(make: Callable[[], object]) -> None:
    """Make what may be there already; where another process makes the same one meanwhile, MLflow fails the first time."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 — with the client

    try:
        make()
    except MlflowException:
        make()
