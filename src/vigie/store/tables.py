"""The tables of the database.

Times are whole microseconds since 1970 UTC: exact, alike on both databases, and free to turn into a Polars column.
Groups are found by a digest of their template, since a template may be longer than any index takes.
"""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    text,
)

REVISION = "0002"
"""The newest migration; a database at this revision needs none."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class GroupState(StrEnum):
    """What people did with a group."""

    OPEN = "open"
    ANSWERED = "answered"
    FLAGGED = "flagged"


class QuestionState(StrEnum):
    """What became of a question; an expired one is open again, and one dropped is not asked any more."""

    OPEN = "open"
    LEASED = "leased"
    ANSWERED = "answered"
    SKIPPED = "skipped"
    FLAGGED = "flagged"
    DROPPED = "dropped"


class UtcTime(TypeDecorator[datetime]):
    """An aware time, kept as whole microseconds since 1970 UTC; those who write in bulk give the number itself."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | int | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's
        """Return what the database keeps."""
        return microseconds(value) if isinstance(value, datetime) else value

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - signature
        """Return what Python sees."""
        return None if value is None else EPOCH + value * MICROSECOND


class Json(TypeDecorator[object]):
    """What JSON can say, kept as text: PostgreSQL's own type refuses some of it, and shows it in the error."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: object, dialect: Dialect) -> str:  # noqa: ARG002 - SQLAlchemy's signature
        """Return what the database keeps; numbers that are not finite become null."""
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY).decode()

    def process_result_value(self, value: Any | None, dialect: Dialect) -> object:  # noqa: ARG002 - signature
        """Return what Python sees."""
        return None if value is None else orjson.loads(value)


def microseconds(time: datetime) -> int:
    """Return an aware time as whole microseconds since 1970 UTC."""
    return (time - EPOCH) // MICROSECOND


# SQLite numbers rows by itself only in a column of type INTEGER.
_SERIAL = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData()

groups = Table(
    "groups",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("template", Text, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("first_seen", UtcTime, nullable=False),
    Column("last_seen", UtcTime, nullable=False),
    Column("state", String(10), nullable=False),
    Index("ix_groups_state_count_id", "state", "count", "id"),
)

pool_state = Table(
    "pool_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("last_group_id", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("evicted", BigInteger, nullable=False),
)

samples = Table(
    "samples",
    metadata,
    Column("group_id", BigInteger, ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True),
    Column("slot", Integer, primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger),
    Column("timestamp", UtcTime, nullable=False),
    sqlite_with_rowid=False,
)

marks = Table(
    "marks",
    metadata,
    Column("source", Text, primary_key=True),
    Column("stream", Text, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("offset", BigInteger, nullable=False),
)

questions = Table(
    "questions",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    Column("group_id", BigInteger, ForeignKey("groups.id"), nullable=False),
    Column("kind", String(10), nullable=False),
    Column("rank", Float, nullable=False),
    Column("reason", Json, nullable=False),
    Column("state", String(10), nullable=False),
    Column("annotator", Text),
    Column("leased_until", UtcTime),
    Column("comment", Text),
    Column("created_at", UtcTime, nullable=False),
    Column("closed_at", UtcTime),
    Column("step", BigInteger),
    Index("ix_questions_state_kind_rank_id", "state", "kind", "rank", "id"),
    Index("ix_questions_group_id_state", "group_id", "state"),
    Index("ix_questions_annotator_step", "annotator", "step"),
    Index(
        "ix_questions_skipped",
        "annotator",
        "group_id",
        sqlite_where=text("state = 'skipped'"),
        postgresql_where=text("state = 'skipped'"),
    ),
    Index(
        "ix_questions_one_per_group",
        "group_id",
        unique=True,
        sqlite_where=text("state IN ('open', 'leased')"),
        postgresql_where=text("state IN ('open', 'leased')"),
    ),
    sqlite_autoincrement=True,
)

question_state = Table(
    "question_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("since_audit", BigInteger, nullable=False),
    Column("last_step", BigInteger, nullable=False),
)

annotations = Table(
    "annotations",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("group_id", BigInteger, ForeignKey("groups.id"), nullable=False),
    Column("dimension", Text, nullable=False),
    Column("label", Text),
    Column("annotator", Text, nullable=False),
    Column("purpose", String(10), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("question_id", BigInteger, ForeignKey("questions.id")),
    Column("model_version", Text),
    Column("duration_seconds", Float),
    Index("ix_annotations_group_id_annotator_dimension", "group_id", "annotator", "dimension"),
)

answer_ids = Table(
    "answer_ids",
    metadata,
    Column("annotation_id", BigInteger, ForeignKey("annotations.id"), primary_key=True, autoincrement=False),
    Column("answer_id", Text, nullable=False),
)

audit_draws = Table(
    "audit_draws",
    metadata,
    Column("group_id", BigInteger, ForeignKey("groups.id"), primary_key=True, autoincrement=False),
    Column("draws", BigInteger, nullable=False),
)

positions = Table(
    "positions",
    metadata,
    Column("source", Text, primary_key=True),
    Column("stream", Text, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("offset", BigInteger, nullable=False),
)

output_files = Table(
    "output_files",
    metadata,
    Column("path", Text, primary_key=True),
    Column("bytes", BigInteger, nullable=False),
)

inbox = Table(
    "inbox",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    Column("payload", LargeBinary, nullable=False),
    Column("received_at", UtcTime, nullable=False),
    sqlite_autoincrement=True,
)

traffic = Table(
    "traffic",
    metadata,
    Column("bucket", BigInteger, primary_key=True, autoincrement=False),
    Column("source", Text, primary_key=True),
    Column("kind", String(12), primary_key=True),
    Column("dimension", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

totals = Table(
    "totals",
    metadata,
    Column("source", Text, primary_key=True),
    Column("kind", String(12), primary_key=True),
    Column("dimension", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

presence = Table(
    "presence",
    metadata,
    Column("role", String(40), primary_key=True),
    Column("instance", Text, primary_key=True),
    Column("pid", Integer, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("details", Json, nullable=False),
)
