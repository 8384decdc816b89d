"""Predictions for every layout of a recipe on N devices: does it fit, how long is a step.

Counted: bytes and operations (:mod:`~omnireel.recipes.planning.memory`,
:mod:`~omnireel.train.flops`). Assumed, and named below the table: the share of their peak
that matrix products reach, that a group of up to eight devices shares one node's links, and that
activations move to the host at 80 % of the link's speed behind the passes. What ZeRO and Ulysses
send is waited for: the engine does not overlap it with passes (``overlap_comm`` is off in
:mod:`omnireel.parallel.zero`). What is predicted here is a guide for choosing a layout, not a
measurement.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from omnireel.errors import FailedPrecondition, InvalidInput
from omnireel.recipes.planning.activations import (
    NO_HOST,
    ActivationPlan,
    HostLink,
    plan_activations,
)
from omnireel.recipes.planning.hardware import GB, Device
from omnireel.recipes.planning.memory import (
    Compute,
    Layout,
    StateBytes,
    compute_type,
    state_bytes,
    state_sizes,
)
from omnireel.recipes.planning.workload import Workload
from omnireel.train import TrainerConfig
from omnireel.train.flops import forward_flops, muon_flops

_LINK_EFFICIENCY = 0.8
"""Share of its data sheet that a link to the host reaches while the device computes."""


@dataclass(frozen=True)
class PlanConfig:
    """How many of which devices, and what is assumed about them."""

    gpus: int = 1
    per_node: int = 8
    efficiency: float = 0.5
    """Share of the peak that matrix products reach while they run."""
    headroom: float = 0.08
    """Share of the memory that is left to the allocator, the driver and communication buffers."""

    def __post_init__(self) -> None:
        if self.gpus < 1:
            raise InvalidInput("gpus must be 1 or more", field="gpus")
        if self.gpus > self.per_node and self.gpus % self.per_node:
            raise InvalidInput(
                f"gpus must be a multiple of {self.per_node} beyond one node", field="gpus"
            )
        if not 0 < self.efficiency <= 1 or not 0 <= self.headroom < 1:
            raise InvalidInput(
                "efficiency and headroom must be between 0 and 1", field="efficiency"
            )


@dataclass(frozen=True)
class Prediction:
    """One layout. Bytes are of one device; times are of one optimiser step of all devices.

    ``activations`` is ``None`` when the layout does not fit; ``reason`` then says what is missing.
    """

    layout: Layout
    micro_batches: int
    """That each group of ``layout.ulysses`` devices works through in a step."""
    states: StateBytes
    activations: ActivationPlan | None
    reason: str
    compute_s: float
    communication_s: float
    """Of ZeRO and Ulysses; passes wait for it."""
    optimizer_s: float
    mfu: float

    @property
    def fits(self) -> bool:
        """Whether it can run."""
        return self.activations is not None

    @property
    def peak_bytes(self) -> float:
        """The most that a device holds: in the passes, or while the optimiser works."""
        held = self.activations.bytes if self.activations else math.inf
        return self.states.kept + max(held, self.states.update)

    @property
    def step_s(self) -> float:
        """A whole step."""
        return self.compute_s + self.communication_s + self.optimizer_s


@dataclass(frozen=True)
class Plan:
    """All layouts of a recipe on a number of devices, the fastest that fits first."""

    device: Device
    config: PlanConfig
    workload: Workload
    predictions: tuple[Prediction, ...]

    @property
    def best(self) -> Prediction | None:
        """The fastest layout that fits, if any does."""
        return next((p for p in self.predictions if p.fits), None)


def make_plan(
    workload: Workload, trainer: TrainerConfig, device: Device, config: PlanConfig
) -> Plan:
    """Predict every layout that the trainer offers."""
    found = [_predict(workload, trainer, device, config, x) for x in _layouts(workload, config)]
    found.sort(key=lambda p: (not p.fits, p.step_s, p.layout.zero))
    return Plan(device, config, workload, tuple(found))


def fit_memory(
    workload: Workload,
    trainer: TrainerConfig,
    device: Device,
    layout: Layout,
    gpus: int = 1,
) -> ActivationPlan:
    """What to recompute, and to move to the host, so that a step fits ``device``.

    Raises:
        FailedPrecondition: it cannot fit; the message has the numbers.
        InvalidInput: activations cannot move to a host from there.

    """
    sizes = state_sizes(trainer, workload.trained, workload.frozen)
    states = state_bytes(sizes, trainer, layout, gpus, on_cpu=device.name == "cpu")
    free = device.memory_bytes - states.kept
    if free <= states.update:
        raise FailedPrecondition(
            f"weights, gradients, optimiser and averages of {workload.num_parameters:,} parameters "
            f"need {(states.kept + states.update) / GB:.2f} GB; the memory to fit is "
            f"{device.memory_bytes / GB:.2f} GB ({device.name}). 'omnireel train plan' shows what "
            "fits on which devices",
            reason="DOES_NOT_FIT",
        )
    compute = compute_type(trainer)
    return plan_activations(
        workload.network,
        workload.batches,
        compute,
        free,
        sharing=layout.ulysses,
        degrees=workload.sharing(gpus // layout.ulysses),
        link=_host_link(workload, device, compute, PlanConfig().efficiency),
    )


def _host_link(workload: Workload, device: Device, compute: Compute, efficiency: float) -> HostLink:
    """The way to the host memory that the recipe grants each device."""
    if not workload.host_bytes:
        return NO_HOST
    if not device.host_bytes_s:
        raise InvalidInput(
            f"offload_gb moves activations from a device to its host, and {device.name} has no "
            "memory but the host's; leave offload_gb at 0 there",
            field="offload_gb",
        )
    speed = device.host_bytes_s * _LINK_EFFICIENCY
    return HostLink(workload.host_bytes, speed, device.peak_flops(compute) * efficiency)


def _layouts(workload: Workload, config: PlanConfig) -> Iterator[Layout]:
    largest = max(workload.degrees, default=1)
    degrees = [
        u
        for u in range(1, min(config.gpus, config.per_node) + 1)
        if config.gpus % u == 0
        and workload.network.heads % (u * min(largest, config.gpus // u)) == 0
    ]
    for zero in (0, 1, 2, 3) if config.gpus > 1 else (0,):
        for ulysses in degrees:
            yield Layout(zero, ulysses)


def _predict(
    workload: Workload, trainer: TrainerConfig, device: Device, config: PlanConfig, layout: Layout
) -> Prediction:
    compute = compute_type(trainer)
    groups = config.gpus // layout.ulysses
    micro = max(1, math.ceil(trainer.accumulate / groups))
    sizes = state_sizes(trainer, workload.trained, workload.frozen)
    states = state_bytes(sizes, trainer, layout, config.gpus, on_cpu=device.name == "cpu")
    free = device.memory_bytes * (1 - config.headroom) - states.kept
    link = _host_link(workload, device, compute, config.efficiency)
    activations, reason = _activations(workload, trainer, layout, groups, free, states.update, link)
    shapes = workload.batches
    flops = sum(forward_flops(workload.network, b).training for b in shapes) / workload.places
    again = activations.flops * layout.ulysses if activations else 0.0
    rate = device.peak_flops(compute) * config.efficiency
    compute_s = micro * (flops + again) / layout.ulysses / rate
    sharing = config.gpus if layout.zero >= 1 else 1
    optimizer_s = muon_flops(trainer.optimizer, workload.trained.items()) / sharing / rate
    zero_s = _zero_seconds(workload, device, config, layout, micro)
    width = 2 if compute == "bfloat16" else 4
    ulysses_s = micro * _ulysses_seconds(workload, device, layout, groups, width)
    communication_s = zero_s + ulysses_s
    useful = micro * groups * flops
    step = compute_s + communication_s + optimizer_s
    return Prediction(
        layout=layout,
        micro_batches=micro,
        states=states,
        activations=activations,
        reason=reason,
        compute_s=compute_s,
        communication_s=communication_s,
        optimizer_s=optimizer_s,
        mfu=useful / (step * config.gpus * device.peak_flops(compute)),
    )


def _activations(
    workload: Workload,
    trainer: TrainerConfig,
    layout: Layout,
    groups: int,
    free: float,
    update: float,
    link: HostLink,
) -> tuple[ActivationPlan | None, str]:
    if free < update:
        return None, f"states: {(update - free) / 1e9:.1f} GB too many"
    try:
        plan = plan_activations(
            workload.network,
            workload.batches,
            compute_type(trainer),
            free,
            sharing=layout.ulysses,
            degrees=workload.sharing(groups),
            link=link,
        )
    except FailedPrecondition:
        return None, "activations"
    return plan, ""


def _zero_seconds(
    workload: Workload, device: Device, config: PlanConfig, layout: Layout, micro: int
) -> float:
    """Gradients: an all-reduce of 4 P bytes is 2 (W - 1) / W of them on each device's link, and a
    reduce-scatter half of it; ZeRO-3 gathers the weights (4 P) in the forward and backward pass of
    every micro-batch; ZeRO-1 and 2 gather the new weights once."""
    world = config.gpus
    if world == 1:
        return 0.0
    link = device.link_bytes_s if world <= config.per_node else device.network_bytes_s
    once = 4.0 * workload.num_parameters * (world - 1) / world / link
    return once * {0: 2, 1: 2, 2: 1 + micro, 3: 3 * micro}[layout.zero]


def _ulysses_seconds(
    workload: Workload, device: Device, layout: Layout, groups: int, width: int
) -> float:
    """Queries, keys, values and results of every layer cross once forward and once backward; the
    mean over the places of a step."""
    total = 0.0
    for batch, degree in zip(workload.batches, workload.sharing(groups), strict=True):
        u = layout.ulysses * degree
        tokens = batch.conditions + batch.target
        total += degree * 4 * width * workload.network.width * tokens / u * (u - 1) / u
    return 2 * workload.network.depth * total / workload.places / device.link_bytes_s
