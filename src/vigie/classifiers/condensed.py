"""Fewer columns with the same inner products: n-grams that occur in the same texts as often are one column of greater length.

Of 45,000 columns of 4,600 log lines 21,000 are different, with 60 % of the entries. The columns that many rows have are a dense matrix
besides. Together that makes a product of `X Xᵀ` with 22 vectors take 6.5 ms instead of 16, after 20 ms of preparation.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

SingleArray = np.ndarray[Any, np.dtype[np.float32]]

_FREQUENT, _MOST_DENSE = 1 / 8, 1_000  # share of rows with a column from which on it is dense; 20 MB for 5,000 rows
_ODD = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9))


def products(columns: csr_matrix) -> Callable[[SingleArray], SingleArray]:
    """Return what multiplies by ``X Xᵀ``, shape (n, k) to (n, k).

    Parameters
    ----------
    columns
        ``Xᵀ``, float32, shape (n_columns, n), without two entries in one place.
    """
    fewer = condensed(columns)
    frequency = np.diff(fewer.indptr)
    most = np.argsort(-frequency, kind="stable")[:_MOST_DENSE]
    is_frequent = np.zeros(len(frequency), dtype=np.bool_)
    is_frequent[most] = frequency[most] > _FREQUENT * fewer.shape[1]
    dense, rest = fewer[is_frequent].toarray(), fewer[~is_frequent]
    rows = rest.T.tocsr()

    def product(vectors: SingleArray) -> SingleArray:
        """Multiply the rare columns as sparse ones and the frequent ones as dense ones."""
        found: SingleArray = rows @ (rest @ vectors) + dense.T @ (dense @ vectors)
        return found

    return product


def condensed(columns: csr_matrix) -> csr_matrix:
    """Return the different columns among `columns`, each times the root of how often it stands there; empty ones are left out.

    Columns are told apart by hashes of 64 bits.
    """
    there = columns[np.flatnonzero(np.diff(columns.indptr))]
    if not there.nnz:
        return there
    _, first, times = np.unique(_hashes(there), return_index=True, return_counts=True)
    order = np.argsort(first)  # so that nothing depends on the hashes
    found = there[first[order]]
    found.data = found.data * np.repeat(np.sqrt(times[order]).astype(np.float32), np.diff(found.indptr))
    return found


def _hashes(columns: csr_matrix) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Return one number per column (none empty), that follows from its entries in whatever order."""
    mixed = columns.indices.astype(np.uint64) << np.uint64(32) | columns.data.view(np.uint32).astype(np.uint64)
    for odd in _ODD:
        mixed *= odd
        mixed ^= mixed >> np.uint64(29)
    mixed *= _ODD[0]
    return np.add.reduceat(mixed, columns.indptr[:-1])
