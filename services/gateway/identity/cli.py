"""``omnireel keys``: API keys, straight in the database.

Whoever can open the database is its administrator already, so these verbs need no door of their
own on the network.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from omnireel.errors import InvalidInput
from services.common.audit import NOBODY
from services.common.audit.cli import record_command
from services.common.jobs.admin import DatabaseOption, HomeOption, admin_database
from services.gateway.identity.key_store import KeyRecord, KeyStore, NewKey
from services.gateway.identity.principal import LOCAL_TENANT, Scope, check_tenant, read_scopes

app = typer.Typer(help="Make, list, rotate and revoke API keys.", no_args_is_help=True)

DAY_S = 86_400.0
WIDE = 240
Done = Callable[[str, str, str], None]
KeyArgument = Annotated[str, typer.Argument(help="The key's id, as `omnireel keys list` shows it.")]
DaysOption = Annotated[float, typer.Option("--days", help="Days until it expires; 0: never.")]


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Label: what the key is for.")],
    tenant: Annotated[str, typer.Option(help="Tenant that the key belongs to.")] = LOCAL_TENANT,
    scope: Annotated[
        list[str], typer.Option(help=f"One of {', '.join(Scope)}; may be repeated.")
    ] = [Scope.READ, Scope.WRITE],  # noqa: B006
    days: DaysOption = 90.0,
    home: HomeOption = None,
    database: DatabaseOption = None,
) -> None:
    """Make a key; it is shown once. Example: omnireel keys create ci --tenant studio."""
    new = NewKey(check_tenant(tenant), _name(name), read_scopes(scope), _expiry(days))
    with _keys(home, database) as (keys, done):
        key = keys.create(new)
        done(tenant, "keys.create", key.id)
    typer.echo(key.text)


@app.command("list")
def list_keys(
    tenant: Annotated[str | None, typer.Option(help="Only keys of this tenant.")] = None,
    home: HomeOption = None,
    database: DatabaseOption = None,
) -> None:
    """List keys, newest first; never their secrets. Example: omnireel keys list."""
    names = ("ID", "NAME", "TENANT", "STATE", "SCOPES", "CREATED", "EXPIRES", "USED")
    # Nothing is cut: an id is of use only when it is whole.
    table = Table(*(Column(name, no_wrap=True) for name in names), box=None, pad_edge=False)
    with _keys(home, database) as (keys, _):
        for record in keys.list(tenant):
            table.add_row(*_row(record, keys.clock()))
    console = Console(highlight=False, width=WIDE, markup=False, emoji=False)
    console.print(table if table.row_count else "no keys")


@app.command("rotate")
def rotate(
    key_id: KeyArgument,
    overlap_hours: Annotated[
        float, typer.Option(min=0, help="Hours that the old key keeps working.")
    ] = 24.0,
    days: DaysOption = 90.0,
    home: HomeOption = None,
    database: DatabaseOption = None,
) -> None:
    """Make a successor with the same rights, shown once. Example: omnireel keys rotate 3f2a."""
    with _keys(home, database) as (keys, done):
        key = keys.rotate(key_id, overlap_hours * 3600, _expiry(days))
        done(_tenant_of(keys, key_id), "keys.rotate", f"{key_id} -> {key.id}")
    typer.echo(key.text)


@app.command("revoke")
def revoke(key_id: KeyArgument, home: HomeOption = None, database: DatabaseOption = None) -> None:
    """End a key now. Example: omnireel keys revoke 3f2a."""
    with _keys(home, database) as (keys, done):
        keys.revoke(key_id)
        done(_tenant_of(keys, key_id), "keys.revoke", key_id)
    typer.echo(f"{key_id} is revoked")


@contextmanager
def _keys(home: Path | None, database: str | None) -> Iterator[tuple[KeyStore, Done]]:
    """The keys, and how to leave a line of what was done to them."""
    with admin_database(home, database) as opened:
        yield KeyStore(opened), partial(record_command, opened)


def _tenant_of(keys: KeyStore, key_id: str) -> str:
    record = keys.find(key_id)
    return record.tenant if record else NOBODY


def _name(name: str) -> str:
    if not 1 <= len(name) <= 128:
        raise InvalidInput("must have 1 to 128 characters", field="NAME")
    if not name.isprintable():
        raise InvalidInput("must be one line without control characters", field="NAME")
    return name


def _expiry(days: float) -> float | None:
    if not 0 <= days <= 36_500:
        raise InvalidInput("must be 0 (never) to 36500", field="--days")
    return time.time() + days * DAY_S if days else None


def _row(record: KeyRecord, now: float) -> tuple[str, ...]:
    return (
        record.id,
        record.name,
        record.tenant,
        record.state(now),
        " ".join(sorted(record.scopes)),
        _date(record.created_at),
        _date(record.expires_at),
        _date(record.used_at),
    )


def _date(moment: float | None) -> str:
    return "-" if moment is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(moment))
