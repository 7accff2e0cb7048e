"""modAL: a random forest over TF-IDF, asked by margin.

References
----------
Danka, Horvath (2018), modAL: A modular active learning framework for Python.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from modAL.models import ActiveLearner, learners
from modAL.uncertainty import margin_sampling
from sklearn.ensemble import RandomForestClassifier
from sklearn.utils import check_X_y

from vigie.evaluation.curves import About
from vigie.evaluation.peers import Asking, IntArray, Peer


def peers() -> Iterator[Peer]:
    """Yield this library's entries."""
    yield Modal()


def _checked(*arrays: Any, force_all_finite: bool = True, **options: Any) -> Any:
    """Call scikit-learn's check by the name its argument has since version 1.6."""
    return check_X_y(*arrays, ensure_all_finite=force_all_finite, **options)


learners.check_X_y = _checked


class Modal:
    """The learner of modAL's own examples."""

    about = About("modAL", "TF-IDF + random forest", "margin", is_linear=False)
    features = "tfidf"

    def estimator(self, seed: int) -> Any:
        """Return its model, not fitted."""
        return RandomForestClassifier(n_estimators=100, random_state=seed)

    def start(self, pool: Any, n_labels: int, seed: int) -> Asking:
        """Begin anew."""
        del n_labels
        return _Asking(pool, self.estimator(seed), np.random.default_rng(seed))


class _Asking:
    def __init__(self, pool: Any, estimator: Any, rng: np.random.Generator) -> None:
        self._pool = pool
        self._left = np.arange(pool.shape[0])
        self._learner = ActiveLearner(estimator=estimator, query_strategy=margin_sampling)
        self._rng = rng
        self._is_fitted = False

    def ask(self, n: int) -> IntArray:
        """Return `n` rows of the pool without a label: drawn at random before the first labels, then modAL's choice."""
        if not self._is_fitted:
            return self._rng.choice(self._left, n, replace=False)
        places, _ = self._learner.query(self._pool[self._left], n_instances=n)
        return self._left[places]

    def learn(self, rows: IntArray, labels: IntArray) -> None:
        """Fit the learner anew with these rows too, and take them out of the pool."""
        self._learner.teach(self._pool[rows], labels)
        self._left = np.setdiff1d(self._left, rows)
        self._is_fitted = True

    def predict(self, features: Any) -> IntArray:
        """Return the number of the most probable label for each row of features."""
        labels: IntArray = self._learner.predict(features).astype(np.int64)
        return labels
