"""How much each object takes, when it was last used, which jobs name it, and how long it stays."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns that the version before may leave out, and three tables."""
    op.add_column(
        "media", sa.Column("size_bytes", sa.BigInteger, nullable=False, server_default="0")
    )
    op.add_column("media", sa.Column("sha256", sa.String(64), nullable=False, server_default=""))
    op.add_column("media", sa.Column("used_at", sa.Double))
    op.create_index("media_uri", "media", ["uri"])
    op.create_table(
        "job_inputs",
        sa.Column(
            "job_id",
            sa.String(64),
            sa.ForeignKey("jobs.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("uri", sa.String(1024), primary_key=True),
    )
    op.create_index("job_inputs_uri", "job_inputs", ["uri"])
    op.create_table(
        "storage_policies",
        sa.Column("tenant", sa.String(128), primary_key=True),
        sa.Column("policy", sa.Text, nullable=False),
    )
    op.create_table(
        "locks",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("owner", sa.String(128), nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
    )


def downgrade() -> None:
    """Take them away; nothing is collected any more."""
    for table in ("locks", "storage_policies", "job_inputs"):
        op.drop_table(table)
    op.drop_index("media_uri", "media")
    for column in ("used_at", "sha256", "size_bytes"):
        op.drop_column("media", column)
