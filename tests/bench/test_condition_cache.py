"""How much the condition cache saves: sampling time without it over sampling time with it.

Run with ``make bench``. Random weights of the tiny size; ten guided steps; the latents of both runs
are compared, so the ratio never comes at a cost in quality.
"""

from __future__ import annotations

import statistics
import time

import pytest
import torch

from omnireel.model.sequence import OmniSample, Segment, pack
from omnireel.model.text import TextTokens
from omnireel.model.transformer import OmniTransformer, TransformerConfig
from omnireel.sampling import Guidance, sample_latents, shifted_sigmas
from omnireel.sampling.guidance import chain
from omnireel.types import Role

SHAPE = (5, 8, 8)
STEPS = 10
REPEATS = 5


def conditions(name: str) -> tuple[Segment, ...]:
    image = torch.randn(48, 1, 8, 8)
    references = {"0 references": 0, "1 reference": 1, "4 references": 4}
    if name in references:
        return tuple(Segment(image, Role.REFERENCE, i + 1) for i in range(references[name]))
    source = Segment(torch.randn(48, *SHAPE), Role.SOURCE, 1)
    if name == "source video":
        return (source,)
    return (source, *(Segment(image, Role.REFERENCE, i + 2) for i in range(8)))


@pytest.mark.parametrize(
    "name",
    ["0 references", "1 reference", "4 references", "source video", "source and 8 references"],
)
def test_condition_cache_ratio(name: str) -> None:
    torch.manual_seed(0)
    model = OmniTransformer(TransformerConfig(vocabulary_size=600)).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    words = TextTokens((1, *range(40, 64)), (0,) * 25)
    sample = OmniSample(words, conditions(name), SHAPE)
    guided = chain(sample, TextTokens((1,), (0,)), Guidance())
    noise, sigmas = torch.randn(48, *SHAPE), shifted_sigmas(STEPS, 3.0)
    seconds: dict[bool, list[float]] = {True: [], False: []}
    results = {}
    for _ in range(REPEATS):
        for reuse in (True, False):
            start = time.perf_counter()
            results[reuse] = sample_latents(
                model, guided, noise, sigmas, pack, reuse_conditions=reuse
            )
            seconds[reuse].append(time.perf_counter() - start)
    assert torch.equal(results[True], results[False])
    cached, recomputed = (statistics.median(seconds[r]) for r in (True, False))
    print(
        f"\n{name}: {recomputed / cached:.2f}x"
        f" ({cached / STEPS * 1e3:.1f} ms a step cached, {recomputed / STEPS * 1e3:.1f} ms not,"
        f" {len(guided.variants)} evaluations a step)"
    )
