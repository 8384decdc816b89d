"""What a worker may do. Every write names the fencing token and touches nothing without it.

A worker that was cut off (paused, partitioned, thought dead) may come back after another one
claimed its job. Its token is then too small, its ``UPDATE ... WHERE token = ?`` matches no row,
and it learns so by :class:`LeaseLost`. Clocks decide only *when* a job is picked up again, never
who may write, so skew between machines can cost work but cannot make two results.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, insert, or_, select, update

from services.common.jobs.job import (
    Event,
    Heartbeat,
    Job,
    JobError,
    JobState,
    Lease,
    LeaseLost,
    MediaRecord,
    Progress,
    StageOutput,
)
from services.common.jobs.media import put_media
from services.common.jobs.rows import (
    add_event,
    error_to_json,
    job_from_row,
    progress_columns,
)
from services.common.jobs.schema import job_stages, jobs

HANDED_BACK = "handed back by a worker that stops"
RELEASED: dict[str, Any] = {"lease_owner": "", "lease_expires": None, "published_at": None}


def claim(
    connection: Connection, job_id: str, owner: str, lease_s: float, now: float
) -> tuple[Lease, Job] | None:
    """Take a queued job for ``lease_s`` seconds, or None when it is not there to be taken."""
    row = connection.execute(
        update(jobs)
        .where(
            jobs.c.id == job_id,
            jobs.c.state == JobState.QUEUED.value,
            jobs.c.not_before <= now,
            or_(jobs.c.deadline.is_(None), jobs.c.deadline > now),
        )
        .values(
            state=JobState.RUNNING.value,
            lease_owner=owner,
            lease_expires=now + lease_s,
            token=jobs.c.token + 1,
            attempt=jobs.c.attempt + 1,
            started_at=func.coalesce(jobs.c.started_at, now),
            updated_at=now,
            event_sequence=jobs.c.event_sequence + 1,
        )
        .returning(*jobs.c)
    ).one_or_none()
    if row is None:
        return None
    job = job_from_row(row)
    event = Event(job_id, row.event_sequence, now, JobState.RUNNING, job.progress)
    add_event(connection, event)
    return Lease(job_id, owner, job.token), job


def renew(connection: Connection, lease: Lease, lease_s: float, now: float) -> Heartbeat:
    """Extend the lease and learn whether the caller wants the job stopped."""
    row = _fenced(connection, lease, {"lease_expires": now + lease_s})
    return Heartbeat(cancel_requested=row.cancel_requested, deadline=row.deadline)


def record_progress(
    connection: Connection, lease: Lease, steps: list[Progress], now: float
) -> Heartbeat:
    """Append one event for each of ``steps``; the row shows the last."""
    row = _fenced(
        connection,
        lease,
        {
            **progress_columns(steps[-1]),
            "updated_at": now,
            "event_sequence": jobs.c.event_sequence + len(steps),
        },
    )
    first = row.event_sequence - len(steps) + 1
    for sequence, progress in enumerate(steps, start=first):
        add_event(connection, Event(lease.job_id, sequence, now, JobState.RUNNING, progress))
    return Heartbeat(cancel_requested=row.cancel_requested, deadline=row.deadline)


def save_stage(
    connection: Connection,
    lease: Lease,
    output: StageOutput,
    media: tuple[MediaRecord, ...],
    now: float,
) -> None:
    """Keep what a finished stage left, so that whoever picks the job up goes on after it.

    ``media`` are the objects it made: the job's caller may name them in new requests. Saying it
    twice changes nothing: under one lease there is one output of a stage.
    """
    row = _fenced(connection, lease, {"updated_at": now})
    known = select(job_stages.c.stage).where(
        job_stages.c.job_id == lease.job_id, job_stages.c.stage == output.stage.value
    )
    if connection.execute(known).one_or_none() is not None:
        return
    connection.execute(
        insert(job_stages).values(
            job_id=lease.job_id,
            stage=output.stage.value,
            data=output.data,
            started_at=output.started_at,
            finished_at=output.finished_at,
        )
    )
    for record in media:
        put_media(connection, row.caller, record, now, job_id=lease.job_id)


def succeed(connection: Connection, lease: Lease, now: float) -> None:
    """RUNNING -> SUCCEEDED. A result that is there wins over a cancel that came too late."""
    _finish(connection, lease, JobState.SUCCEEDED, now, {"fraction": 1.0})


def fail(connection: Connection, lease: Lease, error: JobError, now: float) -> None:
    """RUNNING -> FAILED, for good."""
    values = {"error": error_to_json(error)}
    _finish(connection, lease, JobState.FAILED, now, values, error.message)


def cancelled(connection: Connection, lease: Lease, now: float) -> None:
    """RUNNING -> CANCELLED: the worker stopped because the caller asked."""
    _finish(connection, lease, JobState.CANCELLED, now, {})


def release(
    connection: Connection,
    lease: Lease,
    now: float,
    delay_s: float = 0.0,
    message: str = HANDED_BACK,
) -> None:
    """RUNNING -> QUEUED after ``delay_s`` seconds, and no attempt is lost.

    For a worker that stops, and for a model service that could not take the work.
    """
    values = {**RELEASED, "attempt": jobs.c.attempt - 1, "not_before": now + delay_s}
    _requeue(connection, lease, now, values, message)


def retry(
    connection: Connection, lease: Lease, error: JobError, delay_s: float, now: float
) -> JobState:
    """RUNNING -> QUEUED after ``delay_s`` seconds, or FAILED when the attempts are used up."""
    row = _locked(connection, lease)
    if row.attempt >= row.max_attempts:
        fail(connection, lease, error, now)
        return JobState.FAILED
    values = {**RELEASED, "not_before": now + delay_s}
    _requeue(connection, lease, now, values, error.message)
    return JobState.QUEUED


def _fenced(connection: Connection, lease: Lease, values: dict[str, Any]) -> Any:
    """Update the row that ``lease`` still holds and return it; else :class:`LeaseLost`."""
    row = connection.execute(
        update(jobs)
        .where(
            jobs.c.id == lease.job_id,
            jobs.c.token == lease.token,
            jobs.c.state == JobState.RUNNING.value,
        )
        .values(**values)
        .returning(*jobs.c)
    ).one_or_none()
    if row is None:
        raise _lost(lease)
    return row


def _locked(connection: Connection, lease: Lease) -> Any:
    row = connection.execute(
        select(jobs)
        .where(
            jobs.c.id == lease.job_id,
            jobs.c.token == lease.token,
            jobs.c.state == JobState.RUNNING.value,
        )
        .with_for_update()
    ).one_or_none()
    if row is None:
        raise _lost(lease)
    return row


def _lost(lease: Lease) -> LeaseLost:
    return LeaseLost(
        f"worker {lease.owner!r} no longer holds job {lease.job_id!r} (token {lease.token}); "
        "its write was refused"
    )


def _finish(
    connection: Connection,
    lease: Lease,
    state: JobState,
    now: float,
    values: dict[str, Any],
    message: str = "",
) -> None:
    values = {**RELEASED, **values, "finished_at": now}
    _move(connection, lease, state, now, values, message)


def _requeue(
    connection: Connection, lease: Lease, now: float, values: dict[str, Any], message: str
) -> None:
    _move(connection, lease, JobState.QUEUED, now, values, message)


def _move(
    connection: Connection,
    lease: Lease,
    state: JobState,
    now: float,
    values: dict[str, Any],
    message: str,
) -> None:
    sequence = jobs.c.event_sequence + 1
    changes = {**values, "state": state.value, "updated_at": now, "event_sequence": sequence}
    row = _fenced(connection, lease, changes)
    progress = job_from_row(row).progress
    event = Event(lease.job_id, row.event_sequence, now, state, progress, message)
    add_event(connection, event)
