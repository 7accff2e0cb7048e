"""Other libraries on the same splits, each asking about raw texts as its users would; an extra, never needed to run Vigie.

A peer knows one dimension: a file with three takes three of them, each with answers of its own. What the libraries share
(features, splits, counting) is in :mod:`vigie.evaluation.peers.system`.
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import polars as pl

from vigie.errors import MissingExtraError
from vigie.evaluation.curves import About

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
IntArray = np.ndarray[Any, np.dtype[np.int64]]

Encode = Callable[[pl.Series], np.ndarray[Any, Any]]
"""Returns one dense row per text: sentence embeddings."""


class Asking(Protocol):
    """A library at work in one dimension; rows are those of the pool."""

    def ask(self, n: int) -> IntArray:
        """Return `n` rows, not asked before, to be labelled next."""

    def learn(self, rows: IntArray, labels: IntArray) -> None:
        """Take the labels of these rows, and learn from all so far."""

    def predict(self, features: Any) -> IntArray:
        """Return the label of each row of features."""


class Peer(Protocol):
    """A library with one model and one strategy.

    Parameters
    ----------
    about
        What it is called.
    features
        Name of the features it works on: ``tfidf``, ``dense`` (TF-IDF in 100 dimensions) or ``minilm``.
    """

    about: About
    features: str

    def estimator(self, seed: int) -> Any:
        """Return its model, a scikit-learn classifier, not fitted."""

    def start(self, pool: Any, n_labels: int, seed: int) -> Asking:
        """Begin anew.

        Parameters
        ----------
        pool
            Features of all that can be asked about, shape (n, n_features).
        n_labels
            Labels are numbers below it.
        seed
            Decides all that is random.
        """


def installed() -> list[Peer]:
    """Return every peer; those whose features are ``minilm`` need sentence embeddings.

    Raises
    ------
    MissingExtraError
        One of the libraries is missing.
    """
    try:
        from vigie.evaluation.peers import modal, scikit_activeml, small_text  # noqa: PLC0415 — an extra
    except ImportError as error:
        raise MissingExtraError("--peers", "peers") from error
    return [*modal.peers(), *scikit_activeml.peers(), *small_text.peers()]
