"""small-text: logistic regression over TF-IDF, asked by breaking ties.

Its `SklearnClassifier` takes the place of a label among those seen for the label itself, so its predictions are wrong until
every label was seen; its inner model is asked instead.

References
----------
Schröder, Müller, Niekler, Potthast (2023), Small-Text: Active learning for text classification in Python.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from small_text import BreakingTies, PoolBasedActiveLearner, SklearnClassifierFactory, SklearnDataset

from vigie.evaluation.curves import About
from vigie.evaluation.peers import Asking, IntArray, Peer


def peers() -> Iterator[Peer]:
    """Yield this library's entries."""
    yield SmallText()


class SmallText:
    """Its pool-based learner with a scikit-learn model."""

    about = About("small-text", "TF-IDF + logistic regression", "breaking ties")
    features = "tfidf"

    def estimator(self, seed: int) -> Any:
        """Return its model, not fitted."""
        return LogisticRegression(C=10.0, max_iter=1000, random_state=seed)

    def start(self, pool: Any, n_labels: int, seed: int) -> Asking:
        """Begin anew."""
        factory = SklearnClassifierFactory(self.estimator(seed), n_labels)
        unknown = np.zeros(pool.shape[0], dtype=np.int64)
        data = SklearnDataset(pool, unknown, target_labels=np.arange(n_labels))
        return _Asking(
            PoolBasedActiveLearner(factory, BreakingTies(), data), pool.shape[0], np.random.default_rng(seed)
        )


class _Asking:
    """Asks at random until two labels were seen: with fewer its model cannot be fitted."""

    def __init__(self, learner: Any, n_rows: int, rng: np.random.Generator) -> None:
        self._learner = learner
        self._n_rows = n_rows
        self._rng = rng
        self._rows = np.empty(0, dtype=np.int64)
        self._labels = np.empty(0, dtype=np.int64)
        self._is_fitted = False

    def ask(self, n: int) -> IntArray:
        """Return `n` rows of the pool without a label: drawn at random until two labels were seen, then small-text's choice."""
        if self._is_fitted:
            return np.asarray(self._learner.query(num_samples=n), dtype=np.int64)
        return self._rng.choice(np.setdiff1d(np.arange(self._n_rows), self._rows), n, replace=False)

    def learn(self, rows: IntArray, labels: IntArray) -> None:
        """Keep the labels, and fit the learner once there are two different ones."""
        self._rows, self._labels = np.concatenate([self._rows, rows]), np.concatenate([self._labels, labels])
        if self._is_fitted:
            self._learner.update(labels)
        elif len(np.unique(self._labels)) > 1:
            self._learner.initialize_data(self._rows, self._labels)
            self._is_fitted = True

    def predict(self, features: Any) -> IntArray:
        """Return the number of a label for each row of features; before the first fit the first label seen."""
        if not self._is_fitted:
            return np.full(features.shape[0], self._labels[0], dtype=np.int64)
        labels: IntArray = self._learner.classifier.model.predict(features).astype(np.int64)
        return labels
