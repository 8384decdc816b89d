"""The loader of one rank: it plans every global micro-batch and reads its own share of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from omnireel.errors import InvalidInput
from omnireel.train.balance.cost import CostModel
from omnireel.train.balance.lengths import SampleLength
from omnireel.train.balance.microbatches import MicrobatchConfig, Microbatches
from omnireel.train.balance.schedule import MicrobatchPlan, WorkGroup


class SampleSource(Protocol):
    """Random access to samples whose lengths are known without reading them."""

    def lengths(self) -> Sequence[SampleLength]:
        """Token counts of every sample."""

    def sample(self, index: int) -> Any:
        """Sample number ``index``."""


@dataclass(frozen=True, eq=False)
class RankBatch:
    """What one rank works on: its group's samples and how much of the whole they are.

    All ranks of a group get the same samples. A group without samples gets the shortest one of the
    micro-batch with ``share`` 0: every rank must take part in every collective operation.
    """

    samples: tuple[Any, ...]
    group: WorkGroup
    share: float
    """The group's target tokens over those of the whole micro-batch."""
    plan: MicrobatchPlan


class BalancedBatches:
    """``batch(index) -> RankBatch``; equal arguments on all ranks give parts of one plan."""

    def __init__(
        self,
        source: SampleSource,
        *,
        rank: int,
        world: int,
        cost: CostModel,
        config: MicrobatchConfig,
    ) -> None:
        """``rank`` of ``world`` reads its share.

        Raises:
            InvalidInput: the samples do not fill one micro-batch, or one of them is too long.

        """
        if not 0 <= rank < world:
            raise InvalidInput(f"rank must be 0 to {world - 1}, not {rank}", field="rank")
        self._source = source
        self._rank = rank
        self._order = Microbatches(source.lengths(), world, cost, config)

    def batch(self, index: int) -> RankBatch:
        """Our rank's part of global micro-batch ``index``."""
        numbers, plan = self._order.plan(index)
        lengths = [self._order.lengths[i] for i in numbers]
        group = plan.group_of(self._rank)
        total = sum(lengths[i].target for g in plan.groups for i in g.samples)
        mine = sum(lengths[i].target for i in group.samples)
        chosen = group.samples or (min(range(len(lengths)), key=lambda i: lengths[i].tokens),)
        samples = tuple(self._source.sample(numbers[i]) for i in chosen)
        return RankBatch(samples, group, mine / total, plan)
