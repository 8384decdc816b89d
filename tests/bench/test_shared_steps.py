"""What it saves to run the denoising steps of several jobs as one call, by size.

Run with ``make bench``. Random weights of the tiny size; time of one step for each job.
"""

from __future__ import annotations

import statistics
import time

import pytest
import torch

from omnireel.model.joining import join_caches, join_packs
from omnireel.model.sequence import OmniSample, pack
from omnireel.model.text import TextTokens
from omnireel.model.transformer import OmniTransformer, TransformerConfig
from omnireel.sampling import Guidance
from omnireel.sampling.guidance import NO_GUIDANCE, chain

REPEATS = 9
WORDS = TextTokens((1, *range(40, 64)), (0,) * 25)


@pytest.mark.parametrize("guidance", [Guidance(), NO_GUIDANCE], ids=["guided", "guidance baked in"])
@pytest.mark.parametrize("shape", [(1, 8, 8), (2, 8, 8), (5, 8, 8)], ids=lambda s: f"{s[0]} frames")
def test_time_of_a_step_for_each_of_several_jobs(
    shape: tuple[int, int, int], guidance: Guidance
) -> None:
    torch.manual_seed(0)
    model = OmniTransformer(TransformerConfig(vocabulary_size=600, patch=1)).eval()
    guided = chain(OmniSample(WORDS, (), shape, 1), TextTokens((1,), (0,)), guidance)
    alone = pack(guided.variants)
    seconds: dict[int, list[float]] = {}
    with torch.no_grad():
        cache = model.encode_conditions(alone)
        joint = {n: (join_packs([alone] * n), join_caches([cache] * n)) for n in (1, 2, 4, 8)}
        for _ in range(REPEATS):
            for count, (packed, joined) in joint.items():
                noisy = torch.randn(sum(packed.target_lengths), model.out.out_features)
                times = torch.full((len(guided.variants) * count,), 0.5)
                begun = time.perf_counter()
                model.denoise(noisy, times, packed, joined)
                seconds.setdefault(count, []).append((time.perf_counter() - begun) / count)
    medians = {count: statistics.median(each) for count, each in seconds.items()}
    tokens = sum(alone.target_lengths)
    shown = ", ".join(
        f"{n}: {ms * 1e3:.1f} ms ({medians[1] / ms:.2f}x)" for n, ms in medians.items()
    )
    print(f"\n{shape} {tokens} tokens a job; {shown}")
