"""Two versions of the services on one database: neither stands in the other's way."""

from __future__ import annotations

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, text

from services.common.jobs import JobState, Lease, Stage, StageOutput, open_jobs
from services.common.jobs.database import Database
from services.common.jobs.migrate import require_current, upgrade
from tests.support.jobs import Clock
from tests.support.migrations import EVENT_0001, JOB_0001, obstacles, revisions, tables


def test_every_migration_leaves_the_version_before_its_columns(empty_url: str) -> None:
    database = Database(empty_url)
    before = None
    for revision in revisions():
        upgrade(database, revision)
        after = tables(database)
        if before is not None:
            assert obstacles(before, after) == [], revision
        before = after
    database.close()


def test_obstacles_are_seen() -> None:
    def table(*columns: Column[int]) -> dict[str, Table]:
        return {"jobs": Table("jobs", MetaData(), *columns)}

    before = table(Column("id", Integer, primary_key=True), Column("old", Integer))
    assert obstacles(before, before) == []
    after = table(
        Column("id", Integer, primary_key=True),
        Column("free", Integer),
        Column("filled", Integer, nullable=False, server_default="0"),
        Column("strict", Integer, nullable=False),
    )
    assert obstacles(before, after) == [
        "jobs.old is gone",
        "jobs.strict must be given, and older code does not",
    ]
    assert obstacles(before, {}) == ["table jobs is gone"]


def test_jobs_of_the_first_version_finish_under_this_one(empty_url: str) -> None:
    database = Database(empty_url)
    upgrade(database, revisions()[0])
    old = tables(database)

    def write(job_id: str, **fields: object) -> None:
        """What the first version's gateway and worker leave."""
        with database.write() as connection:
            connection.execute(insert(old["jobs"]).values(**{**JOB_0001, "id": job_id, **fields}))
            connection.execute(insert(old["job_events"]).values(job_id=job_id, **EVENT_0001))

    write("waits")
    held = {"token": 1, "attempt": 1, "lease_owner": "old", "lease_expires": 100.0}
    write("runs", state="RUNNING", **held)
    write("lost", state="RUNNING", **{**held, "lease_expires": 5.0})
    write("done", state="SUCCEEDED", finished_at=2.0)
    upgrade(database)  # with a job that runs
    write("late")  # by a gateway of the first version that has not been replaced yet
    clock = Clock(10.0)
    store = open_jobs(empty_url, clock)
    # The old worker goes on under its lease.
    lease = Lease("runs", "old", 1)
    store.renew(lease, 30.0)
    store.save_stage(lease, StageOutput(Stage.GENERATE, b"made", 1.0, 2.0))
    store.succeed(lease)
    store.sweep()
    store.seen("new", 3)
    assert store.take_for_publishing(worker_ttl_s=30, republish_s=5) == ("late", "lost", "waits")
    for job_id in ("late", "lost", "waits"):
        claimed = store.claim(job_id, "new", 30.0)
        assert claimed is not None
        store.succeed(claimed[0])
    page = store.list_jobs("me", page_size=10)
    assert {job.id: job.state for job in page.jobs} == dict.fromkeys(
        ("waits", "runs", "lost", "done", "late"), JobState.SUCCEEDED
    )
    store.close()
    database.close()


def test_newer_schema_is_left_alone(empty_url: str) -> None:
    database = Database(empty_url)
    upgrade(database)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        connection.execute(text("ALTER TABLE jobs ADD COLUMN of_tomorrow INTEGER"))
    require_current(database)
    store = open_jobs(empty_url)
    assert store.list_jobs("me", page_size=1).jobs == ()
    store.close()
    database.close()


@pytest.mark.parametrize("revision", revisions())
def test_revision_names_fit_their_column(revision: str) -> None:
    assert len(revision) <= 32
