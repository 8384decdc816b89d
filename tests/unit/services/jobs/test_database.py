"""A full disk is said as such, and loses nothing that was there."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from omnireel.errors import ResourceExhausted
from services.common.jobs.database import Database


def test_a_full_disk_is_named_and_leaves_the_rows_before(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'jobs.db'}")
    try:
        with database.write() as connection:
            connection.execute(text("CREATE TABLE rows (body TEXT)"))
            connection.execute(text("INSERT INTO rows VALUES ('first')"))
        with (
            pytest.raises(ResourceExhausted, match="free some space"),
            database.write() as connection,
        ):
            # SQLite answers a full disk and the end of the pages it may use with the same error.
            connection.execute(text("PRAGMA max_page_count = 3"))
            connection.execute(text("INSERT INTO rows VALUES (:body)"), {"body": "x" * 100_000})
        with database.read() as connection:
            assert connection.execute(text("SELECT body FROM rows")).scalars().all() == ["first"]
    finally:
        database.close()
