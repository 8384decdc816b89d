from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from omnireel.errors import FailedPrecondition
from services.common.jobs import open_jobs
from services.common.jobs.database import Database
from services.common.jobs.migrate import main, require_current, upgrade
from services.common.jobs.schema import metadata
from tests.support.servers import Postgres


def test_migrations_build_the_schema(empty_url: str) -> None:
    database = Database(empty_url)
    upgrade(database)
    with database.write() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    upgrade(database)  # again: nothing to do
    require_current(database)
    database.close()


def test_old_schema_is_refused_with_the_remedy(empty_url: str) -> None:
    database = Database(empty_url)
    with pytest.raises(FailedPrecondition, match=r"schema none.*jobs\.migrate"):
        require_current(database)
    database.close()


def test_processes_may_migrate_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    assert at_once(lambda: open_jobs(url).close()) == []


def test_commands_may_migrate_postgres_at_once(postgres: Postgres) -> None:
    url = postgres.new_database()
    assert at_once(lambda: main(["migrate", url])) == []
    open_jobs(url).close()


def at_once(start: Callable[[], object]) -> list[BaseException]:
    failures: list[BaseException] = []
    barrier = threading.Barrier(3)

    def run() -> None:
        barrier.wait()
        try:
            start()
        except BaseException as error:  # noqa: BLE001 - shown by the assertion
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    assert main(["migrate", url]) == 0
    assert main(["migrate"]) == 2
    assert "usage" in capsys.readouterr().err


def test_schema_has_a_postgresql_form() -> None:
    for table in metadata.sorted_tables:
        sql = str(CreateTable(table).compile(dialect=postgresql.dialect()))
        assert sql.strip().startswith(f"CREATE TABLE {table.name}")


def test_writes_use_the_log(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'jobs.db'}")
    with database.read() as connection:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
        keys = connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one()
    database.close()
    assert (mode, keys) == ("wal", 1)
