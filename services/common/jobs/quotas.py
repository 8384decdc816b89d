"""Whether one more job of a tenant is taken, and what it is charged."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from omnireel.errors import ResourceExhausted
from services.common.jobs.job import NewJob
from services.common.jobs.schema import jobs, tenant_usage
from services.common.jobs.tenants import DAY_S, day_of, policy_of
from services.common.jobs.turns import ready, rung

RATE_WINDOW_S = 600.0
UNKNOWN_RATE_RETRY_S = 10.0
MIN_RETRY_S, MAX_RETRY_S = 1.0, 300.0


def admit(connection: Connection, new: NewJob, now: float, *, max_queued: int) -> None:
    """Charge the tenant for ``new``, in the transaction that inserts it.

    Raises:
        ResourceExhausted: a queue is full or the day's seconds are used up; with the time after
            which it makes sense to try again. The transaction must not be committed then.
    """
    policy = policy_of(connection, new.caller)
    # Charged first: this locks the tenant's row, so that two requests cannot both be the last.
    used = _charge(connection, new.caller, day_of(now), new.video_seconds)
    limit = policy.max_seconds_per_day
    if limit is not None and used > limit:
        raise ResourceExhausted(
            f"{used - new.video_seconds:g} of {limit:g} seconds of video are used today and this "
            f"needs {new.video_seconds:g}; make it shorter, or wait for the next day (UTC)",
            reason="DAILY_QUOTA",
            retry_after_s=(day_of(now) + 1) * DAY_S - now,
        )
    own = jobs.c.caller == new.caller
    if policy.max_queued is not None:
        queued = _queued(connection, policy.max_queued, own)
        if queued >= policy.max_queued:
            raise ResourceExhausted(
                f"{queued} of your jobs are waiting, and that is the limit; wait for one to start",
                reason="TENANT_QUEUE_FULL",
                retry_after_s=_retry_after(connection, now, own),
            )
    queued = _queued(connection, max_queued)
    if queued >= max_queued:
        raise ResourceExhausted(
            f"the queue is full ({queued} jobs waiting); try again later",
            reason="QUEUE_FULL",
            retry_after_s=_retry_after(connection, now),
        )


def refund(connection: Connection, tenant: str, created_at: float, seconds: float) -> None:
    """Give back what a job was charged that ended before anybody worked on it."""
    _charge(connection, tenant, day_of(created_at), -seconds)


def _charge(connection: Connection, tenant: str, day: int, seconds: float) -> float:
    row = connection.execute(
        update(tenant_usage)
        .where(tenant_usage.c.tenant == tenant, tenant_usage.c.day == day)
        .values(seconds=tenant_usage.c.seconds + seconds)
        .returning(tenant_usage.c.seconds)
    ).one_or_none()
    if row is None:
        connection.execute(insert(tenant_usage).values(tenant=tenant, day=day, seconds=seconds))
        return seconds
    return float(row.seconds)


def _queued(connection: Connection, most: int, *more: ColumnElement[bool]) -> int:
    """How many wait, counted up to ``most``."""
    found = 0
    for waits in (ready(), rung()):
        some = select(jobs.c.id).where(waits, *more).limit(most - found).subquery()
        found += connection.execute(select(func.count()).select_from(some)).scalar_one()
    return found


def _retry_after(connection: Connection, now: float, *more: ColumnElement[bool]) -> float:
    """Seconds until a place is free, at the pace at which jobs were finished of late."""
    counted = select(func.count()).select_from(jobs)
    finished = connection.execute(
        counted.where(jobs.c.finished_at > now - RATE_WINDOW_S, *more)
    ).scalar_one()
    if not finished:
        return UNKNOWN_RATE_RETRY_S
    return min(max(RATE_WINDOW_S / finished, MIN_RETRY_S), MAX_RETRY_S)
