"""What a tenant may use, and what it used. A tenant without a row of its own has the default's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from omnireel.errors import InvalidInput
from services.common.jobs.job import JobState
from services.common.jobs.schema import jobs, tenant_usage, tenants

DEFAULT = "*"
DAY_S = 86_400.0


@dataclass(frozen=True)
class TenantPolicy:
    """Shares and limits; None: no limit. A day is a day of UTC, and seconds are of video."""

    weight: float = 1.0
    max_running: int | None = None
    max_queued: int | None = None
    max_seconds_per_day: float | None = None

    def __post_init__(self) -> None:
        if not 0.001 <= self.weight <= 1000:
            raise InvalidInput("must be 0.001 to 1000; 1 is usual", field="weight")
        for name in ("max_running", "max_queued", "max_seconds_per_day"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise InvalidInput("must not be negative", field=name)


@dataclass(frozen=True)
class TenantStatus:
    """A tenant's policy, whether it is its own, and what the tenant uses now."""

    name: str
    policy: TenantPolicy
    is_default: bool
    queued: int
    running: int
    seconds_today: float


def policy_of(connection: Connection, tenant: str) -> TenantPolicy:
    """The tenant's own policy, else the default's."""
    rows = connection.execute(select(tenants).where(tenants.c.name.in_((tenant, DEFAULT)))).all()
    found = {row.name: _policy(row) for row in rows}
    return found.get(tenant) or found.get(DEFAULT) or TenantPolicy()


def set_policy(connection: Connection, tenant: str, **changes: Any) -> TenantPolicy:
    """Change some fields of a policy; the first change makes it the tenant's own."""
    policy = replace(policy_of(connection, tenant), **changes)
    values = vars(policy)
    known = connection.execute(
        update(tenants).where(tenants.c.name == tenant).values(**values).returning(tenants.c.name)
    ).one_or_none()
    if known is None:
        connection.execute(insert(tenants).values(name=tenant, **values))
    return policy


def list_tenants(connection: Connection, now: float) -> Sequence[TenantStatus]:
    """The default, and every tenant that has a policy, or jobs, or used something today."""
    own = {row.name: _policy(row) for row in connection.execute(select(tenants))}
    states = (JobState.QUEUED.value, JobState.RUNNING.value)
    counts: dict[tuple[str, str], int] = {
        (row[0], row[1]): row[2]
        for row in connection.execute(
            select(jobs.c.caller, jobs.c.state, func.count())
            .where(jobs.c.state.in_(states))
            .group_by(jobs.c.caller, jobs.c.state)
        )
    }
    today = select(tenant_usage).where(tenant_usage.c.day == day_of(now))
    used = {row.tenant: row.seconds for row in connection.execute(today)}
    names = sorted({*own, *used, *(caller for caller, _ in counts)} - {DEFAULT})
    default = own.get(DEFAULT, TenantPolicy())
    return [
        TenantStatus(
            name=name,
            policy=own.get(name, default),
            is_default=name not in own,
            queued=counts.get((name, JobState.QUEUED.value), 0),
            running=counts.get((name, JobState.RUNNING.value), 0),
            seconds_today=used.get(name, 0.0),
        )
        for name in (DEFAULT, *names)
    ]


def day_of(moment: float) -> int:
    """The day of UTC, counted from the epoch."""
    return int(moment // DAY_S)


def _policy(row: Row[Any]) -> TenantPolicy:
    return TenantPolicy(row.weight, row.max_running, row.max_queued, row.max_seconds_per_day)
