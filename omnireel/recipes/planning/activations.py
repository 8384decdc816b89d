"""What becomes of the activations of each half of a block, so that a step fits its memory.

A half (attention with its projections, or the MLP) keeps what it needs for the backward pass, or

- computes it again there: that frees what it keeps beyond its input and costs its forward
  operations once more;
- moves it to host memory: that costs nothing while the link to the host carries it away no slower
  than the forward pass makes more (the backward pass takes twice as long, so the way back is no
  bottleneck), and takes two halves' room for what is on its way.

So a run pays only for the memory that it lacks: as few halves as possible run again, those first
that free most bytes per operation; of the others, early layers move to the host, as far as link and
host memory reach. The last layer never moves: it is asked for at once. (The choice between an
all-or-nothing flag and single operators: Korthikanti et al., arXiv 2205.05198, make it by hand for
attention; here it follows from the shapes.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from omnireel.errors import FailedPrecondition
from omnireel.model.block import Block, Half
from omnireel.model.offload import HostOffload
from omnireel.model.transformer import OmniTransformer, TransformerConfig
from omnireel.recipes.planning.memory import Compute, saved_bytes, working_bytes
from omnireel.train.flops import AttentionShape, PackShape, half_flops

HALVES: tuple[Half, ...] = ("attention", "mlp")
_ON_THE_WAY = 2
"""Halves that are leaving or coming back, beside those that are kept."""


@dataclass(frozen=True)
class HalfCost:
    """One half of one block, both streams: bytes that it keeps beyond its input, those of the
    input, and its forward operations."""

    layer: int
    half: Half
    bytes: float
    input: float
    flops: float

    @property
    def moved(self) -> float:
        """Bytes that move to the host: the input too, which recomputing has to keep."""
        return self.bytes + self.input


@dataclass(frozen=True)
class HostLink:
    """What one device may move to the host: ``bytes`` of memory there, ``bytes_s`` one way, while
    it computes ``flops_s``."""

    bytes: float = 0.0
    bytes_s: float = 0.0
    flops_s: float = 1.0

    def capacity(self, flops: float) -> float:
        """Bytes that leave within a forward pass of ``flops``, and find room."""
        return min(self.bytes, self.bytes_s * flops / self.flops_s)


NO_HOST = HostLink()


@dataclass(frozen=True)
class ActivationPlan:
    """Halves of each layer to compute again, and to move to the host; the others are kept."""

    recomputed: tuple[frozenset[Half], ...]
    offloaded: tuple[frozenset[Half], ...]
    bytes: float
    """What a step then holds at most on the device."""
    host_bytes: float = 0.0
    """And on the host."""
    flops: float = 0.0
    """Operations that are repeated."""

    @classmethod
    def keep_all(cls, depth: int, held: float) -> ActivationPlan:
        """Nothing is computed again or moved; ``held`` bytes stay."""
        none: tuple[frozenset[Half], ...] = (frozenset(),) * depth
        return cls(none, none, held)

    @property
    def share(self) -> float:
        """Of all halves, how many are computed again."""
        return sum(map(len, self.recomputed)) / (len(HALVES) * len(self.recomputed))

    @property
    def share_offloaded(self) -> float:
        """Of all halves, how many move to the host."""
        return sum(map(len, self.offloaded)) / (len(HALVES) * len(self.offloaded))

    def apply(self, model: OmniTransformer) -> None:
        """Make the model's blocks follow the plan."""
        host = HostOffload() if any(self.offloaded) else None
        plans = zip(model.blocks, self.recomputed, self.offloaded, strict=True)
        for block, recomputed, offloaded in plans:
            assert isinstance(block, Block)
            block.recompute, block.offload, block.host = recomputed, offloaded, host


