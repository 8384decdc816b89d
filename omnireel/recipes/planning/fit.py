"""Does a run fit the device that it is about to start on, and what must it recompute."""

from __future__ import annotations

import os
from dataclasses import replace

from omnireel.errors import InvalidInput
from omnireel.parallel import rank_of
from omnireel.recipes.planning.hardware import GB, device_at_hand
from omnireel.recipes.planning.memory import Layout
from omnireel.recipes.planning.plan import fit_memory
from omnireel.recipes.planning.recompute import RecomputePlan
from omnireel.recipes.planning.workload import Workload
from omnireel.train import TrainerConfig


def fit_on_device(workload: Workload, trainer: TrainerConfig, memory_gb: float) -> RecomputePlan:
    """What to recompute on ``trainer.device`` to stay below ``memory_gb`` (0: nothing).

    The budget is an argument and not what happens to be free, because ranks that share weights or
    sequences must all recompute the same.

    Raises:
        FailedPrecondition: the run does not fit what is free there now, or ``memory_gb``; the
            message has the numbers.
        InvalidInput: ``memory_gb`` is negative.

    """
    if memory_gb < 0:
        raise InvalidInput("memory_gb must be 0 or more", field="memory_gb")
    world = rank_of(os.environ).world
    layout = Layout(trainer.parallel.zero, trainer.parallel.ulysses) if world > 1 else Layout()
    device = device_at_hand(trainer.device, trainer.threads)
    needed = fit_memory(workload, trainer, device, layout, world)
    if memory_gb == 0:
        return replace(needed, halves=tuple(frozenset() for _ in needed.halves), flops=0.0)
    budget = replace(device, memory_bytes=int(memory_gb * GB))
    return fit_memory(workload, trainer, budget, layout, world)
