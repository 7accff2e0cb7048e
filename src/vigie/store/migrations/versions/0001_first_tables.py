"""The first tables.

Written out by hand: what an old migration does must not change with `tables.py`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make all tables, and the rows that keep the counts."""
    _pool()
    _answers()
    _streams()
    _roles()
    op.execute("INSERT INTO pool_state (id, last_group_id, size, evicted) VALUES (1, 0, 0, 0)")
    op.execute("INSERT INTO question_state (id, since_audit, last_step) VALUES (1, 0, 0)")


def _pool() -> None:
    """Make the groups, their samples, and how far each stream was counted."""
    op.create_table(
        "groups",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("template", sa.Text, nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("first_seen", sa.BigInteger, nullable=False),
        sa.Column("last_seen", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
    )
    op.create_index("ix_groups_state_count_id", "groups", ["state", "count", "id"])
    op.create_table(
        "pool_state",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("last_group_id", sa.BigInteger, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("evicted", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "samples",
        sa.Column("group_id", sa.BigInteger, sa.ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("stream", sa.Text, nullable=False),
        sa.Column("partition", sa.Integer, nullable=False),
        sa.Column("offset", sa.BigInteger),
        sa.Column("timestamp", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "marks",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("stream", sa.Text, primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
    )


def _answers() -> None:
    """Make questions, annotations and audit draws."""
    op.create_table(
        "questions",
        sa.Column("id", _serial(), primary_key=True),
        sa.Column("group_id", sa.BigInteger, sa.ForeignKey("groups.id"), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("rank", sa.Float, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("annotator", sa.Text),
        sa.Column("leased_until", sa.BigInteger),
        sa.Column("comment", sa.Text),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("closed_at", sa.BigInteger),
        sa.Column("step", sa.BigInteger),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_questions_state_kind_rank_id", "questions", ["state", "kind", "rank", "id"])
    op.create_index("ix_questions_group_id_state", "questions", ["group_id", "state"])
    op.create_index("ix_questions_annotator_step", "questions", ["annotator", "step"])
    op.create_index(
        "ix_questions_skipped",
        "questions",
        ["annotator", "group_id"],
        sqlite_where=sa.text("state = 'skipped'"),
        postgresql_where=sa.text("state = 'skipped'"),
    )
    op.create_index(
        "ix_questions_one_per_group",
        "questions",
        ["group_id"],
        unique=True,
        sqlite_where=sa.text("state IN ('open', 'leased')"),
        postgresql_where=sa.text("state IN ('open', 'leased')"),
    )
    op.create_table(
        "question_state",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("since_audit", sa.BigInteger, nullable=False),
        sa.Column("last_step", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "annotations",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("group_id", sa.BigInteger, sa.ForeignKey("groups.id"), nullable=False),
        sa.Column("dimension", sa.Text, nullable=False),
        sa.Column("label", sa.Text),
        sa.Column("annotator", sa.Text, nullable=False),
        sa.Column("purpose", sa.String(10), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("question_id", sa.BigInteger, sa.ForeignKey("questions.id")),
        sa.Column("model_version", sa.Text),
        sa.Column("duration_seconds", sa.Float),
    )
    op.create_index(
        "ix_annotations_group_id_annotator_dimension", "annotations", ["group_id", "annotator", "dimension"]
    )
    op.create_table(
        "audit_draws",
        sa.Column("group_id", sa.BigInteger, sa.ForeignKey("groups.id"), primary_key=True, autoincrement=False),
        sa.Column("draws", sa.BigInteger, nullable=False),
    )


def _streams() -> None:
    """Make checkpoints, pushed messages and counters."""
    op.create_table(
        "positions",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("stream", sa.Text, primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "output_files",
        sa.Column("path", sa.Text, primary_key=True),
        sa.Column("bytes", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "inbox",
        sa.Column("id", _serial(), primary_key=True),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "traffic",
        sa.Column("bucket", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("kind", sa.String(12), primary_key=True),
        sa.Column("dimension", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "totals",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("kind", sa.String(12), primary_key=True),
        sa.Column("dimension", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


def _roles() -> None:
    """Make which programs run."""
    op.create_table(
        "presence",
        sa.Column("role", sa.String(40), primary_key=True),
        sa.Column("instance", sa.Text, primary_key=True),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sa.Column("details", sa.Text, nullable=False),
    )


def _serial() -> sa.types.TypeEngine[int]:
    """Return the type of ids the database hands out."""
    return sa.BigInteger().with_variant(sa.Integer, "sqlite")
