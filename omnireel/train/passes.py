"""The forward and backward passes of a step, and what is noted of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from omnireel.train.engine import Engine
from omnireel.train.means import RunningMeans
from omnireel.train.objective import LossReport, Objective
from omnireel.train.randomness import step_seed
from omnireel.train.throughput import Meter
from omnireel.train.trainer_config import TrainerConfig


@dataclass(frozen=True, eq=False)
class Passes:
    """Passes of one rank; losses and metrics go to ``log``, work to ``meter``."""

    config: TrainerConfig
    objective: Objective
    engine: Engine
    log: RunningMeans
    meter: Meter

    def run(
        self,
        batches: Sequence[Any],
        shares: Sequence[float],
        beat: Callable[[int], None],
        *,
        data_step: int,
        first: int,
    ) -> tuple[float, int]:
        """The batches' part of the step's loss, and how many samples they had.

        Args:
            batches: the rank's own batches of a step.
            shares: what each counts of all batches of the step.
            beat: called with the batch's place among ``batches``.
            data_step: number of the step that random numbers follow from.
            first: number of the first of ``batches`` among all of the step.

        """
        total, samples = 0.0, 0
        for i, (batch, share) in enumerate(zip(batches, shares, strict=True)):
            beat(i)
            report = self._forward(batch, step_seed(self.config.seed, data_step, first + i))
            self.engine.backward(report.loss, share)
            loss = float(report.loss.detach())
            total, samples = total + share * loss, samples + report.num_samples
            self.meter.count(report.work, report.num_samples)
            if math.isfinite(loss):
                self.log.add({"loss": loss, **report.metrics})
        return total, samples

    def _forward(self, batch: Any, seed: int) -> LossReport:
        rng = torch.Generator().manual_seed(seed)
        for module in self.objective.modules().values():
            module.train()
        with self.config.precision():
            return self.engine.forward(lambda: self.objective.loss(batch, rng))
