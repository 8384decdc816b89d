"""Steps of the stages as events of the job."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from sqlalchemy.exc import SQLAlchemyError

from services.common.jobs import (
    DatabaseAway,
    Heartbeat,
    JobStore,
    Lease,
    LeaseLost,
    Progress,
    Stage,
)
from services.common.logs import get_logger

log = get_logger(__name__)

SHARE: Mapping[Stage, float] = {
    Stage.ENHANCE: 0.10,
    Stage.GENERATE: 0.60,
    Stage.UPSCALE: 0.28,
    Stage.FINISH: 0.02,
}
"""Share of a job's time that each stage takes, roughly; those that are skipped drop out."""


class ProgressWriter:
    """Writes every step; steps closer together than ``interval_s`` share one transaction.

    A step that waits for others is written after ``interval_s`` also when none comes: the next one
    may take minutes.
    """

    def __init__(
        self,
        jobs: JobStore,
        lease: Lease,
        stages: tuple[Stage, ...],
        *,
        observe: Callable[[Heartbeat], None],
        interval_s: float,
    ) -> None:
        self._jobs = jobs
        self._lease = lease
        self._stages = stages
        self._observe = observe
        self._interval_s = interval_s
        self._lock = threading.RLock()
        self._late: threading.Timer | None = None
        self._waiting: list[Progress] = []
        self._written_at = float("-inf")
        self._fraction = 0.0

    def step(
        self, stage: Stage, step: int, num_steps: int, fraction: float, preview_uri: str = ""
    ) -> None:
        """One step is done; ``fraction`` is that of the stage, 0..1."""
        with self._lock:
            self._fraction = max(self._fraction, self._of_job(stage, fraction))
            self._waiting.append(Progress(stage, step, num_steps, self._fraction, preview_uri))
            if time.monotonic() - self._written_at >= self._interval_s:
                self.flush()
            elif self._late is None:
                self._late = threading.Timer(self._interval_s, self._flush_late)
                self._late.daemon = True
                self._late.start()

    def flush(self) -> None:
        """Write what waits, or keep it for the next time while the database is away.

        Raises LeaseLost when the job belongs to somebody else.
        """
        with self._lock:
            if self._late is not None:
                self._late.cancel()
                self._late = None
            if not self._waiting:
                return
            self._written_at = time.monotonic()
            try:
                heartbeat = self._jobs.record_progress(self._lease, self._waiting)
            except DatabaseAway as error:
                log.warning("progress is written later", error=str(error))
                return
            self._waiting = []
            self._observe(heartbeat)

    def _flush_late(self) -> None:
        try:
            self.flush()
        except (LeaseLost, SQLAlchemyError) as error:
            # What waits still waits; the job's own thread meets the same error at its next step.
            log.warning("progress was not written", error=str(error))

    def _of_job(self, stage: Stage, fraction: float) -> float:
        total = sum(SHARE[s] for s in self._stages)
        before = sum(SHARE[s] for s in self._stages[: self._stages.index(stage)])
        return (before + SHARE[stage] * min(max(fraction, 0.0), 1.0)) / total
