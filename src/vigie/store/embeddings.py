"""Embeddings of the pool's templates, kept so that a restart, or another machine, does not encode them again."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from sqlalchemy import Connection, Select, and_, delete, exists, func, select

from vigie.store.bulk import chunks, frame, insert, insert_rows
from vigie.store.engine import Database, Lock
from vigie.store.tables import GroupState, embeddings, groups

SingleArray = np.ndarray[Any, np.dtype[np.float32]]

_AT_ONCE = 2_000
"""Digests in one statement, and rows evicted in one transaction."""

_SPARE = 100
"""When rows are evicted, one in so many more than need be, so that not every write evicts."""


class StoredEmbeddings:
    """Embeddings by encoder and text: 32-bit numbers as they were computed, so that a stored one predicts like a fresh one.

    Parameters
    ----------
    database
        Where they are.
    max_rows
        A write that takes them above this evicts: first those of other encoders, then those of templates that are in the pool
        no more, then those of the smallest groups, and the answered last.
    """

    def __init__(self, database: Database, *, max_rows: int) -> None:
        self._database = database
        self.max_rows = max_rows

    def recall(self, encoder: str, texts: pl.Series) -> dict[str, SingleArray]:
        """Return those embeddings that are kept, by text.

        Parameters
        ----------
        encoder
            Its digest.
        texts
            Normalised (no nulls).
        """
        names = {_digest(text): text for text in texts}
        found: dict[str, SingleArray] = {}
        with self._database.read() as connection:
            for part in chunks(list(names), _AT_ONCE):
                here = and_(embeddings.c.encoder == encoder, embeddings.c.digest.in_(part))
                for key, vector in connection.execute(select(embeddings.c.digest, embeddings.c.vector).where(here)):
                    found[names[bytes(key)]] = np.frombuffer(vector, dtype="<f4")
        return found

    def keep(self, encoder: str, texts: pl.Series, vectors: SingleArray) -> None:
        """Write embeddings; those that are kept already stay as they are.

        Parameters
        ----------
        encoder
            Its digest.
        texts
            Normalised (no nulls), length n.
        vectors
            Shape (n, n_columns).
        """
        if texts.is_empty():
            return
        packed = [vector.tobytes() for vector in np.ascontiguousarray(vectors, dtype="<f4")]
        rows = pl.DataFrame(
            {"digest": [_digest(text) for text in texts], "vector": packed},
            schema={"digest": pl.Binary, "vector": pl.Binary},
        )
        rows = rows.unique("digest", maintain_order=True).select(pl.lit(encoder).alias("encoder"), "digest", "vector")
        with self._database.write(Lock.EMBEDDINGS) as connection:
            for start in range(0, rows.height, _AT_ONCE):
                new = insert(connection, embeddings).on_conflict_do_nothing(index_elements=["encoder", "digest"])
                insert_rows(connection, new, rows[start : start + _AT_ONCE])
        self._shrink(encoder)

    def missing(self, encoder: str, limit: int, *, answered: bool = False) -> list[str]:
        """Return at most `limit` templates of groups without an embedding, the largest first.

        Parameters
        ----------
        encoder
            Its digest.
        limit
            At most so many.
        answered
            Of groups that people have answered; else of those that nobody has, but for those beyond the `max_rows` largest,
            which would be evicted at once.
        """
        wanted = _wanted(self.max_rows, GroupState.ANSWERED if answered else GroupState.OPEN)
        query = select(wanted.c.template).where(~_kept(encoder, wanted.c.digest))
        query = query.order_by(wanted.c.count.desc(), wanted.c.id.desc()).limit(limit)
        with self._database.read() as connection:
            return frame(connection, query)["template"].to_list()

    def progress(self, encoder: str) -> tuple[int, int]:
        """Return how many groups without an answer have an embedding, and how many could; 100,000 take 0.2 s."""
        wanted = _wanted(self.max_rows, GroupState.OPEN)
        there = select(func.count()).select_from(wanted).where(_kept(encoder, wanted.c.digest))
        with self._database.read() as connection:
            total = connection.execute(select(func.count()).select_from(wanted)).scalar_one()
            return int(connection.execute(there).scalar_one()), int(total)

    def size(self) -> int:
        """Return how many embeddings are kept, of all encoders."""
        with self._database.read() as connection:
            return _size(connection)

    def _shrink(self, encoder: str) -> None:
        """Evict what is too much."""
        with self._database.read() as connection:
            excess = _size(connection) - self.max_rows
            n = excess + self.max_rows // _SPARE if excess > 0 else 0
            found = connection.execute(_least_useful(encoder, n)) if n else ()
            gone = [(name, bytes(key)) for name, key in found]
        for part in chunks(gone, _AT_ONCE):
            with self._database.write(Lock.EMBEDDINGS) as connection:
                _delete(connection, part)


def _digest(text: str) -> bytes:
    """Return what a text is found by; for the template of a group, the digest of the group.

    Unlike groups, texts that differ only in what no database takes are two.
    """
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _wanted(n: int, state: GroupState) -> Any:
    query = select(groups.c.id, groups.c.digest, groups.c.template, groups.c.count)
    query = query.where(groups.c.state == state)
    return query.order_by(groups.c.count.desc(), groups.c.id.desc()).limit(n).subquery("wanted")


def _kept(encoder: str, digest: Any) -> Any:
    return exists().where(embeddings.c.encoder == encoder, embeddings.c.digest == digest)


def _size(connection: Connection) -> int:
    return int(connection.execute(select(func.count()).select_from(embeddings)).scalar_one())


def _least_useful(encoder: str, n: int) -> Select[Any]:
    own, answered = embeddings.c.encoder == encoder, groups.c.state != GroupState.OPEN
    both = embeddings.outerjoin(groups, groups.c.digest == embeddings.c.digest)
    query = select(embeddings.c.encoder, embeddings.c.digest).select_from(both)
    order = (own, groups.c.id.is_not(None), func.coalesce(answered, False), groups.c.count, groups.c.id)
    return query.order_by(*order).limit(n)


def _delete(connection: Connection, gone: Sequence[tuple[str, bytes]]) -> None:
    for encoder in sorted({name for name, _ in gone}):
        digests = [key for name, key in gone if name == encoder]
        here = and_(embeddings.c.encoder == encoder, embeddings.c.digest.in_(digests))
        connection.execute(delete(embeddings).where(here))
