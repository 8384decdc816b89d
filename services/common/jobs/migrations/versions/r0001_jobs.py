"""Jobs with their events, stages and labels; media; and the workers that are alive."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("caller", sa.String(128), nullable=False),
        sa.Column("request_id", sa.String(128)),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("request_digest", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("cancel_requested", sa.Boolean, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("deadline", sa.Double),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("max_attempts", sa.Integer, nullable=False),
        sa.Column("not_before", sa.Double, nullable=False),
        sa.Column("published_at", sa.Double),
        sa.Column("token", sa.Integer, nullable=False),
        sa.Column("lease_owner", sa.String(128), nullable=False),
        sa.Column("lease_expires", sa.Double),
        sa.Column("event_sequence", sa.Integer, nullable=False),
        *_progress(),
        sa.Column("error", sa.Text),
        sa.Column("operation_deleted", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
        sa.Column("started_at", sa.Double),
        sa.Column("finished_at", sa.Double),
        sa.UniqueConstraint("caller", "request_id", name="jobs_caller_request_id"),
    )
    op.create_index("jobs_state_priority", "jobs", ["state", "priority", "created_at"])
    op.create_index("jobs_caller_created", "jobs", ["caller", "created_at", "id"])
    op.create_table(
        "job_events",
        _job_id(),
        sa.Column("sequence", sa.Integer, primary_key=True),
        sa.Column("time", sa.Double, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        *_progress(),
        sa.Column("message", sa.Text, nullable=False),
    )
    op.create_table(
        "job_stages",
        _job_id(),
        sa.Column("stage", sa.String(16), primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("started_at", sa.Double, nullable=False),
        sa.Column("finished_at", sa.Double, nullable=False),
    )
    op.create_table(
        "job_labels",
        _job_id(),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("value", sa.String(64), nullable=False),
    )
    op.create_table(
        "media",
        sa.Column("caller", sa.String(128), primary_key=True),
        sa.Column("uri", sa.String(1024), primary_key=True),
        sa.Column(
            "job_id", sa.String(64), sa.ForeignKey("jobs.id", ondelete="CASCADE"), index=True
        ),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.String(128), primary_key=True),
        sa.Column("slots", sa.Integer, nullable=False),
        sa.Column("seen_at", sa.Double, nullable=False),
    )


def downgrade() -> None:
    """Drop them; the jobs are gone with them."""
    for table in ("workers", "media", "job_labels", "job_stages", "job_events", "jobs"):
        op.drop_table(table)


def _job_id() -> sa.Column[str]:
    key = sa.ForeignKey("jobs.id", ondelete="CASCADE")
    return sa.Column("job_id", sa.String(64), key, primary_key=True)


def _progress() -> list[sa.Column[object]]:
    return [
        sa.Column("stage", sa.String(16)),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("num_steps", sa.Integer, nullable=False),
        sa.Column("fraction", sa.Double, nullable=False),
        sa.Column("preview_uri", sa.Text, nullable=False),
    ]
