"""What a caller may do: submit, read, list, watch, cancel, delete."""

from __future__ import annotations

import base64
import binascii
import hashlib
import uuid

from sqlalchemy import Connection, and_, delete, insert, or_, select, update

from omnireel.errors import AlreadyExists, FailedPrecondition, InvalidInput, NotFound
from services.common.jobs.job import (
    Event,
    Job,
    JobState,
    NewJob,
    Page,
    Stage,
    StageOutput,
)
from services.common.jobs.rows import add_event, event_from_row, job_from_row, progress_columns
from services.common.jobs.schema import job_events, job_stages, jobs


def submit(connection: Connection, new: NewJob, now: float) -> tuple[Job, bool]:
    """Insert a job, or return the one that the same request made before.

    Returns the job and whether it is new. Raises :class:`AlreadyExists` when the caller used the
    ``request_id`` for another body.
    """
    digest = hashlib.sha256(new.body).hexdigest()
    if new.request_id:
        known = connection.execute(
            select(jobs).where(jobs.c.caller == new.caller, jobs.c.request_id == new.request_id)
        ).one_or_none()
        if known is not None:
            if known.body_sha256 != digest:
                raise AlreadyExists(
                    f"request_id: {new.request_id!r} was used for a different request; "
                    "send a fresh request_id",
                    reason="REQUEST_ID_REUSED",
                )
            return job_from_row(known), False
    job_id = uuid.uuid4().hex
    connection.execute(
        insert(jobs).values(
            id=job_id,
            caller=new.caller,
            request_id=new.request_id or None,
            body=new.body,
            body_sha256=digest,
            state=JobState.QUEUED.value,
            cancel_requested=False,
            priority=new.priority,
            deadline=new.deadline,
            attempt=0,
            max_attempts=new.max_attempts,
            not_before=now,
            token=0,
            lease_owner="",
            event_sequence=1,
            created_at=now,
            updated_at=now,
            **progress_columns(None),
        )
    )
    add_event(connection, Event(job_id, 1, now, JobState.QUEUED))
    return get(connection, job_id), True


def get(connection: Connection, job_id: str, caller: str | None = None) -> Job:
    """The job, or :class:`NotFound`; another caller's job does not exist for ``caller``."""
    query = select(jobs).where(jobs.c.id == job_id)
    if caller is not None:
        query = query.where(jobs.c.caller == caller)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"there is no video job {job_id!r}")
    return job_from_row(row)


def list_jobs(
    connection: Connection,
    caller: str,
    *,
    page_size: int,
    page_token: str = "",
    states: tuple[JobState, ...] = (),
) -> Page:
    """Newest first. A page token names the last job seen, so new jobs never shift a page."""
    query = select(jobs).where(jobs.c.caller == caller)
    if states:
        query = query.where(jobs.c.state.in_([state.value for state in states]))
    if page_token:
        created_at, job_id = _read_page_token(page_token)
        older = jobs.c.created_at < created_at
        same = and_(jobs.c.created_at == created_at, jobs.c.id < job_id)
        query = query.where(or_(older, same))
    query = query.order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(page_size + 1)
    rows = connection.execute(query).all()
    page = tuple(job_from_row(row) for row in rows[:page_size])
    more = len(rows) > page_size
    return Page(page, _write_page_token(page[-1]) if more else "")


def events_after(
    connection: Connection, job_id: str, sequence: int, limit: int = 256
) -> tuple[Event, ...]:
    """The events of a job whose sequence is greater than ``sequence``, oldest first."""
    rows = connection.execute(
        select(job_events)
        .where(job_events.c.job_id == job_id, job_events.c.sequence > sequence)
        .order_by(job_events.c.sequence)
        .limit(limit)
    )
    return tuple(event_from_row(row) for row in rows)


def stage_outputs(connection: Connection, job_id: str) -> dict[Stage, StageOutput]:
    """What the finished stages of a job left."""
    rows = connection.execute(select(job_stages).where(job_stages.c.job_id == job_id))
    outputs = (StageOutput(Stage(r.stage), r.data, r.started_at, r.finished_at) for r in rows)
    return {output.stage: output for output in outputs}


def request_cancel(connection: Connection, job_id: str, now: float) -> Job:
    """Cancel a queued job at once; ask the worker of a running one; leave a finished one."""
    row = connection.execute(
        update(jobs)
        .where(jobs.c.id == job_id, jobs.c.state == JobState.QUEUED.value)
        .values(
            state=JobState.CANCELLED.value,
            cancel_requested=True,
            finished_at=now,
            updated_at=now,
            event_sequence=jobs.c.event_sequence + 1,
        )
        .returning(*jobs.c)
    ).one_or_none()
    if row is not None:
        progress = job_from_row(row).progress
        event = Event(job_id, row.event_sequence, now, JobState.CANCELLED, progress)
        add_event(connection, event)
        return job_from_row(row)
    connection.execute(
        update(jobs)
        .where(jobs.c.id == job_id, jobs.c.state == JobState.RUNNING.value)
        .values(cancel_requested=True, updated_at=now)
    )
    return get(connection, job_id)


def delete_job(connection: Connection, job_id: str) -> None:
    """Remove a finished job with its events and stages; refuse while somebody may work on it."""
    job = get(connection, job_id)
    finished = [state.value for state in JobState if state.terminal]
    deleted = connection.execute(
        delete(jobs).where(jobs.c.id == job_id, jobs.c.state.in_(finished)).returning(jobs.c.id)
    ).one_or_none()
    if deleted is None:
        raise FailedPrecondition(
            f"video job {job_id!r} is {job.state.value}; cancel it, wait until it stops, "
            "then delete it",
            reason="JOB_NOT_FINISHED",
        )


def _write_page_token(job: Job) -> str:
    return base64.urlsafe_b64encode(f"{job.created_at!r}/{job.id}".encode()).decode()


def _read_page_token(token: str) -> tuple[float, str]:
    try:
        created_at, _, job_id = base64.urlsafe_b64decode(token.encode()).decode().partition("/")
        return float(created_at), job_id
    except (ValueError, binascii.Error) as error:
        raise InvalidInput(
            "page_token is not one that this service gave; list from the start",
            field="page_token",
        ) from error
