"""``omnireel audit``, and how other verbs leave their line."""

from __future__ import annotations

import getpass
import json as json_format
import os
import re
import time
from dataclasses import asdict
from typing import Annotated

import typer

from omnireel.errors import InvalidInput
from services.common.audit.entry import AuditEntry, printable
from services.common.audit.log import AuditLog
from services.common.jobs.admin import DatabaseOption, HomeOption, admin_database
from services.common.jobs.database import Database

_UNITS = {"m": 60.0, "h": 3600.0, "d": 86_400.0}


def audit(
    since: Annotated[
        str, typer.Option(help="Age of the oldest event shown: 30m, 12h or 7d.")
    ] = "1d",
    tenant: Annotated[str | None, typer.Option(help="Only events of this tenant.")] = None,
    subject: Annotated[
        str | None, typer.Option(help="Only events of this caller, e.g. key:3f2a...")
    ] = None,
    action: Annotated[
        str | None, typer.Option(help="Only events whose name contains this.")
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, help="Maximum number of events, newest first.")
    ] = 100,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
    home: HomeOption = None,
    database: DatabaseOption = None,
) -> None:
    """Show who did what. Example: omnireel audit --since 7d --tenant studio."""
    begins_at = time.time() - _seconds(since)
    with admin_database(home, database) as opened:
        entries = AuditLog(opened).read(
            since=begins_at, tenant=tenant, subject=subject, action=action, limit=limit
        )
    if json:
        for entry in entries:
            typer.echo(json_format.dumps(asdict(entry)))
        return
    for entry in entries:
        typer.echo(_line(entry))
    if not entries:
        typer.echo("nothing was done")


def _line(entry: AuditEntry) -> str:
    """All of it, never cut: a resource is of use only when it is whole."""
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.time))
    parts = (at, entry.tenant, entry.subject, entry.action, entry.resource, entry.outcome)
    return "  ".join(printable(part) for part in (*parts, entry.address) if part)


def _user() -> str:
    """The name of whoever runs this; the id where it has none, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def record_command(database: Database, tenant: str, action: str, resource: str) -> None:
    """Leave the line of a command that changed something."""
    entry = AuditEntry(time.time(), tenant, f"cli:{_user()}", action, resource)
    AuditLog(database).write(entry)


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d{1,6})([mhd])", text)
    if not found:
        raise InvalidInput(f"{text!r} is no time span; write 30m, 12h or 7d", field="--since")
    return int(found[1]) * _UNITS[found[2]]
