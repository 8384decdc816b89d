"""The plan's formulas against what torch counts and keeps on tiny networks."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial

import pytest
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from omnireel.model.attention import padded_attention
from omnireel.model.positions import RotaryConfig
from omnireel.model.sequence import OmniSample, PackedSequence, Segment, pack
from omnireel.model.text import TextTokens
from omnireel.model.transformer import OmniTransformer, TransformerConfig
from omnireel.recipes.planning.memory import (
    Compute,
    Layout,
    saved_bytes,
    state_bytes,
    state_sizes,
)
from omnireel.train import EmaConfig, OptimizerConfig, TrainerConfig
from omnireel.train.ema import Ema
from omnireel.train.flops import forward_flops, muon_flops, pack_shape
from omnireel.train.optim import Optimizers, orthogonalise
from omnireel.types import Role
from omnireel.upscale.windows import WindowConfig, pack_windows

CONFIG = TransformerConfig(
    width=64, depth=3, heads=2, latent_channels=8, vocabulary_size=50,
    rotary=RotaryConfig(head_width=32, time_pairs=4), gated_base=True,
)  # fmt: skip
LATENT = (3, 8, 8)


def _sample(words: int = 16, references: int = 1, *, source: bool = False) -> OmniSample:
    segments = [Segment(torch.randn(8, 1, 8, 8), Role.REFERENCE, i + 1) for i in range(references)]
    if source:
        segments.append(Segment(torch.randn(8, *LATENT), Role.SOURCE, 9))
    return OmniSample(TextTokens((1,) * words, (0,) * words), tuple(segments), LATENT)


def _low_resolution() -> OmniSample:
    low = Segment(torch.randn(8, *LATENT), Role.LOW_RESOLUTION, 5)
    return OmniSample(TextTokens((1,) * 12, (0,) * 12), (low,), LATENT)


def _run(packed: PackedSequence) -> tuple[OmniTransformer, Tensor, Tensor]:
    torch.manual_seed(0)
    count = packed.target_positions_N4.shape[0]
    return (
        OmniTransformer(CONFIG),
        torch.randn(count, 32),
        torch.rand(len(packed.target_shapes)),
    )


@pytest.mark.parametrize(
    "samples",
    [[_sample()], [_sample(references=0)], [_sample(source=True)], [_sample(), _sample()]],
    ids=["reference", "text", "source", "two"],
)
def test_flops_are_those_that_torch_counts(samples: list[OmniSample]) -> None:
    packed = pack(samples)
    model, noisy, times = _run(packed)
    # The mathematical kernel: torch counts its products one by one, in both directions.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as forward:
        velocity = model(noisy, times, packed)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as backward:
        velocity.square().mean().backward()
    predicted = forward_flops(CONFIG, pack_shape(samples))
    assert forward.get_total_flops() == predicted.total
    assert forward.get_total_flops() + backward.get_total_flops() == predicted.training


def test_flops_leave_padding_out() -> None:
    samples = [_sample(words=4, references=0), _sample(words=20, references=2)]
    packed = pack(samples)
    model, noisy, times = _run(packed)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counted:
        model(noisy, times, packed)
    together = forward_flops(CONFIG, pack_shape(samples)).total
    apart = sum(forward_flops(CONFIG, pack_shape([s])).total for s in samples)
    assert together == apart < counted.get_total_flops()


def test_windows_have_the_pairs_of_their_layouts() -> None:
    windows = WindowConfig(frames=2, height=2, width=2)
    samples = [_low_resolution(), _low_resolution()]
    packed = pack_windows(samples, windows)
    shape = pack_shape(samples, windows)
    for counted, layout in [
        *zip(shape.condition_attention, packed.condition_layouts, strict=True),
        *zip(shape.target_attention, packed.target_layouts, strict=True),
    ]:
        lengths = zip(layout.q_lengths, layout.k_lengths, strict=True)
        assert counted.pairs == sum(q * k for q, k in lengths)
        assert counted.queries == layout.q_padded_BL.numel()
        assert counted.keys == layout.k_padded_BL.numel()


def test_newton_schulz_flops() -> None:
    config = OptimizerConfig(newton_schulz_steps=3)
    module = torch.nn.Linear(24, 40, bias=False)
    with FlopCounterMode(display=False) as counted:
        orthogonalise(module.weight.detach()[None], 3)
    assert counted.get_total_flops() == muon_flops(config, [("a", module)])


def _kept(samples: list[OmniSample], compute: Compute, windows: WindowConfig | None) -> int:
    """Bytes of all memory that autograd holds on to, weights and their casts left out."""
    packed = pack(samples) if windows is None else pack_windows(samples, windows)
    model, noisy, times = _run(packed)
    # The fused operator of accelerators, also where a processor would do without.
    model.attend = partial(padded_attention, operator=F.scaled_dot_product_attention)
    own = {p.untyped_storage()._cdata for p in model.parameters()}
    shapes = {tuple(p.shape) for p in model.parameters()}
    held: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        is_cast = tensor.dtype == torch.bfloat16 and bool(
            {tuple(tensor.shape), tuple(tensor.T.shape) if tensor.ndim == 2 else ()} & shapes
        )
        if tensor.untyped_storage()._cdata not in own and not is_cast:
            held[tensor.untyped_storage()._cdata] = tensor
        return tensor

    cast = torch.autocast("cpu", torch.bfloat16) if compute == "bfloat16" else nullcontext()
    with saved_tensors_hooks(keep, lambda t: t), cast:
        model(noisy, times, packed)
    return sum(t.untyped_storage().nbytes() for t in held.values())


@pytest.mark.parametrize("compute", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("samples", "windows"),
    [
        ([_sample(17), _sample(17)], None),
        ([_sample(10, source=True)], None),
        ([_sample(5, references=0), _sample(20, references=2)], None),
        ([_low_resolution(), _low_resolution()], WindowConfig(frames=2, height=2, width=2)),
    ],
    ids=["even", "source", "uneven", "windows"],
)
def test_activations_are_those_that_autograd_keeps(
    samples: list[OmniSample], windows: WindowConfig | None, compute: Compute
) -> None:
    kept = _kept(samples, compute, windows)
    predicted = saved_bytes(CONFIG, pack_shape(samples, windows), compute)
    assert kept == pytest.approx(predicted, rel=0.015)


def test_states_are_those_that_the_trainer_keeps() -> None:
    torch.manual_seed(0)
    module = OmniTransformer(CONFIG)
    trainer = TrainerConfig(num_steps=1, ema=EmaConfig(decays=(0.9, 0.99)))
    named = {f"transformer.{n}": p for n, p in module.named_parameters()}
    optimizers = Optimizers(trainer.optimizer, named)
    for parameter in named.values():
        parameter.grad = torch.ones_like(parameter)
    optimizers.step(1.0)
    ema = Ema(trainer.ema, {f"transformer.{n}": t for n, t in module.state_dict().items()})

    with torch.device("meta"):
        planned = OmniTransformer(CONFIG)
    sizes = state_sizes(trainer, {"transformer": planned}, {})
    use = state_bytes(sizes, trainer, Layout(), gpus=1, on_cpu=True)
    states = optimizers.state_tensors()
    assert use.weights == use.gradients == sum(4 * p.numel() for p in named.values())
    assert use.optimizer == sum(t.nbytes for t in states.values() if t.ndim)
    assert use.averages == sum(t.nbytes for t in ema.state_tensors().values())
    assert use.casts == 0


def test_zero_shares_states_stage_by_stage() -> None:
    trainer = TrainerConfig(num_steps=1, autocast="bfloat16")
    with torch.device("meta"):
        model = OmniTransformer(CONFIG)
    sizes = state_sizes(trainer, {"transformer": model}, {"teacher": model})
    stages = [state_bytes(sizes, trainer, Layout(zero), gpus=8) for zero in range(4)]
    whole = stages[0]
    for zero, use in enumerate(stages):
        assert use.optimizer == whole.optimizer / (8 if zero >= 1 else 1)
        assert use.gradients == whole.gradients / (8 if zero >= 2 else 1)
        assert use.frozen == whole.frozen / (8 if zero >= 3 else 1)
    assert stages[3].weights == 4 * (sizes.all_weights / 8 + 2 * sizes.block) < whole.weights
    assert sizes.block == sum(p.numel() for p in model.blocks[0].parameters())
