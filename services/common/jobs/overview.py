"""The state of everything in a few numbers: for metrics, for `omnireel status`, for estimates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from services.common.jobs.job import Job, JobState
from services.common.jobs.news import MAX_PARAMETERS
from services.common.jobs.rows import job_from_row
from services.common.jobs.scheduler import FIRST, in_order
from services.common.jobs.schema import jobs, workers


@dataclass(frozen=True)
class Backlog:
    """``depth`` and ``oldest`` (when it was created) of the queue, by tenant; and who works."""

    depth: Mapping[str, int]
    oldest: Mapping[str, float]
    running: Mapping[str, int]
    workers: int
    slots: int


def backlog(connection: Connection, now: float, *, worker_ttl_s: float) -> Backlog:
    """Read it: two questions, however long the queue."""
    rows = connection.execute(
        select(jobs.c.caller, jobs.c.state, func.count(), func.min(jobs.c.created_at))
        .where(jobs.c.state.in_([JobState.QUEUED.value, JobState.RUNNING.value]))
        .group_by(jobs.c.caller, jobs.c.state)
    ).all()
    queued = [row for row in rows if row[1] == JobState.QUEUED.value]
    alive = connection.execute(
        select(func.count(), func.coalesce(func.sum(workers.c.slots), 0)).where(
            workers.c.seen_at >= now - worker_ttl_s
        )
    ).one()
    return Backlog(
        depth={caller: count for caller, _, count, _ in queued},
        oldest={caller: oldest for caller, _, _, oldest in queued},
        running={row[0]: row[2] for row in rows if row[1] == JobState.RUNNING.value},
        workers=alive[0],
        slots=alive[1],
    )


@dataclass(frozen=True)
class Line:
    """Who runs and who waits, in the order of being taken (the first :data:`FIRST`)."""

    running: tuple[Job, ...]
    waiting: tuple[Job, ...]
    slots: int
    at: float


def line(connection: Connection, now: float, *, worker_ttl_s: float) -> Line:
    """Read it."""
    running = select(jobs).where(jobs.c.lease_expires.is_not(None))
    order = in_order(connection, FIRST)
    waiting = {row.id: job_from_row(row) for row in _rows(connection, order)}
    slots = select(func.coalesce(func.sum(workers.c.slots), 0)).where(
        workers.c.seen_at >= now - worker_ttl_s
    )
    return Line(
        running=tuple(job_from_row(row) for row in connection.execute(running)),
        waiting=tuple(waiting[job_id] for job_id in order if job_id in waiting),
        slots=connection.execute(slots).scalar_one(),
        at=now,
    )


def _rows(connection: Connection, ids: Sequence[str]) -> Iterator[Any]:
    for at in range(0, len(ids), MAX_PARAMETERS):
        some = ids[at : at + MAX_PARAMETERS]
        yield from connection.execute(select(jobs).where(jobs.c.id.in_(some)))


def ended_since(connection: Connection, since: float) -> dict[JobState, int]:
    """How many jobs ended after ``since``, by how."""
    rows = connection.execute(
        select(jobs.c.state, func.count()).where(jobs.c.finished_at >= since).group_by(jobs.c.state)
    )
    return {JobState(state): count for state, count in rows}


def last_failures(connection: Connection, limit: int) -> tuple[Job, ...]:
    """The newest failed jobs."""
    failed = select(jobs).where(jobs.c.state == JobState.FAILED.value)
    rows = connection.execute(failed.order_by(jobs.c.finished_at.desc()).limit(limit))
    return tuple(job_from_row(row) for row in rows)
