"""Loaders that plan every global micro-batch: whole steps for the trainer, or one rank's share."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from omnireel.errors import InvalidInput
from omnireel.train.balance.cost import CostModel
from omnireel.train.balance.lengths import SampleLength
from omnireel.train.balance.microbatches import MicrobatchConfig, Microbatches
from omnireel.train.balance.schedule import Limits, MicrobatchPlan, WorkGroup


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


@dataclass(frozen=True)
class PackingConfig:
    """How much goes into one packed batch."""

    max_tokens: int = 4096
    """Tokens of a batch at most: text, conditions and targets of all its samples."""
    fill: float = 0.9
    """Share of that room which is used on average: whole samples never fill it."""

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise InvalidInput("max_tokens must be 1 or more", field="packing.max_tokens")
        if not 0 < self.fill <= 1:
            raise InvalidInput("fill must be in 0 to 1", field="packing.fill")


class PackedBatches:
    """``batch(index) -> list of samples`` of any shapes, as many as fit a budget of tokens.

    The samples of a step are spread over its ``parts`` batches as over ranks, so that all batches
    of a step take equally long, whoever works on which of them. As the plan knows no ranks, a run
    has the same batches on any number of them. Samples that fit no batch of their step wait for the
    next epoch.
    """

    def __init__(
        self,
        source: SampleSource,
        *,
        parts: int,
        cost: CostModel,
        config: PackingConfig,
        seed: int = 1,
    ) -> None:
        """``parts`` is the number of batches of a step over all ranks.

        Raises:
            InvalidInput: a sample is longer than a batch, or all together fill no step.

        """
        self._source, self._parts = source, parts
        lengths = source.lengths()
        longest = max((length.tokens for length in lengths), default=0)
        if longest > config.max_tokens:
            raise InvalidInput(
                f"a sample of {longest} tokens does not fit a batch of {config.max_tokens}; set "
                f"packing.max_tokens to {longest} or more, or leave out the longest format",
                field="packing.max_tokens",
            )
        limits = Limits(config.max_tokens)
        fill = MicrobatchConfig(limits, fill=config.fill, seed=seed, least_samples=parts)
        try:
            self._order = Microbatches(lengths, parts, cost, fill)
        except InvalidInput as error:
            total = sum(length.tokens for length in lengths)
            raise InvalidInput(
                f"{len(lengths)} samples of {total} tokens together do not fill the {parts} "
                "batches of a step; lower packing.max_tokens or trainer.accumulate, or add data",
                field="packing.max_tokens",
            ) from error
        # The batches of a step follow each other, and several threads may read them.
        self._lock = threading.Lock()
        self._planned = lru_cache(maxsize=4)(self._order.plan)

    def plan(self, step: int) -> tuple[tuple[int, ...], MicrobatchPlan]:
        """The numbers of a step's samples, and which of them are in which batch."""
        with self._lock:
            return self._planned(step)

    def batch(self, index: int) -> list[Any]:
        """Batch number ``index``."""
        step, part = divmod(index, self._parts)
        numbers, plan = self.plan(step)
        return [self._source.sample(numbers[i]) for i in plan.groups[part].samples]
