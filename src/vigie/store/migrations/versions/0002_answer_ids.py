"""What imported answers are called where they come from."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; answers that are there already were given here and have no other name."""
    op.create_table(
        "answer_ids",
        sa.Column(
            "annotation_id", sa.BigInteger, sa.ForeignKey("annotations.id"), primary_key=True, autoincrement=False
        ),
        sa.Column("answer_id", sa.Text, nullable=False),
    )
