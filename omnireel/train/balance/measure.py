"""Measure how long packs take, for :func:`omnireel.train.balance.fit_cost`."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch

from omnireel.model.sequence import PATCH, OmniSample, Segment, pack, patchify
from omnireel.model.text import BEGIN, TextTokens
from omnireel.model.transformer import OmniTransformer
from omnireel.train.balance.cost import CostMeasurement
from omnireel.train.balance.lengths import sample_length
from omnireel.types import Role

Step = Callable[[Sequence[OmniSample]], None]
"""Runs forward and backward over one pack and returns when the device is done."""


def measure_costs(
    step: Step,
    packs: Iterable[Sequence[OmniSample]],
    *,
    repeats: int = 3,
    degree: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[CostMeasurement]:
    """Median time of ``repeats`` steps over each pack, after one that is not counted."""
    for samples in packs:
        step(samples)
        times = []
        for _ in range(repeats):
            start = clock()
            step(samples)
            times.append(clock() - start)
        lengths = tuple(sample_length(sample) for sample in samples)
        yield CostMeasurement(lengths, statistics.median(times), degree)


def probe_packs(channels: int, patch: int = PATCH) -> Iterator[list[OmniSample]]:
    """Packs that tell the coefficients apart: few and many tokens, long and short, conditions."""
    rng = torch.Generator().manual_seed(0)
    for count, shape, references in (
        (1, (1, 8, 8), 0),
        (8, (1, 8, 8), 1),
        (1, (5, 8, 8), 0),
        (4, (5, 8, 8), 2),
        (1, (5, 16, 16), 1),
        (1, (9, 16, 16), 0),
        (1, (9, 16, 24), 1),
        (1, (17, 16, 24), 0),
    ):
        t, h, w = shape
        image = torch.randn(channels, 1, h, w, generator=rng)
        segments = tuple(Segment(image, Role.REFERENCE, n + 1) for n in range(references))
        text = TextTokens((BEGIN,) * 16, (0,) * 16)
        yield [OmniSample(text, segments, (t, h, w), patch) for _ in range(count)]


def training_step(model: OmniTransformer, device: torch.device | str) -> Step:
    """Forward and backward of ``model`` with a squared loss, on ``device``."""
    kind = torch.device(device).type

    def step(samples: Sequence[OmniSample]) -> None:
        packed = pack(samples, device)
        channels = model.config.latent_channels
        clean = [patchify(torch.zeros(channels, *s.target_shape), s.patch) for s in samples]
        clean_NP = torch.cat(clean).to(device)
        times_B = torch.full((len(samples),), 0.5, device=device)
        torch.autograd.backward(model(clean_NP, times_B, packed).square().mean())
        model.zero_grad(set_to_none=True)
        if kind == "cuda":
            torch.cuda.synchronize()

    return step
