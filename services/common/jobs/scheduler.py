"""Whose turn it is: weighted fair queueing between tenants, in SQL.

Start-time fair queueing (Goyal, Vin, Cheng 1996): time here is virtual and counts seconds of video
per unit of weight. Each tenant has a clock, which its jobs move on by what they cost divided by its
weight; a tenant that was idle begins at the present of all. The job with the earliest start goes
first. So a tenant that comes new waits for no more than what runs already, however many jobs
another one has queued; tenants that all wait share as their weights say; nobody starves, since
every clock that is passed over stands still while the others run on.

Within a tenant, a step of priority counts as much as ``PRIORITY_STEP_S`` seconds of waiting: urgent
jobs overtake, and an old job of low priority still gets its turn.

The order itself is read by :mod:`services.common.jobs.turns`, at a cost that does not grow with the
queue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from itertools import islice

from sqlalchemy import Connection, func, insert, or_, select, text, update

from services.common.jobs.job import JobState
from services.common.jobs.schema import jobs, schedule, workers
from services.common.jobs.turns import PRESENT, Turn, in_turn, ready, rung

MOST_RINGS = 500
"""Jobs that one turn rings for; more free slots are filled by the next, which comes at once."""
FIRST = 1000
"""Jobs at the front of the queue whose places are told; behind them nobody counts."""

_DISPATCH_LOCK = 7_001_003  # any constant: it keeps two dispatchers of one database apart


def take_for_publishing(
    connection: Connection, now: float, *, worker_ttl_s: float, republish_s: float
) -> tuple[str, ...]:
    """Mark and return the ids to ring the doorbell for: no more than there are free slots.

    Free slots are those of the workers seen within ``worker_ttl_s``, less the running jobs, less
    the jobs rung for and not yet claimed. A ring that nobody answered within ``republish_s`` was
    lost by the broker and is rung again. No tenant gets more than its ``max_running``. While
    another dispatcher is at it, there is nothing left to do.
    """
    if connection.dialect.name == "postgresql":
        lock = text("SELECT pg_try_advisory_xact_lock(:lock)")
        if not connection.execute(lock, {"lock": _DISPATCH_LOCK}).scalar_one():
            return ()
    slots = connection.execute(
        select(func.coalesce(func.sum(workers.c.slots), 0)).where(
            workers.c.seen_at >= now - worker_ttl_s
        )
    ).scalar_one()
    lost_before = now - republish_s
    busy = _busy(connection, lost_before)
    free = min(slots - busy.total(), MOST_RINGS)
    if free <= 0:
        return ()
    order = in_turn(connection, free, now=now, rung_before=lost_before, busy=busy)
    turns = list(islice(order, free))
    marked = set(
        connection.execute(
            update(jobs)
            .where(
                jobs.c.id.in_([turn.id for turn in turns]),
                jobs.c.state == JobState.QUEUED.value,
                or_(jobs.c.published_at.is_(None), jobs.c.published_at < lost_before),
            )
            .values(published_at=now)
            .returning(jobs.c.id)
        ).scalars()
    )
    taken = [turn for turn in turns if turn.id in marked]
    _move_clocks(connection, taken)
    return tuple(turn.id for turn in taken)


def anything_to_publish(connection: Connection, now: float, *, republish_s: float) -> bool:
    """Whether a job waits for a ring: a question that takes no lock, to be asked often."""
    # In the order of their indexes: else databases may walk over finished jobs to the first one.
    fresh = select(jobs.c.id).where(ready(now=now)).order_by(jobs.c.caller, jobs.c.ready_rank)
    lost = select(jobs.c.id).where(rung(now - republish_s)).order_by(jobs.c.rung_at)
    return any(connection.execute(asked.limit(1)).first() is not None for asked in (fresh, lost))


def queue_positions(connection: Connection, job_ids: Collection[str]) -> dict[str, int]:
    """How many queued jobs will be taken before each of ``job_ids``, :data:`FIRST` at most; only
    queued ones are there."""
    queued = select(jobs.c.id).where(jobs.c.id.in_(job_ids), jobs.c.state == JobState.QUEUED.value)
    found = dict.fromkeys(connection.execute(queued).scalars(), FIRST)
    left = set(found)
    for place, turn in enumerate(islice(in_turn(connection, FIRST), FIRST)):
        if turn.id in left:
            found[turn.id] = place
            left.discard(turn.id)
        if not left:
            break
    return found


def in_order(connection: Connection, limit: int) -> tuple[str, ...]:
    """The ids of the queued jobs in the order in which they will be taken, ``limit`` at most."""
    return tuple(turn.id for turn in islice(in_turn(connection, limit), limit))


def _busy(connection: Connection, rung_since: float) -> Counter[str]:
    """Jobs of each tenant that run, or that were rung for."""
    busy: Counter[str] = Counter()
    for condition in (jobs.c.lease_expires.is_not(None), jobs.c.rung_at >= rung_since):
        # Counted here: to group them, databases would rather walk all jobs in the tenants' order.
        busy.update(connection.execute(select(jobs.c.caller).where(condition)).scalars())
    return busy


def _move_clocks(connection: Connection, taken: Collection[Turn]) -> None:
    ends: dict[str, float] = {}
    for turn in taken:
        if turn.cost > 0:
            ends[turn.caller] = max(turn.start + turn.cost, ends.get(turn.caller, 0.0))
            ends[PRESENT] = max(turn.start, ends.get(PRESENT, 0.0))
    for tenant, moment in ends.items():
        known = connection.execute(
            update(schedule)
            .where(schedule.c.tenant == tenant)
            .values(virtual_time=moment)
            .returning(schedule.c.tenant)
        ).one_or_none()
        if known is None:
            connection.execute(insert(schedule).values(tenant=tenant, virtual_time=moment))
