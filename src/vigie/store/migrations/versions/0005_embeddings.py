"""Embeddings of templates, by encoder."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; embeddings are computed as they are needed."""
    op.create_table(
        "embeddings",
        sa.Column("encoder", sa.String(32), primary_key=True),
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("vector", sa.LargeBinary, nullable=False),
    )
