"""The tables. Alembic's migrations build the same ones; a test compares the two."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()

PRIORITY_STEP_S = 600.0
"""Seconds of waiting that one step of priority counts for."""


def _while_queued(name: str, value: str) -> Column[float]:
    """``value`` of a job that waits, else NULL. The database computes it, also for what older code
    inserts; with an index over those that are not NULL, a long history costs nothing."""
    return Column(
        name, Double, Computed(f"CASE WHEN state = 'QUEUED' THEN {value} END", persisted=True)
    )


def _where_set(name: str, column: str, *columns: str) -> Index:
    """An index over the rows in which ``column`` is not NULL."""
    where = text(f"{column} IS NOT NULL")
    return Index(name, *columns, sqlite_where=where, postgresql_where=where)


jobs = Table(
    "jobs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("caller", String(128), nullable=False),
    Column("request_id", String(128)),  # NULL: the caller wants no idempotency
    Column("body", LargeBinary, nullable=False),
    Column("request_digest", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("cancel_requested", Boolean, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("deadline", Double),
    # what it costs its tenant
    Column("video_seconds", Double, nullable=False, server_default="1"),
    Column("attempt", Integer, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("not_before", Double, nullable=False),  # back-off: no claim earlier than this
    Column("published_at", Double),  # the doorbell was rung for this job at
    Column("token", Integer, nullable=False),
    Column("lease_owner", String(128), nullable=False),
    Column("lease_expires", Double),  # set exactly while it runs
    Column("event_sequence", Integer, nullable=False),
    Column("stage", String(16)),
    Column("step", Integer, nullable=False),
    Column("num_steps", Integer, nullable=False),
    Column("fraction", Double, nullable=False),
    Column("preview_uri", Text, nullable=False),
    Column("error", Text),
    Column("operation_deleted", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("started_at", Double),
    Column("finished_at", Double),
    Column("traceparent", String(64)),  # W3C: the trace that the job belongs to
    # the order among its tenant's jobs, of those that nobody rang for
    _while_queued(
        "ready_rank",
        f"CASE WHEN published_at IS NULL THEN created_at - {PRIORITY_STEP_S} * priority END",
    ),
    _while_queued("rung_at", "published_at"),
    _while_queued("queued_deadline", "deadline"),
    UniqueConstraint("caller", "request_id", name="jobs_caller_request_id"),
    Index("jobs_state_priority", "state", "priority", "created_at"),
    Index("jobs_finished", "finished_at"),
    Index("jobs_caller_created", "caller", "created_at", "id"),
    _where_set("jobs_ready", "ready_rank", "caller", "ready_rank", "id"),
    _where_set("jobs_leased", "lease_expires", "lease_expires", "caller"),
    _where_set("jobs_rung", "rung_at", "rung_at"),
    _where_set("jobs_queued_deadline", "queued_deadline", "queued_deadline"),
)

job_events = Table(
    "job_events",
    metadata,
    Column("job_id", String(64), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("time", Double, nullable=False),
    Column("state", String(16), nullable=False),
    Column("stage", String(16)),
    Column("step", Integer, nullable=False),
    Column("num_steps", Integer, nullable=False),
    Column("fraction", Double, nullable=False),
    Column("preview_uri", Text, nullable=False),
    Column("message", Text, nullable=False),
)

job_stages = Table(
    "job_stages",
    metadata,
    Column("job_id", String(64), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("stage", String(16), primary_key=True),
    Column("data", LargeBinary, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("finished_at", Double, nullable=False),
)

job_labels = Table(
    "job_labels",
    metadata,
    Column("job_id", String(64), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("value", String(64), nullable=False),
)

media = Table(
    "media",
    metadata,
    Column("caller", String(128), primary_key=True),
    Column("uri", String(1024), primary_key=True),
    # NULL: an upload; else the job that made it, and the row goes away with the job
    Column("job_id", String(64), ForeignKey("jobs.id", ondelete="CASCADE"), index=True),
    Column("data", LargeBinary, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("size_bytes", BigInteger, nullable=False, server_default="0"),
    Column("sha256", String(64), nullable=False, server_default=""),
    Column("used_at", Double),  # NULL: never since it was made
    Index("media_uri", "uri"),
)

# What a job reads: nothing that a queued or running job names may go away.
job_inputs = Table(
    "job_inputs",
    metadata,
    Column("job_id", String(64), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("uri", String(1024), primary_key=True),
    Index("job_inputs_uri", "uri"),
)

storage_policies = Table(
    "storage_policies",
    metadata,
    Column("tenant", String(128), primary_key=True),
    Column("policy", Text, nullable=False),  # JSON: what differs from the defaults
)

locks = Table(
    "locks",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("owner", String(128), nullable=False),
    Column("expires_at", Double, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant", String(128), nullable=False, index=True),
    Column("name", String(128), nullable=False),
    Column("scopes", String(256), nullable=False),  # separated by blanks
    Column("secret_hash", String(64), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("revoked_at", Double),
    Column("used_at", Double),  # coarse
)

tenants = Table(
    "tenants",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("weight", Double, nullable=False),
    Column("max_running", Integer),  # NULL in these three: no limit
    Column("max_queued", Integer),
    Column("max_seconds_per_day", Double),
)

tenant_usage = Table(
    "tenant_usage",
    metadata,
    Column("tenant", String(128), primary_key=True),
    Column("day", Integer, primary_key=True),  # of UTC, counted from the epoch
    Column("seconds", Double, nullable=False),
)

schedule = Table(
    "schedule",
    metadata,
    Column("tenant", String(128), primary_key=True),
    Column("virtual_time", Double, nullable=False),
)

audit_log = Table(
    "audit_log",
    metadata,
    # SQLite counts up by itself only in an INTEGER
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("time", Double, nullable=False, index=True),
    Column("tenant", String(128), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("action", String(128), nullable=False),
    Column("resource", String(512), nullable=False),
    Column("outcome", String(64), nullable=False),
    Column("request_id", String(128), nullable=False),
    Column("address", String(128), nullable=False),
)

stage_costs = Table(
    "stage_costs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("stage", String(16), nullable=False),
    Column("model_version", String(128), nullable=False),
    Column("format", String(32), nullable=False),
    Column("units", Double, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("fixed_seconds", Double, nullable=False, server_default="0"),
    Column("measured_at", Double, nullable=False),
    Index("stage_costs_key", "stage", "model_version", "format", "id"),
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("job_id", String(64), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("event_id", String(64), nullable=False),
    Column("url", Text, nullable=False),
    # NULL: the job goes on, or nothing is left to do
    Column("due_at", Double, index=True),
    Column("attempts", Integer, nullable=False),
    Column("delivered_at", Double),
    Column("error", Text, nullable=False),
)

workers = Table(
    "workers",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("slots", Integer, nullable=False),
    Column("seen_at", Double, nullable=False),
)
