"""The job store that gateway and worker share: each method is one transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence

from sqlalchemy.exc import IntegrityError

from services.common.jobs import leases, media, overview, requests, scheduler, sweeper
from services.common.jobs.changes import Changes
from services.common.jobs.costs import CostTable, StageCost, add_cost, cost_table
from services.common.jobs.database import Database, waits_for_database
from services.common.jobs.job import (
    Event,
    Heartbeat,
    Job,
    JobError,
    JobFilter,
    JobState,
    Lease,
    MediaRecord,
    NewJob,
    Page,
    Progress,
    Stage,
    StageOutput,
)
from services.common.jobs.migrate import open_database
from services.common.jobs.news import News, news_of
from services.common.jobs.tenants import TenantPolicy, TenantStatus, list_tenants, set_policy

WORKER_TTL_S = 10.0
"""A worker that was silent for longer does not count among those that work."""


def open_jobs(url: str, clock: Callable[[], float] = time.time) -> JobStore:
    """Open the store at a SQLAlchemy URL. SQLite is migrated here; PostgreSQL must be current."""
    return JobStore(open_database(url), clock)


class JobStore:
    """Durable jobs. Thread-safe; ``clock`` gives seconds since the epoch."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    @property
    def database(self) -> Database:
        """The database that the jobs are in."""
        return self._database

    def close(self) -> None:
        """Close the database connections."""
        self._database.close()

    def changes(self) -> Changes:
        """A way to wait until there may be something new to read; one for each thread."""
        return Changes(self._database)

    # What a caller does.

    @waits_for_database
    def find_request(self, caller: str, request_id: str, request_digest: str) -> Job | None:
        """See :func:`requests.find_request`."""
        with self._database.read() as connection:
            return requests.find_request(connection, caller, request_id, request_digest)

    def submit(self, new: NewJob, *, max_queued: int = 1000) -> tuple[Job, bool]:
        """See :func:`requests.submit`; two equal requests at the same moment make one job.

        Without a request id nobody could tell a repeated insert from a second job: then a lost
        connection is the caller's to decide about.
        """
        submit = waits_for_database(self._submit) if new.request_id else self._submit
        return submit(new, max_queued)

    def _submit(self, new: NewJob, max_queued: int) -> tuple[Job, bool]:
        try:
            with self._database.write() as connection:
                return requests.submit(connection, new, self._clock(), max_queued=max_queued)
        except IntegrityError:  # lost the race for the request_id: now it is there to be found
            with self._database.write() as connection:
                return requests.submit(connection, new, self._clock(), max_queued=max_queued)

    @waits_for_database
    def get(self, job_id: str, caller: str | None = None, *, operation: bool = False) -> Job:
        """See :func:`requests.get`."""
        with self._database.read() as connection:
            return requests.get(connection, job_id, caller, operation=operation)

    @waits_for_database
    def list_jobs(
        self,
        caller: str,
        *,
        page_size: int,
        page_token: str = "",
        job_filter: JobFilter | None = None,
        after: Job | None = None,
        oldest_first: bool = False,
    ) -> Page:
        """See :func:`requests.list_jobs`."""
        with self._database.read() as connection:
            return requests.list_jobs(
                connection,
                caller,
                page_size=page_size,
                page_token=page_token,
                job_filter=job_filter or JobFilter(),
                after=after,
                oldest_first=oldest_first,
            )

    @waits_for_database
    def queue_positions(self, job_ids: Collection[str]) -> dict[str, int]:
        """See :func:`scheduler.queue_positions`."""
        with self._database.read() as connection:
            return scheduler.queue_positions(connection, job_ids)

    @waits_for_database
    def events_after(self, job_id: str, sequence: int, limit: int = 256) -> tuple[Event, ...]:
        """See :func:`requests.events_after`."""
        with self._database.read() as connection:
            return requests.events_after(connection, job_id, sequence, limit)

    @waits_for_database
    def backlog(self) -> overview.Backlog:
        """See :func:`overview.backlog`."""
        with self._database.read() as connection:
            return overview.backlog(connection, self._clock(), worker_ttl_s=WORKER_TTL_S)

    @waits_for_database
    def line(self) -> overview.Line:
        """See :func:`overview.line`."""
        with self._database.read() as connection:
            return overview.line(connection, self._clock(), worker_ttl_s=WORKER_TTL_S)

    def ended_since(self, since: float) -> dict[JobState, int]:
        """See :func:`overview.ended_since`."""
        with self._database.read() as connection:
            return overview.ended_since(connection, since)

    def last_failures(self, limit: int) -> tuple[Job, ...]:
        """See :func:`overview.last_failures`."""
        with self._database.read() as connection:
            return overview.last_failures(connection, limit)

    @waits_for_database
    def cost_table(self) -> CostTable:
        """See :func:`costs.cost_table`."""
        with self._database.read() as connection:
            return cost_table(connection)

    @waits_for_database
    def news_of(self, seen: Mapping[str, int]) -> dict[str, News]:
        """See :func:`news.news_of`."""
        with self._database.read() as connection:
            return news_of(connection, seen)

    @waits_for_database
    def stage_outputs(self, job_ids: Collection[str]) -> dict[str, dict[Stage, StageOutput]]:
        """See :func:`requests.stage_outputs`."""
        with self._database.read() as connection:
            return requests.stage_outputs(connection, job_ids)

    @waits_for_database
    def delete_operation(self, job_id: str) -> None:
        """See :func:`requests.delete_operation`."""
        with self._database.write() as connection:
            requests.delete_operation(connection, job_id)

    @waits_for_database
    def put_media(self, caller: str, record: MediaRecord) -> None:
        """See :func:`media.put_media`."""
        with self._database.write() as connection:
            media.put_media(connection, caller, record, self._clock())

    @waits_for_database
    def find_media(self, caller: str, uri: str) -> MediaRecord | None:
        """See :func:`media.find_media`."""
        with self._database.read() as connection:
            return media.find_media(connection, caller, uri)

    @waits_for_database
    def request_cancel(self, job_id: str) -> Job:
        """See :func:`requests.request_cancel`."""
        with self._database.write() as connection:
            return requests.request_cancel(connection, job_id, self._clock())

    def delete(self, job_id: str) -> None:
        """See :func:`requests.delete_job`."""
        with self._database.write() as connection:
            requests.delete_job(connection, job_id)

    # What an administrator does.

    def set_policy(self, tenant: str, **changes: object) -> TenantPolicy:
        """See :func:`tenants.set_policy`."""
        with self._database.write() as connection:
            return set_policy(connection, tenant, **changes)

    def list_tenants(self) -> Sequence[TenantStatus]:
        """See :func:`tenants.list_tenants`."""
        with self._database.read() as connection:
            return list_tenants(connection, self._clock())

    # What a worker does.

    @waits_for_database
    def claim(self, job_id: str, owner: str, lease_s: float) -> tuple[Lease, Job] | None:
        """See :func:`leases.claim`."""
        with self._database.write() as connection:
            return leases.claim(connection, job_id, owner, lease_s, self._clock())

    def renew(self, lease: Lease, lease_s: float) -> Heartbeat:
        """See :func:`leases.renew`."""
        with self._database.write() as connection:
            return leases.renew(connection, lease, lease_s, self._clock())

    def record_progress(self, lease: Lease, steps: list[Progress]) -> Heartbeat:
        """See :func:`leases.record_progress`."""
        with self._database.write() as connection:
            return leases.record_progress(connection, lease, steps, self._clock())

    @waits_for_database
    def save_stage(
        self,
        lease: Lease,
        output: StageOutput,
        media: tuple[MediaRecord, ...] = (),
        cost: StageCost | None = None,
    ) -> None:
        """See :func:`leases.save_stage` and :func:`costs.add_cost`."""
        with self._database.write() as connection:
            now = self._clock()
            leases.save_stage(connection, lease, output, media, now)
            if cost is not None:
                add_cost(connection, cost, now)

    @waits_for_database
    def succeed(self, lease: Lease) -> None:
        """See :func:`leases.succeed`."""
        with self._database.write() as connection:
            leases.succeed(connection, lease, self._clock())

    @waits_for_database
    def fail(self, lease: Lease, error: JobError) -> None:
        """See :func:`leases.fail`."""
        with self._database.write() as connection:
            leases.fail(connection, lease, error, self._clock())

    @waits_for_database
    def cancelled(self, lease: Lease) -> None:
        """See :func:`leases.cancelled`."""
        with self._database.write() as connection:
            leases.cancelled(connection, lease, self._clock())

    @waits_for_database
    def release(
        self, lease: Lease, *, delay_s: float = 0.0, message: str = leases.HANDED_BACK
    ) -> None:
        """See :func:`leases.release`."""
        with self._database.write() as connection:
            leases.release(connection, lease, self._clock(), delay_s, message)

    @waits_for_database
    def retry(self, lease: Lease, error: JobError, delay_s: float) -> JobState:
        """See :func:`leases.retry`."""
        with self._database.write() as connection:
            return leases.retry(connection, lease, error, delay_s, self._clock())

    # What the dispatcher does.

    def sweep(self) -> int:
        """See :func:`sweeper.sweep`."""
        with self._database.write() as connection:
            return sweeper.sweep(connection, self._clock())

    def seen(self, worker_id: str, slots: int, *, worker_ttl_s: float = WORKER_TTL_S) -> int:
        """See :func:`sweeper.seen`."""
        with self._database.write() as connection:
            now = self._clock()
            return sweeper.seen(connection, worker_id, slots, now, worker_ttl_s=worker_ttl_s)

    def gone(self, worker_id: str) -> None:
        """See :func:`sweeper.gone`."""
        with self._database.write() as connection:
            sweeper.gone(connection, worker_id)

    def anything_to_publish(self, *, republish_s: float) -> bool:
        """See :func:`scheduler.anything_to_publish`."""
        with self._database.read() as connection:
            return scheduler.anything_to_publish(connection, self._clock(), republish_s=republish_s)

    def take_for_publishing(self, *, worker_ttl_s: float, republish_s: float) -> tuple[str, ...]:
        """See :func:`scheduler.take_for_publishing`."""
        with self._database.write() as connection:
            return scheduler.take_for_publishing(
                connection, self._clock(), worker_ttl_s=worker_ttl_s, republish_s=republish_s
            )
