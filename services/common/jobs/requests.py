"""What a caller may do: submit, read, list, watch, cancel, delete."""

from __future__ import annotations

import base64
import binascii
import math
import uuid
from collections.abc import Collection, Iterator

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    delete,
    exists,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from omnireel.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidInput,
    NotFound,
)
from services.common.jobs.job import (
    Event,
    Job,
    JobFilter,
    JobState,
    NewJob,
    Page,
    Stage,
    StageOutput,
)
from services.common.jobs.media import readers_of, use_media
from services.common.jobs.quotas import admit, refund
from services.common.jobs.rows import add_event, event_from_row, job_from_row, progress_columns
from services.common.jobs.schema import job_events, job_labels, job_stages, jobs, media
from services.common.jobs.webhooks import arm


def find_request(
    connection: Connection, caller: str, request_id: str, request_digest: str
) -> Job | None:
    """The job that the same request made before, or None.

    Raises :class:`AlreadyExists` when the caller used ``request_id`` for another request.
    """
    if not request_id:
        return None
    row = connection.execute(
        select(jobs).where(jobs.c.caller == caller, jobs.c.request_id == request_id)
    ).one_or_none()
    if row is None:
        return None
    if row.request_digest != request_digest:
        raise AlreadyExists(
            f"request_id {request_id!r} was used for a different request; send a fresh one",
            reason="REQUEST_ID_REUSED",
        )
    return job_from_row(row)


def submit(connection: Connection, new: NewJob, now: float, *, max_queued: int) -> tuple[Job, bool]:
    """Insert a job, or return the one that the same request made before.

    Returns the job and whether it is new. Raises what :func:`find_request` and
    :func:`~services.common.jobs.quotas.admit` raise.
    """
    known = find_request(connection, new.caller, new.request_id, new.request_digest)
    if known is not None:
        return known, False
    admit(connection, new, now, max_queued=max_queued)
    job_id = uuid.uuid4().hex
    connection.execute(
        insert(jobs).values(
            id=job_id,
            caller=new.caller,
            request_id=new.request_id or None,
            request_digest=new.request_digest,
            body=new.body,
            state=JobState.QUEUED.value,
            cancel_requested=False,
            operation_deleted=False,
            priority=new.priority,
            deadline=new.deadline,
            video_seconds=new.video_seconds,
            attempt=0,
            max_attempts=new.max_attempts,
            not_before=now,
            token=0,
            lease_owner="",
            event_sequence=1,
            created_at=now,
            updated_at=now,
            traceparent=new.traceparent or None,
            **progress_columns(None),
        )
    )
    use_media(connection, job_id, new.caller, new.inputs, now)
    for name, value in new.labels.items():
        connection.execute(insert(job_labels).values(job_id=job_id, name=name, value=value))
    if new.webhook_url:
        arm(connection, job_id, new.webhook_url)
    add_event(connection, Event(job_id, 1, now, JobState.QUEUED))
    return get(connection, job_id), True


def get(
    connection: Connection, job_id: str, caller: str | None = None, *, operation: bool = False
) -> Job:
    """The job, or :class:`NotFound`; another caller's job does not exist for ``caller``.

    With ``operation``, neither does a job whose operation was deleted.
    """
    query = select(jobs).where(jobs.c.id == job_id)
    if operation:
        query = query.where(~jobs.c.operation_deleted)
    if caller is not None:
        query = query.where(jobs.c.caller == caller)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"there is no video {job_id!r}")
    return job_from_row(row)


def list_jobs(
    connection: Connection,
    caller: str,
    *,
    page_size: int,
    page_token: str = "",
    job_filter: JobFilter,
    after: Job | None = None,
    oldest_first: bool = False,
) -> Page:
    """Newest first, unless told otherwise. A page token names the last job seen, as ``after``
    does, so new jobs never shift a page."""
    query = select(jobs).where(jobs.c.caller == caller, *_conditions(job_filter))
    seen = (after.created_at, after.id) if after is not None else None
    if page_token:
        seen = _read_page_token(page_token)
    place = tuple_(jobs.c.created_at, jobs.c.id)
    if seen is not None:
        query = query.where(place > seen if oldest_first else place < seen)
    columns = (jobs.c.created_at, jobs.c.id)
    order = columns if oldest_first else tuple(column.desc() for column in columns)
    query = query.order_by(*order).limit(page_size + 1)
    rows = connection.execute(query).all()
    page = tuple(job_from_row(row) for row in rows[:page_size])
    more = len(rows) > page_size
    return Page(page, page_token_after(page[-1]) if more else "")


