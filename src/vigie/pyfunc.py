"""The model as MLflow serves it: the registry logs this file as the model's code, so that nothing has to be pickled.

MLflow runs it where the model is loaded; the fitted parts lie beside it as an artefact folder. Vigie has to be installed there.
In comes a column `text` with messages as they are; out go, for each dimension *d*, the columns *d* and *d*`_confidence`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow.models
import mlflow.pyfunc
import numpy as np
import polars as pl

from vigie.classifiers.artefact import Artefact
from vigie.text import normaliser
from vigie.text.refining import Refinement


def predictions(model: Artefact, texts: pl.Series) -> pl.DataFrame:
    """Label messages as the stream does, rules and thresholds left out.

    Parameters
    ----------
    model
        A model version; what people answered goes before what it predicts.
    texts
        Messages as they are; null counts as empty.

    Returns
    -------
    For each dimension *d* a column *d* (String) and a column *d*`_confidence` (Float64).
    """
    refinement = Refinement(normaliser(model.text), model.splits)
    templates = refinement.templates(texts.fill_null("")).alias("template")
    columns: dict[str, Any] = {}
    for dimension in model.dimensions:
        answered = {
            template: labels[dimension.name] for template, labels in model.answers.items() if dimension.name in labels
        }
        human = templates.replace_strict(answered, default=None, return_dtype=pl.String)
        columns[dimension.name], columns[f"{dimension.name}_confidence"] = human, human.is_not_null().cast(pl.Float64)
    proba = model.predict_proba(templates)
    return pl.DataFrame(columns).with_columns(
        [column for dimension in model.dimensions for column in _filled(dimension.name, dimension.label_names, proba)]
    )


def _filled(name: str, labels: tuple[str, ...], proba: Mapping[str, np.ndarray[Any, Any]]) -> list[pl.Expr]:
    best = pl.Series(np.array(labels, dtype=object)[proba[name].argmax(axis=1)], dtype=pl.String)
    confidence = pl.Series(proba[name].max(axis=1))
    unanswered = pl.col(name).is_null()
    return [
        pl.coalesce(pl.col(name), best).alias(name),
        pl.when(unanswered).then(confidence).otherwise(1.0).alias(f"{name}_confidence"),
    ]


def _texts(frame: Any) -> pl.Series:
    """Return the column `text` of a pandas data frame; whatever pandas calls missing becomes null."""
    return pl.from_pandas(frame[["text"]]).to_series().cast(pl.String)


class MessageLabeller(mlflow.pyfunc.PythonModel):
    """Labels data frames of messages."""

    _skip_type_hint_validation = True  # else MLflow asks for type hints that it has not got for data frames

    def load_context(self, context: Any) -> None:
        """Read the artefact that was logged together with this file."""
        self._model = Artefact.load(Path(context.artifacts["artefact"]))

    def predict(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        """Return :func:`predictions` for the column `text` of a pandas data frame."""
        del context, params
        return predictions(self._model, _texts(model_input)).to_pandas()


mlflow.models.set_model(MessageLabeller())
