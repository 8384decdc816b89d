"""Which halves of blocks to compute again in the backward pass, so that a step fits its memory.

Recomputing a half of a block (attention with its projections, or the MLP) frees what it keeps
beyond its input and costs its forward operations once more. The halves that free most bytes per
operation go first, until what is kept fits; so a run pays only for the memory that it lacks. (The
choice between an all-or-nothing flag and single operators: Korthikanti et al., arXiv 2205.05198,
make it by hand for attention; here it follows from the shapes.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from omnireel.errors import FailedPrecondition
from omnireel.model.transformer import Block, Half, OmniTransformer, TransformerConfig
from omnireel.recipes.planning.memory import Compute, saved_bytes, working_bytes
from omnireel.train.flops import AttentionShape, PackShape, half_flops

HALVES: tuple[Half, ...] = ("attention", "mlp")


@dataclass(frozen=True)
class HalfCost:
    """One half of one block, both streams: bytes that recomputing frees, operations it repeats."""

    layer: int
    half: Half
    bytes: float
    flops: float


@dataclass(frozen=True)
class RecomputePlan:
    """``halves`` of each layer to compute again; ``bytes`` is what a step then holds at most."""

    halves: tuple[frozenset[Half], ...]
    bytes: float
    flops: float
    """Operations that are repeated."""

    @property
    def share(self) -> float:
        """Of all halves, how many are computed again."""
        return sum(map(len, self.halves)) / (len(HALVES) * len(self.halves))

    def apply(self, model: OmniTransformer) -> None:
        """Make the model's blocks follow the plan."""
        for block, halves in zip(model.blocks, self.halves, strict=True):
            assert isinstance(block, Block)
            block.recompute = halves


def plan_recompute(
    network: TransformerConfig,
    batches: Sequence[PackShape],
    compute: Compute,
    budget: float,
    *,
    sharing: int = 1,
) -> RecomputePlan:
    """The cheapest halves whose recomputation brings every micro-batch under ``budget`` bytes.

    Args:
        network: the transformer.
        batches: micro-batches to make room for; the one that keeps most decides.
        compute: type of the matrix products.
        budget: bytes for activations on one device.
        sharing: ranks that share each sequence (Ulysses degree).

    Raises:
        FailedPrecondition: not even recomputing all of it is enough; the message has the numbers.

    """
    batch = max(batches, key=lambda b: saved_bytes(network, b, compute))
    costs = half_costs(network, batch, compute)
    kept = saved_bytes(network, batch, compute)
    order = sorted(costs, key=lambda c: c.bytes / c.flops, reverse=True)
    chosen: list[HalfCost] = []
    while _peak(network, batch, compute, kept, chosen) / sharing > budget:
        if len(chosen) == len(order):
            need = _peak(network, batch, compute, kept, chosen) / sharing
            raise FailedPrecondition(
                f"The activations of a micro-batch of {batch.samples} need {need / 1e9:.2f} GB "
                f"even when all of them are recomputed; {budget / 1e9:.2f} GB are left. Lower "
                "batch_size, the formats or the model, or share sequences among more devices",
                reason="DOES_NOT_FIT",
            )
        chosen.append(order[len(chosen)])
    halves = tuple(
        frozenset(c.half for c in chosen if c.layer == layer) for layer in range(network.depth)
    )
    return RecomputePlan(
        halves,
        _peak(network, batch, compute, kept, chosen) / sharing,
        sum(c.flops for c in chosen) / sharing,
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
        costs += [HalfCost(layer, half, float(bytes_of[half]), flops[half]) for half in HALVES]
    return costs


def _of_layer(shapes: tuple[AttentionShape, ...], layer: int) -> AttentionShape:
    return shapes[layer % len(shapes)]


def _peak(
    network: TransformerConfig,
    batch: PackShape,
    compute: Compute,
    kept: float,
    chosen: Sequence[HalfCost],
) -> float:
    """What is kept, and the half at work: its gradients, and if it runs again all it frees."""
    freed = sum(c.bytes for c in chosen)
    again = max((c.bytes for c in chosen), default=0.0)
    return kept - freed + again + working_bytes(network, batch, compute)
