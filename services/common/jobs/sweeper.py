"""What time alone does to jobs, and which workers there are.

Any number of processes may run these at once: each change is one conditional ``UPDATE``, so
exactly one of them makes it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from services.common.jobs.job import Event, JobError, JobState
from services.common.jobs.leases import RELEASED
from services.common.jobs.quotas import refund
from services.common.jobs.rows import add_event, error_to_json, job_from_row
from services.common.jobs.schema import jobs, workers

CODE_DEADLINE_EXCEEDED = 4  # google.rpc.Code
CODE_ABORTED = 10


def sweep(connection: Connection, now: float) -> int:
    """Move every job whose lease or deadline passed; returns how many moved."""
    moved = 0
    expired = select(jobs).where(jobs.c.lease_expires < now)
    for row in connection.execute(expired).all():
        moved += _take_back(connection, row, now)
    late = select(jobs).where(jobs.c.queued_deadline <= now)
    for row in connection.execute(late).all():
        error = JobError(
            CODE_DEADLINE_EXCEEDED,
            "the deadline passed before a worker was free; allow more time or ask again later",
            "DEADLINE_EXCEEDED",
            retryable=True,
        )
        failed = _finish(connection, row, JobState.FAILED, now, error)
        if failed and row.started_at is None:
            refund(connection, row.caller, row.created_at, row.video_seconds)
        moved += failed
    return moved


def _take_back(connection: Connection, row: Any, now: float) -> int:
    if row.cancel_requested:
        return _finish(connection, row, JobState.CANCELLED, now, None)
    if row.attempt >= row.max_attempts:
        error = JobError(
            CODE_ABORTED,
            f"the worker was lost in each of {row.attempt} attempts",
            "WORKER_LOST",
            retryable=True,
        )
        return _finish(connection, row, JobState.FAILED, now, error)
    message = f"worker {row.lease_owner!r} was lost; another one will go on"
    values = {**RELEASED, "not_before": now}
    return _move(connection, row, JobState.QUEUED, now, values, message)


def _finish(
    connection: Connection, row: Any, state: JobState, now: float, error: JobError | None
) -> int:
    values: dict[str, Any] = {**RELEASED, "finished_at": now}
    if error is not None:
        values["error"] = error_to_json(error)
    return _move(connection, row, state, now, values, error.message if error else "")


def _move(
    connection: Connection, row: Any, state: JobState, now: float, values: dict[str, Any], why: str
) -> int:
    """Change the job only if it is still as ``row`` says (its worker may have come back)."""
    unchanged = [jobs.c.id == row.id, jobs.c.state == row.state, jobs.c.token == row.token]
    if row.state == JobState.RUNNING.value:
        unchanged.append(jobs.c.lease_expires < now)
    after = connection.execute(
        update(jobs)
        .where(*unchanged)
        .values(
            **values,
            state=state.value,
            updated_at=now,
            event_sequence=jobs.c.event_sequence + 1,
        )
        .returning(*jobs.c)
    ).one_or_none()
    if after is None:
        return 0
    progress = job_from_row(after).progress
    add_event(connection, Event(row.id, after.event_sequence, now, state, progress, why))
    return 1


def seen(
    connection: Connection, worker_id: str, slots: int, now: float, *, worker_ttl_s: float
) -> int:
    """Record that a worker with ``slots`` slots is alive; return how many workers were seen within
    ``worker_ttl_s``."""
    known = connection.execute(
        update(workers)
        .where(workers.c.id == worker_id)
        .values(slots=slots, seen_at=now)
        .returning(workers.c.id)
    ).one_or_none()
    if known is None:
        connection.execute(insert(workers).values(id=worker_id, slots=slots, seen_at=now))
    alive = select(func.count()).select_from(workers).where(workers.c.seen_at >= now - worker_ttl_s)
    return connection.execute(alive).scalar_one()


def gone(connection: Connection, worker_id: str) -> None:
    """Take a worker that stops out of the count of slots."""
    connection.execute(delete(workers).where(workers.c.id == worker_id))
