"""The gateway's metrics: the queue, read when somebody scrapes, and who watches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from services.common.jobs import JobStore
from services.common.jobs.overview import Backlog
from services.common.logs import get_logger

log = get_logger(__name__)


class GatewayMetrics(Collector):
    """Every replica tells the same about the queue: take the maximum over them, not the sum."""

    def __init__(
        self, jobs: JobStore, watchers: Callable[[], int], registry: CollectorRegistry
    ) -> None:
        self._jobs = jobs
        self._watchers = watchers
        registry.register(self)

    def describe(self) -> Iterable[Metric]:
        """The families without reading anything: a registry asks when it is built."""
        return _families(None, 0, 0)

    def collect(self) -> Iterable[Metric]:
        """Read the queue."""
        try:
            backlog = self._jobs.backlog()
        except SQLAlchemyError as error:
            log.warning("the queue cannot be measured", error=str(error))
            backlog = None
        return _families(backlog, self._watchers(), time.time())


def _families(backlog: Backlog | None, watchers: int, now: float) -> list[Metric]:
    def family(name: str, what: str, *labels: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(f"omnireel_{name}", what, labels=labels)

    up = family("job_database_up", "Whether the job database answered.")
    watching = family("watchers", "Streams of progress that are open here.")
    depth = family("queue_depth", "Jobs that wait for a worker.", "tenant")
    age = family("queue_oldest_seconds", "Age of the job that waits longest.", "tenant")
    running = family("jobs_running", "Jobs that a worker holds.", "tenant")
    workers = family("workers", "Workers with a recent heartbeat.")
    slots = family("worker_slots", "Jobs that all workers can run at once.")
    up.add_metric((), backlog is not None)
    watching.add_metric((), watchers)
    if backlog is not None:
        for tenant, count in backlog.depth.items():
            depth.add_metric((tenant,), count)
            age.add_metric((tenant,), max(now - backlog.oldest[tenant], 0.0))
        for tenant, count in backlog.running.items():
            running.add_metric((tenant,), count)
        workers.add_metric((), backlog.workers)
        slots.add_metric((), backlog.slots)
    return [up, watching, depth, age, running, workers, slots]
