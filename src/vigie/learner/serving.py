"""What a model version serves with: the full model, a cascade before it, or a student in its place."""

from typing import Literal

import polars as pl

from vigie.classifiers import Classifier, Encodes, encodes
from vigie.classifiers.cascade import ENCODED, CascadeClassifier
from vigie.learner.training import DataSet
from vigie.learner.unanswered import LARGEST, OTHERS
from vigie.store import Store

Choice = Literal["auto", "full", "cascade", "student"]

MANY_NEW = 0.05
"""From this share of messages with a template of their own on, ``auto`` takes a cascade. Below it, a core that encodes 160
templates a second keeps up with 3,000 messages a second."""

MIN_TEXTS = 200
"""With fewer embedded texts there is no student yet."""

POOL_TEXTS = 700
ANSWERED_TEXTS = 300
"""What a student learns from at most: 0.3 s of training, however many answers there are."""


class Serving:
    """Gives a fitted classifier a student where that is wanted, and there is enough to teach it with.

    A student learns from texts without looking at any answer: from those of the pool, and those that the classifier was fitted
    on. Groups drawn for audit are not among them, so that it is measured on what it has not seen; nor is the sample that stands for
    the rest of the pool when versions are measured.

    Parameters
    ----------
    store
        Where groups are.
    choice
        As the setting ``learning.serving`` says. Classifiers that do not encode serve as they are.
    """

    def __init__(self, store: Store, choice: Choice = "auto") -> None:
        self._store = store
        self.choice: Choice = choice

    def served(self, classifier: Classifier, data: DataSet) -> Classifier:
        """Return what serves.

        Parameters
        ----------
        classifier
            Fitted.
        data
            What it was fitted on.
        """
        if isinstance(classifier, CascadeClassifier):
            model = classifier
        elif not encodes(classifier) or not self._is_wanted():
            return classifier
        else:
            encoded = 0.0 if self.choice == "student" else ENCODED
            model = CascadeClassifier(classifier.dimensions, encoded=encoded, full=classifier)
        texts = pl.concat([data.texts.gather_every(_step(len(data))), self._embedded(model)])
        if texts.n_unique() < MIN_TEXTS:
            return classifier
        model.teach(texts)
        return model

    def _is_wanted(self) -> bool:
        if self.choice != "auto":
            return self.choice != "full"
        pool = self._store.pool
        return pool.size() + pool.evicted() > MANY_NEW * pool.messages()

    def _embedded(self, classifier: Encodes) -> pl.Series:
        """Return texts of the pool whose embeddings are known, so that no training waits for the encoder."""
        pool, half = self._store.pool, POOL_TEXTS // 2
        measured = LARGEST + OTHERS
        groups = pl.concat([pool.unlabelled(half), pool.sample(measured + half)[measured:]])
        groups = groups.join(self._store.audit.draws(), on="group_id", how="anti", maintain_order="left")
        texts = groups.unique("group_id", maintain_order=True)["template"]
        _, missing = classifier.embeddings.known(texts)
        unknown = set(missing)
        return texts.gather([row for row in range(len(texts)) if row not in unknown])


def _step(n: int) -> int:
    """Return every how many-th of `n` texts is taken, so that there are at most `ANSWERED_TEXTS`."""
    return max(-(-n // ANSWERED_TEXTS), 1)
