"""``omnireel storage``: who holds what, collecting by hand, and what holds for a tenant."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from omnireel.errors import InvalidInput
from omnireel.store import ObjectStore, open_store
from services.common.jobs.admin import DatabaseOption, HomeOption, admin_database
from services.common.jobs.database import Database
from services.common.stack.config import default_home
from services.common.storage.backup import Copied, copy_store, faults
from services.common.storage.collector import Collector
from services.common.storage.policy import DAY_S, StorageSettings, changes_of, set_policy
from services.common.storage.records import StorageRecords
from services.common.storage.usage import grouped, measure_usage

app = typer.Typer(
    help="Who holds how much storage, and what goes away.", invoke_without_command=True
)


class By(StrEnum):
    """What to add up by."""

    TENANT = "tenant"
    KIND = "kind"


StoreOption = Annotated[
    str | None,
    typer.Option(
        help="Object store. Default: $OMNIREEL_GATEWAY_STORE_URL, else that of the local stack."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def show(
    context: typer.Context,
    by: Annotated[By | None, typer.Option(help="Add up by tenant or by kind.")] = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
    database: DatabaseOption = None,
    store: StoreOption = None,
) -> None:
    """Show who holds how much. Example: omnireel storage --by tenant."""
    if context.invoked_subcommand is not None:
        return
    with _opened(home, database, store) as (records, objects, _):
        usages = measure_usage(records, objects)
    if by is not None:
        names = (by.value, "objects", "size_bytes")
        rows = [dict(zip(names, row, strict=True)) for row in grouped(usages, by.value)]
    else:
        rows = [asdict(usage) for usage in usages]
    _print(rows, as_json, "nothing is stored")


@app.command()
def collect(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list what would be deleted.")
    ] = False,
    as_json: JsonOption = False,
    home: HomeOption = None,
    database: DatabaseOption = None,
    store: StoreOption = None,
) -> None:
    """Remove what has expired, now. Example: omnireel storage collect --dry-run."""
    with _opened(home, database, store) as (records, objects, settings):
        removed = Collector(records, objects, settings).run(dry_run=dry_run)
    count, size = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for removal in removed:
        key = (removal.reason, removal.tenant or "-")
        count[key] += 1
        size[key] += removal.size
    rows: list[dict[str, object]] = [
        {"reason": key[0], "tenant": key[1], "objects": count[key], "size_bytes": size[key]}
        for key in sorted(count)
    ]
    _print(rows, as_json, "there is nothing to remove")


@app.command("copy")
def copy(
    source: Annotated[str, typer.Argument(help="Store to read, e.g. s3://bucket?endpoint=...")],
    target: Annotated[str, typer.Argument(help="Store to write, e.g. file:///backup/objects.")],
) -> None:
    """Copy every object that the other store has not: for backups, and for moving.

    Example: omnireel storage copy "s3://videos?endpoint=http://s3:9000" file:///backup/objects
    """
    with Console(stderr=True).status("copying") as status:

        def report(done: Copied) -> None:
            size = _shown("size_bytes", done.size)
            status.update(f"{done.objects} objects ({size}) copied, {done.present} there already")

        done = copy_store(open_store(source), open_store(target), report)
    typer.echo(
        f"copied {done.objects} objects ({_shown('size_bytes', done.size)}); {done.present} were "
        f"there already, {done.gone} went away meanwhile"
    )


@app.command("check")
def check(
    hashes: Annotated[bool, typer.Option("--hashes", help="Read every object in full.")] = False,
    as_json: JsonOption = False,
    home: HomeOption = None,
    database: DatabaseOption = None,
    store: StoreOption = None,
) -> None:
    """Compare uploads and videos with the database. Example: omnireel storage check --hashes."""
    with admin_database(home, database) as opened:
        found = list(faults(opened, open_store(_store_url(home, store)), hashes=hashes))
    if as_json:
        typer.echo(json.dumps([asdict(fault) for fault in found], indent=2))
    else:
        for fault in found:
            typer.echo(f"{fault.fault}: {fault.uri} of {fault.tenant}")
        typer.echo(f"{len(found)} faults" if found else "every upload and video is there")
    if found:
        raise typer.Exit(1)


@app.command("policy")
def policy(
    tenant: Annotated[str, typer.Argument(help="The tenant.")],
    upload_days: Annotated[
        float | None, typer.Option(min=0, help="Days to keep uploads; 0: forever.")
    ] = None,
    result_days: Annotated[
        float | None, typer.Option(min=0, help="Days to keep results; 0: forever.")
    ] = None,
    max_gib: Annotated[
        float | None, typer.Option(min=0, help="GiB for uploads and videos.")
    ] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Reset to the defaults.")] = False,
    home: HomeOption = None,
    database: DatabaseOption = None,
) -> None:
    """Show or set what holds for a tenant. Example: omnireel storage policy local."""
    given = {
        "upload_ttl_s": None if upload_days is None else upload_days * DAY_S,
        "result_ttl_s": None if result_days is None else result_days * DAY_S,
        "max_bytes": None if max_gib is None else int(max_gib * 2**30),
    }
    changes = {name: value for name, value in given.items() if value is not None}
    if reset and changes:
        raise InvalidInput("give either --reset or new values", field="--reset")
    with admin_database(home, database) as opened:
        if changes or reset:
            with opened.write() as connection:
                before = {} if reset else changes_of(connection, tenant)
                set_policy(connection, tenant, before | changes)
        found = _records(opened, StorageSettings()).policy(tenant)
    for name, value in asdict(found).items():
        typer.echo(f"{name} = {value:.15g}")


@contextmanager
def _opened(
    home: Path | None, database: str | None, store: str | None
) -> Iterator[tuple[StorageRecords, ObjectStore, StorageSettings]]:
    settings = StorageSettings()
    with admin_database(home, database) as opened:
        yield _records(opened, settings), open_store(_store_url(home, store)), settings


def _records(database: Database, settings: StorageSettings) -> StorageRecords:
    return StorageRecords(database, settings.policy)


def _store_url(home: Path | None, store: str | None) -> str:
    if store is not None:
        return store
    configured = os.environ.get("OMNIREEL_GATEWAY_STORE_URL")
    if configured and home is None:
        return configured
    return ((home or default_home()).expanduser().resolve() / "objects").as_uri()


def _print(rows: list[dict[str, object]], as_json: bool, nothing: str) -> None:
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
    if not rows:
        console.print(nothing)
        return
    table = Table(*(name.removesuffix("_bytes") for name in rows[0]), box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(_shown(name, value) for name, value in row.items()))
    console.print(table)


def _shown(name: str, value: object) -> str:
    if name == "size_bytes" and isinstance(value, int):
        return f"{value / 2**20:.1f} MiB"
    return str(value)
