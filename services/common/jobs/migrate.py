"""Brings the schema up to date: by itself on SQLite, by command on PostgreSQL.

``python -m services.common.jobs.migrate env:DATABASE_URL``

Two versions of the services may run side by side, so a migration only ever adds: columns that may
be NULL or have a default in the database, tables, indexes. What nobody uses any more is dropped one
release later. The code of the release before therefore goes on under the new schema, and the new
code takes up what the old one wrote.
"""

from __future__ import annotations

import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from omnireel.errors import FailedPrecondition, InvalidInput, OmnireelError
from omnireel.secret import is_reference, read_secret
from services.common.jobs.database import Database
from services.common.logs import get_logger
from services.common.redact import redact

log = get_logger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"
ADVISORY_LOCK = 7_001_001  # any constant: it keeps two migrations of one database apart


def upgrade(database: Database, revision: str = "head") -> None:
    """Run the missing migrations in one transaction; two processes may call it at once.

    A schema that is newer than this code stays as it is.
    """
    with database.write() as connection:
        if not database.sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ADVISORY_LOCK})
        config = _config()
        if _is_newer(current_revision(connection), ScriptDirectory.from_config(config)):
            return
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def open_database(url: str) -> Database:
    """The database at ``url``, current. SQLite is migrated here; PostgreSQL must be current."""
    database = Database(url)
    if database.sqlite:
        upgrade(database)
    require_current(database)
    return database


def require_current(database: Database) -> None:
    """Raise :class:`FailedPrecondition` when the schema lacks something that this code needs."""
    with database.read() as connection:
        found = current_revision(connection)
    scripts = ScriptDirectory.from_config(_config())
    wanted = scripts.get_current_head()
    if found == wanted:
        return
    if _is_newer(found, scripts):
        log.info("the job database is of a newer version", found=found, wanted=wanted)
        return
    raise FailedPrecondition(
        f"the job database has schema {found or 'none'}, this version needs {wanted}; "
        "run `python -m services.common.jobs.migrate <database url>`",
        reason="SCHEMA_OUTDATED",
    )


def _is_newer(revision: str | None, scripts: ScriptDirectory) -> bool:
    """Whether a later version made the schema: this one does not know its name."""
    known = {script.revision for script in scripts.walk_revisions()}
    return revision is not None and revision not in known


def current_revision(connection: Connection) -> str | None:
    """The revision that the database says it has."""
    return MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _url(argument: str) -> str:
    if is_reference(argument):
        return read_secret(argument, "database url")
    if redact(argument) != argument:
        raise InvalidInput(
            "command lines are visible to other users; pass the URL as file:/path or env:NAME"
        )
    return argument


def main(argv: list[str]) -> int:
    """Migrate the database whose URL, or a reference to it, is the only argument."""
    if len(argv) != 2:
        print("usage: python -m services.common.jobs.migrate <database url>", file=sys.stderr)
        return 2
    try:
        database = Database(_url(argv[1]))
        upgrade(database)
    except OmnireelError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    database.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
