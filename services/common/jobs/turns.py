"""The order in which waiting jobs are taken, read from its front: it costs as much as is asked for
and as there are tenants that wait, however long the queue is.

Every tenant has a line of its own, in the order of an index. The lines are merged by the virtual
time at which their first jobs start (:mod:`services.common.jobs.scheduler` says what that is); of
each line hardly more is read than is taken from it.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    and_,
    func,
    select,
    tuple_,
)

from services.common.jobs.schema import jobs, schedule, tenants
from services.common.jobs.tenants import TenantPolicy, policy_of

PRESENT = ""
"""The row of ``schedule`` that holds the virtual present; no tenant has an empty name."""

SMALLEST_CHUNK, LARGEST_CHUNK = 2, 256
_RUNG_FIRST = float("-inf")


@dataclass(frozen=True)
class Turn:
    """One job: when it starts in virtual time, and by how much that moves its tenant's clock on."""

    id: str
    caller: str
    start: float
    cost: float


def ready(table: FromClause = jobs, now: float | None = None) -> ColumnElement[bool]:
    """Waits, and nobody rang for it; with ``now``, no back-off is left either."""
    waits = table.c.ready_rank.is_not(None)
    return waits if now is None else and_(waits, table.c.not_before <= now)


def rung(before: float | None = None) -> ColumnElement[bool]:
    """Waits and was rung for; with ``before``, so long ago."""
    return jobs.c.rung_at.is_not(None) if before is None else jobs.c.rung_at < before


def in_turn(
    connection: Connection,
    expected: int,
    *,
    now: float | None = None,
    rung_before: float | None = None,
    busy: Mapping[str, int] | None = None,
) -> Iterator[Turn]:
    """The jobs of the queue in order; take as many as needed, about ``expected``.

    What was rung for already (before ``rung_before``) or started once has been paid for: it costs
    nothing more, and the first kind goes before all others. With ``now``, jobs that still wait for
    a back-off are left out. With ``busy``, the jobs of each tenant that run or will, so are those
    beyond its ``max_running``.
    """
    policies = _Policies(connection)
    used = Counter(busy or {})

    def has_room(caller: str) -> bool:
        most = policies.of(caller).max_running
        return busy is None or most is None or used[caller] < most

    lost = select(jobs.c.id, jobs.c.caller).where(rung(rung_before))
    for row in connection.execute(lost.order_by(jobs.c.rung_at, jobs.c.id)).all():
        if has_room(row.caller):
            used[row.caller] += 1
            yield Turn(row.id, row.caller, _RUNG_FIRST, 0.0)
    lines = {line.caller: line for line in _lines(connection, now)}
    chunk = min(max(2 * expected // max(len(lines), 1), SMALLEST_CHUNK), LARGEST_CHUNK)
    heads = [(line.clock, line.rank, line.caller) for line in lines.values()]
    heapq.heapify(heads)
    while heads:
        start, _, caller = heapq.heappop(heads)
        line = lines[caller]
        if not has_room(caller) or (job := line.first(connection, chunk)) is None:
            continue
        line.step()
        cost = 0.0 if job.token > 0 else job.video_seconds / policies.of(caller).weight
        used[caller] += 1
        yield Turn(job.id, caller, start, cost)
        following = line.first(connection, chunk)
        if following is not None:
            heapq.heappush(heads, (start + cost, following.ready_rank, caller))


class _Line:
    """The jobs of one tenant that wait, read piece by piece."""

    def __init__(self, caller: str, rank: float, clock: float, now: float | None) -> None:
        self.caller = caller
        self.rank = rank
        self.clock = clock
        self._now = now
        self._read: deque[Any] = deque()
        self._seen: tuple[float, str] | None = None
        self._more = True

    def first(self, connection: Connection, chunk: int) -> Any:
        """The first job: its id, ready_rank, video_seconds and token; None: there is none left."""
        if not self._read and self._more:
            columns = (jobs.c.id, jobs.c.ready_rank, jobs.c.video_seconds, jobs.c.token)
            query = select(*columns).where(ready(now=self._now), jobs.c.caller == self.caller)
            if self._seen is not None:
                query = query.where(tuple_(jobs.c.ready_rank, jobs.c.id) > self._seen)
            rows = connection.execute(
                query.order_by(jobs.c.ready_rank, jobs.c.id).limit(chunk)
            ).all()
            self._read.extend(rows)
            self._more = len(rows) == chunk
            if rows:
                self._seen = (rows[-1].ready_rank, rows[-1].id)
        return self._read[0] if self._read else None

    def step(self) -> None:
        """The first one is taken."""
        self._read.popleft()


class _Policies:
    """Everybody's, read once."""

    def __init__(self, connection: Connection) -> None:
        self._default = policy_of(connection, "")
        rows = connection.execute(select(tenants))
        self._own = {row.name: TenantPolicy(row.weight, row.max_running) for row in rows}

    def of(self, caller: str) -> TenantPolicy:
        """The tenant's own, else the default."""
        return self._own.get(caller, self._default)


def _lines(connection: Connection, now: float | None) -> Iterator[_Line]:
    """The line of every tenant that waits, found by stepping over the index from name to name."""
    waiting = jobs.alias("waiting")
    callers = select(func.min(jobs.c.caller).label("caller")).where(ready()).cte(recursive=True)
    following = select(func.min(waiting.c.caller)).where(
        ready(waiting), waiting.c.caller > callers.c.caller
    )
    callers = callers.union_all(
        select(following.scalar_subquery()).where(callers.c.caller.is_not(None))
    )
    head = select(jobs.c.ready_rank).where(ready(now=now), jobs.c.caller == callers.c.caller)
    head_rank = head.order_by(jobs.c.ready_rank, jobs.c.id).limit(1).scalar_subquery()
    clocks = callers.outerjoin(schedule, schedule.c.tenant == callers.c.caller)
    present = present_time(connection)
    rows = connection.execute(
        select(callers.c.caller, head_rank.label("rank"), schedule.c.virtual_time)
        .select_from(clocks)
        .where(callers.c.caller.is_not(None))
    )
    for row in rows:
        if row.rank is not None:
            clock = max(row.virtual_time or 0.0, present)
            yield _Line(row.caller, row.rank, clock, now)


def present_time(connection: Connection) -> float:
    """The virtual present."""
    row = connection.execute(
        select(schedule.c.virtual_time).where(schedule.c.tenant == PRESENT)
    ).one_or_none()
    return 0.0 if row is None else float(row.virtual_time)
