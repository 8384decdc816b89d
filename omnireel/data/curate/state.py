"""What a curation has found out so far, safe from a kill at any moment: one SQLite file.

The plan (policy, input, layout) is written first; work of another plan in the same folder is
refused. Results are rows: one that is there is never made again, unless its file changed since.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from omnireel.data.curate.lease import LeaseConfig, leased
from omnireel.errors import (
    AlreadyExists,
    FailedPrecondition,
    IntegrityError,
    NotFound,
    ResourceExhausted,
)
from omnireel.files import disk_errors
from omnireel.store.local import LocalStore

WORK = ".work"
STATE = "state.sqlite"
PART = "part"
"""Key of a plan whose folder has the results of a part only."""
_TABLES = """
CREATE TABLE IF NOT EXISTS plan (one INTEGER PRIMARY KEY CHECK (one = 1), text TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS results (
    stage TEXT NOT NULL, key TEXT NOT NULL, stamp TEXT NOT NULL, result BLOB NOT NULL,
    seconds REAL NOT NULL, PRIMARY KEY (stage, key)
) WITHOUT ROWID;
"""


class State:
    """Results by stage and key. ``stamp`` says of what state of the file a result is."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        folder: Path,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """Use :func:`open_state`. ``check`` raises when nothing may be kept any more."""
        self._connection = connection
        self._folder = folder
        self._check = check

    def get(self, stage: str, key: str, stamp: str) -> bytes | None:
        """A result, if it is there and not outdated."""
        with _sql_errors(self._folder):
            row = self._connection.execute(
                "SELECT result FROM results WHERE stage = ? AND key = ? AND stamp = ?",
                (stage, key, stamp),
            ).fetchone()
        return row[0] if row else None

    def has(self, stage: str, key: str, stamp: str) -> bool:
        """Whether it is there."""
        with _sql_errors(self._folder):
            row = self._connection.execute(
                "SELECT 1 FROM results WHERE stage = ? AND key = ? AND stamp = ?",
                (stage, key, stamp),
            ).fetchone()
        return row is not None

    def put(self, stage: str, key: str, stamp: str, result: bytes, seconds: float) -> None:
        """Keep a result; when this returns, no kill of this process can undo it."""
        self._check()
        with _sql_errors(self._folder):
            self._connection.execute(
                "INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?)",
                (stage, key, stamp, result, seconds),
            )

    def drop(self, stage: str, key: str) -> None:
        """Drop one result."""
        with _sql_errors(self._folder):
            self._connection.execute(
                "DELETE FROM results WHERE stage = ? AND key = ?", (stage, key)
            )

    def take(self, folder: Path, plan: Mapping[str, Any]) -> None:
        """Take over what a part of the same plan has found out; what is there already stays.

        Raises:
            NotFound: the folder holds no work.
            AlreadyExists: it holds work of another plan.

        """
        path = folder / WORK / STATE
        if not path.is_file():
            raise NotFound(f"{folder} holds no part of a curation")
        with _sql_errors(folder), closing(sqlite3.connect(path)) as part:
            (text,) = part.execute("SELECT text FROM plan").fetchone()
            there = json.loads(text)
            if PART not in there or {k: v for k, v in there.items() if k != PART} != dict(plan):
                raise AlreadyExists(
                    f"{folder} is not part of this curation; it was made with another policy, "
                    "input or layout"
                )
            rows = part.execute("SELECT stage, key, stamp, result, seconds FROM results")
            self._connection.execute("BEGIN")
            self._connection.executemany(
                "INSERT OR IGNORE INTO results VALUES (?, ?, ?, ?, ?)", rows
            )
            self._connection.execute("COMMIT")

    def copy_to(self, path: Path) -> None:
        """A whole copy of the file as it is now."""
        with _sql_errors(self._folder), closing(sqlite3.connect(path)) as copy:
            self._connection.backup(copy)

    def times(self) -> Iterator[tuple[str, str, float]]:
        """``(stage, key, seconds)`` of everything, in order."""
        with _sql_errors(self._folder):
            yield from self._connection.execute(
                "SELECT stage, key, seconds FROM results ORDER BY stage, key"
            )


@contextmanager
def open_state(out: Path, plan: Mapping[str, Any]) -> Iterator[State]:
    """The state below ``out``, held by this process alone during the block.

    Raises:
        AlreadyExists: ``out`` holds something else, or unfinished work of another plan.
        FailedPrecondition: another process works there, or the folder cannot be written.
        ResourceExhausted: the disk is full.

    """
    work = out / WORK
    if out.exists() and not out.is_dir():
        raise AlreadyExists(f"{out} is a file; choose another folder")
    if not work.is_dir() and out.is_dir() and any(out.iterdir()):
        raise AlreadyExists(f"{out} holds other files; choose an empty or a new folder")
    with disk_errors(out):
        work.mkdir(parents=True, exist_ok=True)
    with (
        _locked(work / "lock", out),
        # On a share of several machines the lock may be known to this one only.
        leased(LocalStore(work), str(out), LeaseConfig(prefix="lease/")) as lease,
        closing(sqlite3.connect(work / STATE, isolation_level=None)) as connection,
    ):
        with _sql_errors(out):
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.executescript(_TABLES)
            _claim(connection, out, plan)
        yield State(connection, out, lease.check)


@contextmanager
def _locked(path: Path, out: Path) -> Iterator[None]:
    with disk_errors(out):
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FailedPrecondition(
                f"another process works in {out}; wait for it, or choose another folder"
            ) from error
        yield
    finally:
        os.close(lock)


def _claim(connection: sqlite3.Connection, out: Path, plan: Mapping[str, Any]) -> None:
    row = connection.execute("SELECT text FROM plan").fetchone()
    if row is None:
        text = json.dumps(dict(plan), sort_keys=True)
        connection.execute("INSERT INTO plan VALUES (1, ?)", (text,))
        return
    check_plan(json.loads(row[0]), plan, str(out))


def check_plan(there: Mapping[str, Any], plan: Mapping[str, Any], where: str) -> None:
    """Refuse to go on with work of another plan.

    Raises:
        AlreadyExists: it is one.

    """
    other = [name for name in plan if there.get(name) != plan[name]]
    if other:
        was = ", ".join(f"{name} {there.get(name)!r}, not {plan[name]!r}" for name in other)
        raise AlreadyExists(
            f"{where} holds work with {was}; continue with that, or choose another output"
        )


@contextmanager
def _sql_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if "full" in str(error) or "disk I/O" in str(error):
            raise ResourceExhausted(
                f"no space left to write in {folder}; free some space and run the same command "
                "again to resume"
            ) from error
        raise FailedPrecondition(f"the state in {folder / WORK} cannot be used: {error}") from error
    except sqlite3.DatabaseError as error:
        raise IntegrityError(
            f"the state in {folder / WORK} is damaged ({error}); delete {folder} and start again"
        ) from error
