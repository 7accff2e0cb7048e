"""Questions about groups that were answered already, what a reviewer settled, and gold answers."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_WAITING = "state = 'open' AND check_kind IS NOT NULL"


def upgrade() -> None:
    """Make columns and tables; all questions there are were first ones, and nothing was settled."""
    op.add_column("questions", sa.Column("check_kind", sa.String(10)))
    op.add_column("questions", sa.Column("asked_of", sa.Text))
    op.add_column("question_state", sa.Column("since_check", sa.BigInteger, nullable=False, server_default="0"))
    op.create_index(
        "ix_questions_checks",
        "questions",
        ["rank", "id"],
        sqlite_where=sa.text(_WAITING),
        postgresql_where=sa.text(_WAITING),
    )
    op.create_table(
        "settlements",
        sa.Column(
            "annotation_id", sa.BigInteger, sa.ForeignKey("annotations.id"), primary_key=True, autoincrement=False
        ),
    )
    op.create_table(
        "gold",
        sa.Column("group_id", sa.BigInteger, sa.ForeignKey("groups.id"), primary_key=True, autoincrement=False),
        sa.Column("marked_by", sa.Text, nullable=False),
        sa.Column("marked_at", sa.BigInteger, nullable=False),
    )
