"""Which message an answer was about, and questions about single messages of a group.

Answers that are there already do not say. A group may now have several live questions: one about all of it, and one about
each message that was singled out, which names the question whose answer did that.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ONE = "ix_questions_one_per_group"
_LIVE = "state IN ('open', 'leased')"


def upgrade() -> None:
    """Add the columns, and let the index look at questions about whole groups only."""
    op.add_column("annotations", sa.Column("message", sa.Text))
    op.add_column("questions", sa.Column("message", sa.Text))
    op.add_column("questions", sa.Column("parent_id", sa.BigInteger))
    op.drop_index(_ONE, "questions")
    op.create_index(
        _ONE,
        "questions",
        ["group_id"],
        unique=True,
        sqlite_where=sa.text(f"{_LIVE} AND parent_id IS NULL"),
        postgresql_where=sa.text(f"{_LIVE} AND parent_id IS NULL"),
    )
    op.create_index(
        "ix_questions_parent_id",
        "questions",
        ["parent_id"],
        sqlite_where=sa.text("parent_id IS NOT NULL"),
        postgresql_where=sa.text("parent_id IS NOT NULL"),
    )
