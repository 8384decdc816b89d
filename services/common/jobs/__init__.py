"""The durable job store: a row in SQL is the truth about a job and belongs to no replica.

Read in this order: ``job.py`` (what a job is), ``schema.py`` (the tables), ``leases.py`` (claim,
fence, heartbeat: what a worker may do), ``requests.py`` (what a caller may do), ``quotas.py`` and
``tenants.py`` (how much of it), ``scheduler.py`` (whose turn it is), ``sweeper.py`` (what time
alone does). ``store.py`` joins them into one :class:`JobStore`.
"""

from __future__ import annotations

from services.common.jobs.database import DatabaseAway
from services.common.jobs.job import (
    Event,
    Heartbeat,
    Job,
    JobError,
    JobFilter,
    JobState,
    Lease,
    LeaseLost,
    MediaRecord,
    NewJob,
    Page,
    Progress,
    Stage,
    StageOutput,
)
from services.common.jobs.news import News
from services.common.jobs.store import JobStore, open_jobs

__all__ = [
    "DatabaseAway",
    "Event",
    "Heartbeat",
    "Job",
    "JobError",
    "JobFilter",
    "JobState",
    "JobStore",
    "Lease",
    "LeaseLost",
    "MediaRecord",
    "NewJob",
    "News",
    "Page",
    "Progress",
    "Stage",
    "StageOutput",
    "open_jobs",
]
