"""scikit-activeml: logistic regression, asked by margin, TypiClust or BADGE.

It takes dense features only: TF-IDF is brought to 100 dimensions for it, and sentence embeddings come as they are.

References
----------
Kottke et al. (2021), scikit-activeml: A library and toolbox for active learning algorithms.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from skactiveml.classifier import SklearnClassifier
from skactiveml.pool import Badge, TypiClust, UncertaintySampling
from sklearn.linear_model import LogisticRegression

from vigie.evaluation.curves import About
from vigie.evaluation.peers import Asking, FloatArray, IntArray, Peer

_MODELS = {"dense": "TF-IDF (100 dimensions) + logistic regression", "minilm": "MiniLM + logistic regression"}


def peers() -> Iterator[Peer]:
    """Yield this library's entries."""
    yield ScikitActiveml(
        "dense", "margin", lambda seed: UncertaintySampling(method="margin_sampling", random_state=seed)
    )
    yield ScikitActiveml(
        "minilm", "margin", lambda seed: UncertaintySampling(method="margin_sampling", random_state=seed)
    )
    yield ScikitActiveml("minilm", "typiclust", lambda seed: TypiClust(random_state=seed), needs_model=False)
    yield ScikitActiveml("minilm", "badge", lambda seed: Badge(random_state=seed))


class ScikitActiveml:
    """One of its strategies over one kind of features.

    Parameters
    ----------
    features
        ``dense`` or ``minilm``.
    name
        Of the strategy.
    strategy
        Makes it for a seed.
    needs_model
        Whether it looks at predictions.
    """

    def __init__(self, features: str, name: str, strategy: Callable[[int], Any], *, needs_model: bool = True) -> None:
        self.features = features
        self.about = About("scikit-activeml", _MODELS[features], name)
        self._strategy = strategy
        self._needs_model = needs_model

    def estimator(self, seed: int) -> Any:
        """Return its model, not fitted."""
        return LogisticRegression(C=10.0, max_iter=1000, random_state=seed)

    def start(self, pool: Any, n_labels: int, seed: int) -> Asking:
        """Begin anew."""
        model = SklearnClassifier(self.estimator(seed), classes=np.arange(n_labels), random_state=seed)
        return _Asking(pool, model, self._strategy(seed), needs_model=self._needs_model)


class _Asking:
    def __init__(self, pool: FloatArray, model: Any, strategy: Any, *, needs_model: bool) -> None:
        self._pool = pool
        self._labels = np.full(len(pool), np.nan)
        self._model = model
        self._strategy = strategy
        self._needs_model = needs_model

    def ask(self, n: int) -> IntArray:
        """Return `n` rows of the pool without a label, as the library's strategy chooses them."""
        given = {"clf": self._fitted(), "fit_clf": False} if self._needs_model else {}
        rows = self._strategy.query(self._pool, self._labels, batch_size=n, **given)
        return np.asarray(rows, dtype=np.int64)

    def learn(self, rows: IntArray, labels: IntArray) -> None:
        """Fill in the labels of these rows and fit the model anew."""
        self._labels[rows] = labels
        self._fitted()

    def predict(self, features: Any) -> IntArray:
        """Return the number of the most probable label for each row of features."""
        labels: IntArray = self._model.predict(features).astype(np.int64)
        return labels

    def _fitted(self) -> Any:
        return self._model.fit(self._pool, self._labels)
