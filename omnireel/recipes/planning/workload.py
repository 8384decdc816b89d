"""What one micro-batch of a recipe is made of: networks on the meta device, and typical shapes.

Nothing is rendered, encoded or allocated, so a recipe for a hundred devices is planned on a laptop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import nn

from omnireel.generate.conditions import latent_shape
from omnireel.model.sequence import OmniSample, Segment
from omnireel.model.text import TextTokens
from omnireel.model.transformer import OmniTransformer, TransformerConfig
from omnireel.train.balance import CostModel, PackedBatches, PackingConfig, SampleLength
from omnireel.train.balance.lengths import sample_length
from omnireel.train.balance.mixture import planned_segments
from omnireel.train.flops import PackShape, pack_shape
from omnireel.train.latent_cache import LatentCacheConfig
from omnireel.types import Role, VideoFormat
from omnireel.upscale.windows import WindowConfig
from omnireel.world.tasks.catalog import draw_plan

_MICROBATCHES = 24
_TEXT_TOKENS = (16, 96)


@dataclass(frozen=True, eq=False)
class Workload:
    """A recipe's networks and a sample of its micro-batches."""

    network: TransformerConfig
    trained: Mapping[str, nn.Module]
    batches: tuple[PackShape, ...]
    frozen: Mapping[str, nn.Module] = field(default_factory=dict)
    host_bytes: float = 0.0
    """Host memory that activations of each device may move to."""
    degrees: tuple[int, ...] = ()
    """Places of a step that each of ``batches`` takes (:mod:`omnireel.train.turns`); empty: one."""

    def sharing(self, groups: int) -> tuple[int, ...]:
        """How many of ``groups`` groups of devices share each micro-batch."""
        return tuple(min(degree, groups) for degree in self.degrees or (1,) * len(self.batches))

    @property
    def places(self) -> int:
        """Of all ``batches`` together."""
        return sum(self.degrees) if self.degrees else len(self.batches)

    @property
    def num_parameters(self) -> int:
        """Of the trained networks."""
        return sum(p.numel() for m in self.trained.values() for p in m.parameters())


@runtime_checkable
class Planned(Protocol):
    """A recipe that can be planned."""

    def workload(self) -> Workload:
        """Its networks and typical micro-batches."""
        ...


def transformer_workload(
    network: TransformerConfig,
    data: LatentCacheConfig,
    batch_size: int,
    windows: WindowConfig | None = None,
    *,
    padded: bool = True,
) -> Workload:
    """The workload of flow matching on encoded tasks, full or (super-resolution) in windows;
    ``padded``: the attention operator pads blocks."""
    with torch.device("meta"):
        model = OmniTransformer(network)
    rng = np.random.default_rng(0)
    batches = (
        pack_shape(_microbatch(network, data, batch_size, rng, number), windows, padded=padded)
        for number in range(_MICROBATCHES)
    )
    return Workload(network, {"transformer": model}, tuple(batches))


def packed_workload(
    network: TransformerConfig,
    data: LatentCacheConfig,
    packing: PackingConfig,
    *,
    padded: bool = True,
) -> Workload:
    """The workload of flow matching on packs of all formats, made by the loader's own planner."""
    with torch.device("meta"):
        model = OmniTransformer(network)
    degree = packing.max_degree
    source = _drawn_samples(network, data, packing.max_tokens * degree)
    cost = packing.cost or relative_cost(network.width, network.depth, network.mlp_ratio)
    packs = PackedBatches(source, parts=degree, cost=cost, config=packing)
    shapes, degrees = [], []
    for step in range(_MICROBATCHES // 2):
        for group in packs.plan(step)[1].groups:
            samples = packs.batch(step * degree + group.first_rank)
            shapes.append(pack_shape(samples, padded=padded))
            degrees.append(group.degree)
    return Workload(network, {"transformer": model}, tuple(shapes), degrees=tuple(degrees))


def relative_cost(width: int, depth: int, mlp_ratio: float) -> CostModel:
    """What samples cost by their operations, where nobody has measured it: only the relation of one
    to another matters where packs are made equal. Ranks that share a sample exchange a byte in the
    time of 1,000 operations, as the GPUs of one node do."""
    return CostModel.from_flops(
        width=width, depth=depth, mlp_ratio=mlp_ratio, flops_per_s=1e12, bytes_per_s=1e9
    )


@dataclass(frozen=True, eq=False)
class _Drawn:
    """Samples in memory as a source."""

    samples: list[OmniSample]

    def lengths(self) -> list[SampleLength]:
        return [sample_length(sample) for sample in self.samples]

    def sample(self, index: int) -> OmniSample:
        return self.samples[index]


def _drawn_samples(network: TransformerConfig, data: LatentCacheConfig, budget: int) -> _Drawn:
    """Samples of all formats, enough for some packs of ``budget`` tokens.

    How long texts are is a guess, so one that alone exceeds the budget is cut.
    """
    rng = np.random.default_rng(0)
    found: list[OmniSample] = []
    total = 0
    while total < _MICROBATCHES * budget:
        (sample,) = _microbatch(network, data, 1, rng, len(found))
        room = max(1, len(sample.text.ids) + budget - sample_length(sample).tokens)
        text = TextTokens(sample.text.ids[:room], sample.text.sources[:room])
        found.append(replace(sample, text=text))
        total += sample_length(found[-1]).tokens
    return _Drawn(found)


def _microbatch(
    network: TransformerConfig,
    data: LatentCacheConfig,
    batch_size: int,
    rng: np.random.Generator,
    number: int,
) -> list[OmniSample]:
    """One format a batch, as :class:`~omnireel.train.latent_batches.LatentBatches` serves them."""
    fmt = data.formats[data.format_of(number)]
    names = sorted(name for name, weight in data.weights.items() if weight > 0)
    shares = np.array([data.weights[name] for name in names])
    chosen = rng.choice(len(names), size=batch_size, p=shares / shares.sum())
    text = rng.integers(*_TEXT_TOKENS, size=batch_size)
    return [
        replace(
            _sample(names[c], fmt, data.upscale, number * batch_size + i, int(text[i])),
            patch=network.patch,
        )
        for i, c in enumerate(chosen)
    ]


def _sample(
    capability: str, fmt: VideoFormat, upscale: int, seed: int, text_tokens: int
) -> OmniSample:
    plan = draw_plan(capability, seed, fmt.num_frames / fmt.fps, "train")
    large = VideoFormat(fmt.width * upscale, fmt.height * upscale, fmt.num_frames, fmt.fps)
    target = latent_shape(large)
    shapes = planned_segments(plan, fmt)
    if upscale > 1:
        shapes.append((Role.LOW_RESOLUTION, target))
    segments = tuple(
        Segment(
            torch.empty(1, *shape, device="meta"),
            role,
            number,
            start=target[0] - 1.0 if role is Role.LAST_FRAME else 0.0,
        )
        for number, (role, shape) in enumerate(shapes, start=1)
    )
    return OmniSample(TextTokens((0,) * text_tokens, (0,) * text_tokens), segments, target)
