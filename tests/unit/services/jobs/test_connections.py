"""A database that goes away costs time, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from omnireel.errors import InvalidInput
from services.common.jobs import DatabaseAway, JobState, JobStore, Stage, StageOutput, open_jobs
from services.common.jobs.database import Database
from tests.support.jobs import Clock, add_job
from tests.support.servers import Postgres


@pytest.fixture
def pg(postgres: Postgres, migrated: str, clock: Clock) -> Iterator[JobStore]:
    opened = open_jobs(postgres.new_database(migrated), clock)
    yield opened
    opened.close()


def test_cut_connections_are_not_noticed(pg: JobStore, postgres: Postgres) -> None:
    job = add_job(pg, request_id="r", request_digest="d")
    claimed = pg.claim(job.id, "w", 10)
    assert claimed is not None
    for _ in range(3):
        assert postgres.cut_connections() >= 1
        pg.renew(claimed[0], 10)
    postgres.cut_connections()
    pg.save_stage(claimed[0], StageOutput(Stage.GENERATE, b"made", 1.0, 2.0))
    postgres.cut_connections()
    pg.succeed(claimed[0])
    postgres.cut_connections()
    assert pg.get(job.id).state is JobState.SUCCEEDED
    assert add_job(pg, request_id="r", request_digest="d").id == job.id


def test_restart_of_the_server_is_waited_for(pg: JobStore, postgres: Postgres) -> None:
    job = add_job(pg)
    postgres.server.kill()
    begin = threading.Thread(target=postgres.server.start)
    begin.start()
    claimed = pg.claim(job.id, "w", 10)
    begin.join()
    assert claimed is not None
    assert pg.get(job.id).lease_owner == "w"


def test_a_cut_in_the_middle_leaves_no_trace(postgres: Postgres) -> None:
    database = Database(postgres.new_database())
    with database.write() as connection:
        connection.execute(text("CREATE TABLE rows (body TEXT)"))
    with (
        pytest.raises(DatabaseAway, match="does not answer"),
        database.write() as connection,
    ):
        connection.execute(text("INSERT INTO rows VALUES ('half')"))
        postgres.cut_connections()
        connection.execute(text("INSERT INTO rows VALUES ('done')"))
    with database.read() as connection:
        assert connection.execute(text("SELECT body FROM rows")).all() == []
    database.close()


def test_saying_a_stage_twice_changes_nothing(store: JobStore) -> None:
    claimed = store.claim(add_job(store).id, "w", 10)
    assert claimed is not None
    lease = claimed[0]
    for _ in range(2):  # the answer to the first commit may have been lost
        store.save_stage(lease, StageOutput(Stage.GENERATE, b"made", 1.0, 2.0))
    assert store.stage_outputs([lease.job_id])[lease.job_id][Stage.GENERATE].data == b"made"


def test_nobody_there() -> None:
    with pytest.raises(DatabaseAway, match="job database does not answer"):
        open_jobs("postgresql+psycopg://omnireel@127.0.0.1:1/jobs")


def test_locked_for_too_long_is_away_too(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    database = Database(url)
    with database.write():
        other = Database(url)
        with other.read() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout = 1")
        with pytest.raises(DatabaseAway), other.write():
            pass
        other.close()
    database.close()


def test_unknown_driver_is_named() -> None:
    with pytest.raises(InvalidInput, match="postgresql\\+psycopg"):
        Database("postgresql+psycopg2://omnireel@127.0.0.1/jobs")
