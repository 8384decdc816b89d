"""What packing saves: tokens and pairs that are computed in vain, and time for each real token.

Run with ``make bench``. Images, short and long clips of the mixture of tasks with all their
conditions, four batches a step, in three ways: each batch padded to its longest sample; batches of
one format; packs by a budget of tokens. The first two have as many samples in a batch as a pack has
on average. Attention pads its blocks in all three, as the CPU's operator does; operators for
variable lengths compute the pairs needed and no others. Times are processor time, so that other
work on the machine does not count.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch

from omnireel.generate.conditions import latent_shape
from omnireel.model.positions import RotaryConfig
from omnireel.model.sequence import OmniSample, Segment, pack, patchify
from omnireel.model.text import BEGIN, TextTokens
from omnireel.model.transformer import OmniTransformer, TransformerConfig
from omnireel.train.balance import CostModel, PackedBatches, PackingConfig, SampleLength
from omnireel.train.balance.lengths import sample_length
from omnireel.train.balance.mixture import planned_segments
from omnireel.train.balance.schedule import imbalance
from omnireel.train.flops import pack_shape
from omnireel.types import VideoFormat
from omnireel.world.tasks.catalog import draw_plan
from omnireel.world.tasks.mix import default_weights

FORMATS = [VideoFormat(64, 64, frames, 8.0) for frames in (1, 9, 17)]
CONFIG = TransformerConfig(
    width=128, depth=2, heads=4, latent_channels=8, vocabulary_size=600,
    rotary=RotaryConfig(head_width=32, time_pairs=4),
)  # fmt: skip
COST = CostModel.from_flops(width=128, depth=2, mlp_ratio=4, flops_per_s=1e11, bytes_per_s=1e11)
PARTS, STEPS, TIMED = 4, 24, 3
TOKENS = 1024


class Drawn:
    def __init__(self, count: int) -> None:
        rng = np.random.default_rng(0)
        weights = default_weights()
        names = sorted(name for name, weight in weights.items() if weight > 0)
        shares = np.array([weights[name] for name in names])
        chosen = rng.choice(len(names), size=count, p=shares / shares.sum())
        text = rng.integers(16, 96, size=count)
        self.samples = [
            _sample(names[c], FORMATS[i % 3], i, int(text[i])) for i, c in enumerate(chosen)
        ]

    def lengths(self) -> Sequence[SampleLength]:
        return [sample_length(s) for s in self.samples]

    def sample(self, index: int) -> OmniSample:
        return self.samples[index]


def _sample(name: str, fmt: VideoFormat, seed: int, text: int) -> OmniSample:
    plan = draw_plan(name, seed, 2.0, "train")
    segments = tuple(
        Segment(torch.randn(8, *shape), role, number)
        for number, (role, shape) in enumerate(planned_segments(plan, fmt), start=1)
    )
    return OmniSample(TextTokens((BEGIN,) * text, (0,) * text), segments, latent_shape(fmt))


def _padded(samples: list[OmniSample]) -> list[OmniSample]:
    """All as long as the longest: text fills up the conditions, latent frames the target."""
    target = max((s.target_shape for s in samples), key=lambda shape: shape[0])
    longest = max(sample_length(s).conditions for s in samples)
    found = []
    for s in samples:
        missing = longest - sample_length(s).conditions
        ids = (*s.text.ids, *(0,) * missing)
        found.append(OmniSample(TextTokens(ids, (0,) * len(ids)), s.segments, target))
    return found


def _seconds(model: OmniTransformer, samples: list[OmniSample]) -> float:
    clean = torch.cat([patchify(torch.zeros(8, *s.target_shape)) for s in samples])
    start = time.process_time()
    packed = pack(samples)
    torch.autograd.backward(model(clean, torch.full((len(samples),), 0.5), packed).square().mean())
    return time.process_time() - start


def test_packing_against_padding() -> None:
    source = Drawn(2400)
    packs = PackedBatches(source, parts=PARTS, cost=COST, config=PackingConfig(max_tokens=TOKENS))
    packed = [packs.batch(i) for i in range(PARTS * STEPS)]
    each = round(sum(map(len, packed)) / len(packed))
    order = np.random.default_rng(1).permutation(len(source.samples)).tolist()
    mixed = [[source.samples[i] for i in order[n * each : (n + 1) * each]] for n in range(96)]
    formats = [
        [source.samples[3 * i + n % 3] for i in range(n // 3 * each, (n // 3 + 1) * each)]
        for n in range(96)
    ]
    torch.manual_seed(0)
    model = OmniTransformer(CONFIG)
    ways: dict[str, tuple[list[list[OmniSample]], Callable[..., list[OmniSample]]]] = {
        "padded to the longest": (mixed, _padded),
        "one format a batch": (formats, list),
        "packed": (packed, list),
    }
    for name, (batches, how) in ways.items():
        computed = [how(b) for b in batches]
        real = sum(sample_length(s).tokens for b in batches for s in b)
        done = sum(sample_length(s).tokens for b in computed for s in b)
        shapes = [pack_shape(b) for b in computed]
        attention = [a for s in shapes for a in (*s.condition_attention, *s.target_attention)]
        needed = sum(sample_length(s).pairs for b in batches for s in b)
        steps = [
            imbalance([sum(COST.sample_seconds(sample_length(s)) for s in b) for b in step])
            for step in (computed[i : i + PARTS] for i in range(0, len(computed), PARTS))
        ]
        times = []
        for number in range(3 * TIMED):
            tokens = sum(sample_length(s).tokens for s in batches[number])
            times.append(_seconds(model, computed[number]) / tokens)
        print(
            f"\n{name}: {real / done:.1%} of the tokens are real, "
            f"{needed / sum(a.padded_pairs for a in attention):.1%} of the computed pairs needed, "
            f"imbalance of a step {statistics.mean(steps):.2%}, "
            f"{1e6 * statistics.median(times):.0f} us for each real token"
        )
