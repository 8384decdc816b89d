"""What becomes of activations, and what it costs: kept, computed again, moved to the host.

Run with ``make bench``. On a CUDA device: peak memory and median step time of a network of 300 M
parameters in bfloat16, each half of every block but the last treated alike. Without one there is
nothing to measure: host copies in host memory only cost time, so the bytes that would move are
printed, beside those that the plan's formulas expect.
"""

from __future__ import annotations

import statistics
import time

import torch

from omnireel.model.block import Block, Half
from omnireel.model.offload import HostOffload
from omnireel.model.positions import RotaryConfig
from omnireel.model.sequence import OmniSample, Segment, pack
from omnireel.model.text import TextTokens
from omnireel.model.transformer import OmniTransformer, TransformerConfig
from omnireel.recipes.planning.activations import half_costs
from omnireel.train.flops import pack_shape
from omnireel.types import Role

REPEATS = 7
BOTH: frozenset[Half] = frozenset({"attention", "mlp"})
NONE: frozenset[Half] = frozenset()


def _apply(model: OmniTransformer, treatment: str, host: HostOffload) -> None:
    for layer, block in enumerate(model.blocks):
        assert isinstance(block, Block)
        last = layer == len(model.blocks) - 1
        block.recompute = BOTH if treatment == "recomputed" and not last else NONE
        block.offload = BOTH if treatment == "offloaded" and not last else NONE
        block.host = host


def _samples(count: int, shape: tuple[int, int, int]) -> list[OmniSample]:
    words = TextTokens((1, *range(40, 64)), (0,) * 25)
    source = Segment(torch.randn(48, *shape), Role.SOURCE, 1)
    return [OmniSample(words, (source,), shape)] * count


def _step(model: OmniTransformer, samples: list[OmniSample], device: str) -> None:
    t, h, w = samples[0].target_shape
    noisy = torch.randn(t * (h // 2) * (w // 2) * len(samples), 192, device=device)
    times = torch.full((len(samples),), 0.6, device=device)
    model.zero_grad()
    with torch.autocast(device, torch.bfloat16):
        loss = model(noisy, times, pack(samples, device)).square().mean()
    loss.backward()  # type: ignore[no-untyped-call]


def test_peak_memory_and_step_time_of_each_treatment() -> None:
    if torch.cuda.is_available():
        _on_cuda()
    else:
        _bytes_that_would_move()


def _on_cuda() -> None:
    config = TransformerConfig(
        width=1024, depth=16, heads=16, vocabulary_size=600,
        rotary=RotaryConfig(head_width=64, time_pairs=8),
    )  # fmt: skip
    model = OmniTransformer(config).cuda()
    samples, host = _samples(2, (9, 60, 104)), HostOffload()
    for treatment in ("kept", "recomputed", "offloaded"):
        _apply(model, treatment, host)
        seconds = []
        torch.cuda.reset_peak_memory_stats()
        for _ in range(REPEATS):
            torch.cuda.synchronize()
            start = time.perf_counter()
            _step(model, samples, "cuda")
            torch.cuda.synchronize()
            seconds.append(time.perf_counter() - start)
        peak = torch.cuda.max_memory_allocated()
        print(
            f"\n{torch.cuda.get_device_name()}: {treatment}: peak {peak / 1e9:.2f} GB, "
            f"{1000 * statistics.median(seconds):.0f} ms a step"
        )
    print(f"\nmoved to the host: {host.moved_bytes / REPEATS / 1e9:.2f} GB a step")


def _bytes_that_would_move() -> None:
    config = TransformerConfig(vocabulary_size=600)
    model, samples, host = OmniTransformer(config), _samples(8, (5, 8, 8)), HostOffload()
    _apply(model, "offloaded", host)
    _step(model, samples, "cpu")
    batch = pack_shape(samples)
    expected = sum(c.moved for c in half_costs(config, batch, "bfloat16")[:-2])
    print(
        f"\nno CUDA device: {host.moved_bytes / 1e6:.0f} MB would move to the host in a step, the "
        f"plan expects {expected / 1e6:.0f} MB; memory and time were not measured"
    )
    assert 0.8 < host.moved_bytes / expected < 1.25
