"""The plan of a recipe as text: what ``omnireel train plan`` prints."""

from __future__ import annotations

from omnireel.errors import InvalidInput
from omnireel.recipes import build_recipe
from omnireel.recipes.config import override
from omnireel.recipes.planning.activations import ActivationPlan
from omnireel.recipes.planning.hardware import named_device
from omnireel.recipes.planning.memory import compute_type
from omnireel.recipes.planning.plan import Plan, PlanConfig, Prediction, make_plan
from omnireel.recipes.planning.workload import Planned
from omnireel.train.flops import forward_flops

_HEADINGS = ("ZeRO", "Ulysses", "fits", "GB", "states", "activations", "step", "MFU")


def plan_report(
    recipe: str, overrides: tuple[str, ...], *, gpu: str, gpus: int, efficiency: float
) -> str:
    """Plan the named recipe on ``gpus`` devices of kind ``gpu``.

    Raises:
        InvalidInput: unknown recipe, field or device, or a recipe that is no transformer's.

    """
    chosen = override(build_recipe(recipe), overrides)
    if not isinstance(chosen, Planned):
        raise InvalidInput(
            f"there is no plan for {recipe}; only generators and super-resolvers have one",
            field="recipe",
        )
    device = named_device(gpu, chosen.trainer.threads)
    config = PlanConfig(gpus=gpus, efficiency=efficiency)
    plan = make_plan(chosen.workload(), chosen.trainer, device, config)
    return plan_text(recipe, plan, precision=compute_type(chosen.trainer))


def plan_text(name: str, plan: Plan, *, precision: str) -> str:
    """Sizes, a row for every layout, the settings of the best one, and what was assumed."""
    workload, device, config = plan.workload, plan.device, plan.config
    shapes = workload.batches
    tokens = sum(b.conditions + b.target for b in shapes) / len(shapes)
    flops = sum(forward_flops(workload.network, b).training for b in shapes) / len(shapes)
    lines = [
        f"{name}: {_count(workload.num_parameters)} parameters, width {workload.network.width}, "
        f"depth {workload.network.depth}, {workload.network.heads} heads",
        f"a micro-batch: {shapes[0].samples} samples, {tokens:,.0f} tokens on average, "
        f"{max(b.conditions + b.target for b in shapes):,} at most, "
        f"{flops / 1e12:,.2f} TFLOP forward and backward",
        f"on {config.gpus} x {device.name}: {device.memory_bytes / 1e9:.0f} GB, "
        f"{device.peak_flops(precision) / 1e12:,.1f} TFLOP/s in {precision}",
        "",
        _row(_HEADINGS),
        *(_row(_cells(p)) for p in plan.predictions),
        "",
    ]
    lines += _advice(plan)
    lines += [
        "",
        f"Assumed: products reach {config.efficiency:.0%} of the peak, {config.headroom:.0%} of "
        f"the memory stays free, {config.per_node} devices a node; passes wait for what ZeRO and "
        f"Ulysses send. MFU is at most the assumed {config.efficiency:.0%}. Device: "
        f"{device.source}.",
    ]
    return "\n".join(lines)


def _advice(plan: Plan) -> list[str]:
    best = plan.best
    if best is None:
        worst = plan.predictions[0]
        return [
            f"does not fit: even with ZeRO-{worst.layout.zero} and Ulysses {worst.layout.ulysses} "
            f"the states take {worst.states.kept / 1e9:.1f} GB of each device; use more devices, "
            "larger ones, or a smaller model"
        ]
    groups = plan.config.gpus // best.layout.ulysses
    return [
        f"fastest that fits: ZeRO-{best.layout.zero}, Ulysses {best.layout.ulysses}, "
        f"{best.micro_batches * groups} micro-batches a step (trainer.accumulate)"
    ]


def _cells(p: Prediction) -> tuple[str, ...]:
    head = (str(p.layout.zero), str(p.layout.ulysses))
    states = f"{p.states.kept / 1e9:.1f}"
    if p.activations is None:
        return (*head, "no", "", states, p.reason, "", "")
    share = _activations(p.activations)
    return (
        *head, "yes", f"{p.peak_bytes / 1e9:.1f}", states, share, _time(p.step_s), f"{p.mfu:.0%}"
    )  # fmt: skip


def _activations(plan: ActivationPlan) -> str:
    parts = []
    if plan.share:
        parts.append(f"{plan.share:.0%} recomputed")
    if plan.share_offloaded:
        parts.append(f"{plan.share_offloaded:.0%} to the host")
    return ", ".join(parts) or "kept"


def _row(cells: tuple[str, ...]) -> str:
    widths = (4, 7, 4, 7, 7, 34, 9, 5)
    return "  ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)).rstrip()


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{1000 * seconds:.1f} ms"


def _count(number: int) -> str:
    return f"{number / 1e9:.2f} B" if number >= 1e9 else f"{number / 1e6:.1f} M"
