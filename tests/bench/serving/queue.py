"""What a long queue costs: submit, dispatch and status with 1,000 to 100,000 jobs that wait.

``python -m tests.bench.serving.queue [sqlite|postgres]...`` fills a database with the jobs of 100
tenants, lets 1,000 workers be busy, and takes the time of each call.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import func, insert, select

from services.common.jobs import JobState, JobStore, NewJob, open_jobs
from services.common.jobs.database import Database
from services.common.jobs.migrate import upgrade
from services.common.jobs.schema import jobs, workers
from tests.support.migrations import JOB_0001
from tests.support.servers import running_postgres

LENGTHS = (1_000, 10_000, 100_000)
TENANTS, WORKERS, REPEATS = 100, 1_000, 30
BATCH = 5_000
TTL = {"worker_ttl_s": 3600.0, "republish_s": 3600.0}


@contextmanager
def database_url(kind: str) -> Iterator[str]:
    """A fresh database."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{Path(folder) / 'jobs.db'}"
    else:
        with running_postgres() as server:
            yield server.new_database()


def fill(database: Database, length: int) -> None:
    """Queue jobs until there are ``length``; the first time, let every worker run one."""
    with database.write() as connection:
        queued = jobs.c.state == JobState.QUEUED.value
        present = connection.execute(
            select(func.count()).select_from(jobs).where(queued)
        ).scalar_one()
        if not present:
            now = time.time()
            connection.execute(
                insert(workers),
                [{"id": f"w{n}", "slots": 1, "seen_at": now} for n in range(WORKERS)],
            )
            held = {"state": "RUNNING", "token": 1, "attempt": 1, "lease_expires": now + 86_400}
            connection.execute(insert(jobs), [_row(n, **held) for n in range(WORKERS - 1)])
        for first in range(present, length, BATCH):
            numbers = range(first, min(first + BATCH, length))
            connection.execute(insert(jobs), [_row(number) for number in numbers])
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")  # as autovacuum would have done by then


def _row(number: int, **fields: object) -> dict[str, object]:
    now = time.time()
    return {
        **JOB_0001,
        "id": uuid.uuid4().hex,
        "caller": f"tenant-{number % TENANTS:03}",
        "created_at": now,
        "updated_at": now,
        "not_before": now,
        "lease_expires": None,
        **fields,
    }


class Meter:
    """Milliseconds on a processor, here and in the database's server, and by the clock."""

    def __init__(self) -> None:
        self.processor: list[float] = []
        self.clock: list[float] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Measure the block."""
        begun, used = time.perf_counter(), processor_s()
        yield
        self.processor.append((processor_s() - used) * 1e3)
        self.clock.append((time.perf_counter() - begun) * 1e3)

    def show(self) -> str:
        """Medians."""
        return f"{statistics.median(self.processor):.1f} ({statistics.median(self.clock):.1f})"


def processor_s() -> float:
    """Of this process and of the servers that it started."""
    return (_on_processor_ns("self") + sum(map(_on_processor_ns, SERVERS))) / 1e9


def _on_processor_ns(process: str) -> int:
    try:
        tasks = Path(f"/proc/{process}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)
    except FileNotFoundError:  # it has ended
        return 0


SERVERS: list[str] = []
"""Processes of the database that work for this one."""


def metered(call: Callable[[], object]) -> Meter:
    """Of one call."""
    meter = Meter()
    for _ in range(REPEATS):
        with meter.running():
            call()
    return meter


def measure(store: JobStore) -> list[Meter]:
    """Submitting a job, a turn of the dispatcher that fills the one free slot, a job's place in the
    queue, and the look at the queue that a gateway takes once a second for expected times."""
    submitted = []

    def submit() -> None:
        submitted.append(store.submit(NewJob("somebody", b"x"), max_queued=1_000_000)[0].id)

    submits, turns = metered(submit), Meter()
    for _ in range(REPEATS):
        with turns.running():
            assert store.anything_to_publish(republish_s=TTL["republish_s"])
            (job_id,) = store.take_for_publishing(**TTL)
        claimed = store.claim(job_id, "w0", 86_400.0)
        assert claimed is not None
        store.succeed(claimed[0])
    places = metered(lambda: store.queue_positions(submitted[-1:]))
    return [submits, turns, places, metered(store.line)]


def servers_of(database: Database) -> list[str]:
    """The processes of PostgreSQL that serve this one's connections."""
    if database.sqlite:
        return []
    with database.read() as connection:
        found = connection.exec_driver_sql("SELECT pid FROM pg_stat_activity WHERE pid IS NOT NULL")
        return [str(pid) for pid in found.scalars()]


def main(kinds: Sequence[str]) -> None:
    """Print one line for each database and length."""
    print("milliseconds on a processor (by the clock), medians")
    print(f"{'':<10} {'queued':>8} {'submit':>16} {'dispatch':>16} {'place':>16} {'look':>16}")
    for kind in kinds or ("sqlite", "postgres"):
        with database_url(kind) as url:
            database = Database(url)
            upgrade(database)
            store = open_jobs(url)
            for length in LENGTHS:
                fill(database, length)
                store.line()  # opens its connection
                SERVERS[:] = servers_of(database)
                shown = " ".join(f"{meter.show():>16}" for meter in measure(store))
                print(f"{kind:<10} {length:>8} {shown}", flush=True)
            store.close()
            database.close()


if __name__ == "__main__":
    main(sys.argv[1:])
