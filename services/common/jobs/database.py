"""Opens the database: SQLite (embedded) with a write-ahead log, or PostgreSQL by URL.

A lost connection is :class:`DatabaseAway`. :func:`waits_for_database` repeats a transaction that
met it; that is for those transactions only which may run twice, since a connection that is lost at
the very end leaves open whether the first one was committed.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from omnireel.errors import InvalidInput, ResourceExhausted, Unavailable
from services.common.logs import get_logger

log = get_logger(__name__)

BUSY_TIMEOUT_MS = 30_000
CONNECT_TIMEOUT_S = 5
WAIT_S = 15.0
"""How long :func:`waits_for_database` goes on; a restart of PostgreSQL is shorter."""
_DISK_FULL = "53100"
_ROLLED_BACK = ("40001", "40P01")
"""PostgreSQL's codes: no space; a serialisation failure and a deadlock, which help by repeating."""

P = ParamSpec("P")
R = TypeVar("R")


class DatabaseAway(Unavailable):
    """The job database does not answer, or cut the connection."""

    reason = "DATABASE_AWAY"


def waits_for_database(method: Callable[P, R]) -> Callable[P, R]:
    """Repeat ``method``, one transaction that may run twice, until the database is back.

    Raises :class:`DatabaseAway` after ``WAIT_S`` seconds.
    """

    @wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        ends_at, delay_s = time.monotonic() + WAIT_S, 0.05
        while True:
            try:
                return method(*args, **kwargs)
            except DatabaseAway as error:
                if time.monotonic() + delay_s > ends_at:
                    raise
                log.warning("waiting for the job database", what=method.__name__, error=str(error))
            time.sleep(delay_s)
            delay_s = min(2 * delay_s, 1.0)

    return call


class Database:
    """One engine with two kinds of transaction: :meth:`read` and :meth:`write`."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        self.sqlite = parsed.get_backend_name() == "sqlite"
        if self.sqlite and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        try:
            self.engine: Engine = create_engine(
                parsed,
                pool_pre_ping=not self.sqlite,
                connect_args={} if self.sqlite else {"connect_timeout": CONNECT_TIMEOUT_S},
            )
        except ModuleNotFoundError as error:
            raise InvalidInput(
                f"the driver of the job database is missing ({error.name}); install "
                "omnireel[postgres] and write postgresql+psycopg://user@host/database",
                field="database_url",
            ) from error
        if self.sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent snapshot; writes nothing."""
        options: dict[str, Any] = {"omnireel_read": True}
        if not self.sqlite:
            options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with _named_errors(), self.engine.connect() as connection:
            yield connection.execution_options(**options)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that commits at the end or leaves no trace.

        Raises:
            ResourceExhausted: the database's disk is full.
            DatabaseAway: the connection was lost; if that was at the commit, nobody knows whether
                it was made.

        """
        with _named_errors(), self.engine.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


@contextmanager
def _named_errors() -> Iterator[None]:
    """Turn a full disk into ResourceExhausted and a lost connection into DatabaseAway."""
    try:
        yield
    except (DBAPIError, PoolTimeout) as error:
        if isinstance(error, DBAPIError) and _is_full(error):
            raise ResourceExhausted(
                "no space left on the disk of the job database; free some space and try again"
            ) from error
        if isinstance(error, PoolTimeout) or _is_away(error):
            raise DatabaseAway(
                f"the job database does not answer ({_first_line(error)}); try again"
            ) from error
        raise


def _is_full(error: DBAPIError) -> bool:
    code = getattr(error.orig, "sqlite_errorcode", None)
    return code == sqlite3.SQLITE_FULL or getattr(error.orig, "sqlstate", None) == _DISK_FULL


def _is_away(error: DBAPIError) -> bool:
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return bool(code & 0xFF == sqlite3.SQLITE_BUSY)
    state = getattr(error.orig, "sqlstate", None)
    # No state: the network's own error. 08: connection, 57P: the server ends or starts.
    lost = state is None or state.startswith(("08", "57P")) or state in _ROLLED_BACK
    return bool(error.connection_invalidated or (isinstance(error, OperationalError) and lost))


def _first_line(error: BaseException) -> str:
    return str(getattr(error, "orig", None) or error).strip().partition("\n")[0]


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
