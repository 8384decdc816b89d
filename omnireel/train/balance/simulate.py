"""What balance is worth on many ranks: the loader's own plans, added up without any data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from omnireel.train.balance.cost import CostModel
from omnireel.train.balance.lengths import SampleLength
from omnireel.train.balance.microbatches import MicrobatchConfig, Microbatches
from omnireel.train.balance.schedule import MicrobatchPlan


@dataclass(frozen=True)
class Simulation:
    """Predicted times of a number of micro-batches.

    ``imbalance`` is the share of all ranks' time spent waiting at the end of micro-batches,
    ``worst`` that of the worst one. ``sharing_overhead`` is what exchanging tokens adds to the
    ranks' work. ``round_robin`` is the imbalance of the same samples dealt out one by one.
    """

    num_microbatches: int
    imbalance: float
    worst: float
    sharing_overhead: float
    round_robin: float
    left_out: int
    degrees: dict[int, int]
    """How often each Ulysses degree was used."""


def simulate(
    lengths: Sequence[SampleLength],
    world: int,
    cost: CostModel,
    config: MicrobatchConfig,
    num_microbatches: int,
) -> Simulation:
    """Plan ``num_microbatches`` as :class:`~omnireel.train.balance.batches.PackedBatches`
    does and add up what they cost."""
    order = Microbatches(lengths, world, cost, config)
    longest, mean, alone, dealt = (np.zeros(num_microbatches) for _ in range(4))
    left_out = 0
    degrees: dict[int, int] = {}
    for n in range(num_microbatches):
        numbers, plan = order.plan(n)
        chosen = [order.lengths[i] for i in numbers]
        longest[n], mean[n] = max(plan.rank_seconds), float(np.mean(plan.rank_seconds))
        planned = [chosen[i] for g in plan.groups for i in g.samples]
        alone[n] = cost.fixed_s + sum(cost.sample_seconds(s) for s in planned) / world
        dealt[n] = max(round_robin_seconds(chosen, world, cost))
        left_out += len(plan.left_out)
        _count_degrees(degrees, plan)
    return Simulation(
        num_microbatches=num_microbatches,
        imbalance=float(1 - mean.sum() / longest.sum()),
        worst=float((1 - mean / longest).max()),
        sharing_overhead=float(mean.sum() / alone.sum() - 1),
        round_robin=float(1 - alone.sum() / dealt.sum()),
        left_out=left_out,
        degrees=dict(sorted(degrees.items())),
    )


def round_robin_seconds(
    lengths: Sequence[SampleLength], world: int, cost: CostModel
) -> list[float]:
    """Ranks' times when sample i goes to rank i modulo ``world``, whatever its length."""
    return [cost.pack_seconds(lengths[rank::world]) for rank in range(world)]


def _count_degrees(counts: dict[int, int], plan: MicrobatchPlan) -> None:
    for group in plan.groups:
        counts[group.degree] = counts.get(group.degree, 0) + 1
