"""Recomputation, layouts and the printed plan."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks
from typer.testing import CliRunner

from omnireel.cli.train import app
from omnireel.errors import FailedPrecondition, InvalidInput
from omnireel.model.positions import RotaryConfig
from omnireel.model.sequence import OmniSample, Segment, pack
from omnireel.model.text import TextTokens
from omnireel.model.transformer import OmniTransformer, TransformerConfig
from omnireel.recipes import build_recipe
from omnireel.recipes.planning.activations import HostLink, half_costs, plan_activations
from omnireel.recipes.planning.fit import fit_on_device
from omnireel.recipes.planning.hardware import DEVICES, named_device
from omnireel.recipes.planning.memory import Layout, saved_bytes
from omnireel.recipes.planning.plan import PlanConfig, fit_memory, make_plan
from omnireel.recipes.planning.workload import Workload, transformer_workload
from omnireel.train import TrainerConfig
from omnireel.train.flops import pack_shape
from omnireel.train.latent_cache import LatentCacheConfig
from omnireel.types import Role, VideoFormat

CONFIG = TransformerConfig(
    width=64, depth=3, heads=4, latent_channels=8, vocabulary_size=50,
    rotary=RotaryConfig(head_width=16, time_pairs=2),
)  # fmt: skip
TRAINER = TrainerConfig(num_steps=1)


def _sample() -> OmniSample:
    rng = torch.Generator().manual_seed(0)
    source = Segment(torch.randn(8, 3, 8, 8, generator=rng), Role.SOURCE, 1)
    return OmniSample(TextTokens((1,) * 9, (0,) * 9), (source,), (3, 8, 8))


def _model() -> OmniTransformer:
    torch.manual_seed(0)
    model = OmniTransformer(CONFIG)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape))
    return model


def _step(model: OmniTransformer) -> tuple[float, list[torch.Tensor], int]:
    """Loss, gradients, and the bytes that autograd was given to keep."""
    own = {p.untyped_storage()._cdata for p in model.parameters()}
    held: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            held[storage._cdata] = storage.nbytes()
        return tensor

    noisy = torch.randn(48, 32, generator=torch.Generator().manual_seed(1))
    with saved_tensors_hooks(keep, lambda t: t):
        velocity = model(noisy, torch.tensor([0.6]), pack([_sample()]))
        loss = velocity.square().mean()
        kept = sum(held.values())
    model.zero_grad()
    loss.backward()
    return loss.item(), [p.grad.clone() for p in model.parameters() if p.grad is not None], kept


@pytest.mark.parametrize("halves", [{"attention"}, {"mlp"}, {"attention", "mlp"}])
def test_recomputed_gradients_are_the_same_bits_and_less_is_kept(halves: set[str]) -> None:
    model = _model()
    loss, gradients, kept = _step(model)
    for block in model.blocks:
        block.recompute = halves  # type: ignore[assignment]
    again, same, less = _step(model)
    assert again == loss
    assert all(torch.equal(a, b) for a, b in zip(gradients, same, strict=True))
    batch = pack_shape([_sample()])
    predicted = sum(c.bytes for c in half_costs(CONFIG, batch, "float32") if c.half in halves)
    # The hooks do not see the inputs of a recomputed half, which are kept all the same.
    inputs = CONFIG.depth * len(halves) * (batch.conditions + batch.target) * 4 * CONFIG.width
    assert kept - less == pytest.approx(predicted + inputs, rel=0.12)


def test_the_plan_takes_what_frees_most_bytes_per_operation_and_no_more() -> None:
    batch = pack_shape([_sample()])
    free = plan_activations(CONFIG, [batch], "float32", budget=1e12)
    assert free.share == 0 and free.flops == 0
    tight = plan_activations(CONFIG, [batch], "float32", budget=0.75 * free.bytes)
    assert 0 < tight.share < 1 and tight.bytes <= 0.75 * free.bytes
    costs = {(c.layer, c.half): c.bytes / c.flops for c in half_costs(CONFIG, batch, "float32")}
    chosen = {(layer, h) for layer, halves in enumerate(tight.recomputed) for h in halves}
    left = set(costs) - chosen
    assert min(costs[c] for c in chosen) >= max(costs[c] for c in left)
    assert free.bytes > saved_bytes(CONFIG, batch, "float32")
    with pytest.raises(FailedPrecondition, match="even when all of them are recomputed"):
        plan_activations(CONFIG, [batch], "float32", budget=1e3)
    model = _model()
    tight.apply(model)
    assert tuple(b.recompute for b in model.blocks) == tight.recomputed


def test_host_memory_comes_before_recomputation_as_far_as_the_link_reaches() -> None:
    batch, depth = pack_shape([_sample()]), 12
    deep = replace(CONFIG, depth=depth)
    costs = half_costs(deep, batch, "float32")
    free = plan_activations(deep, [batch], "float32", budget=1e12)
    budget = 0.7 * free.bytes
    wide = HostLink(bytes=1e12, bytes_s=1e12, flops_s=1.0)
    moved = plan_activations(deep, [batch], "float32", budget, link=wide)
    assert moved.share == 0 and moved.flops == 0 and moved.bytes <= budget
    layers = [layer for layer, halves in enumerate(moved.offloaded) if halves]
    assert layers == list(range(len(layers))) and layers[-1] < depth - 1
    assert moved.host_bytes == sum(c.moved for c in costs if c.half in moved.offloaded[c.layer])

    seconds = sum(c.flops for c in costs)
    narrow = replace(wide, bytes_s=0.6 * moved.host_bytes / seconds)
    both = plan_activations(deep, [batch], "float32", budget, link=narrow)
    alone = plan_activations(deep, [batch], "float32", budget)
    assert 0 < both.host_bytes <= 0.6 * moved.host_bytes
    assert 0 < both.flops < alone.flops and both.bytes <= budget
    assert not any(a & b for a, b in zip(both.recomputed, both.offloaded, strict=True))

    little = plan_activations(deep, [batch], "float32", budget, link=replace(wide, bytes=1.0))
    assert little == alone

    model = OmniTransformer(deep)
    both.apply(model)
    assert tuple(b.offload for b in model.blocks) == both.offloaded
    assert len({id(b.host) for b in model.blocks}) == 1 and model.blocks[0].host is not None
    alone.apply(model)
    assert all(b.host is None for b in model.blocks)


def test_two_halves_on_their_way_must_be_worth_it() -> None:
    """With two layers only one can move, which frees less than what is in flight."""
    batch = pack_shape([_sample()])
    shallow = replace(CONFIG, depth=2)
    free = plan_activations(shallow, [batch], "float32", budget=1e12)
    wide = HostLink(bytes=1e12, bytes_s=1e12, flops_s=1.0)
    plan = plan_activations(shallow, [batch], "float32", 0.9 * free.bytes, link=wide)
    assert not any(plan.offloaded) and any(plan.recomputed)


def _workload() -> Workload:
    data = LatentCacheConfig(formats=(VideoFormat(64, 64, 17, 8.0),), format_shares=(1,))
    return transformer_workload(replace(CONFIG, width=256, heads=16, depth=6), data, 8)


def test_a_workload_holds_real_shapes_and_no_memory() -> None:
    workload = _workload()
    assert all(p.is_meta for p in workload.trained["transformer"].parameters())
    assert {b.target for b in workload.batches} == {8 * 5 * 4 * 4}
    assert len({b.visual for b in workload.batches}) > 3


def test_more_devices_and_stages_need_less_each_and_the_best_comes_first() -> None:
    small = replace(DEVICES["h100"], memory_bytes=int(0.12e9))
    plan = make_plan(_workload(), TRAINER, small, PlanConfig(gpus=4))
    assert {(p.layout.zero, p.layout.ulysses) for p in plan.predictions} == {
        (z, u) for z in range(4) for u in (1, 2, 4)
    }
    by = {(p.layout.zero, p.layout.ulysses): p for p in plan.predictions}
    states = [by[z, 1].states.kept for z in range(4)]
    assert states == sorted(states, reverse=True) and states[3] < states[0] / 2
    fitting = [p for p in plan.predictions if p.fits]
    assert plan.best is fitting[0]
    assert [p.step_s for p in fitting] == sorted(p.step_s for p in fitting)
    assert all(0 < p.mfu < plan.config.efficiency for p in plan.predictions)
    assert all(p.peak_bytes <= small.memory_bytes for p in fitting)


def test_what_zero_sends_is_waited_for() -> None:
    workload = _workload()
    slow = replace(DEVICES["h100"], link_bytes_s=1e9)
    plan = make_plan(workload, TRAINER, slow, PlanConfig(gpus=2))
    by = {(p.layout.zero, p.layout.ulysses): p for p in plan.predictions}
    once = 4.0 * workload.num_parameters / 2 / 1e9
    assert by[1, 1].communication_s == pytest.approx(2 * once)
    assert by[3, 1].communication_s == pytest.approx(3 * by[3, 1].micro_batches * once)
    ulysses_s = by[0, 2].communication_s - 2 * once
    assert 0 < ulysses_s == pytest.approx(by[1, 2].communication_s - 2 * once)


def test_what_cannot_fit_says_so_with_numbers() -> None:
    tiny = replace(DEVICES["h100"], memory_bytes=10**7)
    with pytest.raises(FailedPrecondition, match=r"need 0\.\d+ GB; the memory to fit is 0\.01 GB"):
        fit_memory(_workload(), TRAINER, tiny, Layout())
    with pytest.raises(FailedPrecondition, match=r"is 0\.00 GB"):
        fit_on_device(_workload(), TRAINER, 0.001)
    with pytest.raises(FailedPrecondition, match="no device 'cuda'"):
        fit_on_device(_workload(), replace(TRAINER, device="cuda"), 0)
    with pytest.raises(InvalidInput, match="did you mean h200"):
        named_device("h20")
    assert not any(fit_on_device(_workload(), TRAINER, 0).recomputed)


def test_activations_need_a_device_with_a_host_and_a_budget() -> None:
    asked = replace(_workload(), host_bytes=1e9)
    with pytest.raises(InvalidInput, match="cpu has no memory but the host's") as caught:
        fit_on_device(asked, TRAINER, 4.0)
    assert caught.value.violations[0].field == "offload_gb"
    with pytest.raises(InvalidInput, match="set memory_gb"):
        fit_on_device(asked, TRAINER, 0)
    with pytest.raises(InvalidInput, match="0 or more"):
        fit_on_device(replace(asked, host_bytes=-1.0), TRAINER, 4.0)
    roomy = make_plan(_workload(), TRAINER, DEVICES["h100"], PlanConfig()).best
    assert roomy is not None
    # So small a network computes little for each byte: only a wide link keeps up.
    memory = int(0.8 * roomy.peak_bytes)
    small = replace(DEVICES["h100"], memory_bytes=memory, host_bytes_s=1e13)
    plain = make_plan(_workload(), TRAINER, small, PlanConfig()).best
    helped = make_plan(asked, TRAINER, small, PlanConfig()).best
    assert plain is not None and plain.activations is not None and plain.activations.share > 0
    assert helped is not None and helped.activations is not None
    assert helped.activations.share_offloaded > 0
    assert helped.activations.flops < plain.activations.flops and helped.mfu > plain.mfu


def test_base_and_large_have_the_promised_size() -> None:
    for name, low, high in (("base", 1e9, 2e9), ("large", 7e9, 14e9)):
        recipe = build_recipe(f"generator-{name}")
        workload = recipe.workload()  # type: ignore[attr-defined]
        assert low < workload.num_parameters < high
        gpus = 1 if name == "base" else 64
        plan = make_plan(workload, recipe.trainer, DEVICES["h100"], PlanConfig(gpus=gpus))
        assert plan.best is not None, name


def test_the_command_prints_a_row_for_every_layout() -> None:
    run = CliRunner().invoke(app, ["plan", "generator-tiny", "--gpus", "2", "--gpu", "h200"])
    assert run.exit_code == 0, run.output
    lines = run.output.splitlines()
    assert lines[0].startswith("generator-tiny: 6.6 M parameters")
    assert sum(line[:1] in "0123" and "%" in line for line in lines if line) == 8
    assert "fastest that fits: ZeRO-" in run.output
    assert "Assumed:" in run.output and "passes wait for what ZeRO and Ulysses send" in run.output
    for arguments, wrong in ((["vae-tiny"], "no plan for vae-tiny"), (["generator-tinny"], "tiny")):
        failed = CliRunner().invoke(app, ["plan", *arguments])
        assert isinstance(failed.exception, InvalidInput)
        assert wrong in failed.exception.message
