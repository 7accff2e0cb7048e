"""Embeddings kept in memory, so that a text is encoded once per process however often models are fitted."""

import threading
from collections import OrderedDict
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import polars as pl

from vigie.features.encoder_files import EncoderFiles

SingleArray = np.ndarray[Any, np.dtype[np.float32]]

MAX_TEXTS = 100_000
"""Embeddings kept of one encoder; 154 MB for 384 columns. Those not asked for the longest go first."""


class Encoder(Protocol):
    """What embeds texts: pure, and a batch equals one by one."""

    @property
    def digest(self) -> str:
        """Names the encoder: the same for the same files, wherever they lie."""

    @property
    def n_columns(self) -> int:
        """How long an embedding is."""

    def encode(self, texts: pl.Series, *, n_threads: int = 1) -> SingleArray:
        """Return embeddings of normalised texts (no nulls), shape (n, n_columns), rows of length 1."""


class Embeddings:
    """An encoder that remembers; from any thread.

    Parameters
    ----------
    encoder
        Embeds the texts that are not known.
    max_texts
        So many embeddings are kept; those not asked for the longest are evicted.
    """

    def __init__(self, encoder: Encoder, *, max_texts: int = MAX_TEXTS) -> None:
        self.encoder = encoder
        self._max_texts = max_texts
        self._known: OrderedDict[str, SingleArray] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._known)

    def of(self, texts: pl.Series, *, n_threads: int = 1) -> SingleArray:
        """Return embeddings of normalised texts (no nulls), shape (n, n_columns), float32, rows of length 1."""
        found = np.zeros((len(texts), self.encoder.n_columns), dtype=np.float32)
        missing = self._recall(texts, found)
        if len(missing):
            unknown = texts.gather(missing)
            found[missing] = self.encoder.encode(unknown, n_threads=n_threads)
            self._remember(unknown, found[missing])
        return found

    def _recall(self, texts: pl.Series, found: SingleArray) -> list[int]:
        """Fill in what is known; return the other rows."""
        missing = []
        with self._lock:
            for row, text in enumerate(texts):
                embedding = self._known.get(text)
                if embedding is None:
                    missing.append(row)
                else:
                    found[row] = embedding
                    self._known.move_to_end(text)
        return missing

    def _remember(self, texts: pl.Series, embeddings: SingleArray) -> None:
        with self._lock:
            for text, embedding in zip(texts, embeddings, strict=True):
                self._known[text] = embedding.copy()  # a view would keep its whole batch in memory
                self._known.move_to_end(text)
            while len(self._known) > self._max_texts:
                self._known.popitem(last=False)


@lru_cache(maxsize=2)
def embeddings(files: EncoderFiles) -> Embeddings:
    """Return the embeddings of an encoder, one for all of this process; two encoders stay in memory.

    Parameters
    ----------
    files
        As `encoder_files.find` returns them.

    Raises
    ------
    ModelError
        The files are no encoder.
    """
    from vigie.features.encoder import SentenceEncoder  # noqa: PLC0415 — half a second, only where something is encoded

    return Embeddings(SentenceEncoder(files))
