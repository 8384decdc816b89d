"""``omnireel tenants``: shares and limits, straight in the database."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from omnireel.errors import InvalidInput
from services.common.audit.cli import record_command
from services.common.jobs.admin import DatabaseOption, HomeOption, admin_database
from services.common.jobs.store import JobStore
from services.common.jobs.tenants import TenantStatus

app = typer.Typer(help="See and set what each tenant may use.", no_args_is_help=True)

NO_LIMIT = "none"


@app.command("list")
def list_all(home: HomeOption = None, database: DatabaseOption = None) -> None:
    """Show shares, limits and use; `*` is everybody else. Example: omnireel tenants list."""
    with admin_database(home, database) as opened:
        found = JobStore(opened, time.time).list_tenants()
    table = Table("TENANT", "WEIGHT", "RUNNING", "QUEUED", "SECONDS TODAY")
    table.box, table.pad_edge = None, False
    for tenant in found:
        table.add_row(*_row(tenant))
    Console(highlight=False, soft_wrap=True, markup=False, emoji=False).print(table)


@app.command("set")
def set_one(
    tenant: Annotated[
        str, typer.Argument(help="Name of the tenant, or '*' for all without an entry.")
    ],
    weight: Annotated[
        float | None, typer.Option(help="Weight of its share; 2 gets twice as much as 1.")
    ] = None,
    max_running: Annotated[
        str | None, typer.Option(help="Maximum number of running jobs, or 'none'.")
    ] = None,
    max_queued: Annotated[
        str | None, typer.Option(help="Maximum number of waiting jobs, or 'none'.")
    ] = None,
    max_seconds: Annotated[
        str | None, typer.Option(help="Seconds of video per day (UTC), or 'none'.")
    ] = None,
    home: HomeOption = None,
    database: DatabaseOption = None,
) -> None:
    """Change shares and limits. Example: omnireel tenants set studio --weight 2 --max-queued 50."""
    changes: dict[str, Any] = {}
    if weight is not None:
        changes["weight"] = weight
    for field, option, text, kind in (
        ("max_running", "--max-running", max_running, int),
        ("max_queued", "--max-queued", max_queued, int),
        ("max_seconds_per_day", "--max-seconds", max_seconds, float),
    ):
        if text is not None:
            changes[field] = None if text == NO_LIMIT else _number(option, text, kind)
    if not changes:
        raise InvalidInput("name something to change, for example --weight 2", field="--weight")
    with admin_database(home, database) as opened:
        JobStore(opened, time.time).set_policy(_tenant(tenant), **changes)
        what = ", ".join(f"{name}={value}" for name, value in changes.items())
        record_command(opened, tenant, "tenants.set", what)
    list_all(home, database)


def _tenant(name: str) -> str:
    if not 1 <= len(name) <= 128:
        raise InvalidInput("must have 1 to 128 characters", field="TENANT")
    return name


def _number(option: str, text: str, kind: type[int] | type[float]) -> float:
    try:
        return kind(text)
    except ValueError as error:
        raise InvalidInput(f"{text!r} is no number, nor {NO_LIMIT!r}", field=option) from error


def _row(tenant: TenantStatus) -> tuple[str, ...]:
    policy = tenant.policy
    return (
        tenant.name,
        f"{policy.weight:g}",
        _use(tenant.running, policy.max_running),
        _use(tenant.queued, policy.max_queued),
        _use(tenant.seconds_today, policy.max_seconds_per_day),
    )


def _use(used: float, limit: float | None) -> str:
    return f"{used:g}" if limit is None else f"{used:g} of {limit:g}"
