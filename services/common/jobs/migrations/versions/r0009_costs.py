"""What a stage costs beside its denoising steps, which are now counted in network evaluations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; what was measured in other units is measured anew."""
    op.execute("DELETE FROM stage_costs WHERE stage IN ('GENERATE', 'UPSCALE')")
    op.add_column(
        "stage_costs", sa.Column("fixed_seconds", sa.Double, nullable=False, server_default="0")
    )


def downgrade() -> None:
    """Drop the column, and what the version before would misread."""
    op.execute("DELETE FROM stage_costs WHERE stage IN ('GENERATE', 'UPSCALE')")
    op.drop_column("stage_costs", "fixed_seconds")
