"""Whom to tell of the end of a job: an outbox, written in the transaction that ends the job.

A row is armed with its job, due from the job's last event on, and claimed for a while by whoever
delivers it; one who dies meanwhile leaves it due again. So a message comes at least once, always
under the same id, and goes away with its job.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from services.common.jobs.schema import jobs, webhooks

MAX_ERROR_CHARACTERS = 300


@dataclass(frozen=True)
class DueWebhook:
    """One message to deliver now; ``attempt`` counts from 1."""

    job_id: str
    event_id: str
    url: str
    tenant: str
    state: str
    finished_at: float
    attempt: int


def arm(connection: Connection, job_id: str, url: str) -> None:
    """Remember whom to tell when the job ends."""
    event_id = f"evt_{uuid.uuid4().hex}"
    connection.execute(
        insert(webhooks).values(job_id=job_id, event_id=event_id, url=url, attempts=0, error="")
    )


def fire(connection: Connection, job_id: str, now: float) -> None:
    """The job has ended: its message, if there is one, is due."""
    connection.execute(update(webhooks).where(webhooks.c.job_id == job_id).values(due_at=now))


def any_due(connection: Connection, now: float) -> bool:
    """Whether there is something to deliver."""
    due = select(webhooks.c.job_id).where(webhooks.c.due_at <= now).limit(1)
    return connection.execute(due).first() is not None


def claim_due(
    connection: Connection, now: float, *, lease_s: float, limit: int
) -> tuple[DueWebhook, ...]:
    """Take up to ``limit`` due messages for ``lease_s`` seconds, the longest due first."""
    due = (
        select(webhooks.c.job_id)
        .where(webhooks.c.due_at <= now)
        .order_by(webhooks.c.due_at)
        .limit(limit)
    )
    chosen = connection.execute(due).scalars().all()
    taken = connection.execute(
        update(webhooks)
        .where(webhooks.c.job_id.in_(chosen), webhooks.c.due_at <= now)
        .values(due_at=now + lease_s, attempts=webhooks.c.attempts + 1)
        .returning(webhooks.c.job_id)
    ).scalars()
    rows = connection.execute(
        select(webhooks, jobs.c.caller, jobs.c.state, jobs.c.finished_at)
        .join(jobs, jobs.c.id == webhooks.c.job_id)
        .where(webhooks.c.job_id.in_(list(taken)))
    )
    return tuple(
        DueWebhook(
            row.job_id, row.event_id, row.url, row.caller, row.state, row.finished_at, row.attempts
        )
        for row in rows
    )


def delivered(connection: Connection, due: DueWebhook, now: float) -> None:
    """The receiver has it."""
    values = {"due_at": None, "delivered_at": now, "error": ""}
    connection.execute(update(webhooks).where(webhooks.c.job_id == due.job_id).values(**values))


def refused(connection: Connection, due: DueWebhook, error: str, retry_at: float | None) -> None:
    """It did not come through; ``retry_at`` None: nobody tries again."""
    values = {"due_at": retry_at, "error": error[:MAX_ERROR_CHARACTERS]}
    connection.execute(update(webhooks).where(webhooks.c.job_id == due.job_id).values(**values))
