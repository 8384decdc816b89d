"""The front of a queue, read without reading the queue."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, insert

from services.common.jobs import JobStore
from services.common.jobs.database import Database
from services.common.jobs.migrate import upgrade
from services.common.jobs.scheduler import FIRST, in_order, queue_positions
from services.common.jobs.schema import jobs
from services.common.jobs.turns import ready, rung
from tests.support.jobs import Clock, add_job, new_store
from tests.support.migrations import JOB_0001
from tests.support.queueing import Simulation


@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_that_is_told_is_that_of_taking(store: JobStore, clock: Clock, seed: int) -> None:
    chance = random.Random(seed)
    simulation = Simulation(store, clock)
    for tenant in ("a", "b", "c", "d"):
        store.set_policy(tenant, weight=chance.choice([0.5, 1.0, 3.0]))
    for _ in range(40):
        simulation.submit(
            chance.choice("abbcccd"),
            video_seconds=chance.choice([1.0, 2.0, 5.0]),
            priority=chance.randint(-2, 2),
        )
        clock.tick(chance.choice([0.1, 400.0]))
    for _ in range(5):  # clocks that moved, and jobs that were paid for once and came back
        simulation.start_what_can()
        _, lease = simulation.running.pop()
        store.release(lease)
    with store.database.read() as connection:
        promised = in_order(connection, 1000)
    taken = []
    store.seen("w", 1)
    while found := store.take_for_publishing(worker_ttl_s=1e9, republish_s=1e9):
        taken += found
        claimed = store.claim(found[0], "w", 1e9)
        assert claimed is not None
        store.succeed(claimed[0])
    assert tuple(taken) == promised


def test_what_waits_for_its_back_off_lets_others_pass(store: JobStore, clock: Clock) -> None:
    first, second = add_job(store), add_job(store)
    for job in (first, second):
        claimed = store.claim(job.id, "w", 60)
        assert claimed is not None
        store.release(claimed[0], delay_s=30.0 if job is first else 0.0)
    store.seen("w", 2)
    assert store.take_for_publishing(worker_ttl_s=60, republish_s=5) == (second.id,)
    clock.tick(30.0)
    assert first.id in store.take_for_publishing(worker_ttl_s=60, republish_s=60)


def test_places_are_counted_up_to_a_point(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'jobs.db'}")
    upgrade(database)
    rows = [{**JOB_0001, "id": f"{n:05}", "created_at": float(n)} for n in range(FIRST + 10)]
    with database.write() as connection:
        connection.execute(insert(jobs), rows)
        places = queue_positions(connection, ["00000", f"{FIRST - 1:05}", f"{FIRST + 5:05}", "x"])
    assert places == {"00000": 0, f"{FIRST - 1:05}": FIRST - 1, f"{FIRST + 5:05}": FIRST}
    database.close()


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        (ready(now=1.0), "jobs_ready"),
        (rung(1.0), "jobs_rung"),
        (jobs.c.rung_at >= 1.0, "jobs_rung"),
        (jobs.c.lease_expires < 1.0, "jobs_leased"),
        (jobs.c.lease_expires.is_not(None), "jobs_leased"),
        (jobs.c.queued_deadline <= 1.0, "jobs_queued_deadline"),
    ],
)
def test_questions_are_answered_by_an_index(tmp_path: Path, condition, index: str) -> None:
    database = Database(f"sqlite:///{tmp_path / 'jobs.db'}")
    upgrade(database)
    with database.write() as connection:
        sql = str(
            jobs.select()
            .where(condition)
            .compile(connection, compile_kwargs={"literal_binds": True})
        )
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}").all()
    assert index in str(plan)
    database.close()


def test_a_longer_queue_costs_no_more(tmp_path: Path, clock: Clock) -> None:
    """Counted in steps of SQLite's own machine, which no other program on this one changes."""
    store = new_store(tmp_path, clock)
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    @event.listens_for(store.database.engine, "begin")
    def count(connection: Connection) -> None:
        connection.connection.driver_connection.set_progress_handler(step, 10)

    def cost_of(call: Callable[[], object]) -> int:
        before = steps
        call()
        return steps - before

    def costs(first: int, last: int) -> list[int]:
        rows = [{**JOB_0001, "id": f"{n:05}", "caller": f"t{n % 10}"} for n in range(first, last)]
        with store.database.write() as connection:
            connection.execute(insert(jobs), rows)
            connection.exec_driver_sql("ANALYZE")
        store.seen("w", 1 + last)
        return [
            cost_of(lambda: store.anything_to_publish(republish_s=5)),
            cost_of(lambda: store.take_for_publishing(worker_ttl_s=60, republish_s=5)),
            cost_of(lambda: store.queue_positions([f"{last - 1:05}"])),
            cost_of(store.sweep),
        ]

    short, long = costs(0, 2_000), costs(2_000, 12_000)
    store.close()
    within = [many <= 1.3 * few + 20 for few, many in zip(short, long, strict=True)]
    assert all(within), (short, long)
