"""Rings for waiting jobs and takes lost ones back.

It lives in the worker, not in the gateway: the gateway then needs no broker, and jobs flow while
the gateway restarts. Every worker has one; they may all run at once, because each change they
make is one conditional UPDATE (see :mod:`services.common.jobs.sweeper`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from services.common.jobs import JobStore
from services.common.logs import get_logger
from services.common.telemetry import JobMetrics

log = get_logger(__name__)

DISPATCHERS = 4
"""So many look at the queue as often as they may. Where there are more workers, each looks less
often, so that the database is asked no more."""


@dataclass(frozen=True)
class DispatcherConfig:
    """How often to look, and when to call something lost; seconds."""

    worker_id: str
    slots: int
    dispatch_s: float
    sweep_s: float
    republish_s: float
    worker_ttl_s: float


class Dispatcher:
    """A thread that calls :meth:`turn` until stopped."""

    def __init__(
        self,
        jobs: JobStore,
        ring: Callable[[str], None],
        config: DispatcherConfig,
        metrics: JobMetrics | None = None,
    ) -> None:
        self._jobs = jobs
        self._ring = ring
        self._config = config
        self._metrics = metrics or JobMetrics(CollectorRegistry())
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="dispatcher", daemon=True)
        self._turned_at = time.monotonic()
        self._next_sweep = 0.0
        self._next_sign = 0.0
        self._next_look = 0.0
        self._share = 1.0

    @property
    def started(self) -> bool:
        """Whether it was told to begin."""
        return self._thread.ident is not None

    @property
    def silent_s(self) -> float:
        """Seconds since the last turn began."""
        return time.monotonic() - self._turned_at

    def start(self) -> None:
        """Begin."""
        self._turned_at = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """Ring no more, and take this worker's slots out of the count."""
        self._stop.set()
        if self.started:
            self._thread.join()
        self._jobs.gone(self._config.worker_id)

    def turn(self) -> None:
        """Say that this worker lives, take back what is lost, ring for what can start."""
        config, now = self._config, time.monotonic()
        if now >= self._next_sign:
            alive = self._jobs.seen(
                config.worker_id, config.slots, worker_ttl_s=config.worker_ttl_s
            )
            self._share = max(alive / DISPATCHERS, 1.0)
            self._next_sign = now + config.worker_ttl_s / 4
        if now >= self._next_sweep:
            moved = self._jobs.sweep()
            if moved:
                self._metrics.swept.inc(moved)
                log.info("took back jobs that were lost or late", jobs=moved)
            self._next_sweep = now + config.sweep_s * self._share
        if now < self._next_look:
            return
        self._next_look = now + config.dispatch_s * (self._share - 1)
        if not self._jobs.anything_to_publish(republish_s=config.republish_s):
            return
        ready = self._jobs.take_for_publishing(
            worker_ttl_s=config.worker_ttl_s, republish_s=config.republish_s
        )
        for job_id in ready:
            self._ring(job_id)

    def _loop(self) -> None:
        changes = self._jobs.changes()
        while changes.wait(self._config.dispatch_s, self._stop):
            self._turned_at = time.monotonic()
            try:
                self.turn()
            except Exception as error:
                self._metrics.dispatch_errors.inc()
                log.error("dispatch failed; trying again", exc_info=error)
                self._stop.wait(1.0)
        changes.close()
