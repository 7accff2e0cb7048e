"""Reading back what classifiers saved: JSON that describes a model, arrays beside it, and errors that say what to do."""

import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from vigie.errors import ModelError, UnavailableError
from vigie.labels import Dimension, Label

_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile, zlib.error)


@contextmanager
def reading(what: str, folder: Path) -> Iterator[None]:
    """Turn whatever a broken folder makes go wrong into an error that names it.

    Parameters
    ----------
    what
        What the folder should hold: ``linear model``.
    folder
        Where it should be.

    Raises
    ------
    ModelError
        It cannot be read.
    """
    try:
        yield
    except UnavailableError:  # a hub that does not answer now is no fault of the folder
        raise
    except _UNREADABLE as error:
        raise ModelError(f"{folder} holds no {what} that can be read: {error}; train again") from error


def described(path: Path, written_as: int) -> dict[str, Any]:
    """Return the JSON object that describes a model.

    Raises
    ------
    ModelError
        Its format is not `written_as`.
    """
    about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if about["format"] != written_as:
        raise ModelError(f"{path.parent} has format {about['format']}; expected {written_as}; update Vigie")
    return about


def dimensions_of(described: Sequence[Mapping[str, Any]]) -> tuple[Dimension, ...]:
    """Return dimensions from what `dataclasses.asdict` made of them.

    Raises
    ------
    KeyError, TypeError
        They are something else.
    """
    return tuple(
        Dimension(**{**some, "labels": tuple(Label(**label) for label in some["labels"])}) for some in described
    )


def arrays(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Return the arrays of a file by name; no pickle is read."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
        return dict(found)
