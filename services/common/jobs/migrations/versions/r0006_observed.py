"""The trace that a job belongs to, and what stages have cost."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, which older versions leave empty, and the table."""
    op.add_column("jobs", sa.Column("traceparent", sa.String(64)))
    op.create_table(
        "stage_costs",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("model_version", sa.String(128), nullable=False),
        sa.Column("format", sa.String(32), nullable=False),
        sa.Column("units", sa.Double, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("measured_at", sa.Double, nullable=False),
    )
    op.create_index("stage_costs_key", "stage_costs", ["stage", "model_version", "format", "id"])


def downgrade() -> None:
    """Remove both."""
    op.drop_table("stage_costs")
    op.drop_column("jobs", "traceparent")
