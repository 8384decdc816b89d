"""What time alone does to jobs, and which jobs the doorbell should ring for.

Any number of processes may run these at once: each change is one conditional ``UPDATE``, so
exactly one of them makes it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, or_, select, update

from services.common.jobs.job import Event, JobError, JobState
from services.common.jobs.leases import RELEASED
from services.common.jobs.rows import add_event, error_to_json, job_from_row
from services.common.jobs.schema import jobs, workers

CODE_DEADLINE_EXCEEDED = 4  # google.rpc.Code
CODE_ABORTED = 10


def sweep(connection: Connection, now: float) -> int:
    """Move every job whose lease or deadline passed; returns how many moved."""
    moved = 0
    expired = select(jobs).where(jobs.c.state == JobState.RUNNING.value, jobs.c.lease_expires < now)
    for row in connection.execute(expired).all():
        moved += _take_back(connection, row, now)
    late = select(jobs).where(jobs.c.state == JobState.QUEUED.value, jobs.c.deadline <= now)
    for row in connection.execute(late).all():
        error = JobError(
            CODE_DEADLINE_EXCEEDED,
            "the deadline passed before a worker was free; allow more time or ask again later",
            "DEADLINE_EXCEEDED",
            retryable=True,
        )
        moved += _finish(connection, row, JobState.FAILED, now, error)
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


def seen(connection: Connection, worker_id: str, slots: int, now: float) -> None:
    """Say that a worker with ``slots`` slots is alive."""
    known = connection.execute(
        update(workers)
        .where(workers.c.id == worker_id)
        .values(slots=slots, seen_at=now)
        .returning(workers.c.id)
    ).one_or_none()
    if known is None:
        connection.execute(insert(workers).values(id=worker_id, slots=slots, seen_at=now))


def gone(connection: Connection, worker_id: str) -> None:
    """Take a worker that stops out of the count of slots."""
    connection.execute(delete(workers).where(workers.c.id == worker_id))


def anything_to_publish(connection: Connection, now: float, *, republish_s: float) -> bool:
    """Whether a job waits for a ring: a question that takes no lock, to be asked often."""
    waiting = select(jobs.c.id).where(*_unrung(now, republish_s)).limit(1)
    return connection.execute(waiting).first() is not None


def _unrung(now: float, republish_s: float) -> tuple[ColumnElement[bool], ...]:
    return (
        jobs.c.state == JobState.QUEUED.value,
        jobs.c.not_before <= now,
        or_(jobs.c.published_at.is_(None), jobs.c.published_at < now - republish_s),
    )


def take_for_publishing(
    connection: Connection, now: float, *, worker_ttl_s: float, republish_s: float
) -> tuple[str, ...]:
    """Mark and return the ids to ring the doorbell for: no more than there are free slots.

    Free slots are those of the workers seen within ``worker_ttl_s``, less the running jobs, less
    the jobs rung for and not yet claimed. A ring that nobody answered within ``republish_s`` was
    lost by the broker and is rung again. Higher priority first, then the older job. Two dispatchers
    at the same moment may ring for more than there are slots; such a ring just waits its turn.
    """
    slots = connection.execute(
        select(func.coalesce(func.sum(workers.c.slots), 0)).where(
            workers.c.seen_at >= now - worker_ttl_s
        )
    ).scalar_one()
    ringing = jobs.c.published_at >= now - republish_s
    busy = connection.execute(
        select(func.count())
        .select_from(jobs)
        .where(
            or_(
                jobs.c.state == JobState.RUNNING.value,
                (jobs.c.state == JobState.QUEUED.value) & ringing,
            )
        )
    ).scalar_one()
    free = slots - busy
    if free <= 0:
        return ()
    waiting = (
        select(jobs.c.id)
        .where(*_unrung(now, republish_s))
        .order_by(jobs.c.priority.desc(), jobs.c.created_at, jobs.c.id)
        .limit(free)
    )
    chosen = [row.id for row in connection.execute(waiting)]
    taken = connection.execute(
        update(jobs)
        .where(
            jobs.c.id.in_(chosen),
            jobs.c.state == JobState.QUEUED.value,
            or_(jobs.c.published_at.is_(None), ~ringing),
        )
        .values(published_at=now)
        .returning(jobs.c.id)
    )
    marked = {row.id for row in taken}
    return tuple(job_id for job_id in chosen if job_id in marked)
