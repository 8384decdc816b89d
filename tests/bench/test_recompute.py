"""What recomputation costs and saves: kept bytes and step time against keeping everything.

Run with ``make bench``. The tiny network in float32, one micro-batch of 8 samples with a source
clip; budgets from everything to the least. Bytes are those that autograd really holds at the end of
the forward pass, inputs of recomputed halves included; gradients are compared bit for bit.
"""

from __future__ import annotations

import statistics
import time

import torch
from torch.autograd.graph import saved_tensors_hooks

from omnireel.model.block import Block
from omnireel.model.sequence import OmniSample, Segment, pack
from omnireel.model.text import TextTokens
from omnireel.model.transformer import OmniTransformer, TransformerConfig
from omnireel.recipes.planning.activations import plan_activations
from omnireel.train.flops import pack_shape
from omnireel.types import Role

SHAPE = (5, 8, 8)
SHARES = (1.0, 0.75, 0.5, 0.3)
REPEATS = 5


def _step(model: OmniTransformer, samples: list[OmniSample]) -> tuple[float, int]:
    """Seconds of a forward and backward pass, and bytes that the blocks keep in between."""
    held: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        held[tensor.untyped_storage()._cdata] = tensor.untyped_storage().nbytes()
        return tensor

    count = 5 * 4 * 4 * len(samples)
    noisy = torch.randn(count, 192, generator=torch.Generator().manual_seed(1))
    model.zero_grad()
    start = time.perf_counter()
    with saved_tensors_hooks(keep, lambda t: t):
        loss = model(noisy, torch.full((len(samples),), 0.6), pack(samples)).square().mean()
    loss.backward()
    seconds = time.perf_counter() - start
    # The hooks do not see the inputs of recomputed halves, which are kept all the same.
    again = sum(len(block.recompute) for block in model.blocks if isinstance(block, Block))
    tokens = 2 * count + len(samples[0].text.ids) * len(samples)
    inputs = again * tokens * 4 * model.config.width
    return seconds, sum(held.values()) + inputs


def test_bytes_and_time_of_each_budget() -> None:
    torch.manual_seed(0)
    config = TransformerConfig(vocabulary_size=600)
    model = OmniTransformer(config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    words = TextTokens((1, *range(40, 64)), (0,) * 25)
    source = Segment(torch.randn(48, *SHAPE), Role.SOURCE, 1)
    samples = [OmniSample(words, (source,), SHAPE)] * 8
    batch = pack_shape(samples)
    everything = plan_activations(config, [batch], "float32", 1e12).bytes
    seconds: dict[float, list[float]] = {share: [] for share in SHARES}
    kept, gradients, plans = {}, {}, {}
    for _ in range(REPEATS):
        for share in SHARES:
            plans[share] = plan_activations(config, [batch], "float32", share * everything)
            plans[share].apply(model)
            spent, kept[share] = _step(model, samples)
            seconds[share].append(spent)
            gradients[share] = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    for share in SHARES:
        assert all(torch.equal(a, b) for a, b in zip(gradients[share], gradients[1.0], strict=True))
        ratio = statistics.median(seconds[share]) / statistics.median(seconds[1.0])
        print(
            f"\nbudget {share:.0%}: {plans[share].share:.0%} of halves recomputed, "
            f"{kept[share] / kept[1.0]:.0%} of the bytes kept ({kept[share] / 1e6:.0f} MB), "
            f"{ratio:.2f}x the time"
        )
