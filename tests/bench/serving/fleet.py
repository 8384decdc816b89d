"""1,000 workers and a long queue on PostgreSQL: ``make bench-queue``.

Every worker is simulated but for what it asks of the database: it has a real dispatcher, renews the
lease of its job, ends it, and claims the next that is rung for. Printed are the seconds by the
clock that a free slot stays empty, the milliseconds of single calls, and how many processors the
database needs for the fleet.
"""

from __future__ import annotations

import random
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import select

from services.common.jobs import JobStore, Lease, NewJob, open_jobs
from services.common.jobs.database import Database
from services.common.jobs.migrate import upgrade
from services.common.jobs.schema import jobs
from services.common.logs import configure_logs
from services.worker.dispatcher import Dispatcher, DispatcherConfig
from tests.bench.serving.queue import LENGTHS, WORKERS, database_url, fill, processor_s, servers_of
from tests.bench.serving.queue import SERVERS as DATABASE_PROCESSES

WARM_UP_S, RUN_S = 3.0, 30.0
JOB_S = 60.0
"""Mean length of a job; 1,000 workers then start 17 a second."""
LEASE_S, HEARTBEAT_S = 60.0, 10.0
DISPATCH_S = 0.2
SUBMIT_EVERY_S = 0.1
OF_WORKER = "w{}"


@dataclass
class Calls:
    """Seconds by the clock of each kind of call."""

    of: dict[str, list[float]] = field(default_factory=dict)

    def timed(self, kind: str, begun: float) -> None:
        """Note one that ended now."""
        self.of.setdefault(kind, []).append(time.perf_counter() - begun)

    def show(self, kind: str) -> str:
        """Median and 95th percentile in milliseconds."""
        times = sorted(self.of.get(kind, [float("nan")]))
        return f"{statistics.median(times) * 1e3:.1f} ({times[int(0.95 * len(times))] * 1e3:.0f})"


class Fleet:
    """The workers. Three threads: dispatchers, leases, callers."""

    def __init__(self, store: JobStore) -> None:
        self.store = store
        self.calls = Calls()
        self.running: list[Lease] = []
        self.freed: list[tuple[float, str]] = []
        """When a slot became free, and whose."""
        self.empty_s: list[float] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._dispatchers = [
            Dispatcher(
                store,
                self._ring,
                DispatcherConfig(OF_WORKER.format(n), 1, DISPATCH_S, 2.0, 10.0, 60.0),
            )
            for n in range(WORKERS)
        ]

    def run(self, seconds: float) -> float:
        """Work for so long; processors that the database and this process used."""
        threads = [
            threading.Thread(target=work) for work in (self._dispatch, self._keep, self._call)
        ]
        for thread in threads:
            thread.start()
        self._stop.wait(WARM_UP_S)
        DATABASE_PROCESSES[:] = servers_of(self.store.database)  # each thread has its own by now
        begun, used = time.perf_counter(), processor_s()
        self._stop.wait(seconds)
        processors = (processor_s() - used) / (time.perf_counter() - begun)
        self._stop.set()
        for thread in threads:
            thread.join()
        return processors

    def _ring(self, job_id: str) -> None:
        """The doorbell: some worker with a free slot claims the job."""
        with self._lock:
            freed_at, worker = self.freed.pop(0)
        begun = time.perf_counter()
        claimed = self.store.claim(job_id, worker, LEASE_S)
        self.calls.timed("claim", begun)
        assert claimed is not None
        self.empty_s.append(time.perf_counter() - freed_at)
        with self._lock:
            self.running.append(claimed[0])

    def _dispatch(self) -> None:
        """Every dispatcher takes a turn every ``DISPATCH_S`` seconds, spread over them."""
        turns_at = time.perf_counter()
        while not self._stop.is_set():
            for dispatcher in self._dispatchers:
                begun = time.perf_counter()
                dispatcher.turn()
                took = time.perf_counter() - begun
                if took > 1e-4:  # the others had nothing to do yet
                    self.calls.timed("turn", begun)
            turns_at += DISPATCH_S
            self._stop.wait(max(turns_at - time.perf_counter(), 0))

    def _keep(self) -> None:
        """Renew leases, and end jobs."""
        chance = random.Random(1)
        while not self._stop.is_set():
            begun = time.perf_counter()
            with self._lock:
                lease = self.running.pop(0)
            if chance.random() < HEARTBEAT_S / JOB_S:
                self.store.succeed(lease)
                self.calls.timed("end", begun)
                with self._lock:
                    self.freed.append((time.perf_counter(), lease.owner))
            else:
                self.store.renew(lease, LEASE_S)
                self.calls.timed("renew", begun)
                with self._lock:
                    self.running.append(lease)
            self._stop.wait(max(begun + HEARTBEAT_S / WORKERS - time.perf_counter(), 0))

    def _call(self) -> None:
        """Submit jobs and ask for them, as callers do."""
        while not self._stop.wait(SUBMIT_EVERY_S):
            begun = time.perf_counter()
            job, _ = self.store.submit(NewJob("somebody", b"x"), max_queued=1_000_000)
            self.calls.timed("submit", begun)
            begun = time.perf_counter()
            self.store.get(job.id)
            self.store.queue_positions([job.id])
            self.calls.timed("status", begun)


def leases_of(database: Database) -> list[Lease]:
    """Those of the jobs that run; each gets a worker of its own."""
    with database.read() as connection:
        rows = connection.execute(
            select(jobs.c.id, jobs.c.lease_owner, jobs.c.token).where(jobs.c.state == "RUNNING")
        ).all()
    return [Lease(row.id, row.lease_owner, row.token) for row in rows]


def kib_per_job(database: Database) -> float:
    """What the database's files take, over its jobs."""
    with database.read() as connection:
        size = connection.exec_driver_sql("SELECT pg_database_size(current_database())")
        count = connection.exec_driver_sql("SELECT count(*) FROM jobs")
        return float(size.scalar_one() / count.scalar_one() / 1024)


def show(length: int, fleet: Fleet, processors: float) -> str:
    """One line."""
    kinds = ("submit", "status", "turn", "claim", "renew", "end")
    empty = sorted(fleet.empty_s)
    cells = " ".join(f"{fleet.calls.show(kind):>14}" for kind in kinds)
    slot = f"{statistics.median(empty):.2f} ({empty[int(0.95 * len(empty))]:.2f})"
    return f"{length:>8} {cells} {slot:>14} {len(empty):>8} {processors:>10.2f}"


def main(lengths: Sequence[int] = LENGTHS) -> None:
    """Print one line for each length of the queue."""
    configure_logs("bench", level="warning")
    print("milliseconds by the clock, medians (95 %); a slot stays empty for seconds")
    heads = ("submit", "status", "turn", "claim", "renew", "end", "empty slot")
    print(f"{'queued':>8} " + " ".join(f"{head:>14}" for head in heads) + "  started processors")
    with database_url("postgres") as url:
        database = Database(url)
        upgrade(database)
        store = open_jobs(url)
        for length in lengths:
            fill(database, length)
            fleet = Fleet(store)
            fleet.running = leases_of(database)
            fleet.freed = [
                (time.perf_counter(), OF_WORKER.format(n))
                for n in range(WORKERS - len(fleet.running))
            ]
            processors = fleet.run(RUN_S)
            print(show(length, fleet, processors), flush=True)
        print(f"{kib_per_job(database):.1f} KiB in the database for each job that waits")
        store.close()
        database.close()


if __name__ == "__main__":
    main()
