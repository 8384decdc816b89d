"""Whether the database changed, for pollers: they look often and read only when there is news."""

from __future__ import annotations

import sqlite3
import threading
import time

from services.common.jobs.database import Database

LOOK_S = 0.005
"""One look at SQLite's counter costs microseconds and no lock."""


class Changes:
    """For one thread. SQLite counts its commits; elsewhere time alone is news."""

    def __init__(self, database: Database) -> None:
        self._connection: sqlite3.Connection | None = None
        if database.sqlite and database.engine.url.database:
            self._connection = sqlite3.connect(
                database.engine.url.database, isolation_level=None, check_same_thread=False
            )
        self._version = self._look()

    def wait(self, timeout_s: float, stop: threading.Event) -> bool:
        """Until somebody commits, ``timeout_s`` passed or ``stop`` is set; whether to look now.

        ``timeout_s`` bounds how late a change is seen that only time makes (a lease that ran out,
        a delay that is over), or that this database does not tell.
        """
        until = time.monotonic() + timeout_s
        while not stop.is_set():
            version = self._look()
            if version != self._version:
                self._version = version
                return True
            left_s = until - time.monotonic()
            if left_s <= 0:
                return True
            stop.wait(left_s if self._connection is None else min(LOOK_S, left_s))
        return False

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()

    def _look(self) -> int:
        if self._connection is None:
            return 0
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        return int(version)