def plan_activations(
    network: TransformerConfig,
    batches: Sequence[PackShape],
    compute: Compute,
    budget: float,
    *,
    sharing: int = 1,
    degrees: Sequence[int] = (),
    link: HostLink = NO_HOST,
) -> ActivationPlan:
    """The cheapest plan that brings every micro-batch under ``budget`` bytes.

    Args:
        network: the transformer.
        batches: micro-batches to make room for; the one that keeps most on a device decides.
        compute: type of the matrix products.
        budget: bytes for activations on one device.
        sharing: ranks that share each sequence (Ulysses degree).
        degrees: how many times as many share each of ``batches``; by default once.
        link: the way to host memory, if it may be used.

    Raises:
        FailedPrecondition: not even recomputing all of it is enough; the message has the numbers.

    """
    pairs = zip(batches, degrees or (1,) * len(batches), strict=True)
    batch, degree = max(pairs, key=lambda pair: saved_bytes(network, pair[0], compute) / pair[1])
    sharing *= degree
    costs = half_costs(network, batch, compute)
    held = saved_bytes(network, batch, compute) + working_bytes(network, batch, compute)
    order = sorted(costs, key=lambda c: c.bytes / c.flops, reverse=True)
    capacity = sharing * link.capacity(sum(c.flops for c in costs) / sharing)
    need = held
    for count in range(len(order) + 1):
        again, others = order[:count], order[count:]
        excess = _peak(held, again, []) - sharing * budget
        moved = _moved(others, excess, capacity, network.depth)
        need = _peak(held, again, moved) / sharing
        if need <= budget:
            return ActivationPlan(
                _by_layer(network, again),
                _by_layer(network, moved),
                need,
                sum(c.moved for c in moved) / sharing,
                sum(c.flops for c in again) / sharing,
            )
    raise FailedPrecondition(
        f"the activations of a micro-batch of {batch.samples} need {need / 1e9:.2f} GB even when "
        f"all of them are recomputed; {budget / 1e9:.2f} GB are left. Lower batch_size, the "
        "formats or the model, or share sequences among more devices",
        reason="DOES_NOT_FIT",
    )


def _moved(
    others: Sequence[HalfCost], excess: float, capacity: float, depth: int
) -> list[HalfCost]:
    """Halves to move to the host: early layers first, until ``excess`` bytes are gone or nothing
    more finds room; none where all of them together free nothing."""
    moved: list[HalfCost] = []
    left = passing = 0.0
    for cost in sorted(others, key=lambda c: c.layer):
        if left - passing >= excess:
            break
        if cost.layer < depth - 1 and left + cost.moved <= capacity:
            moved.append(cost)
            left += cost.moved
            passing = max(passing, _ON_THE_WAY * cost.moved)
    return moved if left > passing else []


def _by_layer(
    network: TransformerConfig, chosen: Sequence[HalfCost]
) -> tuple[frozenset[Half], ...]:
    return tuple(
        frozenset(c.half for c in chosen if c.layer == layer) for layer in range(network.depth)
    )


def half_costs(network: TransformerConfig, batch: PackShape, compute: Compute) -> list[HalfCost]:
    """Bytes and operations of every half of every block.

    Operations: :func:`~omnireel.train.flops.half_flops`. Bytes beyond the half's input (4 d for
    each token): see :func:`~omnireel.recipes.planning.memory.block_bytes`.
    """
    a, d = (2 if compute == "bfloat16" else 4), network.width
    hidden = int(network.mlp_ratio * d)
    heads = network.heads
    attention_token = 4 * d + 2 * a * d + (16 if a == 2 else 20) * d + 4 + 8 * heads
    mlp_token = 4 * d + 2 * a * d + 2 * a * hidden + 4
    costs = []
    for layer in range(network.depth):
        shapes = (
            (batch.conditions, _of_layer(batch.condition_attention, layer)),
            (batch.target, _of_layer(batch.target_attention, layer)),
        )
        tokens = batch.conditions + batch.target
        rows = sum(s.queries * (2 * a * d + 4 * heads) + s.keys * 2 * a * d for _, s in shapes)
        # Keys and values stay: the target stream reads them (see ConditionCache).
        stay = batch.conditions * (4 * d + a * d)
        bytes_of = {"attention": tokens * attention_token + rows - stay, "mlp": tokens * mlp_token}
        flops = half_flops(network, batch, layer)
        costs += [
            HalfCost(layer, half, float(bytes_of[half]), 4.0 * tokens * d, flops[half])
            for half in HALVES
        ]
    return costs


def _of_layer(shapes: tuple[AttentionShape, ...], layer: int) -> AttentionShape:
    return shapes[layer % len(shapes)]


def _peak(held: float, again: Sequence[HalfCost], moved: Sequence[HalfCost]) -> float:
    """What is left of ``held``; a half that runs again holds all that it freed, and some of those
    that move are on their way."""
    freed = sum(c.bytes for c in again) + sum(c.moved for c in moved)
    repeated = max((c.bytes for c in again), default=0.0)
    passing = _ON_THE_WAY * max((c.moved for c in moved), default=0.0)
    return held - freed + repeated + passing
