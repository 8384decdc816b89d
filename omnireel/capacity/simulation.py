"""The services event by event: jobs that come by chance, slots, turns among replicas, lines.

As in the services: each worker gives the replicas of a service jobs in turn; before a replica
wait at most ``max_waiting``, and one more is handed back to the front of the queue for a while.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from omnireel.capacity.measurements import FINISH, Measurements, StageTime
from omnireel.capacity.plan import Demand, Installation, stages_of


@dataclass(frozen=True)
class SimulationConfig:
    """``jobs`` are counted after as many as ``warm_up`` of them have passed."""

    jobs: int = 20_000
    warm_up: float = 0.1
    seed: int = 1
    max_waiting: int = 2
    """Before one replica."""


@dataclass
class Job:
    """One job and its clock."""

    arrived: float
    stages: tuple[str, ...]
    worker: int = -1
    done: float = math.nan
    worked_s: float = 0.0

    @property
    def total_s(self) -> float:
        """From coming to being done."""
        return self.done - self.arrived

    @property
    def wait_s(self) -> float:
        """What of it was no work."""
        return self.total_s - self.worked_s


@dataclass(frozen=True)
class Simulated:
    """Means and quantiles over the counted jobs; seconds."""

    waits_s: Sequence[float]
    totals_s: Sequence[float]
    queued: float
    """Jobs in the queue, on average over time."""
    handed_back: int

    @property
    def wait_s(self) -> float:
        """Mean."""
        return sum(self.waits_s) / len(self.waits_s)

    @property
    def total_s(self) -> float:
        """Mean."""
        return sum(self.totals_s) / len(self.totals_s)

    def wait_quantile_s(self, share: float) -> float:
        """What a share of the jobs waits at most."""
        return sorted(self.waits_s)[min(int(share * len(self.waits_s)), len(self.waits_s) - 1)]


def simulate(
    measured: Measurements,
    demand: Demand,
    installation: Installation,
    config: SimulationConfig | None = None,
) -> Simulated:
    """Play ``config.jobs`` jobs, which come by chance."""
    config = config or SimulationConfig()
    chance = random.Random(config.seed)
    times = itertools.accumulate(chance.expovariate(demand.rate) for _ in range(config.jobs))
    return simulate_arrivals(list(times), measured, demand, installation, config)


def simulate_arrivals(
    times: Sequence[float],
    measured: Measurements,
    demand: Demand,
    installation: Installation,
    config: SimulationConfig,
) -> Simulated:
    """Play jobs that come at the given seconds."""
    model = _Model(measured, installation, config)
    shares = stages_of(measured, demand)
    jobs = []
    for time in times:
        present = [n for n, share in shares.items() if model.chance.random() < share]
        jobs.append(Job(time, tuple(present)))
    model.run(jobs)
    counted = jobs[int(config.warm_up * len(jobs)) :]
    return Simulated(
        [job.wait_s for job in counted], [job.total_s for job in counted],
        queued=model.queued_s / model.now, handed_back=model.handed_back,
    )  # fmt: skip


@dataclass
class _Replica:
    busy: bool = False
    line: deque[Job] = field(default_factory=deque)


class _Model:
    def __init__(
        self, measured: Measurements, installation: Installation, config: SimulationConfig
    ) -> None:
        self.chance = random.Random(config.seed + 1)
        self.now = self.queued_s = 0.0
        self.handed_back = 0
        self._measured = measured
        self._config = config
        self._free = [installation.slots] * installation.workers
        self._replicas = {
            n: [_Replica() for _ in range(c)] for n, c in installation.replicas.items()
        }
        self._turns = {
            (worker, name): self.chance.randrange(len(replicas))
            for worker in range(installation.workers)
            for name, replicas in self._replicas.items()
        }
        self._queue: deque[Job] = deque()
        self._events: list[tuple[float, int, str, Job, _Replica | None]] = []
        self._number = itertools.count()

    def run(self, jobs: Sequence[Job]) -> None:
        """Until all are done."""
        for job in jobs:
            self._at(job.arrived + self._measured.dispatch_s, "come", job)
        while self._events:
            time, _, what, job, replica = heapq.heappop(self._events)
            self.queued_s += len(self._queue) * (time - self.now)
            self.now = time
            if what == "come":
                self._queue.append(job)
            elif what == "back":
                self._queue.appendleft(job)
            else:
                self._end_stage(job, replica)
            self._take()

    def _at(self, time: float, what: str, job: Job, replica: _Replica | None = None) -> None:
        heapq.heappush(self._events, (time, next(self._number), what, job, replica))

    def _take(self) -> None:
        while self._queue and any(self._free):
            job = self._queue.popleft()
            job.worker = max(range(len(self._free)), key=self._free.__getitem__)
            self._free[job.worker] -= 1
            self._next_stage(job)

    def _next_stage(self, job: Job) -> None:
        if not job.stages:
            job.done = self.now
            self._free[job.worker] += 1
            return
        if job.stages[0] == FINISH:
            self._begin(job, None)
            return
        replica = self._in_turn(job.worker, job.stages[0])
        if not replica.busy:
            self._begin(job, replica)
        elif len(replica.line) < self._config.max_waiting:
            replica.line.append(job)
        else:
            self.handed_back += 1
            self._free[job.worker] += 1
            hold_s = self._measured.stages[job.stages[0]].mean_s
            self._at(self.now + max(0.1, hold_s * (1 + len(replica.line))), "back", job)

    def _in_turn(self, worker: int, service: str) -> _Replica:
        replicas = self._replicas[service]
        turn = self._turns[worker, service]
        self._turns[worker, service] = (turn + 1) % len(replicas)
        return replicas[turn]

    def _begin(self, job: Job, replica: _Replica | None) -> None:
        if replica is not None:
            replica.busy = True
        seconds = _drawn(self._measured.stages[job.stages[0]], self.chance)
        job.worked_s += seconds
        self._at(self.now + seconds, "end", job, replica)

    def _end_stage(self, job: Job, replica: _Replica | None) -> None:
        if replica is not None:
            replica.busy = False
            if replica.line:
                self._begin(replica.line.popleft(), replica)
        job.stages = job.stages[1:]
        self._next_stage(job)


def _drawn(time: StageTime, chance: random.Random) -> float:
    """A gamma variate of the measured mean and variation."""
    if not time.cv:
        return time.mean_s
    shape = 1 / time.cv**2
    return chance.gammavariate(shape, time.mean_s / shape)
