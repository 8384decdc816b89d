"""Whose turn it is: weighted fair queueing between tenants, in SQL.

Start-time fair queueing (Goyal, Vin, Cheng 1996): time here is virtual and counts seconds of video
per unit of weight. Each tenant has a clock, which its jobs move on by what they cost divided by its
weight; a tenant that was idle begins at the present of all. The job with the earliest start goes
first. So a tenant that comes new waits for no more than what runs already, however many jobs
another one has queued; tenants that all wait share as their weights say; nobody starves, since
every clock that is passed over stands still while the others run on.

Within a tenant, a step of priority counts as much as ``PRIORITY_STEP_S`` seconds of waiting: urgent
jobs overtake, and an old job of low priority still gets its turn.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Subquery,
    and_,
    case,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    update,
)

from services.common.jobs.job import JobState
from services.common.jobs.schema import jobs, schedule, tenants, workers
from services.common.jobs.tenants import policy_of

PRIORITY_STEP_S = 600.0
PRESENT = ""
"""The row of ``schedule`` that holds the virtual present; no tenant has an empty name."""

_DISPATCH_LOCK = 7_001_003  # any constant: it keeps two dispatchers of one database apart
_RUNG_FIRST = -1.0


def take_for_publishing(
    connection: Connection, now: float, *, worker_ttl_s: float, republish_s: float
) -> tuple[str, ...]:
    """Mark and return the ids to ring the doorbell for: no more than there are free slots.

    Free slots are those of the workers seen within ``worker_ttl_s``, less the running jobs, less
    the jobs rung for and not yet claimed. A ring that nobody answered within ``republish_s`` was
    lost by the broker and is rung again. No tenant gets more than its ``max_running``.
    """
    if connection.dialect.name == "postgresql":
        lock = {"lock": _DISPATCH_LOCK}
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), lock)
    slots = connection.execute(
        select(func.coalesce(func.sum(workers.c.slots), 0)).where(
            workers.c.seen_at >= now - worker_ttl_s
        )
    ).scalar_one()
    busy = _busy(connection, now - republish_s)
    free = slots - sum(busy.values())
    if free <= 0:
        return ()
    turns = _turns(connection, _waits(now, republish_s)).subquery("turns")
    rows = connection.execute(
        select(turns)
        .where(
            or_(
                turns.c.max_running.is_(None),
                turns.c.place <= turns.c.max_running - _of(busy, turns),
            )
        )
        .order_by(turns.c.start, turns.c.rank, turns.c.id)
        .limit(free)
    ).all()
    marked = set(
        connection.execute(
            update(jobs)
            .where(jobs.c.id.in_([row.id for row in rows]), _waits(now, republish_s))
            .values(published_at=now)
            .returning(jobs.c.id)
        ).scalars()
    )
    taken = [row for row in rows if row.id in marked]
    _move_clocks(connection, taken)
    return tuple(row.id for row in taken)


def anything_to_publish(connection: Connection, now: float, *, republish_s: float) -> bool:
    """Whether a job waits for a ring: a question that takes no lock, to be asked often."""
    waiting = select(jobs.c.id).where(_waits(now, republish_s)).limit(1)
    return connection.execute(waiting).first() is not None


def _waits(now: float, republish_s: float) -> ColumnElement[bool]:
    """Whether a job may start, and nobody rang for it, or so long ago that the ring was lost."""
    return and_(
        jobs.c.state == JobState.QUEUED.value,
        jobs.c.not_before <= now,
        or_(jobs.c.published_at.is_(None), jobs.c.published_at < now - republish_s),
    )


def queue_positions(connection: Connection, job_ids: Collection[str]) -> dict[str, int]:
    """How many queued jobs will be taken before each of ``job_ids``; only queued ones are there."""
    turns = _turns(connection, jobs.c.state == JobState.QUEUED.value).subquery("turns")
    order = (turns.c.start, turns.c.rank, turns.c.id)
    numbered = select(
        turns.c.id, (func.row_number().over(order_by=order) - 1).label("position")
    ).subquery("numbered")
    rows = connection.execute(select(numbered).where(numbered.c.id.in_(job_ids)))
    return {row.id: row.position for row in rows}


def in_order(connection: Connection, limit: int) -> tuple[str, ...]:
    """The ids of the queued jobs in the order in which they will be taken, ``limit`` at most."""
    turns = _turns(connection, jobs.c.state == JobState.QUEUED.value).subquery("turns")
    order = (turns.c.start, turns.c.rank, turns.c.id)
    return tuple(connection.execute(select(turns.c.id).order_by(*order).limit(limit)).scalars())


def _busy(connection: Connection, rung_since: float) -> dict[str, int]:
    """Jobs of each tenant that run, or that were rung for."""
    running = jobs.c.state == JobState.RUNNING.value
    ringing = and_(jobs.c.state == JobState.QUEUED.value, jobs.c.published_at >= rung_since)
    counted = select(jobs.c.caller, func.count()).where(or_(running, ringing))
    return {row[0]: row[1] for row in connection.execute(counted.group_by(jobs.c.caller))}


def _turns(connection: Connection, waits: ColumnElement[bool]) -> Any:
    """The queued jobs that ``waits`` holds for, each with its virtual start.

    What was rung for already, or started once, has been paid for: it costs nothing more.
    """
    present = _present(connection)
    default = policy_of(connection, "")
    own = tenants.c.name.is_not(None)
    weight = case((own, tenants.c.weight), else_=default.weight)
    max_running = case((own, tenants.c.max_running), else_=literal(default.max_running, Integer))
    paid = or_(jobs.c.token > 0, jobs.c.published_at.is_not(None))
    cost = case((paid, 0.0), else_=jobs.c.video_seconds / weight)
    rank = jobs.c.created_at - PRIORITY_STEP_S * jobs.c.priority
    clock = case((schedule.c.virtual_time > present, schedule.c.virtual_time), else_=present)
    window: dict[str, Any] = {"partition_by": jobs.c.caller, "order_by": (rank, jobs.c.id)}
    before = func.sum(cost).over(**window, rows=(None, 0)) - cost
    return (
        select(
            jobs.c.id,
            jobs.c.caller,
            rank.label("rank"),
            cost.label("cost"),
            max_running.label("max_running"),
            case((jobs.c.published_at.is_not(None), _RUNG_FIRST), else_=clock + before).label(
                "start"
            ),
            func.row_number().over(**window).label("place"),
        )
        .select_from(
            jobs.outerjoin(tenants, tenants.c.name == jobs.c.caller).outerjoin(
                schedule, schedule.c.tenant == jobs.c.caller
            )
        )
        .where(waits)
    )


def _of(busy: dict[str, int], turns: Subquery) -> ColumnElement[int]:
    """The number in ``busy`` of a row's tenant."""
    if not busy:
        return literal(0)
    return case(busy, value=turns.c.caller, else_=0)


def _move_clocks(connection: Connection, taken: Collection[Any]) -> None:
    ends: dict[str, float] = {}
    for row in taken:
        if row.cost > 0:
            ends[row.caller] = max(row.start + row.cost, ends.get(row.caller, 0.0))
            ends[PRESENT] = max(row.start, ends.get(PRESENT, 0.0))
    for tenant, moment in ends.items():
        known = connection.execute(
            update(schedule)
            .where(schedule.c.tenant == tenant)
            .values(virtual_time=moment)
            .returning(schedule.c.tenant)
        ).one_or_none()
        if known is None:
            connection.execute(insert(schedule).values(tenant=tenant, virtual_time=moment))


def _present(connection: Connection) -> float:
    row = connection.execute(
        select(schedule.c.virtual_time).where(schedule.c.tenant == PRESENT)
    ).one_or_none()
    return 0.0 if row is None else float(row.virtual_time)
