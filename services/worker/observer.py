"""What a worker tells about the jobs that it runs: spans and counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry.trace import SpanKind

from services.common.jobs import Job, JobState, Stage
from services.common.logs import bind_more
from services.common.telemetry import JobMetrics, Telemetry, trace_id_of
from services.common.telemetry.tracing import current_traceparent, failed


@dataclass
class Outcome:
    """How an attempt ended; ``reason`` is that of the error, or of the way back to the queue."""

    state: JobState = JobState.RUNNING
    reason: str = ""

    def set(self, state: JobState, reason: str = "") -> None:
        """Say so."""
        self.state, self.reason = state, reason


class RunObserver:
    """One for each worker; its methods are called on the threads that run jobs."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._tracing = telemetry.tracing
        self.metrics = JobMetrics(telemetry.registry)

    @contextmanager
    def job(self, job: Job) -> Iterator[Outcome]:
        """Around one attempt; say in the outcome how it ended."""
        outcome = Outcome()
        now = time.time()
        if job.attempt == 1:
            self.metrics.queued_seconds.observe(max(now - job.created_at, 0.0))
            self._tracing.past("queued", parent=job.traceparent, begun=job.created_at, ended=now)
        facts: dict[str, str | int] = {"omnireel.job_id": job.id, "omnireel.attempt": job.attempt}
        with (
            self.metrics.busy_slots.track_inprogress(),
            self._tracing.span(
                "job", parent=job.traceparent, kind=SpanKind.CONSUMER, attributes=facts
            ) as span,
        ):
            bind_more(trace_id=trace_id_of(current_traceparent()))
            yield outcome
            self.metrics.finished.labels(outcome.state.value, outcome.reason).inc()
            span.set_attribute("omnireel.state", outcome.state.value)
            if outcome.reason:
                failed(span, outcome.reason)

    @contextmanager
    def stage(self, stage: Stage) -> Iterator[Callable[[], None]]:
        """Around one stage; call what it gives at every denoising step."""
        begun = time.perf_counter()
        name = stage.value.lower()
        last: list[float] = []

        def step() -> None:
            now = time.perf_counter()
            if last:
                self.metrics.step_seconds.labels(name).observe(now - last.pop())
            last.append(now)

        with self._tracing.span(f"stage {name}", kind=SpanKind.CLIENT):
            yield step
        self.metrics.stage_seconds.labels(name).observe(time.perf_counter() - begun)