def _conditions(job_filter: JobFilter) -> Iterator[ColumnElement[bool]]:
    running = JobState.RUNNING.value
    if job_filter.states or job_filter.cancelling:
        listed = [state.value for state in job_filter.states]
        chosen = and_(
            jobs.c.state.in_(listed),
            or_(jobs.c.state != running, ~jobs.c.cancel_requested),
        )
        if job_filter.cancelling:
            chosen = or_(chosen, and_(jobs.c.state == running, jobs.c.cancel_requested))
        yield chosen
    if not job_filter.with_deleted_operations:
        yield ~jobs.c.operation_deleted
    for name, value in job_filter.labels.items():
        yield exists().where(
            job_labels.c.job_id == jobs.c.id,
            job_labels.c.name == name,
            job_labels.c.value == value,
        )


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


def stage_outputs(
    connection: Connection, job_ids: Collection[str]
) -> dict[str, dict[Stage, StageOutput]]:
    """What the finished stages of each job left."""
    rows = connection.execute(select(job_stages).where(job_stages.c.job_id.in_(job_ids)))
    outputs: dict[str, dict[Stage, StageOutput]] = {job_id: {} for job_id in job_ids}
    for row in rows:
        stage = Stage(row.stage)
        output = StageOutput(stage, row.data, row.started_at, row.finished_at)
        outputs[row.job_id][stage] = output
    return outputs


def request_cancel(connection: Connection, job_id: str, now: float) -> Job:
    """Cancel a queued job at once; ask the worker of a running one; leave a finished one."""
    # Locked: between the two questions below a worker might hand the job back, or take it.
    connection.execute(select(jobs.c.id).where(jobs.c.id == job_id).with_for_update())
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
        if row.started_at is None:
            refund(connection, row.caller, row.created_at, row.video_seconds)
        progress = job_from_row(row).progress
        event = Event(job_id, row.event_sequence, now, JobState.CANCELLED, progress)
        add_event(connection, event)
        return job_from_row(row)
    asked = connection.execute(
        update(jobs)
        .where(
            jobs.c.id == job_id,
            jobs.c.state == JobState.RUNNING.value,
            ~jobs.c.cancel_requested,
        )
        .values(cancel_requested=True, updated_at=now, event_sequence=jobs.c.event_sequence + 1)
        .returning(*jobs.c)
    ).one_or_none()
    job = get(connection, job_id)
    if asked is not None:
        message = "cancel was asked for"
        event = Event(job_id, job.event_sequence, now, job.state, job.progress, message)
        add_event(connection, event)
    return job


def delete_job(connection: Connection, job_id: str) -> None:
    """Remove a finished job with its events and stages; refuse while somebody may work on it, or
    while another job reads what it made."""
    job = get(connection, job_id)
    # Locked, so that no new job comes to read them while we look.
    made = select(media.c.uri).where(media.c.job_id == job_id).with_for_update()
    uris = [row.uri for row in connection.execute(made)]
    reader = connection.execute(readers_of(uris)).scalar_one_or_none()
    if reader is not None:
        raise FailedPrecondition(
            f"video {job_id!r} is read by video {reader!r}, which is not finished; wait for that "
            "one or cancel it, then delete this one",
            reason="IN_USE",
        )
    finished = [state.value for state in JobState if state.terminal]
    deleted = connection.execute(
        delete(jobs).where(jobs.c.id == job_id, jobs.c.state.in_(finished)).returning(jobs.c.id)
    ).one_or_none()
    if deleted is None:
        raise FailedPrecondition(
            f"video {job_id!r} is {job.state.value}; cancel it, wait until it stops, "
            "then delete it",
            reason="JOB_NOT_FINISHED",
        )


def delete_operation(connection: Connection, job_id: str) -> None:
    """Forget the operation of a job; the video itself, and the work on it, stay."""
    connection.execute(update(jobs).where(jobs.c.id == job_id).values(operation_deleted=True))


def page_token_after(job: Job) -> str:
    """The token of the page that begins behind ``job``."""
    return base64.urlsafe_b64encode(f"{job.created_at!r}/{job.id}".encode()).decode()


def _read_page_token(token: str) -> tuple[float, str]:
    try:
        created_at, _, job_id = base64.urlsafe_b64decode(token.encode()).decode().partition("/")
        seen = float(created_at), job_id
        if not (math.isfinite(seen[0]) and job_id.isalnum()):
            raise ValueError("not a moment and an id")
        return seen
    except (ValueError, binascii.Error) as error:
        raise InvalidInput(
            "page_token is not one that this service gave; list from the start",
            field="page_token",
        ) from error
