"""A day of a job queue in simulated time: tenants submit, workers run one job per slot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.common.jobs import JobStore, Lease, NewJob
from tests.support.jobs import Clock


@dataclass
class Simulation:
    """Every job of a tenant takes ``job_s`` seconds and costs ``video_seconds``."""

    store: JobStore
    clock: Clock
    slots: int = 1
    job_s: float = 10.0
    tenant_of: dict[str, str] = field(default_factory=dict)
    started: list[tuple[float, str]] = field(default_factory=list)
    """When a job of which tenant began."""
    running: list[tuple[float, Lease]] = field(default_factory=list)

    def submit(
        self, tenant: str, count: int = 1, *, video_seconds: float = 2.0, priority: int = 0
    ) -> None:
        """Queue jobs."""
        for _ in range(count):
            new = NewJob(tenant, b"x", video_seconds=video_seconds, priority=priority)
            job, _ = self.store.submit(new, max_queued=1_000_000)
            self.tenant_of[job.id] = tenant

    def start_what_can(self) -> None:
        """One turn of the dispatcher; workers claim at once."""
        self.store.seen("w", self.slots)
        for job_id in self.store.take_for_publishing(worker_ttl_s=30, republish_s=5):
            claimed = self.store.claim(job_id, "w", 1e9)
            assert claimed is not None
            self.running.append((self.clock.now + self.job_s, claimed[0]))
            self.started.append((self.clock.now, self.tenant_of[job_id]))

    def finish_next(self) -> None:
        """Go to the moment when the next job ends."""
        ends_at, lease = self.running.pop(0)
        self.clock.now = max(self.clock.now, ends_at)
        self.store.succeed(lease)

    def run(self, jobs: int) -> list[str]:
        """Start ``jobs`` more jobs, or all there are; the tenants in the order of starting."""
        before = len(self.started)
        self.start_what_can()
        while len(self.started) - before < jobs and self.running:
            self.finish_next()
            self.start_what_can()
        return [tenant for _, tenant in self.started[before:]][:jobs]


def shares(tenants: list[str]) -> Mapping[str, float]:
    """The part of each tenant."""
    return {name: tenants.count(name) / len(tenants) for name in set(tenants)}
