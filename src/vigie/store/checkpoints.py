"""Checkpoints: where each source resumes, and how long each output file was at that moment."""

from collections.abc import Mapping, Sequence

import polars as pl
from sqlalchemy import delete, insert, select

from vigie.messages import Position
from vigie.store.bulk import replace_rows, storable
from vigie.store.engine import Database
from vigie.store.tables import output_files, positions


class Checkpoints:
    """Durable checkpoints for sinks that have no transactions of their own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self, source: str) -> list[Position]:
        """Return where a source resumes; empty when nothing was saved."""
        places = select(positions.c.stream, positions.c.partition, positions.c.offset)
        places = places.where(positions.c.source == storable(source)).order_by(
            positions.c.stream, positions.c.partition
        )
        with self._database.read() as connection:
            return [Position(*row) for row in connection.execute(places)]

    def lengths(self, paths: Sequence[str]) -> dict[str, int]:
        """Return the lengths saved last, in bytes by path, of those files that have one."""
        names = {storable(path): path for path in paths}
        files = select(output_files.c.path, output_files.c.bytes).where(output_files.c.path.in_(names))
        with self._database.read() as connection:
            return {names[name]: size for name, size in connection.execute(files)}

    def save(self, source: str, resume: Sequence[Position], output_bytes: Mapping[str, int]) -> None:
        """Replace the positions of a source and the lengths of these files in one step; on disk when this returns."""
        source = storable(source)
        places = [
            {"source": source, "stream": storable(p.stream), "partition": p.partition, "offset": p.offset}
            for p in resume
        ]
        sizes = {storable(path): size for path, size in sorted(output_bytes.items())}
        files = pl.DataFrame({"path": list(sizes), "bytes": list(sizes.values())}, _FILES)
        with self._database.write(durable=True) as connection:
            connection.execute(delete(positions).where(positions.c.source == source))
            if places:
                connection.execute(insert(positions), places)
            replace_rows(connection, output_files, files)


_FILES = {"path": pl.String(), "bytes": pl.Int64()}
