"""A model version as the folder that MLflow knows how to load, and MLflow's manners."""

import logging
import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import polars as pl

from vigie.registry import embedded
from vigie.registry.records import TrainingRecord

_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_DISABLE_AGENT_HINT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_UV_AUTO_DETECT": "false",  # else it copies the lock file of whatever folder we were started in
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # the callers try again; MLflow's own retries take four minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}


def connect(uri: str) -> Any:
    """Return MLflow's client for one server or database, which may have to be made first; silent, and without telemetry."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    with without_warnings():
        from mlflow import MlflowClient  # noqa: PLC0415 — takes a second or more

        logging.getLogger("mlflow").setLevel(logging.WARNING)
        if path := embedded.file_of(uri):
            embedded.make(path)
            embedded.read_while_written(path)
        if not is_server(uri):
            _check_database(uri)
        return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _check_database(uri: str) -> None:
    """Connect once to a database, because MLflow would try for two minutes before it says that it cannot."""
    from sqlalchemy import create_engine  # noqa: PLC0415 — with MLflow
    from sqlalchemy.pool import NullPool  # noqa: PLC0415 — likewise

    create_engine(uri, poolclass=NullPool).connect().close()


def is_server(uri: str) -> bool:
    """Whether this names a tracking server rather than a database."""
    return uri.startswith(("http:", "https:", "databricks"))


def write_model(scratch: Path, training: TrainingRecord, script: Path, run: str) -> None:
    """Write an MLflow model into the folder `model` of `scratch`."""
    artefact = training.folder
    if artefact.name != "artefact":  # MLflow keeps the name of the folder
        artefact = shutil.copytree(artefact, scratch / "artefact")
    with without_warnings():
        from mlflow.models import Model, ModelSignature  # noqa: PLC0415 — takes a second or more
        from mlflow.pyfunc import save_model  # noqa: PLC0415 — likewise
        from mlflow.types import ColSpec, Schema  # noqa: PLC0415 — likewise

        columns = [(("string", name), ("double", f"{name}_confidence")) for name in training.outputs]
        outputs = Schema([ColSpec(kind, name) for pair in columns for kind, name in pair])
        save_model(
            scratch / "model",
            python_model=str(script),
            artifacts={"artefact": str(artefact)},
            signature=ModelSignature(inputs=Schema([ColSpec("string", "text")]), outputs=outputs),
            input_example=pl.DataFrame({"text": list(training.example)}).to_pandas(),
            pip_requirements=[f"vigie=={installed_version('vigie')}"],
            mlflow_model=Model(run_id=run),
        )


@contextmanager
def without_warnings() -> Iterator[None]:
    """Keep MLflow's warnings about its own code from the console; as it undoes filters, they are caught as well."""
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("ignore")
        yield
