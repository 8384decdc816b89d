"""How an attempt ends that did not succeed: whatever it was, the job is left in a state that is
true."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeGuard

from sqlalchemy.exc import SQLAlchemyError

from omnireel.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    OmnireelError,
    ResourceExhausted,
    Unavailable,
)
from services.common.convert_generation import VERSION_MISMATCH
from services.common.device_errors import OUT_OF_MEMORY
from services.common.jobs import DatabaseAway, Job, JobState, JobStore, Lease, LeaseLost
from services.common.jobs.errors import job_error
from services.common.logs import get_logger
from services.common.status import new_error_id
from services.common.telemetry import JobMetrics
from services.worker.lease_keeper import StopReason
from services.worker.observer import Outcome

log = get_logger(__name__)

RETRYABLE = (Unavailable, ResourceExhausted)


class NotTaken(Unavailable):
    """A model service was away, full or stopping: the work itself is not to blame."""


@dataclass(frozen=True)
class Backoff:
    """Seconds before the second attempt, doubling with each further one up to ``longest_s``."""

    first_s: float
    longest_s: float

    def after(self, attempts: int) -> float:
        """Seconds to wait after so many."""
        return float(min(self.first_s * 2 ** min(attempts - 1, 16), self.longest_s))


class Settler:
    """Fails, cancels, hands back or retries a job."""

    def __init__(self, jobs: JobStore, metrics: JobMetrics, backoff: Backoff) -> None:
        self._jobs = jobs
        self._metrics = metrics
        self._backoff = backoff

    def lost(self, outcome: Outcome, error: LeaseLost | None = None) -> None:
        """Somebody else has the job: there is nothing to write."""
        outcome.set(JobState.RUNNING, "LEASE_LOST")
        self._metrics.leases_lost.inc()
        log.warning("job belongs to another worker now", error=str(error or ""))

    def settle(
        self,
        lease: Lease,
        job: Job,
        reason: StopReason | None,
        error: Exception,
        outcome: Outcome,
    ) -> None:
        """Write what became of an attempt that ended with ``error``; ``reason`` is why it was
        stopped, if it was."""
        try:
            if reason is StopReason.LEASE_LOST:
                self.lost(outcome)
            elif reason is StopReason.CANCELLED:
                self._jobs.cancelled(lease)
                outcome.set(JobState.CANCELLED)
                log.info("job cancelled")
            elif reason is StopReason.DRAINING:
                self._jobs.release(lease)
                outcome.set(JobState.QUEUED, "DRAINING")
                log.info("job handed back")
            elif reason is StopReason.DEADLINE or isinstance(error, DeadlineExceeded):
                late = DeadlineExceeded(
                    "the deadline passed before the video was done; allow more time"
                )
                self._jobs.fail(lease, job_error(late, retryable=True))
                outcome.set(JobState.FAILED, late.reason)
                log.info("job missed its deadline")
            elif isinstance(error, NotTaken):
                self._wait_for_service(lease, error)
                outcome.set(JobState.QUEUED, error.reason)
            elif _is_other_version(error) or (
                isinstance(error, RETRYABLE) and error.reason != OUT_OF_MEMORY
            ):
                outcome.set(self._retry(lease, job, error), error.reason)
            else:
                outcome.set(JobState.FAILED, self._fail(lease, error))
        except LeaseLost as lost:
            self.lost(outcome, lost)
        except (SQLAlchemyError, DatabaseAway) as broken:
            outcome.set(JobState.RUNNING, "DATABASE_FAILED")
            log.error("database failed; the job will be taken back", exc_info=broken)

    def _wait_for_service(self, lease: Lease, error: NotTaken) -> None:
        """An outage costs time and no attempt; the longer it lasts, the rarer it is asked."""
        delay_s = self._backoff.after(lease.token)
        delay_s = max(delay_s, error.retry_after_s)
        self._jobs.release(lease, delay_s=delay_s, message=error.message)
        log.warning("the service could not take the job", error=str(error), delay_s=delay_s)

    def _retry(self, lease: Lease, job: Job, error: OmnireelError) -> JobState:
        delay_s = self._backoff.after(job.attempt)
        delay_s = max(delay_s, retry_after(error))
        state = self._jobs.retry(lease, job_error(error, retryable=True), delay_s)
        log.warning("attempt failed", error=str(error), state=state.value, delay_s=delay_s)
        return state

    def _fail(self, lease: Lease, error: Exception) -> str:
        if isinstance(error, OmnireelError):
            log.warning("job failed", error=str(error), reason=error.reason)
            self._jobs.fail(lease, job_error(error, retryable=False))
            return error.reason
        error_id = new_error_id()
        log.error("job broke", error_id=error_id, exc_info=error)
        broken = job_error(error, retryable=False, error_id=error_id)
        self._jobs.fail(lease, broken)
        return broken.reason


def _is_other_version(error: BaseException) -> TypeGuard[FailedPrecondition]:
    """The pinned model version does not run there (any more); another replica may have it."""
    return isinstance(error, FailedPrecondition) and error.reason == VERSION_MISMATCH


def retry_after(error: OmnireelError) -> float:
    """Seconds that the one who failed asks for; 0: none."""
    return getattr(error, "retry_after_s", None) or 0.0
