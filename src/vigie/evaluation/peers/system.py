"""What peers share: features, splits, counting answers."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from vigie.errors import SettingsError
from vigie.evaluation.curves import About
from vigie.evaluation.peers import Asking, Encode, FloatArray, IntArray, Peer
from vigie.evaluation.simulate_data import Split
from vigie.labels import Dimension
from vigie.messages import label_column

_WORDS = 20_000
_WIDTH = 100


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what other libraries warn of: labels not seen yet, names of their own that will change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@dataclass(frozen=True, slots=True)
class Features:
    """Features of pool and test."""

    pool: Any
    test: Any


@dataclass(slots=True)
class Workshop:
    """Makes features and fully supervised models once, for all peers that share them.

    Parameters
    ----------
    encode
        Makes sentence embeddings; None when there are none.
    """

    encode: Encode | None = None
    _split: Split | None = None
    _made: dict[str, Features] = field(default_factory=dict)
    _full: dict[tuple[str, str, str], pl.Series] = field(default_factory=dict)

    def features(self, name: str, given: Split, seed: int) -> Features:
        """Return the features called `name` of a split; those of the split before are forgotten."""
        self._turn_to(given)
        if name not in self._made:
            self._made[name] = self._make(name, given, seed)
        return self._made[name]

    def full(self, key: tuple[str, str, str], given: Split, make: Callable[[], pl.Series]) -> pl.Series:
        """Return what `make` returns, calling it once per key and split."""
        self._turn_to(given)
        if key not in self._full:
            self._full[key] = make()
        return self._full[key]

    def _turn_to(self, given: Split) -> None:
        if given is not self._split:
            self._split, self._made, self._full = given, {}, {}

    def _make(self, name: str, given: Split, seed: int) -> Features:
        if name == "minilm":
            return Features(self._embedded(given.pool["text"]), self._embedded(given.test["text"]))
        if name == "dense":
            sparse = self.features("tfidf", given, seed)
            width = max(1, min(_WIDTH, min(sparse.pool.shape) - 1))
            reduce = TruncatedSVD(width, random_state=seed).fit(sparse.pool)
            return Features(normalize(reduce.transform(sparse.pool)), normalize(reduce.transform(sparse.test)))
        vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, max_features=_WORDS)
        try:
            pool = vectorizer.fit_transform(given.pool["text"])
        except ValueError as error:
            raise SettingsError(f"peers find no words in the texts ({error}); leave out --peers") from error
        return Features(pool, vectorizer.transform(given.test["text"]))

    def _embedded(self, texts: pl.Series) -> FloatArray:
        assert self.encode is not None, "a peer that needs embeddings was started without"
        return self.encode(texts).astype(np.float64)


@dataclass(frozen=True, slots=True)
class PeerSystem:
    """A peer as a system: one learner per dimension, each with as many answers as Vigie gets for all of them.

    Parameters
    ----------
    peer
        The library.
    workshop
        Makes features.
    """

    peer: Peer
    workshop: Workshop

    @property
    def about(self) -> About:
        """What it is called."""
        return self.peer.about

    @property
    def predicts_at_once(self) -> bool:
        """Whether it can predict before the first answer: none can."""
        return False

    def start(self, given: Split, dimensions: Sequence[Dimension], seed: int) -> "PeerAttempt":
        """Begin anew on a split; the same seed gives the same answers."""
        return PeerAttempt(self, given, dimensions, seed)


class PeerAttempt:
    """A peer on one split.

    Parameters
    ----------
    system
        The library.
    given
        Pool and test.
    dimensions
        Each asked by itself.
    seed
        Decides all that is random.
    """

    def __init__(self, system: PeerSystem, given: Split, dimensions: Sequence[Dimension], seed: int) -> None:
        features = system.workshop.features(system.peer.features, given, seed)
        with _quiet():
            self._parts = [_Part(system, given, dimension, features, seed) for dimension in dimensions]

    def answer(self, n: int) -> None:
        """Ask about `n` more messages in each dimension, and learn from their labels."""
        with _quiet():
            for part in self._parts:
                part.answer(n)

    def predict(self) -> dict[str, pl.Series]:
        """Return what it says now about the messages of the test."""
        with _quiet():
            return {part.dimension.name: part.predict() for part in self._parts}

    def full(self) -> dict[str, pl.Series]:
        """Return what its model says about them when it has every label of the pool."""
        with _quiet():
            return {part.dimension.name: part.full() for part in self._parts}


class _Part:
    """One dimension; messages that have no label in it are left out of the pool."""

    def __init__(self, system: PeerSystem, given: Split, dimension: Dimension, features: Features, seed: int) -> None:
        self.dimension = dimension
        self._system, self._given, self._seed = system, given, seed
        self._names = pl.Series(dimension.label_names, dtype=pl.String)
        codes = given.pool[label_column(dimension.name)].replace_strict(
            self._names, pl.Series(range(len(self._names)), dtype=pl.Int64), default=-1
        )
        labels = codes.fill_null(-1).to_numpy()
        rows = np.flatnonzero(labels >= 0)
        self._truth, self._pool, self._test = labels[rows], features.pool[rows], features.test
        self._asking: Asking = system.peer.start(self._pool, len(self._names), seed)
        self._n_left = len(rows)

    def answer(self, n: int) -> None:
        """Ask for `n` rows, or for those that are left, and learn their true labels."""
        n = min(n, self._n_left)
        if n:
            rows = self._asking.ask(n)
            self._asking.learn(rows, self._truth[rows])
            self._n_left -= n

    def predict(self) -> pl.Series:
        """Return a label for each message of the test; the dimension's first where no row of the pool has one."""
        return self._constant(0) if not len(self._truth) else self._named(self._asking.predict(self._test))

    def full(self) -> pl.Series:
        """Return the labels of the same model fitted to the whole pool; fitted once per model and dimension."""
        peer = self._system.peer
        key = (peer.about.system, peer.about.model, self.dimension.name)
        return self._system.workshop.full(key, self._given, self._supervised)

    def _supervised(self) -> pl.Series:
        if len(np.unique(self._truth)) < 2:  # noqa: PLR2004 — most models refuse to learn one label
            return self._constant(int(self._truth[0]) if len(self._truth) else 0)
        model = self._system.peer.estimator(self._seed).fit(self._pool, self._truth)
        return self._named(model.predict(self._test))

    def _constant(self, code: int) -> pl.Series:
        return self._named(np.full(self._test.shape[0], code, dtype=np.int64))

    def _named(self, codes: IntArray) -> pl.Series:
        return self._names.gather(pl.Series(codes, dtype=pl.Int64))
