"""A long queue is read from its front: columns and indexes that hold only what waits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

COLUMNS = {
    "ready_rank": "CASE WHEN published_at IS NULL THEN created_at - 600.0 * priority END",
    "rung_at": "published_at",
    "queued_deadline": "deadline",
}
INDEXES = {
    "jobs_ready": ("ready_rank", ["caller", "ready_rank", "id"]),
    "jobs_leased": ("lease_expires", ["lease_expires", "caller"]),
    "jobs_rung": ("rung_at", ["rung_at"]),
    "jobs_queued_deadline": ("queued_deadline", ["queued_deadline"]),
}


def upgrade() -> None:
    """Add the columns and the indexes."""
    # SQLite adds none that it would have to fill in, PostgreSQL before 18 none that it has not
    stored = op.get_bind().dialect.name == "postgresql"
    for name, value in COLUMNS.items():
        computed = sa.Computed(f"CASE WHEN state = 'QUEUED' THEN {value} END", persisted=stored)
        op.add_column("jobs", sa.Column(name, sa.Double, computed))
    for name, (column, columns) in INDEXES.items():
        where = sa.text(f"{column} IS NOT NULL")
        op.create_index(name, "jobs", columns, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    """Drop them."""
    for name in INDEXES:
        op.drop_index(name, "jobs")
    for name in COLUMNS:
        op.drop_column("jobs", name)
