"""The packing planner: an endless shuffled order of samples, cut where the ranks are full.

A micro-batch depends on (seed, index) and the samples' lengths only; a resumed run needs just the
index. Samples keep their shuffled order across micro-batches, so that balance never decides which
samples are learnt from together, only who works on them.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from omnireel.errors import InvalidInput
from omnireel.train.balance.cost import CostModel
from omnireel.train.balance.lengths import SampleLength
from omnireel.train.balance.schedule import Limits, MicrobatchPlan, plan_microbatch

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class MicrobatchConfig:
    """How much goes into one global micro-batch."""

    limits: Limits
    fill: float = 0.9
    """Share of all ranks' room for tokens that is used: whole samples never fill every rank."""
    rank_seconds: float | None = None
    """Predicted working time per rank at which a micro-batch is full as well."""
    seed: int = 1
    least_samples: int = 1
    """So many samples at least make a micro-batch, whatever they take."""

    def __post_init__(self) -> None:
        if not 0 < self.fill <= 1:
            raise InvalidInput("fill must be in 0 to 1", field="packing.fill")
        if self.rank_seconds is not None and not self.rank_seconds > 0:
            raise InvalidInput("rank_seconds must be more than 0", field="balance.rank_seconds")


class Microbatches:
    """Global micro-batch number ``index`` -> its samples and their plan."""

    def __init__(
        self,
        lengths: Sequence[SampleLength],
        world: int,
        cost: CostModel,
        config: MicrobatchConfig,
    ) -> None:
        """``lengths`` are those of all samples there are.

        Raises:
            InvalidInput: all samples together fill no micro-batch, or one is too long for any.

        """
        self.world, self.cost, self.config = world, cost, config
        self.lengths = tuple(lengths)
        self._tokens = np.array([n.tokens for n in lengths], np.int64)
        self._seconds = np.array([cost.sample_seconds(n) for n in lengths], np.float64)
        self._starts = [0]
        # Read-ahead may straddle two epochs.
        self._epoch = lru_cache(maxsize=2)(self._cut)
        if not self._epoch(0):
            raise InvalidInput(
                f"{len(self.lengths)} samples of {int(self._tokens.sum())} tokens do not fill one "
                f"micro-batch of {world} ranks; lower packing.max_tokens or add data",
                field="packing.max_tokens",
            )

    def samples(self, index: int) -> tuple[int, ...]:
        """Numbers of the samples in global micro-batch ``index``."""
        while self._starts[-1] <= index:
            self._starts.append(self._starts[-1] + len(self._epoch(len(self._starts) - 1)))
        epoch = bisect.bisect_right(self._starts, index) - 1
        return tuple(int(i) for i in self._epoch(epoch)[index - self._starts[epoch]])

    def plan(self, index: int) -> tuple[tuple[int, ...], MicrobatchPlan]:
        """Sample numbers, and the plan whose indices count within them."""
        samples = self.samples(index)
        chosen = [self.lengths[i] for i in samples]
        return samples, plan_microbatch(chosen, self.world, self.cost, self.config.limits)

    def _cut(self, epoch: int) -> list[Ints]:
        """All whole micro-batches of an epoch; what remains at its end is left for another."""
        order = np.random.default_rng([self.config.seed, epoch]).permutation(len(self.lengths))
        room = self.world * self.config.limits.max_tokens * self.config.fill
        tokens = np.cumsum(self._tokens[order])
        seconds = np.cumsum(self._seconds[order])
        limit_s = np.inf if self.config.rank_seconds is None else self.config.rank_seconds
        batches = []
        start = 0
        while start < len(order):
            before = (tokens[start - 1], seconds[start - 1]) if start else (0, 0.0)
            full = min(
                int(np.searchsorted(tokens, before[0] + room, side="right")),
                int(np.searchsorted(seconds, before[1] + limit_s * self.world, side="right")),
            )
            if full >= len(order):
                break
            # A sample beyond all room still makes a batch: its plan says what is wrong with it.
            full = max(full, start + self.config.least_samples)
            if full > len(order):
                break
            batches.append(order[start:full])
            start = full
        return batches
