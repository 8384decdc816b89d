"""The job database at any revision, and rows as an older version wrote them."""

from __future__ import annotations

from typing import Any

from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, Table

from services.common.jobs.database import Database
from services.common.jobs.migrate import MIGRATIONS


def revisions() -> list[str]:
    """From the first to the head."""
    scripts = ScriptDirectory(str(MIGRATIONS))
    return [script.revision for script in scripts.walk_revisions()][::-1]


def tables(database: Database) -> dict[str, Table]:
    """What is there now, as the database itself describes it."""
    found = MetaData()
    with database.write() as connection:
        found.reflect(connection)
    return {name: table for name, table in found.tables.items() if name != "alembic_version"}


def obstacles(before: dict[str, Table], after: dict[str, Table]) -> list[str]:
    """Why code that knows ``before`` could not go on with ``after``."""
    found: list[str] = []
    for name, table in before.items():
        now = after.get(name)
        if now is None:
            found.append(f"table {name} is gone")
            continue
        columns = {column.name: column for column in now.columns}
        found += [f"{name}.{c.name} is gone" for c in table.columns if c.name not in columns]
        found += [
            f"{name}.{c.name} must be given, and older code does not"
            for c in now.columns
            if c.name not in table.columns and not c.nullable and c.server_default is None
        ]
    return found


JOB_0001: dict[str, Any] = {
    "caller": "me",
    "request_id": None,
    "request_digest": "",
    "body": b"x",
    "state": "QUEUED",
    "cancel_requested": False,
    "priority": 0,
    "attempt": 0,
    "max_attempts": 3,
    "not_before": 1.0,
    "token": 0,
    "lease_owner": "",
    "event_sequence": 1,
    "step": 0,
    "num_steps": 0,
    "fraction": 0.0,
    "preview_uri": "",
    "operation_deleted": False,
    "created_at": 1.0,
    "updated_at": 1.0,
}
"""A job as the code of revision 0001 inserts it; the id is missing."""

EVENT_0001: dict[str, Any] = {
    "sequence": 1,
    "time": 1.0,
    "state": "QUEUED",
    "step": 0,
    "num_steps": 0,
    "fraction": 0.0,
    "preview_uri": "",
    "message": "",
}
"""Its first event; the job's id is missing."""
