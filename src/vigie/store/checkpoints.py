"""Checkpoints: where each source resumes, and how long each output file was at that moment."""

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, insert, select

from vigie.messages import Position
from vigie.store.bulk import storable
from vigie.store.engine import Database
from vigie.store.tables import output_files, positions


class Checkpoints:
    """Durable checkpoints for sinks that have no transactions of their own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self, source: str) -> tuple[list[Position], dict[str, int]]:
        """Return the last checkpoint of a source: its positions, and bytes by path; empty when there is none."""
        places = select(positions.c.stream, positions.c.partition, positions.c.offset)
        places = places.where(positions.c.source == storable(source)).order_by(
            positions.c.stream, positions.c.partition
        )
        files = select(output_files.c.path, output_files.c.bytes).where(output_files.c.source == storable(source))
        with self._database.read() as connection:
            resumed = [Position(*row) for row in connection.execute(places)]
            return resumed, dict(connection.execute(files).all())

    def save(self, source: str, resume: Sequence[Position], output_bytes: Mapping[str, int]) -> None:
        """Replace the checkpoint of a source in one step; on disk when this returns."""
        source = storable(source)
        places = [
            {"source": source, "stream": storable(p.stream), "partition": p.partition, "offset": p.offset}
            for p in resume
        ]
        files = [{"source": source, "path": path, "bytes": size} for path, size in output_bytes.items()]
        with self._database.write(durable=True) as connection:
            for table, rows in ((positions, places), (output_files, files)):
                connection.execute(delete(table).where(table.c.source == source))
                if rows:
                    connection.execute(insert(table), rows)
