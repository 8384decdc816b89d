"""Tenants: their policies, what they used, and their clocks in the fair queue."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables, and the cost of a job; one made by the version before costs a second."""
    op.add_column("jobs", sa.Column("video_seconds", sa.Double, nullable=False, server_default="1"))
    op.create_index("jobs_finished", "jobs", ["finished_at"])
    op.create_table(
        "tenants",
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("weight", sa.Double, nullable=False),
        sa.Column("max_running", sa.Integer),
        sa.Column("max_queued", sa.Integer),
        sa.Column("max_seconds_per_day", sa.Double),
    )
    op.create_table(
        "tenant_usage",
        sa.Column("tenant", sa.String(128), primary_key=True),
        sa.Column("day", sa.Integer, primary_key=True),
        sa.Column("seconds", sa.Double, nullable=False),
    )
    op.create_table(
        "schedule",
        sa.Column("tenant", sa.String(128), primary_key=True),
        sa.Column("virtual_time", sa.Double, nullable=False),
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("schedule", "tenant_usage", "tenants"):
        op.drop_table(table)
    op.drop_index("jobs_finished", "jobs")
    op.drop_column("jobs", "video_seconds")
