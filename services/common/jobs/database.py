"""Opens the database: SQLite (embedded) with a write-ahead log, or PostgreSQL by URL."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from omnireel.errors import ResourceExhausted

BUSY_TIMEOUT_MS = 30_000
_DISK_FULL = "53100"
"""PostgreSQL's code for it."""


class Database:
    """One engine with two kinds of transaction: :meth:`read` and :meth:`write`."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        self.sqlite = parsed.get_backend_name() == "sqlite"
        if self.sqlite and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        self.engine: Engine = create_engine(parsed, pool_pre_ping=not self.sqlite)
        if self.sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent snapshot; writes nothing."""
        with _disk_errors(), self.engine.connect() as connection:
            yield connection.execution_options(omnireel_read=True)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that commits at the end or leaves no trace.

        Raises:
            ResourceExhausted: the database's disk is full.

        """
        with _disk_errors(), self.engine.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


@contextmanager
def _disk_errors() -> Iterator[None]:
    """Turn a full disk, SQLite's or PostgreSQL's, into ResourceExhausted."""
    try:
        yield
    except DBAPIError as error:
        code = getattr(error.orig, "sqlite_errorcode", None)
        if code == sqlite3.SQLITE_FULL or getattr(error.orig, "sqlstate", None) == _DISK_FULL:
            raise ResourceExhausted(
                "no space left on the disk of the job database; free some space and try again"
            ) from error
        raise


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, see below
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    _use_write_ahead_log(cursor)
    cursor.execute("PRAGMA synchronous = NORMAL")  # safe against a crash of the process in WAL
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _use_write_ahead_log(cursor: Any) -> None:
    """Switch the journal over. SQLite does not wait its busy timeout for this one: of several
    processes that open a new database at once, all but one would fail."""
    ends_at = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > ends_at:
                raise
            time.sleep(0.01)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    # A reader that turns writer fails at once with "database is locked", whatever the busy
    # timeout. So a transaction that means to write takes the write lock at its first word.
    read_only = connection.get_execution_options().get("omnireel_read", False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
