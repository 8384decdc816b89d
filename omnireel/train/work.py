"""What a training pass worked on, counted from its shapes: what speed is measured in."""

from __future__ import annotations

from dataclasses import dataclass, replace

from omnireel.model.attention import pads
from omnireel.model.block import Block
from omnireel.model.lora import has_lora
from omnireel.model.sequence import PackedSequence
from omnireel.model.transformer import OmniTransformer
from omnireel.train.flops import PackShape, forward_flops, half_flops, packed_shape, padding_flops

PRODUCTS = 3
"""A product of the forward pass has two in the backward pass."""


@dataclass(frozen=True)
class Work:
    """Target tokens and operations of one or more training passes; nothing where it is not known.

    ``flops`` is useful work: forward and backward passes over real tokens. Operations on padding
    and those that recomputation repeats come on top.
    """

    target_tokens: float = 0
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

    def __mul__(self, share: float) -> Work:
        return Work(
            self.target_tokens * share,
            self.flops * share,
            self.padding_flops * share,
            self.repeated_flops * share,
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
        padding_flops=PRODUCTS * sum(_padding(model, shape)),
        repeated_flops=repeated,
    )


def evaluation_work(
    model: OmniTransformer, packed: PackedSequence, *, conditions: bool = True
) -> Work:
    """One evaluation of a pack without gradient: the target stream, and the conditions unless their
    cache is at hand. Nothing is trained on, so there are no target tokens."""
    shape = packed_shape(packed)
    forward = forward_flops(model.config, shape)
    own, target = _padding(model, shape)
    if not conditions:
        return Work(flops=forward.target, padding_flops=target)
    return Work(flops=forward.total, padding_flops=own + target)


class Tally:
    """Adds up what the networks of an objective do for one batch, pass by pass as they happen: the
    student with gradient, teachers, references and roll-outs without."""

    def __init__(self, target_tokens: int) -> None:
        """``target_tokens`` of the batch count once, however many networks see them."""
        self.work = Work(target_tokens)

    def trained(self, model: OmniTransformer, packed: PackedSequence) -> None:
        """A pass of the whole network whose backward pass follows."""
        self.work += replace(training_work(model, packed), target_tokens=0)

    def evaluated(
        self, model: OmniTransformer, packed: PackedSequence, *, conditions: bool = True
    ) -> None:
        """A pass without gradient, see :func:`evaluation_work`."""
        self.work += evaluation_work(model, packed, conditions=conditions)


def _padding(model: OmniTransformer, shape: PackShape) -> tuple[float, float]:
    """In one run of the condition stream and of the target stream."""
    if not pads(model.attend):
        return 0.0, 0.0
    own, target = shape.condition_attention, shape.target_attention
    return padding_flops(model.config, own), padding_flops(model.config, target)
