"""What a training pass worked on, counted from its shapes: what speed is measured in."""

from __future__ import annotations

from dataclasses import dataclass

from omnireel.model.attention import pads
from omnireel.model.lora import has_lora
from omnireel.model.sequence import PackedSequence
from omnireel.model.transformer import Block, OmniTransformer
from omnireel.train.flops import PackShape, forward_flops, half_flops, packed_shape, padding_flops

_PRODUCTS = 3
"""A product of the forward pass has two in the backward pass."""


@dataclass(frozen=True)
class Work:
    """Target tokens and operations of one or more training passes; nothing where it is not known.

    ``flops`` is useful work: forward and backward passes over real tokens. Operations on padding
    and those that recomputation repeats come on top.
    """

    target_tokens: int = 0
    flops: float = 0.0
    padding_flops: float = 0.0
    repeated_flops: float = 0.0

    def __add__(self, other: Work) -> Work:
        return Work(
            self.target_tokens + other.target_tokens,
            self.flops + other.flops,
            self.padding_flops + other.padding_flops,
            self.repeated_flops + other.repeated_flops,
        )


def training_work(model: OmniTransformer, packed: PackedSequence) -> Work:
    """One training pass of the whole network over a pack, shared by several ranks or not. A network
    with adapters has no gradients of its other weights."""
    shape = packed_shape(packed)
    forward = forward_flops(model.config, shape)
    repeated = 0.0
    for layer, block in enumerate(model.blocks):
        assert isinstance(block, Block)
        halves = half_flops(model.config, shape, layer)
        repeated += sum(halves[half] for half in block.recompute)
    return Work(
        target_tokens=shape.target,
        flops=forward.adapters if has_lora(model) else forward.training,
        padding_flops=_PRODUCTS * _padding(model, shape),
        repeated_flops=repeated,
    )


def _padding(model: OmniTransformer, shape: PackShape) -> float:
    return padding_flops(model.config, shape) if pads(model.attend) else 0.0
