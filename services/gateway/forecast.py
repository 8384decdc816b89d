"""How long jobs will take, from what such jobs took before; nothing where nothing was measured."""

from __future__ import annotations

import heapq
import math
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from omnireel.api.v1.video_pb2 import CreateVideoRequest
from services.common.jobs import Job, JobStore, Progress
from services.common.jobs.costs import CostTable, StageTime
from services.common.jobs.overview import Line
from services.common.stage_costs import expected_times

FRESH_S = 1.0
"""How long one look at the queue serves everybody who asks."""


@dataclass(frozen=True)
class Expected:
    """``position`` jobs go first; the job is done in ``eta_s`` seconds (None: nobody knows)."""

    position: int
    eta_s: float | None


@dataclass(frozen=True)
class _Look:
    costs: CostTable
    waiting: dict[str, Expected]
    at: float


class Forecast:
    """Answers from one look at the queue, which is taken anew every :data:`FRESH_S` seconds."""

    def __init__(self, jobs: JobStore, clock: Callable[[], float] = time.time) -> None:
        self._jobs = jobs
        self._clock = clock
        self._lock = threading.Lock()
        self._look: _Look | None = None
        self._looked_at = float("-inf")

    def running_s(
        self, request: CreateVideoRequest, progress: Progress | None, updated_at: float
    ) -> float | None:
        """Seconds until a job that runs is done; ``updated_at`` is when it came this far."""
        since = max(self._clock() - updated_at, 0.0)
        return remaining_s(request, progress, since, self._fresh().costs)

    def waiting(self, job_ids: Collection[str]) -> dict[str, Expected]:
        """Of those in ``job_ids`` that stand among the first of the queue."""
        look = self._fresh()
        passed = max(self._clock() - look.at, 0.0)
        found = {job_id: look.waiting[job_id] for job_id in job_ids if job_id in look.waiting}
        return {
            job_id: Expected(at.position, None if at.eta_s is None else max(at.eta_s - passed, 0.0))
            for job_id, at in found.items()
        }

    def _fresh(self) -> _Look:
        with self._lock:
            if self._look is None or time.monotonic() - self._looked_at >= FRESH_S:
                costs, line = self._jobs.cost_table(), self._jobs.line()
                self._look = _Look(costs, expected_waits(line, costs), line.at)
                self._looked_at = time.monotonic()
            return self._look


def remaining_s(
    request: CreateVideoRequest, progress: Progress | None, since_s: float, costs: CostTable
) -> float | None:
    """What is left of a resolved request that came as far as ``progress``, ``since_s`` ago.

    A step that takes longer than it should leaves its successors untouched: time that passes
    without a step is taken off for one step at most, and after the last one for what follows it.
    """
    expected = expected_times(request, costs)
    if progress is None:
        return _sum(list(expected.values()))
    stages = list(expected)
    if progress.stage not in stages:
        return None
    at = stages.index(progress.stage)
    current = expected[progress.stage]
    after = _sum([expected[stage] for stage in stages[at + 1 :]])
    if current is None or after is None:
        return None
    steps = max(progress.num_steps, 1)
    done = min(progress.step, steps)
    left_s = current.units_s * (1 - done / steps) + current.fixed_s
    present_s = current.units_s / steps if done < steps else current.fixed_s
    return max(left_s - min(since_s, present_s), 0.0) + after


def expected_waits(line: Line, costs: CostTable) -> dict[str, Expected]:
    """The queue played forward: each job takes the slot that is free first."""
    free = [_left_of(job, line.at, costs) for job in line.running]
    free += [0.0] * (line.slots - len(line.running))
    heapq.heapify(free)
    found: dict[str, Expected] = {}
    for position, job in enumerate(line.waiting):
        starts_s = heapq.heappop(free) if free else math.inf
        request = CreateVideoRequest.FromString(job.body)
        own = remaining_s(request, job.progress, 0.0, costs)
        ends_s = starts_s + (math.inf if own is None else own)
        found[job.id] = Expected(position, ends_s if math.isfinite(ends_s) else None)
        heapq.heappush(free, ends_s)
    return found


def _left_of(job: Job, now: float, costs: CostTable) -> float:
    request = CreateVideoRequest.FromString(job.body)
    left = remaining_s(request, job.progress, max(now - job.updated_at, 0.0), costs)
    return math.inf if left is None else left


def _sum(times: list[StageTime | None]) -> float | None:
    known = [each.total_s for each in times if each is not None]
    return sum(known) if len(known) == len(times) else None
