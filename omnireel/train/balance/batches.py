"""The loader that plans every step: which samples share a batch, and how many ranks share it."""

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
from omnireel.train.balance.schedule import Limits, MicrobatchPlan
from omnireel.train.turns import Part


class SampleSource(Protocol):
    """Random access to samples whose lengths are known without reading them."""

    def lengths(self) -> Sequence[SampleLength]:
        """Token counts of every sample."""

    def sample(self, index: int) -> Any:
        """Sample number ``index``."""


@dataclass(frozen=True)
class PackingConfig:
    """How much goes into one packed batch, and how many ranks may share it."""

    max_tokens: int = 4096
    """Tokens of a batch at most: text, conditions and targets of all its samples."""
    fill: float = 0.9
    """Share of that room which is used on average: whole samples never fill it."""
    max_degree: int = 1
    """Long samples may form batches that are shared by 2, 4, .. up to so many ranks (times
    ``trainer.parallel.ulysses``), each of which brings the room of one batch. A power of two."""
    cost: CostModel | None = None
    """How long a rank works on a batch, as 'omnireel train measure-cost' prints it; None counts
    operations."""

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise InvalidInput("max_tokens must be 1 or more", field="packing.max_tokens")
        if self.max_degree < 1 or self.max_degree & (self.max_degree - 1):
            raise InvalidInput("max_degree must be a power of two", field="packing.max_degree")
        if not 0 < self.fill <= 1:
            raise InvalidInput("fill must be in 0 to 1", field="packing.fill")

    @property
    def limits(self) -> Limits:
        """For the scheduler."""
        degrees = tuple(1 << i for i in range(self.max_degree.bit_length()))
        return Limits(self.max_tokens, degrees)


class PackedBatches:
    """``batch(index) -> list of samples`` of any shapes, as many as fit a budget of tokens.

    The samples of a step are spread over its ``parts`` places as over ranks, so that all batches
    of a step take equally long, whoever works on which of them. A batch of degree d takes d places
    (:mod:`omnireel.train.turns`). As the plan knows no ranks, a run has the same batches on any
    number of them. Samples that fit no batch of their step wait for the next epoch.
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
        """``parts`` is the number of places of a step over all ranks.

        Raises:
            InvalidInput: a sample is longer than a batch, all together fill no step, or the places
                of a step are no multiple of the largest degree.

        """
        self._source, self._parts = source, parts
        lengths = source.lengths()
        self._tokens = [length.tokens for length in lengths]
        self.largest_degree = config.max_degree
        if parts % config.max_degree:
            raise InvalidInput(
                f"{parts} batches per step cannot be joined by up to {config.max_degree}; set "
                f"trainer.accumulate to a multiple of packing.max_degree",
                field="packing.max_degree",
            )
        _check_longest(lengths, config)
        fill = MicrobatchConfig(config.limits, fill=config.fill, seed=seed, least_samples=parts)
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

    def part(self, step: int, place: int) -> Part:
        """The batch that has ``place`` in ``step``."""
        group = self.plan(step)[1].group_of(place)
        return Part(group.first_rank, group.degree, group.seconds, idle=not group.samples)

    def batch(self, index: int) -> list[Any]:
        """Batch number ``index``; the shortest sample of the step where its place has none."""
        step, place = divmod(index, self._parts)
        numbers, plan = self.plan(step)
        chosen = plan.group_of(place).samples
        if not chosen:
            chosen = (min(range(len(numbers)), key=lambda i: self._tokens[numbers[i]]),)
        return [self._source.sample(numbers[i]) for i in chosen]


def _check_longest(lengths: Sequence[SampleLength], config: PackingConfig) -> None:
    longest = max((length.tokens for length in lengths), default=0)
    if longest > config.max_tokens * config.max_degree:
        needed = -(-longest // config.max_degree)
        shared = f" of {config.max_degree} ranks" if config.max_degree > 1 else ""
        raise InvalidInput(
            f"a sample of {longest} tokens does not fit a batch of {config.max_tokens}{shared}; "
            f"set packing.max_tokens to {needed} or more, or leave out the longest format",
            field="packing.max_tokens",
        )
