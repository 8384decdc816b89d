"""Batches that are prepared where they are read.

An accelerator need not wait for the loop to do it, one batch after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch

from omnireel.train.feed import TrainData
from omnireel.train.latent_record import LatentRecord
from omnireel.train.randomness import step_seed

Batch = TypeVar("Batch")
Preparation = Callable[[Sequence[LatentRecord], torch.Generator], Batch]
"""Records -> what the objective computes with; needs no network. A loader's processes need one that
can be pickled."""


@dataclass(frozen=True, eq=False)
class PreparedBatches(Generic[Batch]):
    """Training data for an objective that takes batches of records or prepared ones."""

    data: TrainData
    """Batches of records."""
    preparation: Preparation[Batch]
    seed: int
    """The run's."""
    per_step: int
    """Batches in a step (``TrainerConfig.accumulate``)."""

    def batch(self, index: int) -> Batch:
        """Batch ``index``, with the random numbers that the loop would have used for it."""
        step, place = divmod(index, self.per_step)
        rng = torch.Generator().manual_seed(step_seed(self.seed, step, place))
        return self.preparation(self.data.batch(index), rng)
