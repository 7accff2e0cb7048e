"""Embeddings kept in memory and on a shelf beside it, so that a text is encoded once however often models are fitted."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import polars as pl

from vigie.errors import UnavailableError
from vigie.features.encoder_files import EncoderFiles
from vigie.features.keys import Key, key

logger = logging.getLogger(__name__)

SingleArray = np.ndarray[Any, np.dtype[np.float32]]

MAX_TEXTS = 100_000
"""Embeddings kept of one encoder; 154 MB for 384 columns. Those not asked for the longest go first."""

MAX_FRESH = 2_000
"""Texts noted as not on the shelf; of more, the first ones are not noted any more, and are put there when they are found missing."""


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


class Shelf(Protocol):
    """Where embeddings outlive the process."""

    def recall(self, encoder: str, texts: pl.Series) -> Mapping[str, SingleArray]:
        """Return those embeddings of texts that are there, by text, to the last bit as an encoder with this digest made them."""


class _Place:
    """The shelf of this process, if it has one; returned by a function, so that it is opened when it is first needed."""

    def __init__(self) -> None:
        self.shelf: Callable[[], Shelf] | None = None


_PLACE = _Place()


def attach(shelf: Callable[[], Shelf] | None) -> None:
    """Let all encoders of this process look on a shelf before they encode; None takes it away."""
    _PLACE.shelf = shelf


class Embeddings:
    """An encoder that remembers, and looks on the shelf that is attached; from any thread.

    What it encoded is ``fresh`` until somebody who put it on the shelf says so with ``settle``.

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
        self._known: OrderedDict[Key, SingleArray] = OrderedDict()
        self._fresh: dict[Key, str] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._known)

    def of(self, texts: pl.Series, *, n_threads: int = 1) -> SingleArray:
        """Return embeddings of normalised texts (no nulls), shape (n, n_columns), float32, rows of length 1."""
        found, missing = self.known(texts)
        if len(missing):
            unknown = texts.gather(missing)
            found[missing] = self.encoder.encode(unknown, n_threads=n_threads)
            self._remember(unknown, found[missing], fresh=True)
        return found

    def known(self, texts: pl.Series) -> tuple[SingleArray, list[int]]:
        """Return embeddings, and the rows of those that would have to be encoded, which are zeros."""
        found = np.zeros((len(texts), self.encoder.n_columns), dtype=np.float32)
        missing = self._recall(texts, found)
        return found, self._from_shelf(texts, missing, found) if missing and _PLACE.shelf else missing

    def fresh(self) -> list[str]:
        """Return the texts that were encoded here and are not on the shelf, as far as anyone has said."""
        with self._lock:
            return list(self._fresh.values())

    def settle(self, texts: Iterable[str]) -> None:
        """Take note that the embeddings of texts are on the shelf."""
        with self._lock:
            for text in texts:
                self._fresh.pop(key(text), None)

    def _recall(self, texts: pl.Series, found: SingleArray) -> list[int]:
        """Fill in what is known; return the other rows."""
        missing, keys = [], list(map(key, texts))
        with self._lock:
            for row, one in enumerate(keys):
                embedding = self._known.get(one)
                if embedding is None:
                    missing.append(row)
                else:
                    found[row] = embedding
                    self._known.move_to_end(one)
        return missing

    def _from_shelf(self, texts: pl.Series, missing: list[int], found: SingleArray) -> list[int]:
        """Fill in what is on the shelf; return the rows still missing. A shelf that does not answer holds nothing."""
        assert _PLACE.shelf is not None
        try:
            there = _PLACE.shelf().recall(self.encoder.digest, texts.gather(missing))
        except UnavailableError as error:
            logger.warning("encoding anew: %s", error, extra={"action": "shelf_unavailable"})
            return missing
        fits = {text: row for text, row in there.items() if row.shape == (self.encoder.n_columns,)}
        rows = [row for row in missing if texts[row] in fits]
        for row in rows:
            found[row] = fits[texts[row]]
        if rows:
            self._remember(texts.gather(rows), found[rows], fresh=False)
        return [row for row in missing if texts[row] not in fits]

    def _remember(self, texts: pl.Series, embeddings: SingleArray, *, fresh: bool) -> None:
        with self._lock:
            for text, embedding in zip(texts, embeddings, strict=True):
                one = key(text)
                self._known[one] = embedding.copy()  # a view would keep its whole batch in memory
                self._known.move_to_end(one)
                if fresh:
                    self._fresh[one] = text
            while len(self._fresh) > MAX_FRESH:
                del self._fresh[next(iter(self._fresh))]
            while len(self._known) > self._max_texts:
                gone, _ = self._known.popitem(last=False)
                self._fresh.pop(gone, None)


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
