"""How many floating-point operations a training step takes, counted from the shapes.

Legend: ``N`` tokens of a stream, ``d`` width, ``h`` hidden width of the MLP, ``P`` numbers of a
visual token. A multiplication and an addition are two operations. Only matrix products are counted:
norms, activations and rotations are a fraction of a percent. Products of padding and those that
recomputation repeats are not useful work and are not counted here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch import nn

from omnireel.model.attention import AttentionLayout
from omnireel.model.block import Half
from omnireel.model.sequence import (
    OmniSample,
    PackedSequence,
    aligned_tokens,
    grid_tokens,
)
from omnireel.model.transformer import TransformerConfig
from omnireel.train.optim import OptimizerConfig, split_parameters
from omnireel.types import Role
from omnireel.upscale.windows import WindowConfig, window_blocks

_TIME_FEATURES = 256


@dataclass(frozen=True)
class AttentionShape:
    """One layer's attention over a pack: blocks of full attention.

    ``pairs`` counts the query-key pairs, ``queries`` and ``keys`` the rows that
    :func:`~omnireel.model.attention.padded_attention` lays out, padding included, or an operator
    for variable lengths without any. ``gathered``: queries are copied into blocks, because the
    blocks are not equally long runs.
    """

    pairs: int
    queries: int
    keys: int
    gathered: bool
    blocks: int = 1

    @property
    def padded_pairs(self) -> int:
        """Query-key pairs that are computed when blocks are padded to equal length."""
        return self.queries * self.keys // self.blocks

    @classmethod
    def of(
        cls, blocks: Sequence[tuple[int, int]], *, in_order: bool = True, padded: bool = True
    ) -> AttentionShape:
        """From ``(queries, keys)`` of every block."""
        if not padded:
            queries, keys = (sum(lengths) for lengths in zip(*blocks, strict=True))
            return cls(sum(q * k for q, k in blocks), queries, keys, not in_order, len(blocks))
        longest = [max(lengths) for lengths in zip(*blocks, strict=True)]
        uneven = len({q for q, _ in blocks}) > 1
        return cls(
            pairs=sum(q * k for q, k in blocks),
            queries=len(blocks) * longest[0],
            keys=len(blocks) * longest[1],
            gathered=uneven or not in_order,
            blocks=len(blocks),
        )


@dataclass(frozen=True)
class PackShape:
    """What cost and memory need to know of a pack; layer l has attention l modulo the length."""

    samples: int
    text: int
    visual: int
    aligned: int
    """Visual condition tokens that lie on a target token."""
    target: int
    equal_targets: bool
    condition_attention: tuple[AttentionShape, ...]
    target_attention: tuple[AttentionShape, ...]

    @property
    def conditions(self) -> int:
        """Tokens of the condition stream."""
        return self.text + self.visual


def pack_shape(
    samples: Sequence[OmniSample], windows: WindowConfig | None = None, *, padded: bool = True
) -> PackShape:
    """The shape of a pack, with full attention or (super-resolution) in ``windows``; ``padded``:
    the operator pads blocks to equal length."""
    text = [len(s.text.ids) for s in samples]
    visual = [sum(grid_tokens(x.latents_CTHW.shape, s.patch) for x in s.segments) for s in samples]
    target = [grid_tokens(s.target_shape, s.patch) for s in samples]
    aligned = sum(_aligned(s) for s in samples)
    layers = (
        [_full([t + v for t, v in zip(text, visual, strict=True)], target, padded)]
        if windows is None
        else [_windowed(samples, windows, shifted, padded) for shifted in (False, True)]
    )
    own, both = tuple(c for c, _ in layers), tuple(t for _, t in layers)
    return PackShape(
        len(samples), sum(text), sum(visual), aligned, sum(target), len(set(target)) == 1, own, both
    )


def packed_shape(packed: PackedSequence) -> PackShape:
    """The shape of samples that are packed already."""
    return PackShape(
        samples=len(packed.target_shapes),
        text=packed.text_slots.numel(),
        visual=packed.patch_slots.numel(),
        aligned=packed.aligned_patch.numel(),
        target=packed.sample_of_target.numel(),
        equal_targets=packed.equal_targets,
        condition_attention=tuple(map(_layout_shape, packed.condition_layouts)),
        target_attention=tuple(map(_layout_shape, packed.target_layouts)),
    )


@dataclass(frozen=True)
class ForwardFlops:
    """One evaluation of both streams. The condition stream's part is paid once per clip when it is
    sampled, and once per step in training."""

    conditions: float
    target: float
    inputs: float
    """Part of the sum that are products with data: their backward pass has one product fewer."""
    attention: float
    """Part of the sum that are scores and sums of values, which have no weights."""

    @property
    def total(self) -> float:
        """Both streams."""
        return self.conditions + self.target

    @property
    def training(self) -> float:
        """Forward and backward: each product has two in its backward pass, one for its input and
        one for its weight (attention: one for each factor); data have no gradient. So
        ``3 F - F_inputs``."""
        return 3 * self.total - self.inputs

    @property
    def adapters(self) -> float:
        """Forward and backward through frozen weights, whose own gradients are not computed:
        ``2 F + F_attention - F_inputs``. The adapters' products, about rank / width of this, are
        left out."""
        return 2 * self.total + self.attention - self.inputs


def forward_flops(config: TransformerConfig, pack: PackShape) -> ForwardFlops:
    """One evaluation of the transformer.

    Each layer and stream: ``N (8 d^2 + 4 d h)`` for qkv (6 d^2), output (2 d^2), MLP (4 d h), and
    ``4 d`` for each query-key pair (scores, and the sum of values). The asymmetric design's two
    calls have Nc^2 and Nt (Nc + Nt) pairs a sample. Then, once: text summary and time per sample
    ``2 d (256 + d + 8 d)``, entry of visual tokens and entry and exit of target tokens (with a gate
    of their base a second exit) ``2 P d``.
    """
    d, hidden = config.width, int(config.mlp_ratio * config.width)
    patch = config.token_numbers
    token = 8 * d * d + 4 * d * hidden
    own = sum(_of_layer(pack.condition_attention, i).pairs for i in range(config.depth))
    both = sum(_of_layer(pack.target_attention, i).pairs for i in range(config.depth))
    entries = 2 * patch * d * (pack.visual + pack.aligned)
    conditions = config.depth * pack.conditions * token + 4 * d * own + entries
    times = 2 * d * _TIME_FEATURES * pack.samples
    modulation = 2 * d * 9 * d * pack.samples
    target = config.depth * pack.target * token + 4 * d * both + times + modulation
    target_entry = 2 * patch * d * pack.target
    return ForwardFlops(
        conditions=float(conditions),
        target=float(target + (2 + config.gated_base) * target_entry),
        inputs=float(entries + times + target_entry),
        attention=float(4 * d * (own + both)),
    )


def half_flops(config: TransformerConfig, pack: PackShape, layer: int) -> dict[Half, float]:
    """Forward operations of each half of a block, both streams: attention with its projections
    ``8 N d^2 + 4 d pairs``, MLP ``4 N d h``."""
    d, hidden = config.width, int(config.mlp_ratio * config.width)
    tokens = pack.conditions + pack.target
    shapes = (pack.condition_attention, pack.target_attention)
    pairs = sum(_of_layer(x, layer).pairs for x in shapes)
    return {
        "attention": 8.0 * tokens * d * d + 4.0 * d * pairs,
        "mlp": 4.0 * tokens * d * hidden,
    }


def padding_flops(config: TransformerConfig, attention: tuple[AttentionShape, ...]) -> float:
    """Operations on padding in one run of a stream whose layers attend like that: pairs that padded
    blocks compute in vain."""
    shapes = [_of_layer(attention, layer) for layer in range(config.depth)]
    return 4.0 * config.width * sum(x.padded_pairs - x.pairs for x in shapes)


def muon_flops(config: OptimizerConfig, modules: Iterable[tuple[str, nn.Module]]) -> float:
    """Newton-Schulz iterations of one step: for an ``m x n`` matrix, m <= n, each iteration takes
    ``4 m^2 n + 2 m^3`` (Gram matrix, its square, product with the matrix)."""
    total = 0.0
    for matrix, count in muon_matrices(config, modules).items():
        m, n = sorted(matrix)
        total += count * config.newton_schulz_steps * (4.0 * m * m * n + 2.0 * m**3)
    return total


def muon_matrices(
    config: OptimizerConfig, modules: Iterable[tuple[str, nn.Module]]
) -> Counter[tuple[int, int]]:
    """How many matrices of each shape Muon works on."""
    named = {
        f"{prefix}.{name}": p
        for prefix, module in modules
        for name, p in module.named_parameters()
        if p.requires_grad
    }
    names, _ = split_parameters(config, named)
    return Counter((named[n].shape[0], named[n].numel() // named[n].shape[0]) for n in names)


def _layout_shape(layout: AttentionLayout) -> AttentionShape:
    blocks = list(zip(layout.q_lengths, layout.k_lengths, strict=True))
    return AttentionShape.of(blocks, in_order=layout.even)


def _of_layer(shapes: tuple[AttentionShape, ...], layer: int) -> AttentionShape:
    return shapes[layer % len(shapes)]


def _aligned(sample: OmniSample) -> int:
    found = (aligned_tokens(s, sample.target_shape, sample.patch) for s in sample.segments)
    return sum(int((index >= 0).sum()) for index in found if index is not None)


def _full(
    conditions: Sequence[int], target: Sequence[int], padded: bool
) -> tuple[AttentionShape, AttentionShape]:
    """Conditions among themselves; targets to both."""
    own = [(c, c) for c in conditions]
    both = [(n, n + c) for n, c in zip(target, conditions, strict=True)]
    return AttentionShape.of(own, padded=padded), AttentionShape.of(both, padded=padded)


def _windowed(
    samples: Sequence[OmniSample], windows: WindowConfig, shifted: bool, padded: bool
) -> tuple[AttentionShape, AttentionShape]:
    """Blocks as :func:`~omnireel.upscale.windows.pack_windows` makes them."""
    own: list[tuple[int, int]] = []
    both: list[tuple[int, int]] = []
    for sample in samples:
        others = len(sample.text.ids) + sum(
            grid_tokens(s.latents_CTHW.shape, sample.patch)
            for s in sample.segments
            if s.role is not Role.LOW_RESOLUTION
        )
        t, h, w = sample.target_shape
        grid = (t, h // sample.patch, w // sample.patch)
        sizes = [len(b) for b in window_blocks(grid, windows, shifted)]
        own += [(others, others), *((n, others + n) for n in sizes)]
        both += [(n, others + 2 * n) for n in sizes]
    return (
        AttentionShape.of(own, in_order=False, padded=padded),
        AttentionShape.of(both, in_order=False, padded=padded),
    )
