"""The least installation that keeps a wait within bounds, by formula.

A job waits in the queue for a slot of a worker, and holds it through its stages. Each model
service gives its replicas jobs in turn, one at a time; the others wait in that replica's line
(:mod:`services.common.channels`, ``DeviceGate``). What is chosen here by formula,
:mod:`omnireel.capacity.simulation` checks event by event.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from omnireel.capacity.measurements import FINISH, MODEL_SERVICES, Measurements, StageTime
from omnireel.capacity.queueing import Stream, Wait, one_line, own_line, quantile_s
from omnireel.errors import InvalidInput

HOUR_S, DAY_S = 3600.0, 86400.0
MAX_REPLICAS = 10_000


@dataclass(frozen=True)
class Demand:
    """What comes, and what must hold."""

    jobs_per_hour: float
    """In the busiest hour; jobs come by chance, independently of each other."""
    enhanced: float = 1.0
    """Share of the jobs whose prompts are enhanced,"""
    upscaled: float = 1.0
    """and of those that go through super-resolution."""
    wait_s: float = 60.0
    """So long at most waits"""
    share: float = 0.95
    """this share of the jobs, in the queue and before devices together."""
    hours_a_day: float = 24.0
    """At this rate, for storage."""
    keep_days: float = 30.0
    artefact_hours: float = 1.0

    def __post_init__(self) -> None:
        for name in ("jobs_per_hour", "wait_s"):
            if not getattr(self, name) > 0:
                raise InvalidInput(f"{name} must be more than 0", field=name)
        for name in ("enhanced", "upscaled"):
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidInput(f"{name} must be a share, 0 to 1", field=name)
        if not 0.5 <= self.share < 1:
            raise InvalidInput("share must be at least 0.5 and below 1, e.g. 0.95", field="share")
        if not 0 < self.hours_a_day <= 24:
            raise InvalidInput("hours_a_day must be above 0 and at most 24", field="hours_a_day")

    @property
    def rate(self) -> float:
        """Jobs a second."""
        return self.jobs_per_hour / HOUR_S

    def share_of(self, stage: str) -> float:
        """Of the jobs, those that have this stage."""
        return {"prompt_enhancer": self.enhanced, "super_resolver": self.upscaled}.get(stage, 1.0)


@dataclass(frozen=True)
class Installation:
    """``replicas`` of each model service, and ``workers`` with ``slots`` each."""

    replicas: Mapping[str, int]
    workers: int
    slots: int

    @property
    def all_slots(self) -> int:
        """Jobs that run at once."""
        return self.workers * self.slots


@dataclass(frozen=True)
class Prediction:
    """Of an installation under a demand; seconds."""

    installation: Installation
    busy: Mapping[str, float]
    """The part of their time that the replicas of a service work; of ``slots`` that they are
    held."""
    waits: Mapping[str, Wait]
    """Before the replicas of each service, and in the ``queue`` for a slot."""
    met: Sequence[Wait]
    """The same as an average job meets them, which may skip a service."""
    dispatch_s: float
    """What every job waits."""
    work_s: float
    """Mean of what is no waiting."""

    @property
    def wait_s(self) -> float:
        """Mean of all waiting of a job."""
        return sum(wait.mean_s for wait in self.met) + self.dispatch_s

    def wait_quantile_s(self, share: float) -> float:
        """What a share of the jobs waits at most."""
        return quantile_s(self.met, share) + self.dispatch_s

    @property
    def total_s(self) -> float:
        """From accepting a job to its video, on average."""
        return self.wait_s + self.work_s


def stages_of(measured: Measurements, demand: Demand) -> dict[str, float]:
    """The stages that some jobs have, with the share of those jobs.

    Raises:
        InvalidInput: one that is wanted was not measured.

    """
    wanted = {name: demand.share_of(name) for name in (*MODEL_SERVICES, FINISH)}
    for name in MODEL_SERVICES:
        if wanted[name] and name not in measured.stages:
            option = "--enhanced 0" if name == "prompt_enhancer" else "--upscaled 0"
            raise InvalidInput(
                f"the measurements of {measured.device!r} have no {name}; add [stages.{name}], or "
                f"plan without it: {option}",
                field="--measurements",
            )
    return {name: share for name, share in wanted.items() if share and name in measured.stages}


def predict(measured: Measurements, demand: Demand, installation: Installation) -> Prediction:
    """What becomes of a demand, by formula."""
    stages = stages_of(measured, demand)
    busy = {
        name: demand.rate * share * measured.stages[name].mean_s / installation.replicas[name]
        for name, share in stages.items()
        if name != FINISH
    }
    waits = _before_replicas(measured, demand, installation, busy)
    work_s = sum(share * measured.stages[name].mean_s for name, share in stages.items())
    held_s = work_s + sum(stages[name] * wait.mean_s for name, wait in waits.items())
    variance = sum(_variance(measured.stages[name], share) for name, share in stages.items())
    variance += sum(_met_by(wait, stages[name]).variance for name, wait in waits.items())
    cv = math.sqrt(variance) / held_s if math.isfinite(held_s) else 1.0
    busy["slots"] = demand.rate * held_s / installation.all_slots
    waits["queue"] = one_line(installation.all_slots, demand.rate, held_s, cv)
    met = [_met_by(waits[name], stages.get(name, 1.0)) for name in waits]
    return Prediction(installation, busy, waits, met, measured.dispatch_s, work_s)


def _variance(time: StageTime, share: float) -> float:
    """Of the seconds in a stage that a share of the jobs has."""
    mean = share * time.mean_s
    return share * time.mean_s**2 * (1 + time.cv**2) - mean**2


def _before_replicas(
    measured: Measurements,
    demand: Demand,
    installation: Installation,
    busy: Mapping[str, float],
) -> dict[str, Wait]:
    """The wait before each service, from stage to stage."""
    waits = {}
    variation = 1.0
    for name in busy:
        time, replicas = measured.stages[name], installation.replicas[name]
        share = demand.share_of(name)
        coming = Stream(demand.rate, variation).part(share)
        each = coming.in_turn(replicas, installation.workers)
        wait = own_line(each, time.mean_s, time.cv)
        # Before a job are at most those that hold the other slots.
        most_s = (installation.all_slots - 1) * time.mean_s / replicas
        waits[name] = Wait(min(wait.mean_s, most_s), wait.share)
        going = each.served(time.mean_s, time.cv).joined(replicas, min(busy[name], 1.0))
        # Those that pass the stage over stay as they were.
        variation = share * going.variation + (1 - share) * variation
    return waits


def _met_by(wait: Wait, share: float) -> Wait:
    """The wait when only a share of the jobs comes by."""
    return Wait(wait.mean_s * share, wait.share * share) if wait.mean_s else wait


def make_plan(measured: Measurements, demand: Demand, *, slots: int = 4) -> Prediction:
    """Replicas are added where they shorten the wait most; workers have ``slots`` each.

    Raises:
        InvalidInput: no installation can keep the wait, or it would be beyond all measure.

    """
    if demand.wait_s <= measured.dispatch_s:
        raise InvalidInput(
            f"a job needs {measured.dispatch_s:.3g} s until it starts even when nothing is busy; "
            "allow a longer wait",
            field="--wait",
        )
    replicas = _least(measured, demand)
    while True:
        found = _with_slots(measured, demand, replicas, slots)
        if found.wait_quantile_s(demand.share) <= demand.wait_s:
            return found
        worst = max(replicas, key=lambda name: _gain(measured, demand, found, name))
        # One in fifty at once, so that large installations are found quickly too.
        replicas = {**replicas, worst: replicas[worst] + max(1, replicas[worst] // 50)}


def _least(measured: Measurements, demand: Demand) -> dict[str, int]:
    """Replicas of each service that can do the work at all."""
    replicas = {}
    for name, share in stages_of(measured, demand).items():
        if name == FINISH:
            continue
        replicas[name] = math.floor(demand.rate * share * measured.stages[name].mean_s) + 1
        if replicas[name] > MAX_REPLICAS:
            raise InvalidInput(
                f"{demand.jobs_per_hour:g} jobs an hour would need {replicas[name]} replicas of "
                f"{name}; plan for at most {MAX_REPLICAS}",
                field="--jobs-per-hour",
            )
    return replicas


def _gain(measured: Measurements, demand: Demand, found: Prediction, name: str) -> float:
    """Seconds of waiting that one replica more saves an average job."""
    one_more = replace(
        found.installation,
        replicas={
            service: count + (service == name)
            for service, count in found.installation.replicas.items()
        },
    )
    after = predict(measured, demand, one_more)
    return demand.share_of(name) * (found.waits[name].mean_s - after.waits[name].mean_s)


def _with_slots(
    measured: Measurements, demand: Demand, replicas: Mapping[str, int], slots: int
) -> Prediction:
    """As few workers as keep the queue from being the longest wait."""
    enough = Installation(replicas, MAX_REPLICAS, slots)
    open_ended = predict(measured, demand, enough)
    held_s = open_ended.total_s - measured.dispatch_s
    workers = max(1, math.ceil(demand.rate * held_s / slots))
    while True:
        found = predict(measured, demand, replace(enough, workers=workers))
        in_queue = found.waits["queue"].mean_s
        if in_queue <= 0.1 * open_ended.wait_s or in_queue <= 0.01 * held_s:
            return found
        workers += max(1, workers // 50)


@dataclass(frozen=True)
class Storage:
    """Bytes in the long run."""

    videos: float
    artefacts: float


def storage(measured: Measurements, demand: Demand) -> Storage:
    """What is kept at any time, with as many jobs every day."""
    a_day = demand.jobs_per_hour * demand.hours_a_day
    return Storage(
        videos=a_day * demand.keep_days * measured.video_bytes,
        artefacts=demand.jobs_per_hour * demand.artefact_hours * measured.artefact_bytes,
    )
