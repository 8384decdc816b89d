"""Does a run fit the device that it is about to start on, and what becomes of its activations."""

from __future__ import annotations

import os
from dataclasses import replace

from omnireel.errors import FailedPrecondition, InvalidInput
from omnireel.parallel import rank_of
from omnireel.recipes.planning.activations import ActivationPlan
from omnireel.recipes.planning.hardware import GB, device_at_hand, free_memory_bytes
from omnireel.recipes.planning.memory import Layout
from omnireel.recipes.planning.plan import fit_memory
from omnireel.recipes.planning.workload import Workload
from omnireel.train import TrainerConfig


def fit_on_device(workload: Workload, trainer: TrainerConfig, memory_gb: float) -> ActivationPlan:
    """What to recompute and to offload on ``trainer.device`` to stay below ``memory_gb`` (0: keep
    everything there).

    The budget is an argument and not what happens to be free, because ranks that share weights or
    sequences must all recompute the same.

    Raises:
        FailedPrecondition: the run does not fit what is free there now, or ``memory_gb``, or what
            is to move does not fit the host; the message has the numbers.
        InvalidInput: ``memory_gb`` is negative, or activations are to move without a budget or from
            a device without a host.

    """
    if memory_gb < 0:
        raise InvalidInput("memory_gb must be 0 or more", field="memory_gb")
    if workload.host_bytes < 0:
        raise InvalidInput("offload_gb must be 0 or more", field="offload_gb")
    if workload.host_bytes and memory_gb == 0:
        raise InvalidInput(
            "offload_gb moves what memory_gb has no room for; set memory_gb to the device's memory",
            field="memory_gb",
        )
    world = rank_of(os.environ).world
    layout = Layout(trainer.parallel.zero, trainer.parallel.ulysses) if world > 1 else Layout()
    device = device_at_hand(trainer.device, trainer.threads)
    needed = fit_memory(workload, trainer, device, layout, world)
    if memory_gb == 0:
        return ActivationPlan.keep_all(workload.network.depth, needed.bytes)
    budget = replace(device, memory_bytes=int(memory_gb * GB))
    plan = fit_memory(workload, trainer, budget, layout, world)
    ranks = min(world, trainer.parallel.ranks_per_node or world)
    if plan.host_bytes * ranks > (free := free_memory_bytes()):
        raise FailedPrecondition(
            f"{plan.host_bytes / GB:.2f} GB of activations of each of {ranks} rank(s) are to move "
            f"to the host, which has {free / GB:.2f} GB left; lower offload_gb",
            reason="DOES_NOT_FIT",
        )
    return plan
